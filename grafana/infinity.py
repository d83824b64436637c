"""Opt-in tables of errors and patterns from the API, read by the Infinity plugin. Prometheus stores no messages."""

from collections.abc import Sequence
from typing import Any, Final

import attr
from grafanalib import core

from grafana.frame import INFINITY
from grafana.layout import Row, shelf
from grafana.links import cell, number, page
from grafana.panels import COUNT, PLAIN, Column, Modern, common, override

Json = dict[str, Any]
TITLE: Final = "{} (opt-in: the Infinity data source)"
TIME: Final = {"unit": "dateTimeAsLocal", "custom_width": 180}
NARROW: Final = {"custom_width": 90}
ID: Final = {"unit": "none", "decimals": 0, **NARROW}


@attr.s
class Asked:
    """A request to the API. `root` is the path of the list in the response; `columns` name the fields."""

    path = attr.ib(type=str)
    root = attr.ib(type=str)
    columns = attr.ib(type=Sequence[Column])
    parameters = attr.ib(type=dict)
    refId = attr.ib(default="")  # noqa: N815  # Grafana's name

    def to_json_data(self) -> Json:
        return {
            "datasource": INFINITY, "refId": self.refId, "type": "json", "source": "url", "format": "table",
            "parser": "backend", "url": self.path, "root_selector": self.root, "filters": [],
            "url_options": {
                "method": "GET", "params": [{"key": key, "value": value} for key, value in self.parameters.items()],
            },
            "columns": [
                {"selector": column.source, "text": column.name, "type": kind(column)} for column in self.columns
            ],
        }  # fmt: skip


def kind(column: Column) -> str:
    """Returns the type of a column for the Infinity data source."""
    unit = column.show.get("unit", "")
    return "timestamp" if unit.startswith("dateTime") else "number" if unit in (COUNT, ID["unit"]) else "string"


def listed(title: str, description: str, asked: Asked) -> core.Panel:
    """Returns a table of the response."""
    defaults = {
        "unit": "string", "color": {"mode": "thresholds"}, "mappings": [], "custom": {"align": "auto", "inspect": True},
    }  # fmt: skip
    options = {
        "frameIndex": 0, "showHeader": True, "cellHeight": "sm", "sortBy": [],
        "footer": {"show": False, "reducer": ["sum"], "countRows": False},
    }  # fmt: skip
    shown = [override(column.name, **column.show) for column in asked.columns if column.show]
    return Modern(
        **common(title, description, (asked,), PLAIN, defaults, options, overrides=shown, source=INFINITY), kind="table"
    )


def single_errors(title: str, description: str, **filters: str) -> core.Panel:
    """Returns a table of the errors of the last 24 hours, newest first. A message links to the error on the page."""
    columns = [
        Column("timestamp", "Time", TIME),
        Column("severity", "Severity", NARROW),
        Column("error_category", "Category"),
        Column("worker_id", "Worker", {"links": [page("Errors of this worker", worker=cell("Worker"))]}),
        Column("type", "Type"),
        Column("message", "Message", {"links": [page("This error", error=number("Id"))]}),
        Column("id", "Id", ID),
    ]
    parameters = {"time_range": "24", "limit": "100", **filters}
    return listed(title, description, Asked("/api/errors/list", "data.errors", columns, parameters))


def top_patterns(title: str, description: str) -> core.Panel:
    """Returns a table of the patterns of the last 24 hours, the most frequent first. A pattern links to its errors."""
    number = {"unit": COUNT, **NARROW}
    columns = [
        Column("pattern", "Pattern", {"links": [page("Errors of this pattern", pattern=cell("Pattern id"))]}),
        Column("category", "Category"),
        Column("occurrences", "Errors", number),
        Column("critical", "Critical", number),
        Column("workers", "Workers", number),
        Column("ever_first_seen", "First", TIME),
        Column("last_seen", "Last", TIME),
        Column("pattern_id", "Pattern id", {"custom_width": 150}),
    ]
    asked = Asked("/api/patterns", "data.patterns", columns, {"time_range": "24", "limit": "50"})
    return listed(title, description, asked)


def row(title: str, *tables: core.Panel) -> Row:
    """Returns a collapsed row, so that no query runs, and none fails, where the plugin is not installed."""
    return Row(TITLE.format(title), tuple(shelf(10, (24, table)) for table in tables))
