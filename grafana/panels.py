"""Functions that return the panels of the dashboards, with common defaults."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import attr
from grafanalib import core

from grafana.frame import SOURCE

Json = dict[str, Any]
Steps = Sequence[tuple[str, float | None]]
# The thresholds of exporter/ingest/severity.py.
CPU: Final[Steps] = (("green", None), ("orange", 0.75), ("red", 0.9))
MEMORY: Final[Steps] = (("green", None), ("orange", 0.8), ("red", 0.95))
DISK: Final[Steps] = (("green", None), ("orange", 0.85), ("red", 0.95))
SEVERITIES: Final = {"critical": "red", "warning": "orange", "info": "blue"}
PLAIN: Final[Steps] = (("text", None),)
STATUS: Final[Steps] = (("green", None), ("orange", 1), ("red", 2))
# Purple is neither good nor bad. Without this mapping, a missing value has the colour of the lowest threshold, green.
NO_DATA: Final = {"type": "special", "options": {
    "match": "null+nan", "result": {"text": "no data", "color": "purple", "index": 9}}}  # fmt: skip
UNTOLD: Final = {"type": "special", "options": {
    "match": "null+nan", "result": {"text": "-", "color": "transparent", "index": 9}}}  # fmt: skip
EMPTY: Final = "no data"
NUMBER: Final[Json] = {"custom_width": 100}  # of a column; without a width, it takes at least 150 pixels
COUNT: Final = "locale"  # shows 12,345; "short" would show 12 K


def query(expr: str, legend: str = "", *, instant: bool = False, form: str = "time_series") -> core.Target:
    return core.Target(expr=expr, legendFormat=legend, instant=instant, format=form, datasource=SOURCE)


@attr.s
class WithExemplars(core.Target):
    """A query of counters of errors. Grafana shows their exemplars above the graph, each with a link to an error."""

    def to_json_data(self) -> Json:
        given: Json = super().to_json_data()
        return given | {"exemplar": True}


def with_exemplars(expr: str, legend: str) -> core.Target:
    return WithExemplars(expr=expr, legendFormat=legend, instant=False, format="time_series", datasource=SOURCE)


def moment(expr: str, legend: str = "") -> core.Target:
    """Returns an instant query. A range query would show the last known value long after the service stopped."""
    return query(expr, legend, instant=True)


def now(expr: str) -> core.Target:
    """Returns an instant query with a table as result, for bar charts and tables."""
    return query(expr, instant=True, form="table")


def steps(given: Steps) -> list[Json]:
    """Returns thresholds. grafanalib's Threshold() would write the base as the string "null"."""
    return [{"color": colour, "value": value} for colour, value in given]


def override(name: str, **properties: Any) -> Json:
    """Returns properties of one series or column; `custom_width` becomes custom.width."""
    listed = [{"id": key.replace("custom_", "custom."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def colour(name: str) -> Json:
    return {"mode": "fixed", "fixedColor": name}


DASHED: Final[Json] = {"color": colour("text"), "custom_lineStyle": {"fill": "dash", "dash": [8, 8]}}


def words(given: dict[int, tuple[str, str]]) -> Json:
    """Returns a mapping from numbers to coloured words."""
    shown = {str(value): {"text": word, "color": shade, "index": place}
             for place, (value, (word, shade)) in enumerate(given.items())}  # fmt: skip
    return {"type": "value", "options": shown}


STATUS_WORDS: Final = words({0: ("stable", "green"), 1: ("warning", "orange"), 2: ("critical", "red")})


def thresholds(limits: Steps) -> Json:
    return {"mode": "absolute", "steps": steps(limits)}


def background(limits: Steps, *mappings: Json) -> Json:
    """Returns properties of a cell whose background is coloured by thresholds."""
    return {
        "custom_cellOptions": {"type": "color-background", "mode": "basic"},
        "mappings": [*mappings, UNTOLD],
        "thresholds": thresholds(limits),
    }


def timeseries(
    title: str,
    description: str,
    *queries: core.Target,
    unit: str = "short",
    colours: dict[str, str] | None = None,
    overrides: Sequence[Json] = (),
    limits: Steps = PLAIN,
    stack: bool = False,
    axis: str = "",
    bottom: float | None = 0,
    high: float | None = None,
    least: str | None = None,
    points: int | None = None,
    whole: bool = False,
    links: Sequence[Json] = (),
) -> core.Panel:
    """Returns a graph of lines, or of at most 120 stacked bars, which keeps them wide. Thresholds are dashed lines.
    `points` limits the points of each of many lines, which then have no fill; `least` is the shortest $__interval.
    `whole`: the values are counts, so the axis has no fractions."""
    fixed = [override(name, color=colour(shade)) for name, shade in (colours or {}).items()]
    defaults = {"min": bottom, "max": high, "links": [*links], "custom": {"thresholdsStyle": {
        "mode": "dashed" if len(limits) > 1 else "off"}}}  # fmt: skip
    if whole:
        defaults["decimals"] = 0
    return core.TimeSeries(
        **common(title, description, queries, limits, defaults), unit=unit, overrides=[*fixed, *overrides],
        drawStyle="bars" if stack else "line", fillOpacity=70 if stack else 0 if points else 10, lineWidth=1,
        showPoints="never",
        stacking={"mode": "normal" if stack else "none", "group": "A"}, legendDisplayMode="table",
        legendCalcs=["lastNotNull", "max"], tooltipMode="multi", tooltipSort="desc", axisLabel=axis,
        maxDataPoints=120 if stack else points, interval=least,
    )  # fmt: skip


def stat(
    title: str,
    description: str,
    *queries: core.Target,
    limits: Steps = PLAIN,
    unit: str = COUNT,
    decimals: int | None = 0,
    mappings: Sequence[Json] = (),
    overrides: Sequence[Json] = (),
    text: str = "auto",
    links: Sequence[Json] = (),
) -> core.Panel:
    """Returns a tile with a number, rarely two numbers, for now or the whole time range, coloured by thresholds."""
    options = {"wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard"}
    return core.Stat(
        **common(title, description, queries, limits, {"links": [*links]}, options), format=unit, decimals=decimals,
        mappings=[*mappings, NO_DATA], noValue=EMPTY, reduceCalc="lastNotNull", graphMode="none", textMode=text,
        colorMode="value" if limits == PLAIN else "background", color={"mode": "thresholds"}, overrides=[*overrides],
    )  # fmt: skip


def gauge(
    title: str, description: str, one: core.Target, *, limits: Steps, high: float, unit: str = "short",
    links: Sequence[Json] = (),
) -> core.Panel:  # fmt: skip
    return core.GaugePanel(
        **common(title, description, (one,), limits), format=unit, max=high, calc="lastNotNull", decimals=0,
        dataLinks=[*links], valueMaps=[NO_DATA],
    )  # fmt: skip


def bars(
    title: str, description: str, expr: str, by: str, *, unit: str = COUNT, decimals: int = 0, shade: str = "blue",
    links: Sequence[Json] = (), part: int | None = None, least: str | None = None,
) -> core.Panel:  # fmt: skip
    """Returns a chart with one bar per value of a label, the longest first. With `part`, $__interval is the time range
    divided by `part`, and at least `least`."""
    defaults = {"unit": unit, "decimals": decimals, "links": [*links], "min": 0}
    return core.BarChart(
        **common(title, description, (now(expr),), PLAIN, defaults, {"xField": by}), thresholdSteps=steps(PLAIN),
        orientation="horizontal", showValue="always", showLegend=False, colorMode="fixed", fixedColor=shade,
        axisPlacement="auto", maxDataPoints=part, interval=least,
        transformations=[{"id": "organize", "options": {"excludeByName": {"Time": True}}}],
    )  # fmt: skip


def status_history(
    title: str, description: str, *queries: core.Target, mappings: Sequence[Json] = (STATUS_WORDS,),
    limits: Steps = STATUS, links: Sequence[Json] = (),
) -> core.Panel:  # fmt: skip
    """Returns a map of states, with a line per series and a cell per point in time."""
    return core.StateTimeline(
        **common(title, description, queries, limits, {"unit": "none", "links": [*links]}, kind="status-history"),
        mappings=[*mappings], showValue="never", rowHeight=0.9, maxDataPoints=60, lineWidth=0,
    )  # fmt: skip


class Column(NamedTuple):
    """A label of the result, or `Value` (with several queries `Value #A`, …), and how it is shown."""

    source: str
    name: str
    show: Json = {}  # noqa: RUF012  # never changed


def table(
    title: str, description: str, *queries: core.Target, columns: Sequence[Column], sort: str, empty: str = EMPTY
) -> core.Panel:
    """Returns a table that joins the queries by their common labels, with columns in the given order. It is sorted by
    the column `sort` in descending order, with `-` before the name in ascending order. A table without rows shows
    `empty`, as does a cell without a value unless its column sets `noValue`."""
    order = {
        "excludeByName": {"Time": True} | ({} if any("Value" in c.source for c in columns) else {"Value": True}),
        "indexByName": {column.source: place for place, column in enumerate(columns)},
        "renameByName": {column.source: column.name for column in columns},
    }
    return Modern(
        **common(title, description, queries, PLAIN, {
            "unit": COUNT, "noValue": empty, "color": {"mode": "thresholds"}, "mappings": [],
            "custom": {"align": "auto", "inspect": False},
        }, {
            "frameIndex": 0, "showHeader": True, "cellHeight": "sm",
            "footer": {"show": False, "reducer": ["sum"], "countRows": False},
            "sortBy": [{"displayName": sort.removeprefix("-"), "desc": not sort.startswith("-")}],
        }, overrides=[
            override(column.name, **{"noValue": "-"} | (NUMBER if "Value" in column.source else {}) | column.show)
            for column in columns
        ]),
        kind="table",
        transformations=[{"id": "merge", "options": {}}, {"id": "organize", "options": order}],
    )  # fmt: skip


def heatmap(title: str, description: str, histogram: core.Target, *, unit: str) -> core.Panel:
    """Returns a heatmap of a histogram: observations per second in each bucket, over time."""
    return Modern(
        **common(title, description, (histogram,), PLAIN, {"custom": {
            "hideFrom": {"legend": False, "tooltip": False, "viz": False}, "scaleDistribution": {"type": "linear"},
        }}, {
            "calculate": False, "cellGap": 1, "cellValues": {"unit": "reqps", "decimals": 1}, "legend": {"show": True},
            "color": {"mode": "scheme", "scheme": "Oranges", "fill": "dark-orange", "exponent": 0.5, "steps": 64,
                      "scale": "exponential", "reverse": False},
            "exemplars": {"color": "rgba(255,0,255,0.7)"}, "filterValues": {"le": 1e-9},
            "rowsFrame": {"layout": "auto"}, "showValue": "never",
            "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
        }, overrides=[]),
        kind="heatmap",
    )  # fmt: skip


def text(title: str, description: str, content: str) -> core.Panel:
    return core.Text(title=title, description=description, content=content)


def common(
    title: str, description: str, queries: Sequence[Any], limits: Steps, defaults: Json | None = None,
    options: Json | None = None, *, overrides: Sequence[Json] | None = None, kind: str | None = None,
    source: Json = SOURCE,
) -> Json:  # fmt: skip
    """Returns the arguments that all panels share; `kind` replaces grafanalib's type."""
    fields: Json = {"defaults": defaults or {}}
    if overrides is not None:
        fields["overrides"] = [*overrides]
    extra = {"fieldConfig": fields, "options": options or {}} | ({"type": kind} if kind else {})
    lettered = [attr.evolve(one, refId=chr(ord("A") + place)) for place, one in enumerate(queries)]
    return {
        "title": title, "description": description, "dataSource": source, "targets": lettered,
        "thresholds": steps(limits), "extraJson": extra,
    }  # fmt: skip


@attr.s
class Modern(core.Panel):
    """A panel for which grafanalib writes an outdated format. `extraJson` has its whole configuration."""

    kind = attr.ib(default="")

    def to_json_data(self) -> Json:
        given: Json = self.panel_json({"type": self.kind})
        return given
