"""The results of every query of a dashboard, asked as Grafana does: its variables filled in, over its time range."""

import re
from collections.abc import Iterator
from typing import Any, Final

from scrapes import STEP
from story import END, MINUTE

from benchmarks.dashboards import get

Json = dict[str, Any]
WIDTH: Final = 1200  # pixels of a dashboard
# Grafana's `roundInterval`: a step below the first number of a pair is rounded to the second one, in seconds.
ROUNDED: Final = (
    (12.5, 10), (17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300), (750, 600), (1050, 900), (1500, 1200),
    (2700, 1800), (5400, 3600), (9000, 7200), (16200, 10800), (32400, 21600),
)  # fmt: skip
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
ALL: Final = ".+"


def drawn(dashboard: Json, url: str) -> Json:
    """Returns what the page draws. A row that is repeated by a variable is repeated here: open for its first value."""
    seconds = in_seconds(dashboard["time"]["from"].removeprefix("now-"))
    asker = Asker(url, seconds)
    variables = {one["name"]: one for one in dashboard["templating"]["list"]}
    shown = [one for one in variables.values() if one["type"] == "query" and one.get("hide") != 2]
    panels: list[Json] = []
    moved = 0
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        if "repeat" not in panel:
            panels.append(asker.answered(panel, moved, {}))
            continue
        name = panel["repeat"]
        for place, value in enumerate(asker.values(variables[name])):
            row = {**panel, "title": value, "collapsed": place > 0, "gridPos": {**at, "y": at["y"] + moved}}
            panels.append({"panel": row, "results": {}, "step": 0})
            if place == 0:
                panels += [asker.answered(one, 0, {f"${name}": value}) for one in panel["panels"]]
                moved += max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in panel["panels"]) - at["y"] - 1
            moved += 1
    return {
        "title": dashboard["title"], "end": END, "range": seconds, "panels": panels,
        "variables": [one.get("label") or one["name"] for one in shown],
        "annotations": list(asker.annotations(dashboard)),
    }  # fmt: skip


def in_seconds(given: str) -> int:
    return int(given[:-1]) * UNITS[given[-1]]


class Asker:
    """Asks a Prometheus for a time range that ends at END."""

    def __init__(self, url: str, seconds: int) -> None:
        self._url = url
        self._seconds = seconds

    def answered(self, panel: Json, moved: int, values: dict[str, str]) -> Json:
        """Returns a panel `moved` so many lines down, and its results by the letter of their query."""
        at = panel["gridPos"]
        step = self.step(panel)
        text = panel["title"]
        for name, value in values.items():
            text = text.replace(name, value)
        return {
            "panel": {**panel, "title": text, "gridPos": {**at, "y": at["y"] + moved}},
            "step": step,
            "results": {
                target["refId"]: self.result(target["expr"], step, values, instant=target["instant"])
                for target in panel.get("targets", [])
                if "expr" in target
            },
        }

    def step(self, panel: Json) -> int:
        """The interval of a panel: the time range by its points, which are its pixels, unless they are limited."""
        points = panel.get("maxDataPoints") or panel["gridPos"]["w"] * WIDTH // 24
        least = in_seconds(panel["interval"]) if panel.get("interval") else STEP
        rounded = next(to for below, to in ROUNDED if self._seconds / points < below)
        return max(rounded, least)

    def result(self, expr: str, step: int, values: dict[str, str], *, instant: bool) -> Any:
        asked: Json = {"query": self.filled(expr, step, values)}
        if instant:
            return get(f"{self._url}/api/v1/query", asked | {"time": END})["result"]
        begin = (END - self._seconds) // step * step
        asked |= {"start": begin, "end": END // step * step, "step": step}
        return get(f"{self._url}/api/v1/query_range", asked)["result"]

    def filled(self, expr: str, step: int, values: dict[str, str]) -> str:
        every = {
            "$__rate_interval": f"{max(step + STEP, 4 * STEP)}s", "$__range_s": str(self._seconds),
            "$__range": f"{self._seconds}s", "$__interval_ms": str(1000 * step), "$__interval": f"{step}s",
            "${__from}": str(1000 * (END - self._seconds)),
        } | values  # fmt: skip
        for name, value in every.items():
            expr = expr.replace(name, value)
        return re.sub(r"\$(job|instance|worker|machine)\b", ALL, expr)

    def values(self, variable: Json) -> list[str]:
        """The values of a variable that has `query_result(…)`, in Grafana's order."""
        query = variable["query"] if isinstance(variable["query"], str) else variable["query"]["query"]
        expr = re.fullmatch(r"query_result\((.+)\)", query, re.DOTALL)
        label = re.search(r"(\w+)=", variable["regex"])
        if expr is None or label is None:
            raise SystemExit(f"a row is repeated by a variable that is not read here: {query}")
        found = [one["metric"][label[1]] for one in self.result(expr[1], STEP, {}, instant=True)]
        return sorted(found) if variable.get("sort") == 1 else found

    def annotations(self, dashboard: Json) -> Iterator[Json]:
        """The vertical lines: the time in seconds and the colour of each."""
        step = int(max(self._seconds / WIDTH, MINUTE))
        for one in dashboard["annotations"]["list"]:
            if not one.get("expr"):
                continue
            for series in self.result(one["expr"], step, {}, instant=False):
                before = 0.0
                for at, value in series["values"]:
                    moment = float(value) / 1000 if one.get("useValueForTime") else at
                    if moment > before + 2 * step:  # Grafana joins moments that follow one another into a region
                        yield {"at": moment, "colour": one["iconColor"]}
                    before = max(before, moment)
