"""The files that run the stack: the compose file, the Dockerfile, Alertmanager's configuration and its templates."""

import argparse
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from stack import slack_faults

from exporter import config
from exporter.http.hosts import KnownHosts

pytestmark = pytest.mark.dashboard
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
TEMPLATES = ROOT / "alertmanager/templates"
needs_amtool = pytest.mark.skipif(
    not shutil.which("amtool"), reason="amtool (Debian: prometheus-alertmanager) is missing"
)


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_compose_file_says_which_zone_times_without_an_offset_are_in() -> None:
    (zone,) = [word for word in COMPOSE["services"]["exporter"]["command"] if word.startswith("--timezone=")]
    assert zone == "--timezone=${TIMEZONE:-UTC}"


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="Debian's docker-compose is not installed")
def test_a_compose_client_accepts_the_file() -> None:
    known = yaml.safe_load(run("docker-compose", "-f", "docker-compose.yml", "config"))
    assert set(known["services"]) == {"exporter", "prometheus", "alertmanager", "grafana"}


def test_all_that_is_mounted_is_there_and_the_rest_is_a_volume_or_a_secret() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume
    operation = (ROOT / "docs/operation.md").read_text("utf-8")
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].removeprefix("./") in operation  # how to make it
        assert run("git", "check-ignore", secret["file"])  # and it is never committed


def test_each_service_is_pinned_hardened_checked_and_on_loopback() -> None:
    for name, service in COMPOSE["services"].items():
        assert name == "exporter" or re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", service["image"]), name
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["healthcheck"]["test"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    grafana = COMPOSE["services"]["grafana"]["environment"]
    assert grafana["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_admin_password"
    assert not any("PASSWORD" in name and not name.endswith("__FILE") for name in grafana)


def test_the_exporters_options_are_options() -> None:
    command = COMPOSE["services"]["exporter"]["command"]
    assert command[0] == "serve"
    for option in command[1:]:
        assert option.startswith("--")
        assert option.removeprefix("--").partition("=")[0].replace("-", "_") in config.names()


def test_prometheus_may_scrape_by_the_name_it_uses() -> None:
    """The service cannot know its name in the compose network, so the name must be in --allowed-hosts, or scrapes get 403."""
    flags = argparse.ArgumentParser()
    config.add_arguments(flags)
    command = [flag for flag in COMPOSE["services"]["exporter"]["command"][1:] if "${" not in flag]
    known = KnownHosts(config.load(vars(flags.parse_args(command)), {}))
    jobs = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    (targets,) = (job["static_configs"][0]["targets"] for job in jobs if job["job_name"] == "error-visualization")
    assert all(known.accepts(target) for target in targets)
    assert not known.accepts("evil.example")


def test_git_ignores_what_the_service_writes() -> None:
    for end in ("", ".wal", ".journal.0", ".journal.1", ".log/00000001", ".tmp/x"):
        assert run("git", "check-ignore", "--no-index", f"errors.duckdb{end}")


def test_the_image_has_what_the_wheel_is_built_from_and_runs_as_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    copied = {word for line in text.splitlines() if line.startswith("COPY ") for word in line.split()[1:-1]}
    assert all((ROOT / name).exists() for name in copied)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == allowed
    assert {
        "exporter",
        "charts",
        "docs/runbooks",
        "sounds",
        "pyproject.toml",
        "requirements.lock",
        "hatch_build.py",
        "README.md",
        "LICENSE",
    } == copied
    assert re.search(r"^USER errors$", text, re.M)
    assert "HEALTHCHECK" in text


@needs_amtool
@pytest.mark.parametrize("file", ["alertmanager.yml"])
def test_alertmanagers_configuration(file: str) -> None:
    run("amtool", "check-config", ROOT / "alertmanager" / file)


@needs_amtool
@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("alertname=CriticalError severity=critical source=push worker=w", "slack,email"),
        ("alertname=CriticalError severity=critical source=push worker=w urgency=ticket", "slack,email"),
        ("alertname=CriticalError severity=critical source=push min_workers=8 urgency=page", "pager,slack,email"),
        ("alertname=NewErrorPattern severity=info source=push", "slack"),
        ("alertname=ErrorDigest severity=info source=push urgency=ticket", "digest"),
        ("alertname=CriticalErrors severity=critical source=rule", "slack,email"),
        ("alertname=ErrorRateHigh severity=warning source=rule", "slack"),
        ("alertname=NewErrorType severity=info source=rule", "nobody"),
        ("alertname=Watchdog severity=none source=rule", "nobody"),
        ("alertname=Anything", "slack"),
    ],
)
def test_who_hears_of_what(labels: str, receivers: str) -> None:
    file = ROOT / "alertmanager/alertmanager.yml"
    run(
        "amtool",
        "config",
        "routes",
        "test",
        f"--config.file={file}",
        f"--verify.receivers={receivers}",
        *labels.split(),
    )


def rendered(text: str, tmp_path: Path, alerts: int) -> str:
    alert = {
        "status": "firing",
        "labels": {"alertname": "CriticalError", "severity": "critical", "source": "push", "type": "T" * 200,
                   "category": "C" * 200, "worker": "w"},
        "annotations": {"message": "<!channel> & ```" + "m" * 4_000, "time": "now", "permalink": "http://here/?error=1",
                        "count": "7", "where": "w", "runbook_url": "http://docs"},
        "startsAt": "2026-11-24T00:00:00Z",
    }  # fmt: skip
    data = {
        "receiver": "slack", "status": "firing", "alerts": [alert] * alerts, "groupLabels": {},
        "commonLabels": alert["labels"], "commonAnnotations": alert["annotations"], "externalURL": "http://am",
    }  # fmt: skip
    (tmp_path / "data.json").write_text(json.dumps(data))
    return run("amtool", "template", "render", f"--template.glob={TEMPLATES}/*.tmpl",
               f"--template.data={tmp_path}/data.json", f"--template.text={text}")  # fmt: skip


def filled(value: Any, tmp_path: Path, alerts: int) -> Any:
    if isinstance(value, dict):
        return {key: filled(one, tmp_path, alerts) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, tmp_path, alerts) for one in value]
    return rendered(value, tmp_path, alerts).rstrip("\n") if isinstance(value, str) and "{{" in value else value


@needs_amtool
@pytest.mark.parametrize("alerts", [1, 12])
def test_slack_takes_the_variant_with_blocks(tmp_path: Path, alerts: int) -> None:
    """Alertmanager 0.25 has no `payload`, so the test renders each text itself and checks the whole by Slack's rules."""
    variant = yaml.safe_load((ROOT / "alertmanager/blockkit.yml").read_text("utf-8"))
    payload = filled(variant["receivers"][0]["webhook_configs"][0]["payload"], tmp_path, alerts)
    assert [reason for reason, wrong in slack_faults(payload) if wrong] == []
    shown = json.dumps(payload)
    assert "<!channel>" not in shown
    assert "&lt;!channel&gt;" in shown
    assert payload["blocks"][-1]["elements"][0]["url"] == "http://here/?error=1"


@needs_amtool
@pytest.mark.parametrize("alerts", [1, 12])
def test_slacks_text_is_bounded(tmp_path: Path, alerts: int) -> None:
    text = rendered('{{ template "slack.text" . }}', tmp_path, alerts)
    assert len(text) < 8_000
    assert ("and 7 more" in text) == (alerts == 12)
    assert text.count("```") == 2 * min(alerts, 5)  # no traceback is given


def test_grafanas_provisioning_names_what_the_compose_file_mounts() -> None:
    provisioning = ROOT / "grafana/provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards/dashboards.yml").read_text("utf-8"))["providers"]
    mounted = [volume.split(":")[1] for volume in COMPOSE["services"]["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted
    sources = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text("utf-8"))["datasources"]
    assert {source["uid"]: source["url"] for source in sources} == {
        "prometheus": "http://prometheus:9090", "alertmanager": "http://alertmanager:9093",
    }  # fmt: skip
