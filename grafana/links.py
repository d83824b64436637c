"""Links from what is shown to the page, and from dashboard to dashboard."""

from typing import Any, Final

PAGE: Final = "${page:raw}/error-visualization"
RUNBOOKS: Final = "https://github.com/error-visualization/error-visualization/blob/main/docs/runbooks"
TAG: Final = "error-visualization"
CHOSEN: Final = ("datasource", "job", "instance", "page")
SAME: Final = "&".join(("${__url_time_range}", *(f"${{{variable}:queryparam}}" for variable in CHOSEN)))
# The page knows four ranges; a day is what it begins with.
HOURS: Final = 24


def link(title: str, url: str, *, kind: str = "link", here: bool = False, **more: Any) -> dict[str, Any]:
    """Grafana's own schema wants all of a dashboard link's fields of a data link, too."""
    return {
        "title": title, "type": kind, "url": url, "icon": "external link", "tooltip": "", "tags": [],
        "asDropdown": False, "includeVars": False, "keepTime": False, "targetBlank": not here, **more,
    }  # fmt: skip


def label(name: str) -> str:
    """The value of a series' label."""
    return f"${{__field.labels.{name}:percentencode}}"


def cell(name: str) -> str:
    """What stands in the same row, in the column of that name."""
    return f"${{__data.fields.{name}:percentencode}}"


def number(name: str) -> str:
    """The number in that column, without what makes it readable."""
    return f"${{__data.fields.{name}.numeric}}"


def page(title: str, **filters: str) -> dict[str, Any]:
    """To the page, with its filters filled in."""
    query = "".join(f"&{name}={value}" for name, value in filters.items())
    return link(title, f"{PAGE}?range={HOURS}{query}")


def worker_dashboard(worker: str) -> dict[str, Any]:
    return link("The worker's dashboard", f"/d/errors-workers?var-worker={worker}&{SAME}", here=True)


def service_dashboard() -> dict[str, Any]:
    return link("The service's dashboard", f"/d/errors-exporter?{SAME}", here=True)


def runbook(alert: str) -> dict[str, Any]:
    return link("What to do", f"{RUNBOOKS}/{alert}.md")


def of_dashboard() -> list[dict[str, Any]]:
    """Above each dashboard: all of them, and the page."""
    return [
        link("Dashboards", "", kind="dashboards", here=True, tags=[TAG], includeVars=True, keepTime=True),
        link("Page", f"{PAGE}?range={HOURS}"),
    ]
