"""Links from panels to the page, and between dashboards."""

from typing import Any, Final

PAGE: Final = "${page:raw}/error-visualization"
RUNBOOKS: Final = "${page:raw}/runbooks"  # the service serves them
TAG: Final = "error-visualization"
CHOSEN: Final = ("datasource", "job", "instance", "page")
SAME: Final = "&".join(("${__url_time_range}", *(f"${{{variable}:queryparam}}" for variable in CHOSEN)))
# The page has four time ranges; its default is 24 hours.
HOURS: Final = 24


def link(title: str, url: str, *, kind: str = "link", here: bool = False, **more: Any) -> dict[str, Any]:
    """Returns a link. A data link has all fields of a dashboard link, too, because Grafana's schema requires them."""
    return {
        "title": title, "type": kind, "url": url, "icon": "external link", "tooltip": "", "tags": [],
        "asDropdown": False, "includeVars": False, "keepTime": False, "targetBlank": not here, **more,
    }  # fmt: skip


def label(name: str) -> str:
    """Returns the Grafana variable for a label value of the series."""
    return f"${{__field.labels.{name}:percentencode}}"


def cell(name: str) -> str:
    """Returns the Grafana variable for the text of a column in the same row."""
    return f"${{__data.fields.{name}:percentencode}}"


def number(name: str) -> str:
    """Returns the Grafana variable for the unformatted number of a column in the same row."""
    return f"${{__data.fields.{name}.numeric}}"


def page(title: str, **filters: str) -> dict[str, Any]:
    """Returns a link to the page with filters set."""
    query = "".join(f"&{name}={value}" for name, value in filters.items())
    return link(title, f"{PAGE}?range={HOURS}{query}")


def worker_dashboard(worker: str) -> dict[str, Any]:
    return link("The worker's dashboard", f"/d/errors-workers?var-worker={worker}&{SAME}", here=True)


def service_dashboard() -> dict[str, Any]:
    return link("The service's dashboard", f"/d/errors-exporter?{SAME}", here=True)


def runbook(alert: str) -> dict[str, Any]:
    return link("What to do", f"{RUNBOOKS}/{alert}")


def of_dashboard() -> list[dict[str, Any]]:
    """Returns the links above each dashboard: to all dashboards and to the page."""
    return [
        link("Dashboards", "", kind="dashboards", here=True, tags=[TAG], includeVars=True, keepTime=True),
        link("Page", f"{PAGE}?range={HOURS}"),
    ]
