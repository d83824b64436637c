"""Every case of a log and a database that are found beside each other at start."""

from typing import Any

import pytest

from exporter.store import DatabaseInfo, StoreError
from exporter.store.belonging import LogInfo, new_log_base

pytestmark = pytest.mark.dashboard
A, B = "a" * 32, "b" * 32


def log(**fields: Any) -> LogInfo:
    """A log of the service A that holds the events 1 to 10; the database has read all of them."""
    return LogInfo(**({"identity": A, "first": 1, "last": 10, "event_id": "e10"} | fields))


def database(**fields: Any) -> DatabaseInfo:
    """The database of the service A after a crash, at position 10."""
    return DatabaseInfo(**({"identity": A, "position": 10, "complete": False, "last_event_id": "e10"} | fields))


NEW_LOG = log(identity="", first=1, last=0, event_id=None)
EMPTY_OF_A = log(first=11, last=10, event_id=None)
EMPTY_OF_B = log(identity=B, first=4, last=3, event_id=None)
NEW_DATABASE = database(identity="", position=0, complete=True, last_event_id=None)
UPGRADED = database(identity="", complete=True)  # of a release without a log; its journal was taken over


@pytest.mark.parametrize(
    ("log", "database", "base"),
    [
        (NEW_LOG, NEW_DATABASE, 0),
        (log(last=0, event_id=None), NEW_DATABASE, 0),  # the first start ended before the database was bound
        (NEW_LOG, UPGRADED, 10),
        (NEW_LOG, database(complete=True), 10),  # only the database was kept, after a clean stop
        (NEW_LOG, database(complete=True, position=0, last_event_id=None), 0),
        (EMPTY_OF_B, database(complete=True), 10),
        (EMPTY_OF_B, UPGRADED, 10),
        (EMPTY_OF_A, database(), None),
        (EMPTY_OF_A, database(complete=True), None),
        (log(), database(), None),
        (log(), database(complete=True), None),
        (log(event_id="e4"), database(position=4, last_event_id="e4"), None),  # it catches up
        (log(event_id=None), database(position=0, last_event_id=None), None),
        (log(first=5, event_id="e5"), database(position=5, last_event_id="e5"), None),
        (log(first=11, last=20, event_id=None), database(), None),  # it continues without a gap
        (log(), database(last_event_id=None), None),  # retention deleted the newest error
        (log(first=11, last=12, event_id=None), database(), None),
    ],
)
def test_what_belongs_together(log: LogInfo, database: DatabaseInfo, base: int | None) -> None:
    assert new_log_base(log, database) == base


@pytest.mark.parametrize(
    ("log", "database", "words"),
    [
        (NEW_LOG, database(), "missing or empty, but the database was not closed by a clean stop"),
        (EMPTY_OF_B, database(), "missing or empty, but the database was not closed by a clean stop"),
        (log(), NEW_DATABASE, "holds errors 1 to 10, but the database beside it is new"),
        (log(identity=B), database(), "two different services"),
        (log(identity=B), database(complete=True), "two different services"),
        (log(), UPGRADED, "two different services"),
        (log(last=9, event_id=None), database(), "the log ends at error 9, but the database already holds error 10"),
        (EMPTY_OF_A, database(position=11), "the log ends at error 10, but the database already holds error 11"),
        (log(first=12, last=20, event_id=None), database(), "ends at error 10, but the log begins at error 12"),
        (EMPTY_OF_A, database(position=9), "ends at error 9, but the log begins at error 11"),
        (log(event_id="x"), database(), "error 10 of the log is not error 10 of the database"),
    ],
)
def test_what_does_not_belong_together_is_explained(log: LogInfo, database: DatabaseInfo, words: str) -> None:
    with pytest.raises(StoreError, match=words) as error:
        new_log_base(log, database)
    assert "error-visualization repair" in str(error.value)
