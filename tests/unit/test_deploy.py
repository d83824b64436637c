"""What `make deploy-check` finds: nothing in what is shipped, and each kind of fault where one is put in."""

import base64
import copy
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

from exporter import config
from exporter.http.hosts import KnownHosts

sys.path.insert(0, str(ROOT / "deploy"))
import check
import compose
import manifests
import units

pytestmark = pytest.mark.dashboard
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is missing")
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing")
COMPOSE = compose.load()
Change = Callable[[Any], Any]


@cache
def _rendered() -> list[dict[str, Any]]:
    return manifests.render(manifests.FOLDERS[0])


def rendered() -> dict[str, Any]:
    """The manifests of the base, by their kind."""
    return {one["kind"]: one for one in copy.deepcopy(_rendered())}


def container(objects: dict[str, Any]) -> dict[str, Any]:
    (one,) = pod(objects)["containers"]
    return one


def pod(objects: dict[str, Any]) -> dict[str, Any]:
    return objects["StatefulSet"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", [name for name, *_ in check.checks()])
def test_what_is_shipped_has_no_fault(name: str) -> None:
    ((program, faults),) = [(program, faults) for one, program, faults in check.checks() if one == name]
    if program and not shutil.which(program):
        pytest.skip(f"{program} is missing")
    assert list(faults()) == []


@needs_kubectl
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda o: o["StatefulSet"]["spec"].update(replicas="one"), "$.spec.replicas: 'one' is not of type"),
        (lambda o: o["StatefulSet"]["spec"].update(replica=1), "'replica' was unexpected"),
        (lambda o: o["Service"]["spec"]["ports"][0].pop("port"), "'port' is a required property"),
        (lambda o: o["ServiceMonitor"]["spec"]["endpoints"][0].update(intervall="15s"), "'intervall' was unexpected"),
        (lambda o: o["ServiceMonitor"]["spec"]["endpoints"][0].update(interval="soon"), "'soon' does not match"),
        (lambda o: o["PrometheusRule"]["spec"]["groups"][0].pop("name"), "'name' is a required property"),
        (lambda o: o["PodDisruptionBudget"]["spec"].update(maxUnavailable=[1]), "[1] is not valid under any"),
        (lambda o: o["NetworkPolicy"]["spec"].update(policyType="Ingress"), "'policyType' was unexpected"),
        (lambda o: o["NetworkPolicy"]["spec"].update(podSelector={"matchLabels": {"a": "b"}}), "NetworkPolicy selects"),
        (
            lambda o: o["PodDisruptionBudget"]["spec"].update(selector={"matchLabels": {}}),
            "PodDisruptionBudget selects",
        ),
        (lambda o: o["Service"]["metadata"]["labels"].clear(), "the Service lacks the labels"),
        (lambda o: o["Service"]["spec"]["ports"][0].update(targetPort="https"), "the pod has no port https"),
        (lambda o: o["ServiceMonitor"]["spec"]["endpoints"][0].update(port="web"), "the Service has no port web"),
        (lambda o: o["Secret"]["metadata"].update(name="other"), "there is no Secret error-visualization-tokens"),
        (lambda o: container(o)["volumeMounts"].pop(), "volumes and mounts differ: tmp"),
        (lambda o: container(o)["volumeMounts"][1].update(subPath="x"), "a subPath is not updated"),
        (
            lambda o: container(o)["securityContext"].update(readOnlyRootFilesystem=False),
            "a read-only root file system",
        ),
        (lambda o: container(o)["securityContext"].update(allowPrivilegeEscalation=True), "no privilege escalation"),
        (lambda o: pod(o)["securityContext"].pop("seccompProfile"), "seccomp"),
        (lambda o: pod(o)["securityContext"].update(runAsUser=0), "not as root"),
        (
            lambda o: container(o)["livenessProbe"]["httpGet"].update(path="/health"),
            "livenessProbe: the service does not",
        ),
        (lambda o: container(o)["readinessProbe"]["httpGet"].update(path="/metrics"), "without a token"),
        (lambda o: container(o)["env"].append({"name": "ERROR_VISUALIZATION_PROT", "value": "1"}), "did you mean"),
        (lambda o: container(o)["env"][2].update(value="/tmp2/errors.duckdb"), "/tmp2/errors.duckdb is in no volume"),
        (lambda o: container(o)["env"][1].update(value="8081"), "the pod does not have the port 8081"),
        (
            lambda o: o["ConfigMap"]["data"].update({"settings.yml": "timezone: Nowhere"}),
            "timezone: Nowhere is not known",
        ),
        (lambda o: o["ConfigMap"]["data"].update({"settings.yml": ""}), "allowed_hosts lacks error-visualization"),
    ],
)
def test_a_fault_of_a_manifest_is_found(change: Change, words: str) -> None:
    objects = rendered()
    change(objects)
    assert any(words in fault for fault in manifests.faults(list(objects.values()))), words


@needs_kubectl
def test_the_commands_of_the_documentation_make_an_overlay_with_tokens(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    text = (ROOT / "docs/deployment.md").read_text("utf-8")
    lines = re.findall(
        r"^(?:cp -r deploy/|error-visualization token create prometheus --scope read --t).*$", text, re.M
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(["sh", "-e", "-c", "\n".join(lines)], cwd=tmp_path, env={"PATH": path}, check=True)
    (folder,) = re.findall(r"^kubectl apply -k (.*)$", text, re.M)
    overlay = tmp_path / folder / "kustomization.yaml"
    overlay.write_text(re.sub(r"^# (secretGenerator|  )", r"\1", overlay.read_text("utf-8"), flags=re.M), "utf-8")
    (secret,) = (one for one in manifests.render(tmp_path / folder) if one["kind"] == "Secret")
    assert b'"prometheus"' in base64.b64decode(secret["data"]["tokens"])


def test_an_object_without_a_schema_is_found() -> None:
    assert list(manifests.schema_faults({"apiVersion": "v1", "kind": "Gadget", "metadata": {}})) == [
        "Gadget: Kubernetes 1.32 has no such kind"
    ]


def test_a_reload_that_comes_too_early_is_a_restart() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        process.send_signal(signal.SIGHUP)
    assert process.returncode == -signal.SIGHUP, "so does a service that has no handler yet"
    assert "\nRestartForceExitStatus=SIGHUP\n" in units.UNIT.read_text("utf-8")


@needs_systemd
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("NoNewPrivileges=yes", "NoNewPrivilege=yes", "'NoNewPrivilege'"),
        ("SystemCallFilter=@system-service\n", "", "systemd-analyze security"),
        ("--db-path=", "--database=", "there is no option database"),
        ("KillMode=mixed", "KillMode=some", "systemd-analyze verify"),
    ],
)
def test_a_fault_of_the_unit_is_found(old: str, new: str, words: str) -> None:
    text = units.UNIT.read_text("utf-8")
    assert old in text
    assert any(words in fault for fault in units.faults(text.replace(old, new)))


@pytest.mark.parametrize(
    ("service", "changed", "words"),
    [
        (
            "prometheus",
            {"volumes": ["./prometheus/prometheus.yml:/etc/prometheus/prometheus.yml:ro"]},
            "is not a folder",
        ),
        ("prometheus", {"volumes": ["data:/prometheus"]}, "there is no volume data"),
        ("prometheus", {"volumes": ["./secrets/prometheus:/etc/prometheus/secrets"]}, "is not mounted read-only"),
        ("prometheus", {"depends_on": ["exporter"]}, "no wait for others"),
        ("prometheus", {"command": []}, "does not store exemplars"),
        ("prometheus", {"healthcheck": {"test": ["CMD", "wget"]}}, "a program that its image may not have"),
        ("grafana", {"image": "grafana/grafana:latest"}, "a pinned version"),
        ("grafana", {"environment": {}}, "a time zone"),
        ("grafana", {"ports": ["3000:3000"]}, "ports on loopback only"),
        ("alertmanager", {"read_only": False}, "a read-only root file system"),
        ("exporter", {"environment": {"ERROR_VISUALIZATION_ZONE": "x"}}, "there is no setting zone"),
    ],
)
def test_a_fault_of_the_compose_file_is_found(service: str, changed: dict[str, Any], words: str) -> None:
    services = COMPOSE["services"] | {service: COMPOSE["services"][service] | changed}
    assert any(words in fault for fault in compose.faults(COMPOSE | {"services": services}))


def test_prometheus_may_scrape_by_the_name_it_uses() -> None:
    """The service cannot know its name in the compose network, so it must be in allowed_hosts, or scrapes get 403."""
    variables = COMPOSE["services"]["exporter"]["environment"]
    settings = config.load({}, {name: value for name, value in variables.items() if "${" not in value})
    jobs = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    (targets,) = (job["static_configs"][0]["targets"] for job in jobs if job["job_name"] == "error-visualization")
    assert all(KnownHosts(settings).accepts(target) for target in targets)
    assert not KnownHosts(settings).accepts("evil.example")


def test_secrets_are_documented_and_never_committed() -> None:
    """And the folders on which they are mounted are there: in a read-only mount, no container can make them."""
    text = (ROOT / "docs/deployment.md").read_text("utf-8")
    assert "chmod 700 secrets" in text
    for name in (
        "prometheus/exporter_token",
        "alertmanager/slack_url",
        "alertmanager/smtp_password",
        "grafana/admin_password",
    ):
        assert f"secrets/{name}" in text
        for path in (f"secrets/{name}", "{}/secrets/{}".format(*name.split("/"))):
            assert subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0
    for folder in ("prometheus", "alertmanager"):
        assert f"./{folder}:/etc/{folder}:ro" in COMPOSE["services"][folder]["volumes"]
        assert (ROOT / folder / "secrets").is_dir()
        assert subprocess.run(["git", "ls-files", "--error-unmatch", f"{folder}/secrets/.gitignore"], cwd=ROOT,
                              capture_output=True, check=False).returncode == 0  # fmt: skip


def test_the_images_settings_are_settings_and_its_health_check_is_ours() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    words = [word.partition("=") for word in text.split() if word.startswith(config.ENV_PREFIX)]
    settings = config.load({}, {name: value for name, _, value in words})
    assert (settings.host, settings.db_path, settings.tokens_file) == ("0.0.0.0", "/data/errors.duckdb", "/data/tokens")
    assert 'CMD ["error-visualization", "health"]' in text
    assert 'CMD ["serve"]' in text  # flags would hide settings from the health check


def test_the_program_prints_each_fault(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> list[str]:
        raise FileNotFoundError(2, "no such file", "kubectl")

    monkeypatch.setattr(check, "checks", lambda: [("one", "", lambda: ["a", "b"]), ("two", "kubectl", missing)])
    assert check.main() == 1
    assert capsys.readouterr().out == "one: a; b\ntwo: not checked, because kubectl is missing\n"
