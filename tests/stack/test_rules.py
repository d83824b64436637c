"""The rules, checked by promtool, also for another stack and by a newer version; and that each alert has a runbook,
annotations and test cases."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from conftest import ROOT
from dashboards.promtool import needs_promtool, promtool
from newer_parts import newer

from prometheus.mixin import render

FOLDER = ROOT / "prometheus"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
CASES = sorted((FOLDER / "tests").glob("*.yml"))
PUSHED = {"CriticalError", "NewErrorPattern"}
pytestmark = pytest.mark.dashboard


OTHER = {"selector": 'job="errors"', "prometheus": 'job="prom"', "alertmanager": 'job="am"'}


def rules() -> list[dict[str, Any]]:
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def elsewhere(folder: Path, **config: Any) -> Path:
    """A configuration of the rules for another stack."""
    file = folder / "config.yml"
    file.write_text(yaml.safe_dump({**OTHER, **config}))
    return file


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


def of_a_case(groups: list[dict[str, Any]], case: dict[str, Any]) -> list[dict[str, Any]]:
    """The rules that a case tells of, and those that these read. promtool evaluates all that it is given at each step."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for rule in (rule for group in groups for rule in group["rules"]):
        by_name.setdefault(rule.get("alert") or rule["record"], []).append(rule)
    words = [
        one.get("alertname") or one["expr"]
        for kind in ("alert_rule_test", "promql_expr_test")
        for one in case.get(kind, ())
    ]
    kept: set[str] = set()
    while found := {name for name in re.findall(r"[\w:]+", " ".join(words)) if name in by_name} - kept:
        kept |= found
        words = [str(rule) for name in found for rule in by_name[name]]
        assert "ALERTS" not in " ".join(words), "such a rule reads all others"
    return [
        {**group, "rules": [one for one in group["rules"] if (one.get("alert") or one["record"]) in kept]}
        for group in groups
    ]


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=lambda file: file.stem)
def test_the_cases_in_a_stack_with_other_jobs(case: Path, tmp_path: Path) -> None:
    """By the newer promtool, where it can be had: this is the test of that version, too. Each case has only its own rules,
    which takes a fraction of the time."""
    assert render.main(["--config", str(elsewhere(tmp_path)), "--output", str(tmp_path / "rules")]) == 0
    program = newer("promtool") or "promtool"
    promtool("check", "rules", *(tmp_path / "rules").glob("*.yml"), program=program)
    text = re.sub(r"error-visualization(?![.?])", "errors", case.read_text("utf-8"))
    for name, short in (("prometheus", "prom"), ("alertmanager", "am")):
        text = re.sub(rf"""(job(?:="|: | )){name}\b""", rf"\1{short}", text)
    (tmp_path / "cases").mkdir()
    whole = yaml.safe_load(re.sub(r"values: (0x\d+)(?=[}\n])", r"values: '\1'", text))  # to YAML it is a number
    made = [yaml.safe_load((tmp_path / "cases" / name).read_text("utf-8"))["groups"] for name in whole["rule_files"]]
    for number, one in enumerate(whole["tests"]):
        groups = of_a_case([group for groups in made for group in groups], one)
        (tmp_path / f"cases/rules-{number}.yml").write_text(json.dumps({"groups": groups}))
        alone = whole | {"tests": [one], "rule_files": [f"rules-{number}.yml"]}
        (tmp_path / f"cases/case-{number}.yml").write_text(json.dumps(alone))
    promtool("test", "rules", *(tmp_path / "cases").glob("case-*.yml"), program=program)


def test_the_rules_are_what_their_sources_make() -> None:
    made = render.rendered(render.configured())
    assert {file.stem: file.read_text("utf-8") for file in RULES} == made, "run make rules"


def test_every_selector_is_one_of_the_three() -> None:
    shipped = yaml.safe_load(render.CONFIG.read_text("utf-8"))
    expected = {shipped[name] for name in OTHER}
    for rule in rules():
        found: list[Any] = []
        promql_parser.walk(promql_parser.parse(rule["expr"]), found.append)
        for node in found:
            if isinstance(node, promql_parser.VectorSelector):
                jobs = {f'{one.name}="{one.value}"' for one in node.matchers.matchers if one.name == "job"}
                assert jobs, rule["expr"]
                assert jobs <= expected, rule["expr"]


def test_rules_for_kubernetes_without_those_about_prometheus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = elsewhere(tmp_path, groups=["recording", "errors"], page="https://errors.example.com", critical_workers=50)
    assert render.main(["--config", str(config), "--prometheus-rule", "errors", "--label", "release=monitoring"]) == 0
    made = yaml.safe_load(capsys.readouterr().out)
    assert (made["apiVersion"], made["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert made["metadata"] == {"name": "errors", "labels": {"release": "monitoring"}}
    named = {rule["alert"]: rule for group in made["spec"]["groups"] for rule in group["rules"] if "alert" in rule}
    assert "ErrorSurge" in named
    assert "Watchdog" not in named
    assert named["ErrorSurge"]["annotations"]["runbook_url"] == "https://errors.example.com/runbooks/ErrorSurge"
    assert ">= 50" in named["ManyWorkersCritical"]["expr"]
    if shutil.which("promtool"):
        file = tmp_path / "rules.yml"
        file.write_text(yaml.safe_dump(made["spec"]))
        promtool("check", "rules", file)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"job": "x"}, "job: no such name"),
        ({"groups": ["alerts"]}, "alerts: must be"),
        ({"groups": ["errors"]}, "recording is missing"),
        ({"selector": 'job="a", namespace="b"'}, "selector: "),  # recorded series have no namespace
    ],
)
def test_a_mistake_in_the_values_is_named(
    config: dict[str, Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render.main(["--config", str(elsewhere(tmp_path, **config)), "--output", str(tmp_path / "rules")]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "rules").exists()


def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.yml").write_text("- selector\n")
    assert render.main(["--config", str(tmp_path / "list.yml"), "--output", str(tmp_path / "rules")]) == 1
    assert "list.yml: must be names with values" in capsys.readouterr().err


@pytest.mark.parametrize(
    "config", [{"page": "https://here/"}, {"page": "https://here", "runbooks": "https://here/runbooks/"}]
)
def test_links_have_no_empty_part(config: dict[str, Any], tmp_path: Path) -> None:
    made = render.rendered(render.configured(elsewhere(tmp_path, **config)))
    links = re.findall(r"https://[^ \"']+", "".join(made.values()))
    assert {"https://here/runbooks/CriticalErrors"} <= set(links)
    assert not [link for link in links if "//" in link.removeprefix("https://")]


@needs_promtool
def test_of_several_jobs_an_alert_leads_to_the_page_of_its_own(tmp_path: Path) -> None:
    made = render.rendered(render.configured(elsewhere(tmp_path, selector='job=~"first|second"')))
    for name in ("recording", "service"):
        (tmp_path / f"{name}.yml").write_text(made[name])
    values = {"up": {"first": 1, "second": 0}, "distributed_testing_page_info": {"first": 1, "second": 1}}
    series = [
        {"series": f'{name}{{job="{job}", url="http://{job}"}}', "values": f"{value}x10"}
        for name, by_job in values.items()
        for job, value in by_job.items()
    ]
    alert = {
        "exp_labels": {"job": "second", "severity": "critical", "source": "rule", "urgency": "page"},
        "exp_annotations": {
            "summary": "The error service is down.",
            "description": "Prometheus could not scrape second for 2 minutes. Errors may be lost, and alerts about errors do "
            "not work.",
            "permalink": "http://second/error-visualization?range=1",
            "runbook_url": "http://second/runbooks/ExporterDown",
        },
    }
    case = {
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [{"eval_time": "8m", "alertname": "ExporterDown", "exp_alerts": [alert]}],
    }
    file = tmp_path / "case.yml"
    file.write_text(yaml.safe_dump({"rule_files": ["recording.yml", "service.yml"], "tests": [case]}))
    promtool("test", "rules", file)


def test_each_alert_has_words_labels_and_a_page() -> None:
    for name, rule in alerts().items():
        assert {"summary", "description", "permalink", "runbook_url"} <= set(rule["annotations"]), name
        assert rule["labels"]["severity"] in ("critical", "warning", "info", "none")
        assert rule["labels"]["source"] == "rule"
        assert rule["annotations"]["runbook_url"].endswith(f"/runbooks/{name}")


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
            for one in case.get("alert_rule_test", []):
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
