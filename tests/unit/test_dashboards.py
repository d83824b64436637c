"""The dashboards' JSON: made from the sources, in Grafana's shapes, laid out without holes, and explained in docs/."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from conftest import ROOT
from dashboards import DASHBOARDS, FOLDER, SOURCES, Json, named, panel_of, panels, queries, query_result, variables
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from grafanalib import _gen

from exporter.events.event import SEVERITIES
from exporter.events.groups import GROUPS
from exporter.ingest.severity import Thresholds
from grafana import panels as drawn
from grafana.links import RUNBOOKS

pytestmark = pytest.mark.dashboard
SCHEMAS = ROOT.parent / "shared/grafana-schema"
TYPES = {"barchart", "gauge", "heatmap", "stat", "status-history", "table", "text", "timeseries"}
needs_schemas = pytest.mark.skipif(not SCHEMAS.is_dir(), reason="Grafana's JSON schemas are not here")
# What Grafana reads of annotations, as its schema says, and the models of 11.6 do not know.
UNKNOWN_TO_MODELS = re.compile(
    r"/annotations/list/\d/(tagKeys|textFormat|titleFormat|useValueForTime|target/expr|target/refId)"
)


def test_there_are_five() -> None:
    assert list(DASHBOARDS) == ["exporter", "hardware", "overview", "patterns", "workers"]
    assert [file.name.partition(".")[0] for file in SOURCES] == list(DASHBOARDS)


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: file.name)
def test_the_json_is_what_the_source_makes(source: Any, tmp_path: Any) -> None:
    made = tmp_path / "made.json"
    with made.open("w", encoding="utf-8") as stream:
        _gen.write_dashboard(_gen.loader(str(source)), stream)
    committed = FOLDER / f"{source.name.partition('.')[0]}.json"
    assert made.read_bytes() == committed.read_bytes(), "run make dashboards"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_there_are_pictures_and_docs_show_them(name: str) -> None:
    """`make docs` draws them. It needs Prometheus and Chromium, and a minute, so this does not compare them."""
    text = (ROOT / "docs/dashboards.md").read_text("utf-8")
    for theme, attribute in (("light", "src"), ("dark", "srcset")):
        assert f'{attribute}="dashboards/{name}-{theme}.png"' in text
        picture = (ROOT / f"docs/dashboards/{name}-{theme}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 200_000


def test_pictures_can_draw_every_panel_and_unit() -> None:
    folder = ROOT / "docs/dashboards"
    drawn = re.search(r"DRAWN = {(.+?)}", (folder / "panels.js").read_text("utf-8"))
    assert drawn
    assert set(re.findall(r"[\w-]+(?=[,:\" ]|$)", drawn[1])) >= TYPES
    units = set(re.findall(r"^  (\w+):", (folder / "units.js").read_text("utf-8"), re.M))
    shown = [panel for _, panel in named() if any("expr" in target for target in panel["targets"])]
    assert set(re.findall(r'"unit": "(\w+)"', json.dumps(shown))) <= units


def test_ids_are_unique() -> None:
    uids = Counter(one["uid"] for one in DASHBOARDS.values())
    assert set(uids.values()) == {1}
    assert all(8 <= len(uid) <= 40 for uid in uids)
    assert set(Counter(one["title"] for one in DASHBOARDS.values()).values()) == {1}
    for dashboard in DASHBOARDS.values():
        every = [*dashboard["panels"], *(one for row in dashboard["panels"] for one in row.get("panels", []))]
        assert set(Counter(one["id"] for one in every).values()) == {1}
        assert set(Counter(one["title"] for one in every).values()) == {1}
        for panel in panels(dashboard):
            assert set(Counter(one["refId"] for one in panel["targets"]).values()) <= {1}


def cells(shown: list[Json]) -> Counter[tuple[int, int]]:
    return Counter(
        (x, y)
        for at in (one["gridPos"] for one in shown)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    )


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_fill_the_grid_and_do_not_overlap(name: str) -> None:
    dashboard = DASHBOARDS[name]
    for shown, top in ((dashboard["panels"], 0), *(
        (row["panels"], row["gridPos"]["y"] + 1) for row in dashboard["panels"] if row.get("panels")
    )):  # fmt: skip
        covered = cells(shown)
        assert set(covered.values()) == {1}
        bottom = max(y for _, y in covered) + 1
        assert set(covered) == {(x, y) for x in range(24) for y in range(top, bottom)}


def test_only_panels_that_grafana_11_to_13_have() -> None:
    assert {panel["type"] for _, panel in named()} == TYPES
    assert all(one["schemaVersion"] >= 39 for one in DASHBOARDS.values())


# --- Grafana's shapes. ---


def faults(schema: Json, definition: str, given: Any) -> list[str]:
    """Where `given` is not of the definition."""
    validator = jsonschema.Draft7Validator(
        {"$ref": f"#/definitions/{definition}", "definitions": schema["definitions"]}
    )
    return [f"{'/'.join(map(str, one.absolute_path))}: {one.message}" for one in validator.iter_errors(given)]


def schema(name: str) -> Json:
    given: Json = json.loads((SCHEMAS / f"{name}.jsonschema.json").read_text("utf-8"))
    for definition, key in (("MatcherConfig", "options"), ("DynamicConfigValue", "value")):
        if definition in given["definitions"]:  # Grafana's "any" became "object" here: not even a name would match
            given["definitions"][definition]["properties"][key] = {}
    return given


@needs_schemas
@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafanas_schemas(name: str) -> None:
    dashboard, of_dashboard, of_query = DASHBOARDS[name], schema("dashboard"), schema("prometheus")
    frame = {key: value for key, value in dashboard.items() if key != "panels"}
    assert faults(of_dashboard, "Dashboard", frame) == []
    for row in dashboard["panels"]:
        if row["type"] == "row":
            assert faults(of_dashboard, "RowPanel", {**row, "panels": []}) == []
    for panel in panels(dashboard):
        assert faults(of_dashboard, "Panel", panel) == [], panel["title"]
        of_type = schema(panel["type"].replace("-", ""))
        assert faults(of_type, "Options", panel["options"]) == [], panel["title"]
        if "FieldConfig" in of_type["definitions"]:
            custom = panel["fieldConfig"]["defaults"].get("custom", {})
            assert faults(of_type, "FieldConfig", custom) == [], panel["title"]
        for target in panel["targets"]:
            if "expr" in target:
                assert faults(of_query, "Dataquery", target) == [], panel["title"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafanas_models_know_every_key(name: str) -> None:
    """Read by the models of grafana-foundation-sdk and written again, nothing is lost or changed."""
    register_default_plugins()
    model = Dashboard.from_json(DASHBOARDS[name])
    again = json.loads(JSONEncoder(sort_keys=True).encode(model))
    lost = [place for place in missing(DASHBOARDS[name], again) if not UNKNOWN_TO_MODELS.fullmatch(place)]
    assert lost == []


def missing(given: Any, again: Any, place: str = "") -> Iterator[str]:
    """Where `again` lacks something of `given`, or has something else."""
    if isinstance(given, dict) and isinstance(again, dict):
        for key, value in given.items():
            if value is None:
                continue
            if key not in again:
                yield f"{place}/{key}"
            else:
                yield from missing(value, again[key], f"{place}/{key}")
    elif isinstance(given, list) and isinstance(again, list) and len(given) == len(again):
        for number, (one, other) in enumerate(zip(given, again, strict=True)):
            yield from missing(one, other, f"{place}/{number}")
    elif given != again:
        yield f"{place} is {given!r}, was made {again!r}"


# --- What is said and linked. ---


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboards_lead_to_one_another_and_to_the_page(name: str) -> None:
    dashboard = DASHBOARDS[name]
    others, page = dashboard["links"]
    assert (others["type"], others["tags"], others["includeVars"], others["keepTime"]) == (
        "dashboards",
        dashboard["tags"],
        True,
        True,
    )
    assert page["url"].startswith("${page:raw}/error-visualization?")
    assert [one["name"] for one in dashboard["annotations"]["list"]] == ["Alerts", "Deployments", "New error types"]
    expr, label = query_result(variables(dashboard)["page"])
    assert expr.startswith('job_url:distributed_testing_page_info:max{job=~"$job"} or on() ')
    assert label == "url"


def test_links_are_links_that_there_are() -> None:
    state = (ROOT / "exporter/page/state.js").read_text("utf-8")
    filters = set(re.findall(r'"(\w+)"', re.search(r"FILTERS = \[(.+?)\]", state, re.DOTALL)[1])) | {"range", "error"}  # type: ignore[index]
    uids = {one["uid"] for one in DASHBOARDS.values()}
    seen, linked = set(), set()
    for name, panel in named():
        for title, url in re.findall(r'"title": "([^"]+)", [^{}]*"url": "([^"]+)"', json.dumps(panel, sort_keys=True)):
            assert title
            path, _, query = url.partition("?")
            used = {part.partition("=")[0] for part in query.split("&") if "=" in part}
            if path.startswith(RUNBOOKS):
                assert url == RUNBOOKS + "/${__data.fields.Alert:percentencode}"
            elif path.startswith("/d/"):
                uid = path.removeprefix("/d/")
                assert uid in uids, panel["title"]
                assert used == ({"var-worker"} if uid == "errors-workers" else set())
                kept = set(re.findall(r"\${(\w+):queryparam}", query))
                assert kept == {"datasource", "job", "instance", "page"} <= set(variables(DASHBOARDS[name]))
                assert "${__url_time_range}" in query
            else:
                assert path == "${page:raw}/error-visualization"
                assert used <= filters, panel["title"]
                assert "range=24" in query
                assert set(re.findall(r"severity=(\w+)", query)) <= set(SEVERITIES)
                assert set(re.findall(r"group=(\w+)", query)) <= set(GROUPS)
                linked.add(name)
                seen |= used
        drawn_from_errors = name != "exporter" and panel["type"] not in ("text", "table")
        assert (
            panel["fieldConfig"]["defaults"].get("links") or not drawn_from_errors or panel["title"] == "Firing alerts"
        )
    assert linked == set(DASHBOARDS)
    no_labels = {"run", "job", "suite", "branch", "commit", "user", "test", "device"}  # of no metric
    unlinked = no_labels | {"q", "fingerprint"}  # a pattern is linked by its id; fingerprint serves older links
    assert seen == filters - unlinked


def test_rules_that_are_spoken_of_exist_and_their_runbooks_are_where_links_lead() -> None:
    rules = "".join(file.read_text("utf-8") for file in (ROOT / "prometheus/rules").glob("*.yml"))
    spoken = {name for _, panel in named() for name in re.findall(r"rule ([A-Z]\w+)", panel["description"])}
    assert len(spoken) > 5
    assert all(f"alert: {name}\n" in rules for name in spoken)
    base = RUNBOOKS.removeprefix("${page:raw}")
    assert {url.rpartition("/")[0][-len(base) :] for url in re.findall(r"runbook_url: '(.+)'", rules)} == {base}


def test_limits_are_those_by_which_the_service_judges() -> None:
    judged = Thresholds()
    for limits, *values in (
        (drawn.CPU, judged.warning_cpu_percent, judged.critical_cpu_percent),
        (drawn.MEMORY, judged.warning_memory_percent, judged.critical_memory_percent),
        (drawn.DISK, judged.warning_disk_percent, judged.critical_disk_percent),
    ):
        assert [value for _, value in limits] == [None, *(value / 100 for value in values)]


def test_every_panel_is_explained_and_only_those() -> None:
    text = (ROOT / "docs/dashboards.md").read_text("utf-8")
    for dashboard in DASHBOARDS.values():
        part = text.partition(f"## {dashboard['title']}\n")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| \*\*(.+?)\*\* \| .+ \|$", part, re.M)
        assert rows == [one["title"] for one in panels(dashboard)], dashboard["title"]
        assert f"dashboards/{dashboard['uid'].removeprefix('errors-')}-light.png" in part


def test_time_is_taken_from_the_dashboard() -> None:
    """What is counted is counted in its range, what is a rate fits its resolution."""
    parts = set()
    for one in queries():
        ranges = set(re.findall(r"\[([^\]]+)\]", re.sub(r"{[^}]*}", "", one.target["expr"])))
        if "$__interval" in ranges:
            parts.add(one.place)
        assert ranges <= {"$__range", "$__rate_interval", "$__interval"}, one.place
    # Recorded counts, of a minute.
    of_counts = parts - {("patterns", "Types above their average", "A")}
    assert {panel_of(name, title)["interval"] for name, title, _ in of_counts} == {"1m"}
    # A twelfth of the time range, at least five minutes.
    rising = panel_of("patterns", "Types above their average")
    assert (rising["maxDataPoints"], rising["interval"]) == (12, "5m")
