"""A service, a real Prometheus that scrapes it, and what the dashboards' queries get from there."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import Served
from stack import Stack, free_port, get, wait

from dashboards import WINDOW, Json, Query, panel_of


class Fleet(NamedTuple):
    """A service, and the Prometheus that watches it."""

    service: Served
    prometheus: str


@contextmanager
def watched(service: Served, folder: Path) -> Iterator[Fleet]:
    """The service is known to its Prometheus, before the first error."""
    stack = Stack(folder)
    try:
        prometheus = stack.start_prometheus(service.url, free_port())
        wait(lambda: ask(prometheus, "distributed_testing_build_info", instant=True))
        yield Fleet(service, prometheus)
    finally:
        stack.stop()


def ask(prometheus: str, expr: str, *, instant: bool) -> list[Json]:
    """The series that Prometheus answers with, as Grafana asks for them."""
    now = time.time()
    path, more = (
        ("query", {"time": now}) if instant else ("query_range", {"start": now - WINDOW, "end": now, "step": 1})
    )
    try:
        return get(f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode({'query': expr, **more})}")["data"]["result"]
    except urllib.error.HTTPError as refused:
        pytest.fail(f"{expr}: {refused.read().decode()}")


def answer(prometheus: str, query: Query) -> list[Json]:
    """The series that have at least one number."""
    found = ask(prometheus, query.expr, instant=query.target["instant"])
    return [one for one in found if any(value != "NaN" for _, value in one.get("values", [one.get("value")]))]


def shown(fleet: Fleet, dashboard: str, title: str) -> dict[str, float]:
    """What the panel's first query shows at its end: values by the labels' values."""
    query = Query(dashboard, title, "A", panel_of(dashboard, title)["targets"][0])
    return {
        ",".join(series["metric"].values()): float((series.get("values") or [series["value"]])[-1][1])
        for series in answer(fleet.prometheus, query)
    }


def post(service: Served, reports: list[Json]) -> None:
    body = json.dumps(reports).encode()
    request = urllib.request.Request(f"{service.url}/api/report-errors", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        assert json.load(response)["data"]["stored"] == len(reports)
