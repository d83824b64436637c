"""The tiles on a real Prometheus: a new service has values; for a service that is down, old values are not shown."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Served
from dashboards import Query, named, queries
from dashboards.live import Fleet, answer, post, shown, watched
from stack import needs_stack, wait

pytestmark = [pytest.mark.dashboard, needs_stack]
TILES = {(name, panel["title"]) for name, panel in named() if panel["type"] in ("stat", "gauge")}
# Without workers there are no rows of workers.
TILE_QUERIES = [
    one for one in queries() if (one.dashboard, one.panel) in TILES and "$machine" not in one.target["expr"]
]


def counts_the_range(query: Query) -> bool:
    return "$__range]" in query.target["expr"]


def of_alerts(query: Query) -> bool:
    return "ALERTS" in query.target["expr"]


def unanswered(fleet: Fleet) -> set[tuple[str, str, str]]:
    return {one.place for one in TILE_QUERIES if not answer(fleet.prometheus, one)}


def test_no_data_is_a_service_that_is_not_there(served: Callable[..., Served], tmp_path: Path) -> None:
    with watched(served(), tmp_path) as fleet:
        # 1. Before the first error each tile has a value.
        wait(lambda: not unanswered(fleet))
        assert shown(fleet, "overview", "Service") == {"": 1}
        for dashboard, title, value in (
            ("overview", "Critical workers", 0),
            ("overview", "Last critical error", 0),  # never
            ("hardware", "Hottest GPU", -1),  # none
            ("hardware", "Throttling", 0),
            ("patterns", "Recurring patterns", 0),
            ("patterns", "Known error types", 0),
            ("patterns", "Share of the most frequent", 0),
            ("exporter", "Dropped alerts", -1),  # no Alertmanager
        ):
            assert shown(fleet, dashboard, title) == {"": value}, title
        # 2. An error is counted.
        report = {"worker_id": "w", "type": "AssertionError", "error_category": "TEST_FAILURE", "message": "m"}
        post(fleet.service, [report])
        wait(lambda: shown(fleet, "patterns", "Known error types") == {"": 1})
        wait(lambda: shown(fleet, "overview", "Errors") == {"": 1})
        # 3. After the service stopped, only its status, the alerts and the counts over the range are known.
        fleet.service.stop()
        wait(lambda: shown(fleet, "overview", "Service") == {"": 0})
        now = {one.place for one in TILE_QUERIES if not counts_the_range(one) and not of_alerts(one)}
        assert len(now) == 15
        wait(lambda: now <= unanswered(fleet))
        assert shown(fleet, "overview", "Errors") == {"": 1}
        assert shown(fleet, "overview", "Service") == {"": 0}
