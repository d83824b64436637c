"""What all dashboards have in common: variables, annotations, links, and the way they begin."""

from collections.abc import Sequence
from typing import Any, Final

from grafanalib import core

from grafana import links
from grafana.layout import Row, Shelf, stacked
from grafana.modern import Dashboard
from grafana.queries import SERVICE, alerts, select

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
INFINITY: Final = {"type": "yesoreyeram-infinity-datasource", "uid": "${infinity}"}
PAGE_ADDRESS: Final = "http://localhost:8080"  # docker-compose.yml's EXTERNAL_URL


def dashboard(
    name: str, title: str, description: str, *parts: Shelf | Row, variables: Sequence[core.Template] = (),
    refresh: str = "5m",
) -> Dashboard:  # fmt: skip
    """What counts a time range by worker and type reads every sample of it: five minutes are often enough."""
    return Dashboard(
        title=f"Errors / {title}",
        uid=f"errors-{name}",
        description=description,
        tags=[links.TAG],
        editable=False,
        timezone="browser",
        time=core.Time("now-6h", "now"),
        refresh=refresh,
        graphTooltip=core.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
        panels=stacked(parts),
        links=links.of_dashboard(),
        annotations=core.Annotations(annotations()),
        templating=core.Templating([source(), chosen("job"), chosen("instance", 'job=~"$job"'), *variables, page()]),
    ).auto_panel_ids()


def source() -> core.Template:
    return core.Template("datasource", "prometheus", label="Data source", type="datasource")


def chosen(label: str, matchers: str = "", metric: str = SERVICE) -> core.Template:
    """The values of a label, of which some or all can be chosen."""
    selector = f"{metric}{{{matchers}}}" if matchers else metric
    return core.Template(
        label, f"label_values({selector}, {label})", label=label.capitalize(), dataSource=SOURCE, multi=True,
        includeAll=True, allValue=".+", refresh=core.REFRESH_ON_TIME_RANGE_CHANGE,
    )  # fmt: skip


def each(name: str, label: str, expression: str) -> core.Template:
    """Hidden: the label's values in an answer, all chosen, to repeat a row by. Without a value for "all", or that would
    be the only one."""
    return core.Template(
        name, f"query_result({expression})", regex=f'/{label}="([^"]+)"/', dataSource=SOURCE, multi=True,
        includeAll=True, hide=core.HIDE_VARIABLE, sort=core.SORT_DISABLED, refresh=core.REFRESH_ON_TIME_RANGE_CHANGE,
    )  # fmt: skip


def page() -> core.Template:
    """Where links to the page lead."""
    return core.Template("page", PAGE_ADDRESS, default=PAGE_ADDRESS, label="Page", type="textbox")


def infinity() -> core.Template:
    """There is nothing to choose from unless the plugin is installed."""
    return core.Template("infinity", INFINITY["type"], label="Single errors", type="datasource")


def annotations() -> list[dict[str, Any]]:
    """What is drawn into all graphs. Grafana writes a label's name where a series lacks it, so each has all that are
    named. Of a type the value is the moment, in milliseconds; old ones would be asked for at each step in vain."""
    first_seen = f"min by (type) ({select('distributed_testing_type_first_seen_timestamp_seconds')})"
    firing, new = f"sum by (alertname, severity) ({alerts()})", f"1000 * ({first_seen} > ${{__from}} / 1000)"
    return [
        annotation("Alerts", firing, "red", "{{alertname}}", "{{severity}}", tagKeys="severity"),
        annotation("New error types", new, "purple", "New error type", "{{type}}", useValueForTime=True),
    ]


def annotation(name: str, expr: str, colour: str, title: str, text: str, **more: Any) -> dict[str, Any]:
    """With the query in both places: newer Grafanas read the target's."""
    return {
        "name": name, "datasource": SOURCE, "enable": True, "hide": False, "iconColor": colour, "expr": expr,
        "target": {"expr": expr, "refId": "Anno"}, "titleFormat": title, "textFormat": text, **more,
    }  # fmt: skip
