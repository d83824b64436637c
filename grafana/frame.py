"""What all dashboards have in common: variables, annotations, links, and the way they begin."""

from collections.abc import Sequence
from typing import Any, Final

from grafanalib import core

from grafana import links
from grafana.layout import Row, Shelf, stacked
from grafana.modern import Dashboard
from grafana.queries import ALERTS, select

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
INFINITY: Final = {"type": "yesoreyeram-infinity-datasource", "uid": "${infinity}"}
PAGE_ADDRESS: Final = "http://localhost:8080"  # docker-compose.yml's EXTERNAL_URL


def dashboard(
    name: str, title: str, description: str, *parts: Shelf | Row, variables: Sequence[core.Template] = ()
) -> Dashboard:
    return Dashboard(
        title=f"Errors / {title}",
        uid=f"errors-{name}",
        description=description,
        tags=[links.TAG],
        editable=False,
        timezone="browser",
        time=core.Time("now-6h", "now"),
        refresh="30s",
        graphTooltip=core.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
        panels=stacked(parts),
        links=links.of_dashboard(),
        annotations=core.Annotations(annotations()),
        templating=core.Templating([source(), chosen("job"), chosen("instance", 'job=~"$job"'), *variables, page()]),
    ).auto_panel_ids()


def source() -> core.Template:
    return core.Template("datasource", "prometheus", label="Data source", type="datasource")


def chosen(label: str, matchers: str = "", metric: str = "distributed_testing_build_info") -> core.Template:
    """The values of a label, of which some or all can be chosen."""
    selector = f"{metric}{{{matchers}}}" if matchers else metric
    return core.Template(
        label, f"label_values({selector}, {label})", label=label.capitalize(), dataSource=SOURCE, multi=True,
        includeAll=True, allValue=".+", refresh=core.REFRESH_ON_TIME_RANGE_CHANGE,
    )  # fmt: skip


def page() -> core.Template:
    """Where links to the page lead."""
    return core.Template("page", PAGE_ADDRESS, default=PAGE_ADDRESS, label="Page", type="textbox")


def infinity() -> core.Template:
    """Hidden: there is nothing to choose from unless the plugin is installed."""
    return core.Template(
        "infinity", INFINITY["type"], label="Single errors", type="datasource", hide=core.HIDE_VARIABLE
    )


def annotations() -> list[dict[str, Any]]:
    """What is drawn into all graphs; of a type Grafana takes the value for the moment, in milliseconds."""
    first_seen = f"1000 * min by (type) ({select('distributed_testing_type_first_seen_timestamp_seconds')})"
    return [
        annotation("Alerts", ALERTS, "red", "{{alertname}}", "{{severity}} {{worker}} {{reason}}", tagKeys="severity"),
        annotation("New error types", first_seen, "purple", "New error type", "{{type}}", useValueForTime=True),
    ]


def annotation(name: str, expr: str, colour: str, title: str, text: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "datasource": SOURCE, "enable": True, "hide": False, "iconColor": colour, "expr": expr,
        "titleFormat": title, "textFormat": text, **more,
    }  # fmt: skip
