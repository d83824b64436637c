"""The rules of Grafana's dashboard-linter (github.com/grafana/dashboard-linter). grafana/dashboards/.lint, which is that
program's own file, names what is left out, and why."""

import fnmatch
import re
from typing import Any

import promql_parser
import pytest
import yaml
from dashboards import (
    DASHBOARDS,
    FOLDER,
    Json,
    Query,
    filled,
    label_values,
    matchers,
    named,
    nodes,
    queries,
    query_result,
    variables,
)

pytestmark = pytest.mark.dashboard
EXCLUDED: dict[str, Json] = yaml.safe_load((FOLDER / ".lint").read_text("utf-8"))["exclusions"]
EXACT = re.compile(r"last_over_time\((?P<counter>\w+{[^}]*}\[60s\])\) - min_over_time\((?P=counter)\)")
UNITS = {
    "none", "string", "short", "locale", "percentunit", "bytes", "dateTimeAsLocal", "dateTimeFromNow", "celsius", "s", "ops", "reqps",
    "watt", "hertz",
}  # fmt: skip  # of those that Grafana knows, the ones that we use


def excluded(rule: str, dashboard: str, panel: str = "") -> bool:
    """Whether .lint leaves it out."""
    entries = EXCLUDED.get(rule, {}).get("entries", [])
    title = DASHBOARDS[dashboard]["title"]
    return any(one["dashboard"] == title and fnmatch.fnmatchcase(panel, one.get("panel", "*")) for one in entries)


def failing(rule: str) -> set[tuple[str, str]]:
    """The panels of which a query breaks the rule."""
    return {(one.dashboard, one.panel) for one in queries() if not QUERY_RULES[rule](one)}


def counters_are_rated(query: Query, *, exact: bool = False) -> bool:
    """A counter is read by rate, irate or increase only: its value alone says how old it is. With `exact`, by
    grafana/queries.py's exact increase, too, in no other form than that."""
    parts = nodes(EXACT.sub(r"increase(\1)", query.expr) if exact else query.expr)
    counters = [
        part for part in parts
        if isinstance(part, promql_parser.VectorSelector) and str(part.name).endswith(("_total", "_bucket", "_sum", "_count"))
    ]  # fmt: skip
    rated = [
        part for part in parts
        if isinstance(part, promql_parser.Call) and part.func.name in ("rate", "irate", "increase")
    ]  # fmt: skip
    return len(counters) == len(rated)


def rates_fit_the_interval(query: Query) -> bool:
    """rate() over $__rate_interval, which is 10 s here, and nothing else."""
    return "[10s]" not in query.target["expr"] and all(
        call.args[0].range.total_seconds() == 10
        for call in nodes(query.expr)
        if isinstance(call, promql_parser.Call) and call.func.name in ("rate", "irate")
    )


def matches(label: str) -> Any:
    def holds(query: Query) -> bool:
        chosen = filled(f"${label}")
        return all(
            matchers(one).get(label) == chosen
            for one in nodes(query.expr)
            if isinstance(one, promql_parser.VectorSelector)
        )

    return holds


QUERY_RULES = {
    "target-counter-agg-rule": counters_are_rated,
    "target-rate-interval-rule": rates_fit_the_interval,
    "target-job-rule": matches("job"),
    "target-instance-rule": matches("instance"),
}


@pytest.mark.parametrize("rule", QUERY_RULES)
def test_rules_of_queries(rule: str) -> None:
    wrong = failing(rule)
    assert {one for one in wrong if not excluded(rule, *one)} == set()


def test_a_counter_is_read_otherwise_only_in_the_one_form_that_is_exact() -> None:
    assert [one.place for one in queries() if not counters_are_rated(one, exact=True)] == []


@pytest.mark.parametrize("rule", EXCLUDED)
def test_nothing_is_left_out_that_need_not_be(rule: str) -> None:
    assert EXCLUDED[rule]["reason"]
    wrong = failing(rule) if rule in QUERY_RULES else broken(rule)
    for entry in EXCLUDED[rule]["entries"]:
        assert any(
            DASHBOARDS[name]["title"] == entry["dashboard"] and fnmatch.fnmatchcase(panel, entry.get("panel", "*"))
            for name, panel in wrong
        ), entry


def broken(rule: str) -> set[tuple[str, str]]:
    return {(name, panel["title"]) for name, panel in named() if not PANEL_RULES[rule](panel)}


def has_the_chosen_source(panel: Json) -> bool:
    return all(one["uid"] == "${datasource}" for one in sources(panel))


def sources(panel: Json) -> list[Json]:
    return [panel["datasource"], *(target["datasource"] for target in panel["targets"])] if panel["targets"] else []


def has_title_and_description(panel: Json) -> bool:
    return bool(panel["title"] and panel["description"])


def has_a_unit(panel: Json) -> bool:
    return panel["type"] in ("text", "heatmap") or panel["fieldConfig"]["defaults"].get("unit") in UNITS


def has_queries(panel: Json) -> bool:
    return panel["type"] == "text" or bool(panel["targets"])


PANEL_RULES = {
    "panel-datasource-rule": has_the_chosen_source,
    "panel-title-description-rule": has_title_and_description,
    "panel-units-rule": has_a_unit,
    "panel-no-targets-rule": has_queries,
}


@pytest.mark.parametrize("rule", PANEL_RULES)
def test_rules_of_panels(rule: str) -> None:
    assert {one for one in broken(rule) if not excluded(rule, *one)} == set()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_rules_of_variables(name: str) -> None:
    known = variables(DASHBOARDS[name])
    source = known["datasource"]
    assert (source["type"], source["query"], source["label"]) == ("datasource", "prometheus", "Data source")
    for label in ("job", "instance"):
        one = known[label]
        assert (one["type"], one["multi"], one["includeAll"], one["allValue"]) == ("query", True, True, ".+")
        assert one["label"].lower() == label
    for one in known.values():
        if one["type"] != "query":
            continue
        assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert one["refresh"] == 2  # when the time range changes
        if one.get("regex"):  # a query_result()
            continue
        selector, label = label_values(one)
        assert isinstance(promql_parser.parse(filled(selector)), promql_parser.VectorSelector)
        assert label == one["name"]
    assert DASHBOARDS[name]["editable"] is False


def test_a_row_is_repeated_by_few_values_of_a_hidden_variable() -> None:
    """Grafana clones the panels for each: of thousands of workers it would not come back. With a value for "all", that
    would be the only one."""
    repeated = []
    for name, dashboard in DASHBOARDS.items():
        known = variables(dashboard)
        rows = [one for one in dashboard["panels"] if one["type"] == "row" and "repeat" in one]
        assert {one["repeat"] for one in rows} == {key for key, one in known.items() if one["hide"]}
        for row in rows:
            one = known[row["repeat"]]
            assert (one["multi"], one["includeAll"], one["hide"], one["sort"]) == (True, True, 2, 0)
            assert one["current"]["value"] == ["$__all"]
            assert "allValue" not in one
            expr, label = query_result(one)
            top, *_ = nodes(filled(expr))
            assert (str(top.op), top.param.val) == ("topk", 12)
            assert f'{label}=~"${label}"' in expr
            for part in nodes(filled(expr)):
                if isinstance(part, promql_parser.VectorSelector):
                    assert {"job", "instance"} <= set(matchers(part))
            for panel in row["panels"]:
                repeated.append(panel["title"])
                assert f"${row['repeat']}" in panel["title"]
                exprs = [target["expr"] for target in panel["targets"]]
                assert f'{label}=~"${row["repeat"]}"' in exprs[0]
                assert not any(f'"${label}"' in expr for expr in exprs), name
    assert len(repeated) == 8


def test_every_expression_is_promql() -> None:
    for one in queries():
        promql_parser.parse(one.expr)
    for dashboard in DASHBOARDS.values():
        for annotation in dashboard["annotations"]["list"]:
            promql_parser.parse(filled(annotation["expr"]))
