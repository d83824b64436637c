"""The common parts of all dashboards: variables, annotations, links and defaults."""

from collections.abc import Sequence
from typing import Any, Final

from grafanalib import core

from grafana import links
from grafana.layout import Row, Shelf, stacked
from grafana.modern import Dashboard
from grafana.queries import SERVICE, alerts, select

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
INFINITY: Final = {"type": "yesoreyeram-infinity-datasource", "uid": "${infinity}"}
PAGE_ADDRESS: Final = "http://localhost:8080"  # EXTERNAL_URL in docker-compose.yml


def dashboard(
    name: str, title: str, description: str, *parts: Shelf | Row, variables: Sequence[core.Template] = (),
    refresh: str = "5m",
) -> Dashboard:  # fmt: skip
    """Returns a dashboard. `refresh` is long by default, because queries by worker and type read every sample."""
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
    """Returns a variable with the values of a label; some or all of them can be selected."""
    selector = f"{metric}{{{matchers}}}" if matchers else metric
    return core.Template(
        label, f"label_values({selector}, {label})", label=label.capitalize(), dataSource=SOURCE, multi=True,
        includeAll=True, allValue=".+", refresh=core.REFRESH_ON_TIME_RANGE_CHANGE,
    )  # fmt: skip


def each(name: str, label: str, expression: str) -> core.Template:
    """Returns a hidden variable with the label's values in the result of a query, all selected, to repeat a row by. It
    has no value for "all": with such a value, Grafana would make a single row."""
    return core.Template(
        name, f"query_result({expression})", regex=f'/{label}="([^"]+)"/', dataSource=SOURCE, multi=True,
        includeAll=True, hide=core.HIDE_VARIABLE, sort=core.SORT_DISABLED, refresh=core.REFRESH_ON_TIME_RANGE_CHANGE,
    )  # fmt: skip


def page() -> core.Template:
    """Returns the variable with the address of the page, for links: the `external_url` that the chosen service has now,
    or had before it went down. `label_values` would also give older addresses, perhaps first."""
    known = 'job_url:distributed_testing_page_info:max{job=~"$job"}'
    default = f'label_replace(vector(1), "url", "{PAGE_ADDRESS}", "", "")'
    return core.Template(
        "page", f"query_result({known} or on() {default})", regex='/url="([^"]+)"/', label="Page", dataSource=SOURCE,
        refresh=core.REFRESH_ON_TIME_RANGE_CHANGE,
    )  # fmt: skip


def infinity() -> core.Template:
    """Returns the variable for the Infinity data source. It is empty unless the plugin is installed."""
    return core.Template("infinity", INFINITY["type"], label="Single errors", type="datasource")


def annotations() -> list[dict[str, Any]]:
    """Returns the annotations of all graphs. The queries keep every label that the texts use, because Grafana prints
    the name of a label that a series lacks. The value of a new error type is the time when it was first seen, in
    milliseconds; types from before the time range are left out. A deployment is a version or commit that did not run
    in the day before."""
    first_seen = f"min by (type) ({select('distributed_testing_type_first_seen_timestamp_seconds')})"
    firing, new = f"sum by (alertname, severity) ({alerts()})", f"1000 * ({first_seen} > ${{__from}} / 1000)"
    version = "sum by (version, revision) ({})".format
    running, before = select(SERVICE), f"last_over_time({select(SERVICE)}[1d] offset $__interval)"
    deployed = f"{version(running)} unless {version(before)}"
    return [
        annotation("Alerts", firing, "red", "{{alertname}}", "{{severity}}", tagKeys="severity"),
        annotation("Deployments", deployed, "blue", "Deployment", "{{version}} {{revision}}"),
        annotation("New error types", new, "purple", "New error type", "{{type}}", useValueForTime=True),
    ]


def annotation(name: str, expr: str, colour: str, title: str, text: str, **more: Any) -> dict[str, Any]:
    """Returns an annotation. The query is in two places: newer Grafana versions read the one in `target`."""
    return {
        "name": name, "datasource": SOURCE, "enable": True, "hide": False, "iconColor": colour, "expr": expr,
        "target": {"expr": expr, "refId": "Anno"}, "titleFormat": title, "textFormat": text, **more,
    }  # fmt: skip
