"""What panels show: missing data is not shown as good, `other` is not shown as a machine, a firing alert is red, and counts
are exact."""

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from conftest import ROOT
from dashboards import DASHBOARDS, Json, filled, named, nodes, panel_of, queries, selectors, variables
from dashboards.promtool import Samples, evaluated, needs_promtool

from grafana import frame
from grafana import queries as promql

pytestmark = pytest.mark.dashboard
NO_DATA = {
    "type": "special",
    "options": {"match": "null+nan", "result": {"text": "no data", "color": "purple", "index": 9}},
}
TILES = [(name, panel) for name, panel in named() if panel["type"] in ("stat", "gauge")]


# --- Missing data. ---


@pytest.mark.parametrize(("name", "panel"), TILES, ids=[f"{name}-{panel['title']}" for name, panel in TILES])
def test_a_tile_asks_for_now_and_says_when_nothing_is_known(name: str, panel: Json) -> None:
    """A range query would show the last values of a service that is down. And Grafana gives missing values the colour of the
    lowest threshold, which is green."""
    assert all(target["instant"] and not target["range"] for target in panel["targets"])
    assert panel["fieldConfig"]["defaults"]["mappings"][-1] == NO_DATA
    assert panel["fieldConfig"]["defaults"].get("noValue", "no data") == "no data"
    assert panel["options"].get("graphMode", "none") == "none"


def test_a_table_says_nothing_good_of_what_is_missing() -> None:
    tables = [panel for _, panel in named() if panel["type"] == "table" and "expr" in panel["targets"][0]]
    assert len(tables) == 6
    for panel in tables:
        assert panel["fieldConfig"]["defaults"]["noValue"].endswith(("no data", "see Firing alerts"))
        columns = {
            one["matcher"]["options"]: {part["id"]: part["value"] for part in one["properties"]}
            for one in panel["fieldConfig"]["overrides"]
        }
        assert set(columns) == set(panel["transformations"][1]["options"]["renameByName"].values())
        for shown in columns.values():
            assert shown["noValue"] == "-"
            if shown.get("custom.cellOptions", {}).get("type") == "color-background":
                missing = shown["mappings"][-1]["options"]
                assert (missing["match"], missing["result"]["color"]) == ("null+nan", "transparent")


def test_the_overview_begins_with_whether_the_service_is_there() -> None:
    first = DASHBOARDS["overview"]["panels"][0]
    assert first["title"] == "Service"
    assert "up" in {one.name for one in selectors(filled(first["targets"][0]["expr"]))}
    assert first["targets"] == panel_of("exporter", "Service")["targets"]


# --- What a dashboard costs. ---


def test_no_query_reads_what_there_is_of_each_worker_over_a_time_range() -> None:
    """A week of 10,000 series is 400 million samples; a rule records less. At one moment, the series themselves are read.
    benchmarks/dashboards.py measures the queries."""
    many = re.compile(r"distributed_testing_(errors_total|worker_.*)")
    for one in queries():
        for node in nodes(one.expr):
            ranged = isinstance(node, promql_parser.MatrixSelector)
            selector = node.vector_selector if ranged else node
            if isinstance(selector, promql_parser.VectorSelector) and many.fullmatch(selector.name or ""):
                assert one.target["instant"], one.place
                assert not ranged, one.place
        assert one.target["expr"].count("category_worker_type:") <= 1, one.place


def test_dashboards_that_cost_more_are_asked_less_often() -> None:
    assert {name: one["refresh"] for name, one in DASHBOARDS.items()} == {
        "overview": "1m", "exporter": "1m", "patterns": "5m", "hardware": "5m", "workers": "5m",
    }  # fmt: skip


# --- `other`. ---


def test_other_is_not_shown_as_a_worker() -> None:
    """It is neither a worker, nor part of the average that workers are compared with. The rules leave it out, too."""
    shown = 0
    for _, panel in named():
        text = json.dumps(panel)
        if panel["title"] == "Alerts" or not (
            "{{worker}}" in text or '"worker": "Worker"' in text or '"xField": "worker"' in text
        ):
            continue
        chosen = [
            found
            for target in panel["targets"]
            for found in re.findall(
                r"(?<!job_instance:)distributed_testing_(?!build_info)[\w:]+{([^}]*)}", target["expr"]
            )
        ]
        assert chosen
        assert all('worker!="other"' in one or 'worker=~"$machine"' in one for one in chosen), panel["title"]
        assert "$machine" in panel["title"] or "`other`" in panel["description"], panel["title"]
        shown += 1
    assert shown == 21
    known = variables(DASHBOARDS["workers"])
    assert all('worker!="other"' in known[name]["query"] for name in ("worker", "machine"))
    assert 'worker!="other"' in (ROOT / "prometheus/rules/errors.yml").read_text("utf-8")


# --- Alerts. ---

LABELS = 'alertstate="firing", source="rule", job="error-visualization"'
WATCHDOG = 'ALERTS{alertname="Watchdog", alertstate="firing", source="rule", severity="none"}'
CRITICAL = f'ALERTS{{alertname="CriticalErrors", severity="critical", {LABELS}}}'
WARNING = f'ALERTS{{alertname="ErrorSurge", severity="warning", {LABELS}}}'
INFO = f'ALERTS{{alertname="NewErrorType", severity="info", type="T", {LABELS}}}'


@needs_promtool
@pytest.mark.parametrize(
    ("firing", "critical", "others"),
    [
        ((), {}, {}),  # the rules are not loaded: no green 0
        ((WATCHDOG,), {"{}": 0}, {"{}": 0}),
        ((WATCHDOG, WARNING, INFO), {"{}": 0}, {"{}": 2}),
        ((WATCHDOG, CRITICAL, INFO), {"{}": 1}, {"{}": 1}),
    ],
)
def test_firing_alerts(tmp_path: Path, firing: tuple[str, ...], critical: Samples, others: Samples) -> None:
    first, second = panel_of("overview", "Firing alerts")["targets"]
    expected = {filled(first["expr"]): critical, filled(second["expr"]): others}
    evaluated(tmp_path, dict.fromkeys(firing, "1 1 1"), expected, "30s")


def test_a_critical_alert_is_red_and_others_are_orange() -> None:
    panel = panel_of("overview", "Firing alerts")
    assert [one["legendFormat"] for one in panel["targets"]] == ["critical", "others"]
    (of_critical,) = panel["fieldConfig"]["overrides"]
    assert of_critical["matcher"]["options"] == "critical"
    for limits, shade in (
        (panel["fieldConfig"]["defaults"]["thresholds"], "orange"),
        (of_critical["properties"][0]["value"], "red"),
    ):
        assert limits["steps"] == [{"color": "green", "value": None}, {"color": shade, "value": 1}]


@needs_promtool
def test_the_worst_alerts_are_the_first(tmp_path: Path) -> None:
    panel = panel_of("overview", "Alerts")
    expected = {
        '{alertname="CriticalErrors"}': 3,
        '{alertname="ErrorSurge"}': 2,
        '{alertname="NewErrorType", type="T"}': 1,
    }
    series = dict.fromkeys((WATCHDOG, CRITICAL, WARNING, INFO), "1 1 1")
    evaluated(tmp_path, series, {filled(panel["targets"][0]["expr"]): expected}, "30s")
    assert panel["options"]["sortBy"] == [{"displayName": "Severity", "desc": True}]
    (severity,) = (one for one in panel["fieldConfig"]["overrides"] if one["matcher"]["options"] == "Severity")
    (mappings,) = (one["value"] for one in severity["properties"] if one["id"] == "mappings")
    words = {value: (one["text"], one["color"]) for value, one in mappings[0]["options"].items()}
    assert words == {"3": ("critical", "red"), "2": ("warning", "orange"), "1": ("info", "blue")}


@needs_promtool
def test_annotations(tmp_path: Path) -> None:
    """All workers of an alert share one region. Only types that are new in the time range are marked."""
    firing, deployed, new = frame.annotations()
    for one in (firing, deployed, new):
        assert one["target"] == {"expr": one["expr"], "refId": "Anno"}
    series = {CRITICAL.replace("}", f', worker="{worker}", reason="r"}}'): "1 1 1" for worker in "ab"}
    kind = 'distributed_testing_type_first_seen_timestamp_seconds{job="j", instance="i", type='
    series |= {f'{kind}"old"}}': "100 100 100", f'{kind}"new"}}': "300 300 300"}
    expected = {
        filled(firing["expr"]): {'{alertname="CriticalErrors", severity="critical"}': 2},
        filled(new["expr"].replace("${__from}", "200000")): {'{type="new"}': 300_000},
        filled(deployed["expr"]): {'{version="1", revision="b"}': 1},
    }
    series |= {f'distributed_testing_build_info{{job="j", instance="i", version="1", revision="{one}"}}': values
               for one, values in (("a", "1 1 _"), ("b", "_ _ 1"))}  # fmt: skip
    evaluated(tmp_path, series, expected, "30s")


# --- Counts. ---


@needs_promtool
@pytest.mark.parametrize(
    ("values", "grown", "increase"),
    [
        ("0 0 3 3 3", 3, 3.67),  # increase() extrapolates
        ("_ _ 0 0 3", 3, 4),
        ("7 7 7 7 7", 0, 0),
        ("7 7 9 9 12", 5, 6.67),
        ("7 7 9 0 2", 2, 5.33),  # a new database: only errors since then
        ("7 7 9 0 0", 0, 2.67),  # never negative
    ],
)
def test_what_was_counted_is_exact(tmp_path: Path, values: str, grown: float, increase: float) -> None:
    """Scrapes come every 15 s; the time range is the minute that ends 10 s after the fifth."""
    metric = 'distributed_testing_errors_total{job="j", instance="i", category="C", worker="w", type="T"}'
    expr = filled(promql.grown("distributed_testing_errors_total", by="category"))
    plain = "sum by (category) (increase(distributed_testing_errors_total[60s]))"
    expected = {expr: {'{category="C"}': grown}, plain: {'{category="C"}': increase}}
    evaluated(tmp_path, {metric: values}, expected, "70s")


@needs_promtool
def test_types_above_their_average(tmp_path: Path) -> None:
    """Over six hours, "now" is the last half hour. A single error is not shown, nor is a type with a constant rate."""
    panel = panel_of("patterns", "Types above their average")
    assert (panel["fieldConfig"]["defaults"]["unit"], panel["fieldConfig"]["defaults"]["decimals"]) == ("short", 1)
    expr = panel["targets"][0]["expr"]
    for name, value in (
        ("$__interval_ms", "1800000"), ("$__interval", "30m"), ("$__range_s", "21600"), ("$__range", "6h"),
    ):  # fmt: skip
        expr = expr.replace(name, value)
    kind = 'job_instance_type:distributed_testing_errors:delta{job="j", instance="i", type='
    series = {
        f'{kind}"stray"}}': "_x359 1",
        f'{kind}"always"}}': "1x361",
        f'{kind}"begins"}}': "_x350 1x9",  # ten, one a minute
    }
    evaluated(tmp_path, series, {filled(expr): {'{type="begins"}': 0.31}}, "6h", interval="1m")


def test_the_heatmap_counts_no_request_twice() -> None:
    """$__rate_interval is longer than the distance of two points, so increase() would count a request at several points."""
    panel = panel_of("exporter", "Ingest latency, all requests")
    (target,) = panel["targets"]
    assert target["expr"].startswith("sum by (le) (rate(")
    assert "a second" in panel["description"]
    assert panel["options"]["cellValues"]["unit"] == "reqps"


# --- Single errors. ---


def test_an_id_is_a_whole_number() -> None:
    """As a string, Grafana would show 1234567 as 1.234567e+06."""
    lists = [
        (panel, target)
        for _, panel in named()
        for target in panel["targets"]
        if target.get("url") == "/api/errors/list"
    ]
    assert len(lists) == 2
    for panel, target in lists:
        assert {"selector": "id", "text": "Id", "type": "number"} in target["columns"]
        shown = of_column(panel, "Id")
        assert (shown["unit"], shown["decimals"]) == ("none", 0)
        (link,) = of_column(panel, "Message")["links"]
        assert link["url"].endswith("&error=${__data.fields.Id.numeric}")


def of_column(panel: Json, name: str) -> dict[str, Any]:
    (found,) = (one for one in panel["fieldConfig"]["overrides"] if one["matcher"]["options"] == name)
    return {one["id"]: one["value"] for one in found["properties"]}


def test_the_docs_name_what_installs_a_plugin_in_the_grafana_that_is_shipped() -> None:
    """The variable exists since Grafana 11.5; the one before is deprecated."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    version = compose["services"]["grafana"]["image"].rpartition(":")[2]
    assert tuple(int(part) for part in version.split(".")) >= (11, 5)
    text = (ROOT / "docs/dashboards.md").read_text("utf-8")
    assert "`GF_PLUGINS_PREINSTALL_SYNC: yesoreyeram-infinity-datasource`" in text


# --- Exemplars. ---


def test_exemplars_are_of_counters_that_have_them_and_lead_to_the_error() -> None:
    """The service gives an exemplar to a counter of errors: the id of an error."""
    shown = [one for one in queries() if one.target.get("exemplar")]
    assert {one.panel for one in shown} == {"Errors by severity", "Errors by hardware type over time"}
    assert all(re.search(r"_(errors_by_severity|hardware_errors)_total{", one.target["expr"]) for one in shown)
    sources = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yml").read_text("utf-8"))[
        "datasources"
    ]
    (link,) = sources[0]["jsonData"]["exemplarTraceIdDestinations"]
    assert link["name"] == "error_id"
    assert link["url"] == f"{frame.PAGE_ADDRESS}/error-visualization?range=24&error=$${{__value.raw}}"
    assert f"EXTERNAL_URL:-{frame.PAGE_ADDRESS}}}" in (ROOT / "docker-compose.yml").read_text("utf-8")


def test_axes_of_counts_have_no_fractions() -> None:
    graphs = [panel for _, panel in named() if panel["type"] == "timeseries"]
    whole = {panel["title"] for panel in graphs if panel["fieldConfig"]["defaults"].get("decimals") == 0}
    assert whole == {
        "Critical errors over time", "Recurring patterns by category", "Queue", "Queued alerts", "WebSocket clients",
        "Scraped series",
    }  # fmt: skip
