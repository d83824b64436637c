"""The dashboards on a real Prometheus, which scrapes the service: every query, and the numbers of a known load."""

import datetime as dt
import itertools
import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, Served
from dashboards import (
    DASHBOARDS,
    Json,
    Query,
    filled,
    label_values,
    matchers,
    named,
    nodes,
    queries,
    query_result,
    selectors,
    variables,
)
from dashboards.live import Fleet, answer, ask, post, shown, watched
from newer_parts import newer
from prometheus_client.parser import text_string_to_metric_families
from stack import Stack, free_port, get, needs_stack, wait

from exporter.demo.fleet import story

PAGE = "http://errors.here"
pytestmark = [pytest.mark.dashboard, needs_stack]
# Queries that return nothing under a minute of load, and why.
EMPTY = {
    ("overview", "Errors and what is usual", "B"): "The usual rate leaves the last hour out, so it needs an hour.",
    ("overview", "Errors and what is usual", "C"): "The limit is a multiple of it.",
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with under_load(tmp_path_factory.mktemp("dashboards")) as running:
        yield running


@contextmanager
def under_load(folder: Path, **prometheus: str) -> Iterator[Fleet]:
    """A service under the demo's load, and its Prometheus."""
    nobody = free_port()
    options = ("--alertmanager-url", f"http://127.0.0.1:{nobody}", "--external-url", PAGE)
    service = Served(folder / "errors.duckdb", *options)
    stack = Stack(folder)
    demo = subprocess.Popen(
        [sys.executable, "-m", "exporter", "demo", "--url", service.url, "--rate", "20", "--backlog", "300"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
    )  # fmt: skip
    try:
        yield Fleet(service, stack.start_prometheus(service.url, nobody, **prometheus))
    finally:
        demo.terminate()
        demo.wait(10)
        stack.stop()
        service.stop()


def test_every_panel_has_data_and_none_fails(fleet: Fleet) -> None:
    all_have_data(fleet)


@pytest.mark.skipif(not newer("prometheus"), reason="a newer Prometheus could not be downloaded (tests/newer_parts.py)")
def test_every_panel_has_data_from_a_newer_prometheus_under_another_job(tmp_path: Path) -> None:
    with under_load(tmp_path, job="errors", program=str(newer("prometheus"))) as fleet:
        all_have_data(fleet)


def all_have_data(fleet: Fleet) -> None:
    waiting: dict[tuple[str, str, str], Query] = {one.place: one for one in queries() if one.place not in EMPTY}
    answers: dict[tuple[str, str, str], list[Json]] = {}

    def all_answered() -> bool:
        for place, one in list(waiting.items()):
            if found := answer(fleet.prometheus, one):
                answers[place] = found
                del waiting[place]
        return not waiting

    try:
        wait(all_answered, 30.0)
    except AssertionError:
        pytest.fail(f"without data: {sorted(waiting)}")
    assert set(EMPTY) <= {one.place for one in queries()}
    assert [one.place for one in queries() if one.place in EMPTY and answer(fleet.prometheus, one)] == []
    for one in queries():
        labels = {name for series in answers.get(one.place, []) for name in series["metric"]}
        shown = set(re.findall(r"{{(\w+)}}", one.target["legendFormat"]))
        assert shown <= labels or one.place in EMPTY, one.place


def test_links_and_columns_name_what_their_panel_shows(fleet: Fleet) -> None:
    for name, panel in named():
        if not any("expr" in target for target in panel["targets"]):
            continue
        found = [Query(name, panel["title"], one["refId"], one) for one in panel["targets"]]
        labels = {label for query in found for label in labels_of(fleet, query)}
        renamed = {
            source: new
            for one in panel["transformations"]
            for source, new in one["options"].get("renameByName", {}).items()
        }
        values = {f"Value #{one['refId']}" for one in panel["targets"]} if len(found) > 1 else {"Value"}
        assert set(renamed) <= labels | values, panel["title"]
        text = json.dumps(panel["fieldConfig"])
        assert set(re.findall(r"__field\.labels\.(\w+)", text)) <= labels, panel["title"]
        columns = set(renamed.values()) or labels
        assert set(re.findall(r"__data\.fields\.(\w+)", text)) <= columns, panel["title"]
        linked = set(re.findall(r"__field\.labels\.(\w+)", json.dumps(panel["fieldConfig"]["defaults"].get("links"))))
        unlinked = {
            one["matcher"]["options"]
            for one in panel["fieldConfig"]["overrides"]
            if {"id": "links", "value": []} in one["properties"]
        }
        for query in found:
            linkable = query.place in EMPTY or linked <= labels_of(fleet, query)
            assert linkable != (query.target["legendFormat"] in unlinked), panel["title"]
        assert panel["options"].get("xField", "") in labels | {""}


def labels_of(fleet: Fleet, query: Query) -> set[str]:
    """The labels of a query's answer. Alerts have different labels, so for them only those that the query keeps."""
    if query.place in EMPTY:
        return set()
    if query.expr.startswith("max by (alertname"):
        return set(nodes(query.expr)[0].modifier.labels)
    return {label for one in wait(lambda: answer(fleet.prometheus, query)) for label in one["metric"]}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_variables_have_values(fleet: Fleet, name: str) -> None:
    known = [one for one in variables(DASHBOARDS[name]).values() if one["type"] == "query"]
    asked = [label_values(one) for one in known if not one.get("regex")]
    urls = [f"label/{label}/values?{urllib.parse.urlencode({'match[]': filled(one)})}" for one, label in asked]
    wait(lambda: all(get(f"{fleet.prometheus}/api/v1/{url}")["data"] for url in urls))
    for expr, label in (query_result(one) for one in known if one["hide"]):
        found = wait(lambda expr=expr: ask(fleet.prometheus, filled(expr), instant=True))
        assert all(set(series["metric"]) == {label} for series in found)


def test_links_lead_to_the_address_that_the_service_has_now(fleet: Fleet) -> None:
    expr, label = query_result(variables(DASHBOARDS["overview"])["page"])

    def pages(query: str) -> list[str]:
        return [series["metric"][label] for series in ask(fleet.prometheus, query, instant=True)]

    wait(lambda: pages(filled(expr)) == [PAGE])
    assert pages(expr.replace("$job", "no such job")) == ["http://localhost:8080"]


def test_annotations_have_moments(fleet: Fleet) -> None:
    for one in DASHBOARDS["overview"]["annotations"]["list"]:
        found = moments(fleet, one)
        # If a series lacks a label, Grafana shows the label's name.
        named_labels = set(re.findall(r"{{(\w+)}}", one["titleFormat"] + one["textFormat"])) | {*tags(one)}
        assert all(set(series["metric"]) == named_labels for series in found)
        if one.get("useValueForTime"):
            seen = [float(value) / 1000 for series in found for _, value in series["values"]]
            assert all(time.time() - 2 * 86_400 < moment < time.time() for moment in seen)


def tags(annotation: Json) -> list[str]:
    return [one for one in annotation.get("tagKeys", "").split(",") if one]


def moments(fleet: Fleet, annotation: Json) -> list[Json]:
    return wait(lambda: ask(fleet.prometheus, filled(annotation["expr"]), instant=False))


INFINITY = [
    (panel, target)
    for _, panel in named()
    for target in panel["targets"]
    if target["datasource"]["uid"] == "${infinity}"
]


@pytest.mark.parametrize(("panel", "target"), INFINITY, ids=[panel["title"] for panel, _ in INFINITY])
def test_the_api_answers_what_an_infinity_panel_asks(fleet: Fleet, panel: Json, target: Json) -> None:
    """Does what the data source does: sends the parameters, takes the list at `root_selector`, and one field per column."""
    parameters = urllib.parse.urlencode([(one["key"], one["value"]) for one in target["url_options"]["params"]])
    url = f"{fleet.service.url}{target['url']}?{parameters}"

    def listed() -> list[Json]:
        whole = get(url)
        for part in target["root_selector"].split("."):
            whole = whole[part]
        return whole

    linked = set(re.findall(r"__data\.fields\.(\w+)", json.dumps(panel["fieldConfig"])))
    assert linked <= {column["text"] for column in target["columns"]}
    for one in wait(listed):
        for column in target["columns"]:
            value = one[column["selector"]]
            assert (column["type"] == "number") == isinstance(value, int)
            assert column["type"] != "timestamp" or dt.datetime.fromisoformat(value).tzinfo


def test_there_are_single_errors() -> None:
    assert {one["url"] for _, one in INFINITY} == {"/api/errors/list", "/api/patterns"}


def test_every_metric_and_label_is_one_of_the_service(fleet: Fleet) -> None:
    known = wait(lambda: (found := scraped(fleet.service)) and GPU in found and found) | recorded() | OF_PROMETHEUS
    for one in queries():
        for selector in selectors(one.expr):
            assert selector.name in known, one.place
            assert set(matchers(selector)) <= known[selector.name] | {"job", "instance"}, one.place
        kept = [
            node.modifier.labels
            for node in nodes(one.expr)
            if getattr(node, "modifier", None) and hasattr(node, "expr")
        ]
        labels = {label for selector in selectors(one.expr) for label in known[selector.name]} | {"job", "instance"}
        assert {label for group in kept for label in group} <= labels, one.place


GPU = "distributed_testing_worker_gpu_temperature_celsius"
OF_PROMETHEUS: dict[str, set[str]] = {
    "up": set(), "scrape_duration_seconds": set(), "scrape_samples_scraped": set(),
    "ALERTS": {"alertname", "alertstate", "severity", "source", "worker", "type"},
}  # fmt: skip


def scraped(service: Served) -> dict[str, set[str]]:
    """The labels of each metric that the service exposes."""
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as response:
        families = text_string_to_metric_families(response.read().decode())
        labels: dict[str, set[str]] = {}
        for sample in (sample for family in families for sample in family.samples):
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def recorded() -> dict[str, set[str]]:
    """The labels of each recording rule. Its name begins with the labels that its expression sums by."""
    files = [ROOT / f"prometheus/rules/{name}.yml" for name in ("recording", "dashboards")]
    groups = [group for file in files for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    return {rule["record"]: set(rule["record"].split(":")[0].split("_")) for group in groups for rule in group["rules"]}


# --- The numbers of a known load. ---


@pytest.fixture
def known(tmp_path: Path, served: Callable[..., Served]) -> Iterator[Fleet]:
    """A service and its Prometheus before the first error."""
    with watched(served(), tmp_path) as fleet:
        yield fleet


def test_the_guides_four_panels_show_the_true_numbers(known: Fleet) -> None:
    calm = {"worker_id": "calm", "type": "AssertionError", "error_category": "TEST_FAILURE", "message": "a single one"}
    reports = [*(moment.report for moment in itertools.islice(story(6), 499)), calm]
    for start in range(0, 500, 100):
        post(known.service, reports[start : start + 100])
    errors = "sum(distributed_testing_errors_total)"
    wait(lambda: [one["value"][1] for one in ask(known.prometheus, errors, instant=True)] == ["500"])
    overview = known.service.get("/api/errors?time_range=1")
    by_category = Counter(report["error_category"] for report in reports)
    # What a rule counts comes an evaluation later.
    wait(lambda: sum(shown(known, "patterns", "What to look at first").values()) == 500)
    # 1. Error count by category, a bar chart: the longest ten.
    bars = shown(known, "overview", "Errors by category")
    assert bars.items() <= by_category.items()
    assert sorted(bars.values(), reverse=True) == [count for _, count in by_category.most_common(10)]
    # 2. Critical errors over time; 3. error rate, a gauge: all errors came within the minute.
    assert list(shown(known, "overview", "Critical errors over time").values()) == [
        overview["summary"]["critical_errors"]
    ]
    assert list(shown(known, "overview", "Error rate").values()) == [500]
    # 4. Worker status, a status map.
    words = {"stable": 0, "warning": 1, "critical": 2}
    said = {one["worker_id"]: words[one["status"]] for one in overview["worker_errors"]["worker_stats"]}
    wait(lambda: shown(known, "overview", "Worker status") == said)
    assert set(said.values()) == {0, 1, 2}
    # The other counts over the range, which Prometheus' increase() would extrapolate.
    assert list(shown(known, "overview", "Errors").values()) == [500]
    by_worker = Counter(report["worker_id"] for report in reports)
    assert shown(known, "overview", "Errors by worker").items() <= by_worker.items()
    assert shown(known, "workers", "Workers") == said
    kinds = Counter((report["error_category"], report["type"]) for report in reports)
    assert shown(known, "patterns", "What to look at first") == {",".join(kind): n for kind, n in kinds.items()}
