"""The panels of the dashboards, with what is the same in all of them: a few words in, a panel of grafanalib out."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import attr
from grafanalib import core

from grafana.frame import SOURCE

Json = dict[str, Any]
Steps = Sequence[tuple[str, float | None]]
# As exporter/severity.py judges them.
CPU: Final[Steps] = (("green", None), ("orange", 0.75), ("red", 0.9))
MEMORY: Final[Steps] = (("green", None), ("orange", 0.8), ("red", 0.95))
DISK: Final[Steps] = (("green", None), ("orange", 0.85), ("red", 0.95))
SEVERITIES: Final = {"critical": "red", "warning": "orange", "info": "blue"}
PLAIN: Final[Steps] = (("text", None),)
STATUS: Final[Steps] = (("green", None), ("orange", 1), ("red", 2))
# Purple: neither good nor bad. Without it what is missing has the colour of the lowest threshold, green.
NO_DATA: Final = {"type": "special", "options": {
    "match": "null+nan", "result": {"text": "no data", "color": "purple", "index": 9}}}  # fmt: skip
UNTOLD: Final = {"type": "special", "options": {
    "match": "null+nan", "result": {"text": "-", "color": "transparent", "index": 9}}}  # fmt: skip
EMPTY: Final = "no data"
COUNT: Final = "locale"  # 12,345, where "short" says 12 K


def query(expr: str, legend: str = "", *, instant: bool = False, form: str = "time_series") -> core.Target:
    return core.Target(expr=expr, legendFormat=legend, instant=instant, format=form, datasource=SOURCE)


def moment(expr: str, legend: str = "") -> core.Target:
    """What is so now: over the time range, what was last known would be shown, hours after the service is gone."""
    return query(expr, legend, instant=True)


def now(expr: str) -> core.Target:
    """One moment's values as a table: what a bar chart or a table shows."""
    return query(expr, instant=True, form="table")


def steps(given: Steps) -> list[Json]:
    """Thresholds; grafanalib's Threshold() writes the base as the string "null"."""
    return [{"color": colour, "value": value} for colour, value in given]


def override(name: str, **properties: Any) -> Json:
    """Properties of one series or column; `custom_width` is custom.width."""
    listed = [{"id": key.replace("custom_", "custom."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def colour(name: str) -> Json:
    return {"mode": "fixed", "fixedColor": name}


DASHED: Final[Json] = {"color": colour("text"), "custom_lineStyle": {"fill": "dash", "dash": [8, 8]}}


def words(given: dict[int, tuple[str, str]]) -> Json:
    """Numbers that are shown as a word, in a colour."""
    shown = {str(value): {"text": word, "color": shade, "index": place}
             for place, (value, (word, shade)) in enumerate(given.items())}  # fmt: skip
    return {"type": "value", "options": shown}


STATUS_WORDS: Final = words({0: ("stable", "green"), 1: ("warning", "orange"), 2: ("critical", "red")})


def thresholds(limits: Steps) -> Json:
    return {"mode": "absolute", "steps": steps(limits)}


def background(limits: Steps, *mappings: Json) -> Json:
    """A cell whose background is coloured by thresholds."""
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
    links: Sequence[Json] = (),
) -> core.Panel:
    """Lines, or stacked bars, so few that each can be seen; thresholds are dashed lines."""
    fixed = [override(name, color=colour(shade)) for name, shade in (colours or {}).items()]
    defaults = {"min": bottom, "max": high, "links": [*links], "custom": {"thresholdsStyle": {
        "mode": "dashed" if len(limits) > 1 else "off"}}}  # fmt: skip
    return core.TimeSeries(
        **common(title, description, queries, limits, defaults), unit=unit, overrides=[*fixed, *overrides],
        drawStyle="bars" if stack else "line", fillOpacity=70 if stack else 10, lineWidth=1, showPoints="never",
        stacking={"mode": "normal" if stack else "none", "group": "A"}, legendDisplayMode="table",
        legendCalcs=["lastNotNull", "max"], tooltipMode="multi", tooltipSort="desc", axisLabel=axis,
        maxDataPoints=120 if stack else None,
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
    """A number of now or of the whole time range, seldom two, coloured by its thresholds."""
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
    """One bar for each value of a label, the longest first. With `part`, $__interval is a `part`th of the time range,
    and at least `least`."""
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
    """A map of states: a line for each series, a cell for each moment."""
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
    """Rows of the labels that the queries have in common, in the order of the columns; sorted by the column `sort`, the
    highest first, or by `-sort`, the lowest first. `empty` is what a table without rows says; Grafana says it in a cell
    without a value, too, unless that has its own word."""
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
        }, overrides=[override(column.name, **{"noValue": "-"} | column.show) for column in columns]),
        kind="table",
        transformations=[{"id": "merge", "options": {}}, {"id": "organize", "options": order}],
    )  # fmt: skip


def heatmap(title: str, description: str, histogram: core.Target, *, unit: str) -> core.Panel:
    """Of a histogram's buckets: how many fell into each a second, over time."""
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
    """What every panel is given; `kind` replaces grafanalib's type."""
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
    """A panel for which grafanalib writes a shape of long ago: it is all in `extraJson`."""

    kind = attr.ib(default="")

    def to_json_data(self) -> Json:
        given: Json = self.panel_json({"type": self.kind})
        return given
