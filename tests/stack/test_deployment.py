"""The files that run the stack: the Dockerfile, Alertmanager's configuration and its templates. The compose file and the
manifests: tests/unit/test_deploy.py."""

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
        "client",
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


ESCAPED = {"message": "<!channel>" + "<&>" * 1_400, "run": "<!channel> & ```" + "&" * 250}
LONGEST_RUN = {"run": "<!channel> & ```" + "r" * 250, "run_link": "http://here/?view=run%3A" + "r" * 256}


def rendered(text: str, tmp_path: Path, alerts: int, **more: str) -> str:
    """Returns what a template makes of a message about `alerts` alerts, which have the annotations `more`, too."""
    alert: dict[str, Any] = {
        "status": "firing",
        "labels": {"alertname": "CriticalError", "severity": "critical", "source": "push", "type": "T" * 200,
                   "category": "C" * 200, "worker": "w"},
        "annotations": {"message": "<!channel> & ```" + "m" * 4_000, "time": "now", "permalink": "http://here/?error=1",
                        "count": "7", "where": "w", "runbook_url": "http://docs"} | more,
        "startsAt": "2026-11-24T00:00:00Z",
    }  # fmt: skip
    data = {
        "receiver": "slack", "status": "firing", "alerts": [alert] * alerts, "groupLabels": {},
        "commonLabels": alert["labels"], "commonAnnotations": alert["annotations"], "externalURL": "http://am",
    }  # fmt: skip
    (tmp_path / "data.json").write_text(json.dumps(data))
    return run("amtool", "template", "render", f"--template.glob={TEMPLATES}/*.tmpl",
               f"--template.data={tmp_path}/data.json", f"--template.text={text}")  # fmt: skip


def filled(value: Any, tmp_path: Path, alerts: int, **more: str) -> Any:
    if isinstance(value, dict):
        return {key: filled(one, tmp_path, alerts, **more) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, tmp_path, alerts, **more) for one in value]
    return rendered(value, tmp_path, alerts, **more).rstrip("\n") if isinstance(value, str) and "{{" in value else value


@needs_amtool
@pytest.mark.parametrize(("alerts", "run"), [(1, {}), (12, {}), (1, LONGEST_RUN), (1, LONGEST_RUN | ESCAPED)])
def test_slack_takes_the_variant_with_blocks(tmp_path: Path, alerts: int, run: dict[str, str]) -> None:
    """Alertmanager 0.25 has no `payload`, so the test renders each text itself and checks the whole by Slack's rules."""
    variant = yaml.safe_load((ROOT / "alertmanager/blockkit.yml").read_text("utf-8"))
    payload = filled(variant["receivers"][0]["webhook_configs"][0]["payload"], tmp_path, alerts, **run)
    assert [reason for reason, wrong in slack_faults(payload) if wrong] == []
    shown = json.dumps(payload)
    assert "<!channel>" not in shown
    assert "&lt;!channel&gt;" in shown
    assert ("|&lt;!channel&gt; &amp; '''" in shown) == ("run" in run)
    assert payload["blocks"][-1]["elements"][0]["url"] == "http://here/?error=1"


@needs_amtool
@pytest.mark.parametrize("alerts", [1, 12])
def test_slacks_text_is_bounded(tmp_path: Path, alerts: int) -> None:
    text = rendered('{{ template "slack.text" . }}', tmp_path, alerts)
    assert len(text) < 8_000
    assert ("and 7 more" in text) == (alerts == 12)
    assert text.count("```") == 2 * min(alerts, 5)  # no traceback is given


@needs_amtool
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"run": "4711 (nightly)", "run_link": "http://here/?view=run%3A4711"},
         "First run: <http://here/?view=run%3A4711|4711 (nightly)>\n"),
        ({"run": "4711", "run_link": "http://here/?view=run%3A4711", "count": "1"},
         "Run: <http://here/?view=run%3A4711|4711>\n"),
        ({"run": "nightly, suite train"}, "First run: nightly, suite train\n"),
        ({"run": "4711", "run_link": "http://here/?view=run%3A" + "%F0%9F%9A%80" * 256}, "First run: 4711\n"),
        (LONGEST_RUN, f"First run: <{LONGEST_RUN['run_link']}|&lt;!channel&gt; &amp; '''{'r' * 184}>\n"),
        ({}, ""),
    ],
)  # fmt: skip
def test_slack_names_the_run_after_the_message(tmp_path: Path, more: dict[str, str], said: str) -> None:
    text = rendered('{{ template "slack.text" . }}', tmp_path, 1, **more)
    assert text.partition("m```\n")[2].lstrip("\n").partition("\n\n")[0].rstrip("\n") == said.rstrip("\n")


@needs_amtool
@pytest.mark.parametrize(("count", "title"), [("1", "Run"), ("7", "First run")])
def test_a_mail_names_the_run_and_links_to_it(tmp_path: Path, count: str, title: str) -> None:
    address = "http://here/?view=run%3A4711"
    named, unnamed, nothing = (
        rendered('{{ template "email.text" . }}{{ template "email.html" . }}', tmp_path, 1, count=count, **more)
        for more in ({"run": "4711 (a)", "run_link": address}, {"run": "a"}, {})
    )
    assert f"Errors: {count}\n{title}: 4711 (a)\nTime: now\n" in named
    assert f"\nRun in Dashboard: {address}\n" in named
    assert f'>{title}</th><td><a href="{address}">4711 (a)</a></td></tr>' in named
    assert f"\n{title}: a\n" in unnamed
    assert f">{title}</th><td>a</td></tr>" in unnamed
    assert "Run in Dashboard" not in unnamed
    assert f"\n{title}:" not in nothing
    assert f">{title}<" not in nothing


@needs_amtool
def test_a_message_about_a_pattern_that_was_new_does_not_say_that_it_is_quiet(tmp_path: Path) -> None:
    labels = {
        "alertname": "NewErrorPattern",
        "severity": "info",
        "source": "push",
        "type": "T",
        "category": "C",
        "worker": "w",
    }
    alert = {"status": "resolved", "labels": labels, "annotations": {"quiet": "New 10 min ago."}}
    data = {"receiver": "slack", "status": "resolved", "alerts": [alert], "groupLabels": {}, "commonLabels": labels,
            "commonAnnotations": alert["annotations"], "externalURL": "http://am"}  # fmt: skip
    (tmp_path / "data.json").write_text(json.dumps(data))
    text = "".join(
        f'{{{{ template "{name}" . }}}}\n' for name in ("slack.pretext", "slack.title", "email.subject", "slack.text")
    )
    said = run("amtool", "template", "render", f"--template.glob={TEMPLATES}/*.tmpl",
               f"--template.data={tmp_path}/data.json", f"--template.text={text}")  # fmt: skip
    assert said.splitlines()[:4] == [
        "*NO LONGER NEW*", "C is no longer new on w", "NO LONGER NEW: C in w", "T: New 10 min ago.",
    ]  # fmt: skip


def test_grafanas_provisioning_names_what_the_compose_file_mounts() -> None:
    provisioning = ROOT / "grafana/provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards/dashboards.yml").read_text("utf-8"))["providers"]
    mounted = [volume.split(":")[1] for volume in COMPOSE["services"]["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted
    sources = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text("utf-8"))["datasources"]
    assert {source["uid"]: source["url"] for source in sources} == {
        "prometheus": "http://prometheus:9090", "alertmanager": "http://alertmanager:9093",
    }  # fmt: skip
