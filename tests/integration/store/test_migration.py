"""Upgrade of a database with the schema before rollups by question and packed reports (version 6) and earlier: every read
answers as before, at once and while the background steps go on."""

import datetime as dt
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from counted import within
from events import event
from exact import answered, assert_answers, assert_levels, assert_reports, assert_stored
from fleet import Fleet
from projected import Projected
from upgrade import COLUMNS, old_database, take_back_10, without_origin

from exporter.events.event import ErrorEvent, isoformat
from exporter.ingest.past import newest_ids
from exporter.ingest.severity import Thresholds
from exporter.log.embedded import new_identity
from exporter.store import insert, migrate, rollups
from exporter.store.parameters import Filters
from exporter.store.queries import FindOutcomes, GetError, GetRecentCritical, ListErrors
from exporter.store.reports import PER_BLOCK
from exporter.store.sql import migrations

pytestmark = pytest.mark.dashboard
COUNT = 4 * PER_BLOCK + 7


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.duckdb"


def fleet_of(version: int) -> Fleet:
    """A fleet that sent errors with everything that a release with the schema `version` could store."""
    fleet = Fleet(version)
    for number in range(COUNT):
        fleet.wait()
        (one,) = fleet.errors(1)
        one.id = number + 1
        one.body = json.dumps({"worker_id": one.worker_id, "message": one.message, "number": number})
        if version >= 3 and number % 5 == 0:
            one.warnings, one.reported_at = ("the timestamp is not believed", "ü"), f"2026-{number}"
        one.imported = version >= 5 and one.imported
        if version >= 6 and number % 7 == 0:
            one.pattern_id = "8" * 16
    fleet.sent[-1].category = "KÜHLUNG"
    without_origin(fleet.sent)
    return fleet


def upgraded(path: Path, fleet: Fleet) -> Projected:
    store = Projected(path)
    if not store.log.identity:
        store.log.initialise(new_identity(), len(fleet.sent))
    return store


def assert_reads(store: Projected, events: Sequence[ErrorEvent], now: dt.datetime) -> None:
    """Asserts what all reads tell about these errors, but for the searched text."""
    assert_answers(store, events, now, {})
    hours = 24 * 365 * 9
    page = store.read(ListErrors(filters=Filters(hours=hours), now=now, limit=1_000))
    found = {one["id"]: one for one in answered(page)["errors"]}
    assert list(found) == [one.id for one in within(events, hours, now)]
    for one in events:
        outcome = {
            "id": one.id, "event_id": one.event_id, "severity": one.severity, "fingerprint": one.fingerprint,
            "reasons": one.reasons, "warnings": one.warnings,
        }  # fmt: skip
        listed: dict[str, Any] = outcome | {
            "timestamp": isoformat(one.timestamp), "received_at": isoformat(one.received_at), "type": one.type,
            "worker_id": one.worker_id, "error_category": one.category, "message": one.message,
            "reported_at": one.reported_at, "imported": one.imported, "is_recurring": one.is_recurring,
            "is_hardware_error": one.hardware_error, "is_critical": one.severity == "critical",
            "pattern_id": one.fingerprint, "reasons": list(one.reasons), "warnings": list(one.warnings),
        }  # fmt: skip
        assert {name: found[one.id][name] for name in listed} == listed
        if one.id % 20 == 5:
            outcome["pattern_id"] = one.pattern_id or one.fingerprint
            query = FindOutcomes(events=[one.id, (one.worker_id, one.event_id, one.timestamp, None)])
            assert [msgspec.structs.asdict(found) for found in store.read(query)] == [outcome, outcome]
            details = store.read(GetError(id=one.id, thresholds=Thresholds()))
            assert details.report == json.loads(one.body)
    critical = [one for one in events if one.severity == "critical" and not one.imported]
    told = store.read(GetRecentCritical(since=events[0].received_at))
    assert [(one.id, one.pattern_id, one.body) for one in told] == [
        (one.id, one.pattern_id or one.fingerprint, one.body) for one in critical
    ]
    past = store.state().past
    assert past.known_ids == newest_ids(
        (one.worker_id, one.event_id, one.id, one.timestamp.timestamp()) for one in events
    )
    assert {*past.assigned.known} == {one.fingerprint for one in events}


@pytest.mark.parametrize("version", [1, 3, 5, 6])
def test_reads_answer_as_before(path: Path, version: int) -> None:
    fleet = fleet_of(version)
    old_database(path, version, fleet.sent)
    with duckdb.connect(str(path)) as db:
        db.execute("UPDATE rollup SET errors = 7")  # it is not used
        db.execute("DELETE FROM counters WHERE severity = 'info'")
        if version >= 5:
            db.execute("UPDATE errors SET imported = NULL WHERE NOT imported AND id % 3 = 0")
    store = upgraded(path, fleet)
    assert_stored(store, fleet.sent, upgraded=COUNT)
    assert_reads(store, fleet.sent, fleet.now)
    store.roll_up()
    store.pack()
    assert_stored(store, fleet.sent, upgraded=COUNT)
    assert_reads(store, fleet.sent, fleet.now)
    store.close()


def test_counters_are_those_of_the_earlier_release(path: Path) -> None:
    """They are counted again: no release deleted errors."""
    for version in COLUMNS:
        fleet = fleet_of(version)
        path.unlink(missing_ok=True)
        old_database(path, version, fleet.sent)
        with duckdb.connect(str(path)) as db:
            old = db.execute("FROM counters ORDER BY rowid").fetchall()
        store = Projected(path)
        assert [
            (*one[:6], *(dt.datetime.fromtimestamp(at, dt.UTC).replace(tzinfo=None) for at in one[6:]))
            for one in store.state().counters
        ] == old, f"version {version}"
        store.close()


def test_the_steps_after_it_are_right_in_between_and_survive_restarts(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "ROLL_AT_ONCE", 60)
    monkeypatch.setattr(insert, "PACKED_AT_ONCE", 2 * PER_BLOCK)
    fleet = fleet_of(6)
    old_database(path, 6, fleet.sent)
    more = True
    steps = 0
    while more:
        store = upgraded(path, fleet)
        with store.database.writing:
            more = store.projection.rollups.step(20)
            more = store.projection.inserter.pack_step() or more
        assert_levels(store, fleet.sent)
        assert_reports(store, fleet.sent)
        if steps == 1:
            assert_answers(store, fleet.sent, fleet.now, {})
        store.append(fleet.errors(3))
        store.catch_up()
        store.close()
        steps += 1
        assert steps < 20
    assert steps > 3


def test_new_rollups_are_filled_at_once(path: Path) -> None:
    """A database of schema version 8, which is partly rolled up, has late errors, and unsealed days."""
    fleet = Fleet(8)
    store = Projected(path)
    for count in (40, 30, 30, 30, 30, 30, 10):
        fleet.wait()
        store.append(fleet.errors(count))
        store.catch_up()
        store.roll_up(20)
    store.close()
    with duckdb.connect(str(path)) as db:
        ((rolled, sealed),) = db.execute("SELECT rolled, sealed_days FROM rolled_up").fetchall()
        assert 0 < rolled < len(fleet.sent)
        assert db.execute("SELECT count(*) FROM time_hour WHERE t >= ?", [sealed]).fetchone() != (0,)
        take_back_10(db)
        db.execute("DROP TABLE facet_hour; DROP TABLE facet_day; UPDATE schema_version SET version = 8")
    without_origin(fleet.sent)
    store = upgraded(path, fleet)
    assert_stored(store, fleet.sent)
    filled = [f"{rollup}_{level}" for rollup in ("facet", "run", "test", "device") for level in ("hour", "day")]
    assert min(store.values(f"SELECT count(*) FROM {table}")[0] for table in filled) > 0
    filters = ({"worker": ("w0",), "q": "frame"}, {
        "worker": lambda one: one.worker_id == "w0", "text": lambda one: "Frame" in one.body,
    })  # fmt: skip
    assert_answers(store, fleet.sent, fleet.now, {}, [filters])
    fleet.wait()
    store.append(fleet.errors(30))
    store.catch_up()
    store.roll_up()
    assert_stored(store, fleet.sent)
    store.close()


def test_the_log_tells_of_a_migration_that_takes_time(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    old_database(path, 3, [event(number) for number in range(1, 4)])
    assert caplog.messages == []
    for _ in range(2):
        Projected(path).close()
    newest = len(migrations())
    before, after = (message for message in caplog.messages if "schema version" in message)
    assert before == f"the database is upgraded from schema version 3 to {newest}; 3 errors take about 1 s"
    assert after.startswith(f"the database has schema version {newest} after ")


def test_the_time_of_a_migration_that_copies_no_errors_is_estimated(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "COUNTED_A_SECOND", 1)
    caplog.set_level(logging.INFO)
    store = Projected(path)
    store.append([event(number) for number in range(1, 4)])
    store.catch_up()
    store.close()
    with duckdb.connect(str(path)) as db:
        take_back_10(db)
        db.execute("DROP TABLE facet_hour; DROP TABLE facet_day; UPDATE schema_version SET version = 8")
    Projected(path).close()
    assert f"from schema version 8 to {len(migrations())}; 3 errors take about 4 s" in caplog.text
