"""The dashboards as Grafana reads them: their panels, their queries, and PromQL with Grafana's variables filled in."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import promql_parser
from conftest import ROOT

Json = dict[str, Any]
FOLDER = ROOT / "grafana/dashboards"
SOURCES = sorted(FOLDER.glob("*.dashboard.py"))
DASHBOARDS: dict[str, Json] = {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(FOLDER.glob("*.json"))}
# One minute, in which all that a test sends happens; a rate needs some scrapes of one second each.
WINDOW = 60
FILLED = {
    "$__rate_interval": "10s", "$__range_s": str(WINDOW), "$__range": f"{WINDOW}s",
    "$__interval_ms": "20000", "$__interval": "20s",
    "${__from}": str(1000 * (int(time.time()) - 2 * 86_400)),  # before the demo's past of a day
    "$job": ".+", "$instance": ".+", "$worker": ".+", "$machine": ".+",
}  # fmt: skip


class Query(NamedTuple):
    dashboard: str
    panel: str
    ref: str
    target: Json

    @property
    def expr(self) -> str:
        return filled(self.target["expr"])

    @property
    def place(self) -> tuple[str, str, str]:
        return self.dashboard, self.panel, self.ref


def panels(dashboard: Json) -> list[Json]:
    """All panels that show something, those in closed rows, too."""
    rows = [one for one in dashboard["panels"] if one["type"] == "row"]
    return [one for one in dashboard["panels"] if one["type"] != "row"] + [one for row in rows for one in row["panels"]]


def named() -> Iterator[tuple[str, Json]]:
    for name, dashboard in DASHBOARDS.items():
        for panel in panels(dashboard):
            yield name, panel


def queries() -> list[Query]:
    """All queries to Prometheus."""
    return [
        Query(name, panel["title"], target["refId"], target)
        for name, panel in named()
        for target in panel["targets"]
        if "expr" in target
    ]


def filled(expr: str) -> str:
    """As Grafana sends it, with everything chosen."""
    for name, value in FILLED.items():
        expr = expr.replace(name, value)
    return expr


def nodes(expr: str) -> list[Any]:
    """The parsed expression, part by part."""
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(expr), lambda node: found.append(node))
    return found


def selectors(expr: str) -> list[Any]:
    return [node for node in nodes(expr) if isinstance(node, promql_parser.VectorSelector)]


def matchers(selector: Any) -> Mapping[str, str]:
    return {one.name: one.value for one in selector.matchers.matchers}


def variables(dashboard: Json) -> dict[str, Json]:
    return {one["name"]: one for one in dashboard["templating"]["list"]}


def label_values(variable: Json) -> tuple[str, str]:
    """The selector and the label of a variable's label_values()."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
    assert found, variable["query"]
    return found[1], found[2]


def query_result(variable: Json) -> tuple[str, str]:
    """The query of a variable's query_result(), and the label whose values are taken from the answer."""
    found = re.fullmatch(r"query_result\((.+)\)", variable["query"])
    label = re.fullmatch(r'/(\w+)="\(\[\^"\]\+\)"/', variable["regex"])
    assert found, variable["query"]
    assert label, variable["regex"]
    return found[1], label[1]


def panel_of(dashboard: str, title: str) -> Json:
    (found,) = (one for one in panels(DASHBOARDS[dashboard]) if one["title"] == title)
    return found
