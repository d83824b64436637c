"""Retention: what is left has exactly the numbers of the errors that are left, and nothing else is lost."""

import datetime as dt
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest
from bounded import ALL
from counted import LEVELS, SEVERITIES, floor
from events import event
from exact import assert_answers, assert_stored
from fleet import Fleet
from projected import Projected

from exporter.events.event import ErrorEvent
from exporter.store import deleting, retention, rollups
from exporter.store.deletions import Pin
from exporter.store.parameters import By
from exporter.store.pin import pin
from exporter.store.queries import GetHistory
from exporter.store.reports import fetch
from exporter.store.retention import Retention
from exporter.store.verify import check_sums

pytestmark = pytest.mark.dashboard
TURNS = 18 if ALL else 4
AGES = (dt.timedelta(minutes=5), dt.timedelta(hours=7), dt.timedelta(days=3), dt.timedelta(days=30))


def sweep(store: Projected, now: dt.datetime, age: dt.timedelta | None = None, max_bytes: int = 0) -> None:
    """Deletes what is too old or too much, and its reports."""
    kept = Retention(store.database, store.projection.inserter, store.projection.rollups, age, max_bytes)
    with store.database.writing:
        for _ in kept.sweep(now.replace(tzinfo=None)):
            pass
        while deleting.trim_reports(store.database):
            pass


@pytest.mark.parametrize(("seed", "age"), list(enumerate(AGES)), ids=str)
def test_only_the_old_errors_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, age: dt.timedelta
) -> None:
    """Errors come late, and some when they are too old already; the steps are small."""
    store = Projected(tmp_path / "errors.duckdb")
    monkeypatch.setattr(rollups, "ROLL_AT_ONCE", 17)
    monkeypatch.setattr(rollups, "MERGE_AFTER", 3)
    monkeypatch.setattr(retention, "AT_ONCE", 13)
    fleet = Fleet(seed)
    width = retention.step_width(age)
    deleted: dict[int, ErrorEvent] = {}
    for turn in range(TURNS):
        fleet.wait()
        fleet.now += age / 3
        store.append(fleet.errors(fleet.rng.randrange(1, 60)))
        store.catch_up()
        store.roll_up(fleet.rng.choice([1, 10, 30]))
        cut = floor(fleet.now - age, width)
        sweep(store, fleet.now, age)
        deleted |= {one.id: one for one in fleet.sent if max(one.timestamp, one.received_at) < cut}
        left = [one for one in fleet.sent if one.id not in deleted]
        assert_stored(store, left, sent=fleet.sent)
        assert_history(store, deleted.values(), fleet.now)
        if turn in (2, TURNS - 1):
            assert_answers(store, left, fleet.now, {}, sent=fleet.sent)
    store.close()
    assert check_sums(store.database.path) == []
    assert len(deleted) > 20


def assert_history(store: Projected, deleted: Iterable[ErrorEvent], now: dt.datetime) -> None:
    since = (now - retention.HISTORY).replace(tzinfo=None)
    for table, column, name in (
        ("history_pattern", "fingerprint", "fingerprints"), ("history_worker", "worker", "workers"),
    ):  # fmt: skip
        held = store.values(
            f"SELECT day, n.name, severity_name(severity), errors FROM {table} h JOIN {name} n ON n.id = h.{column}"
        )
        expected: Counter[tuple[dt.datetime, str, str]] = Counter(
            (floor(one.timestamp, LEVELS["day"]).replace(tzinfo=None),
             one.fingerprint if column == "fingerprint" else one.worker_id, one.severity)
            for one in deleted
        )  # fmt: skip
        assert {tuple(row[:3]): row[3] for row in held} == {k: v for k, v in expected.items() if k[0] >= since}
        assert len(held) == len({tuple(row[:3]) for row in held}), "one row for each key"


def test_pinned_errors_and_patterns_stay(tmp_path: Path) -> None:
    """Also those of a fingerprint that joined the pattern later; unpinned ones are deleted."""
    fleet = Fleet(5)
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        for fingerprint, pattern_id in (("1" * 16, "one"), ("2" * 16, "one"), ("3" * 16, "3" * 16)):
            store.database.db.execute(
                "INSERT INTO assignments VALUES (?, 'S', ?, ?)", [fingerprint, pattern_id, pattern_id]
            )
        store.append(fleet.errors(300))
        store.catch_up()
        store.roll_up()
        now = fleet.now.replace(tzinfo=None)
        by_id = next(one.id for one in fleet.sent if one.fingerprint == "8" * 16)
        for asked in (Pin(True, error=by_id), Pin(True, pattern="one"), Pin(True, pattern="one")):
            assert pin(store.database, asked, now)
        assert not pin(store.database, Pin(True, error=10**6), now)
        assert not pin(store.database, Pin(True, pattern="none"), now)
        store.database.db.execute(
            "UPDATE assignments SET pattern_id = 'one' WHERE fingerprint = $one", {"one": "3" * 16}
        )
        later = fleet.now + dt.timedelta(days=60)
        sweep(store, later, dt.timedelta(days=1))
        pinned = [one for one in fleet.sent if one.id == by_id or one.fingerprint[0] in "123"]
        assert_stored(store, pinned, sent=fleet.sent)
        assert len(pinned) > 80
        assert pin(store.database, Pin(False, error=by_id), now)
        assert pin(store.database, Pin(False, pattern="3" * 16), now)
        sweep(store, later, dt.timedelta(days=1))
        assert_stored(store, [], sent=fleet.sent)


def test_a_database_that_is_too_large_loses_its_oldest_errors(tmp_path: Path) -> None:
    """It gives the blocks of the deleted errors back, so that the next errors use them."""
    rng = random.Random(1)
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        start = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
        sent: list[ErrorEvent] = []
        sizes, kept = [], []
        for turn in range(6):
            events = [
                event(timestamp=start + dt.timedelta(minutes=len(sent) + i), received_at=start, body=_body(rng))
                for i in range(1_000)
            ]
            sent += store.append(events)
            store.catch_up()
            store.roll_up()
            store.database.db.execute("CHECKPOINT")
            sizes.append(retention.used_bytes(store.database))
            if turn > 1:
                for _ in range(3):
                    sweep(store, start + dt.timedelta(days=90), max_bytes=MAX_BYTES)
            kept.append(retention.used_bytes(store.database))
        left = store.values("SELECT id FROM errors ORDER BY id")
        assert left == [one.id for one in sent[-len(left) :]], "the oldest were deleted"
        assert len(left) > 1_500, "but not many more than needed"
        assert sizes[1] < MAX_BYTES < sizes[2], "the bound was in force"
        assert max(kept) <= MAX_BYTES
        # The reports that are left are written beside the old ones, so the file peaks at 2.1 times the bound. Whether its
        # end is free, and cut off, after the last sweep depends on how many sweeps it took.
        assert store.database.path.stat().st_size < 2.3 * MAX_BYTES
        assert_stored(store, sent[-len(left) :], sent=sent)


def test_a_database_of_pinned_errors_only_is_said_to_be_too_large(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        sent = store.append([event(body=_body(random.Random(2))) for _ in range(50)])
        store.catch_up()
        for one in sent:
            pin(store.database, Pin(True, error=one.id), dt.datetime(2026, 1, 1))
        sweep(store, sent[0].timestamp + dt.timedelta(days=1), max_bytes=1_000)
        assert store.values("SELECT count(*) FROM errors") == [50]
        assert "nothing more can be deleted: the rest is pinned" in caplog.text


def test_while_a_backup_runs_the_size_deletes_nothing(tmp_path: Path) -> None:
    """No checkpoint is possible then, so the space of deleted errors would stay in use."""
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        now, rng = dt.datetime.now(dt.UTC), random.Random(2)
        store.append([event(timestamp=now - dt.timedelta(minutes=600 - n), body=_body(rng)) for n in range(500)])
        store.catch_up()
        store.database.db.execute("CHECKPOINT")
        limit = retention.used_bytes(store.database) - 300_000
        store.database.hold_wanted = True
        for _ in range(3):
            sweep(store, now, max_bytes=limit)
        assert store.values("SELECT count(*) FROM errors") == [500]
        store.database.hold_wanted = False
        for _ in range(2):
            sweep(store, now, max_bytes=limit)
        assert 250 < store.values("SELECT count(*) FROM errors")[0] < 500


def test_a_frequent_pinned_pattern_does_not_keep_the_space_of_others(tmp_path: Path) -> None:
    """Some reports of each block are kept: the report table is written again."""
    rng = random.Random(3)
    now = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        times = [now - dt.timedelta(minutes=6_000 - number) for number in range(2_000)]
        sent = store.append([
            event(timestamp=time, received_at=time, body=_body(rng), fingerprint="12"[number % 32 > 0] * 16,
                  is_new_fingerprint=number < 2)
            for number, time in enumerate(times)
        ])  # fmt: skip
        store.database.db.execute("INSERT INTO pinned_fingerprints VALUES ($1, now()::TIMESTAMP)", ["1" * 16])
        store.catch_up()
        store.database.db.execute("CHECKPOINT")
        before = retention.used_bytes(store.database)
        sweep(store, now, dt.timedelta(days=1))
        store.database.db.execute("CHECKPOINT")
        pinned = [one for one in sent if one.fingerprint[0] == "1"]
        assert_stored(store, pinned, sent=sent)
        assert retention.used_bytes(store.database) < before / 2


def test_the_pinned_oldest_errors_do_not_count_for_what_has_to_go(tmp_path: Path) -> None:
    now = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
    rng = random.Random(4)
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        sent = store.append([event(timestamp=now - dt.timedelta(minutes=900 - n), body=_body(rng)) for n in range(800)])
        store.catch_up()
        for one in sent[:150]:
            pin(store.database, Pin(True, error=one.id), dt.datetime(2026, 1, 1))
        store.database.db.execute("CHECKPOINT")
        sweep(store, now, max_bytes=retention.used_bytes(store.database) * 9 // 10)
        left = store.values("SELECT id FROM errors ORDER BY id")
        assert left[:150] == [one.id for one in sent[:150]]
        assert 600 < len(left) < 740


def test_a_wrong_clock_does_not_delete_everything_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        old = dt.datetime.now(dt.UTC) - dt.timedelta(days=40)
        store.append([event(timestamp=old, received_at=old)])
        store.catch_up()
        kept = Retention(store.database, store.projection.inserter, store.projection.rollups, dt.timedelta(days=30), 0)
        monkeypatch.setattr(retention, "EVERY_SECONDS", 0.0)
        for _ in range(5):
            assert not kept.step()
        assert store.values("SELECT count(*) FROM errors") == [1]
        monkeypatch.setattr(retention, "DOUBT_SECONDS", 0.0)
        while kept.step():
            pass
        assert store.values("SELECT count(*) FROM errors") == [0]


def test_no_report_is_lost_where_blocks_are_out_of_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after some of them were packed again. A step reads the reports of one block here."""
    monkeypatch.setattr(deleting, "UNPACKED_BYTES", 1)
    monkeypatch.setattr(deleting, "READ_AT_ONCE", 1)
    now = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        days = (dt.timedelta(days=9), dt.timedelta())
        sent = store.append([event(timestamp=now - days[n % 2], received_at=now - days[n % 2]) for n in range(400)])
        store.catch_up()
        db = store.database.db
        db.execute("CREATE TABLE turned AS SELECT * FROM report_blocks_0 ORDER BY block DESC")
        db.execute("DELETE FROM report_blocks_0")
        db.execute("INSERT INTO report_blocks_0 SELECT * FROM turned ORDER BY block DESC")
        db.execute("DROP TABLE turned")
        sweep(store, now, dt.timedelta(days=1))
        assert_stored(store, [one for one in sent if one.timestamp == now], sent=sent)


def test_a_block_that_cannot_be_read_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And blocks with many bytes are packed again one by one."""
    monkeypatch.setattr(deleting, "UNPACKED_BYTES", 1)
    now = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        days = (dt.timedelta(days=9), dt.timedelta())
        sent = store.append([event(timestamp=now - days[n % 2], received_at=now - days[n % 2]) for n in range(400)])
        store.catch_up()
        store.database.db.execute("UPDATE report_blocks_0 SET packed = 'x'::BLOB WHERE block = 2")
        sweep(store, now, dt.timedelta(days=1))
        left = [one for one in sent if one.timestamp == now]
        assert store.values("SELECT id FROM errors ORDER BY id") == [one.id for one in left]
        assert store.values("SELECT count(*) FROM stale_blocks") == [0]
        assert "the reports 128 to 191 cannot be read" in caplog.text
        readable = [one.id for one in left if one.id // 64 != 2]
        found = store.database.read(lambda cursor: fetch(cursor, readable))
        assert found == {one.id: one.body for one in left if one.id in found}


def test_texts_that_no_error_has_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And are written again when an error has them again."""
    monkeypatch.setattr(retention, "TEXTS_EVERY_SECONDS", -1.0)
    now = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        two = now - dt.timedelta(days=2)
        old = [event(timestamp=two, received_at=two, message=f"old {letter}") for letter in "abc"]
        new = [event(timestamp=now, message="new")]
        store.append(old, new)
        store.catch_up()
        sweep(store, now, dt.timedelta(days=1))
        assert store.values("SELECT text FROM texts") == ["new\n"]
        again = store.append([event(timestamp=now, message="old a")])
        store.catch_up()
        assert store.values("SELECT text FROM texts ORDER BY id") == ["new\n", "old a\n"]
        assert_stored(store, [*new, *again], sent=[*old, *new, *again])


def test_the_history_ends_after_a_year(tmp_path: Path) -> None:
    now = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
    days = (2, 300, 365, 368)
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        store.append(
            [event(timestamp=one, received_at=one) for one in (now - dt.timedelta(days=days_ago) for days_ago in days)]
        )
        store.catch_up()
        sweep(store, now, dt.timedelta(days=1))
        sweep(store, now, dt.timedelta(days=1))
        expected = [(now - dt.timedelta(days=days_ago)).strftime("%Y-%m-%d") for days_ago in (365, 300, 2)]
        for by in ("severity", "worker", "pattern"):
            found = store.read(GetHistory(days=366, now=now, by=by)).days
            assert [(one.day, one.critical) for one in found] == [(day, 1) for day in expected], by


def test_the_history_counts_stored_and_deleted_errors(tmp_path: Path) -> None:
    """Of the same day, too; a restart of the sweep counts nothing twice."""
    fleet = Fleet(9)
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        for _ in range(6):
            fleet.wait()
            store.append(fleet.errors(60))
            store.catch_up()
            store.roll_up(fleet.rng.choice([1, 50]))
            sweep(store, fleet.now, dt.timedelta(hours=7))
            since = floor(fleet.now, LEVELS["day"]) - dt.timedelta(days=49)
            for by, key in BY.items():
                expected = Counter((f"{one.timestamp:%Y-%m-%d}", key(one), one.severity)
                                   for one in fleet.sent if one.timestamp >= since)  # fmt: skip
                found = store.read(GetHistory(days=50, now=fleet.now, by=by)).days
                held = {(one.day, one.value, name): getattr(one, name) for one in found for name in SEVERITIES}
                ranked = Counter[str | None]()
                for (_, value, _), errors in expected.items():
                    ranked[value] += errors
                shown = {one.value for one in found}
                assert sorted(ranked[value] for value in shown) == sorted(ranked.values())[-100:]
                wanted = {one: errors for one, errors in expected.items() if one[1] in shown}
                assert {one: errors for one, errors in held.items() if errors} == wanted, by


BY: dict[By, Callable[[ErrorEvent], str | None]] = {
    "severity": lambda _: None, "worker": lambda one: one.worker_id, "pattern": lambda one: one.fingerprint,
}  # fmt: skip
MAX_BYTES = 30_000_000


def _body(rng: random.Random) -> str:
    """A report that does not get smaller by compression."""
    return json.dumps({"worker_id": "w", "message": "m", "noise": rng.randbytes(10_000).hex()})


def test_a_wrong_clock_at_the_start_does_not_delete_although_new_errors_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        old = dt.datetime.now(dt.UTC) - dt.timedelta(days=40)
        store.append([event(timestamp=old, received_at=old)])
        store.catch_up()
        kept = Retention(store.database, store.projection.inserter, store.projection.rollups, dt.timedelta(days=30), 0)
        monkeypatch.setattr(retention, "EVERY_SECONDS", 0.0)
        assert not kept.step()
        store.append([event(2)])  # received by the clock of now
        store.catch_up()
        for _ in range(5):
            assert not kept.step()
        assert store.values("SELECT count(*) FROM errors") == [2]
        monkeypatch.setattr(retention, "DOUBT_SECONDS", 0.0)
        while kept.step():
            pass
        assert store.values("SELECT count(*) FROM errors") == [1]
