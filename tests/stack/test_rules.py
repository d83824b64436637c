"""The rules, checked by promtool; and that each alert has a runbook, annotations and test cases."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

FOLDER = ROOT / "prometheus"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
CASES = sorted((FOLDER / "tests").glob("*.yml"))
PUSHED = {"CriticalError", "NewErrorPattern"}
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian: prometheus) is missing")
pytestmark = pytest.mark.dashboard


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def alerts() -> dict[str, dict[str, Any]]:
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


@needs_promtool
def test_the_configuration(tmp_path: Path) -> None:
    copy = tmp_path / "prometheus"
    shutil.copytree(FOLDER, copy)
    (copy / "secrets").mkdir(exist_ok=True)
    (copy / "secrets/exporter_token").write_text("a token")
    promtool("check", "config", copy / "prometheus.yml")


@needs_promtool
def test_the_rules_have_no_fault_and_no_lint() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)


@needs_promtool
@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_the_cases(file: Path) -> None:
    promtool("test", "rules", file)


def test_each_alert_has_words_labels_and_a_page() -> None:
    for name, rule in alerts().items():
        assert {"summary", "description", "runbook_url"} <= set(rule["annotations"]), name
        assert rule["labels"]["severity"] in ("critical", "warning", "info", "none")
        assert rule["labels"]["source"] == "rule"
        assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{name}.md")


def test_each_alert_has_a_page_with_all_parts_and_no_page_is_left_over() -> None:
    pages = {file.stem: file.read_text("utf-8") for file in (ROOT / "docs/runbooks").glob("*.md")}
    index = pages.pop("README")
    assert set(pages) == set(alerts()) | PUSHED
    for name, text in pages.items():
        assert re.findall(r"^## (\w+)$", text, re.M) == ["Meaning", "Impact", "Diagnosis", "Mitigation"], name
        assert f"]({name}.md)" in index


def test_each_alert_fires_and_does_not_fire_and_ends_in_a_case() -> None:
    fires: dict[str, list[list[bool]]] = {}
    for file in CASES:
        for case in yaml.safe_load(file.read_text("utf-8"))["tests"]:
            by_alert: dict[str, list[bool]] = {}
            for one in case["alert_rule_test"]:
                by_alert.setdefault(one["alertname"], []).append(bool(one["exp_alerts"]))
            for name, said in by_alert.items():
                fires.setdefault(name, []).append(said)
    assert set(fires) == set(alerts())
    for name, cases in fires.items():
        assert name == "Watchdog" or any(said[0] is False and said[-1] is False and any(said) for said in cases), name


def test_rules_and_runbooks_name_metrics_that_there_are() -> None:
    documented = set(re.findall(r"`(distributed_testing_\w+)", (ROOT / "docs/metrics.md").read_text("utf-8")))
    pages = [*RULES, *(ROOT / "docs/runbooks").glob("*.md"), *(ROOT / "README.md", ROOT / "docs/operation.md")]
    for file in pages:
        for name in re.findall(r"(?<![\w:])(distributed_testing_[a-z_]+)(?![\w.:])", file.read_text("utf-8")):
            assert name.removesuffix("_bucket") in documented, f"{file.name}: {name}"
