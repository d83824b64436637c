"""Summaries of runs in the log: numbered beside the events, kept until the database has them, bounded."""

from pathlib import Path

import lmdb
import pytest
from events import append, event

from exporter.log import LogError, LogFullError, summaries
from exporter.log.embedded import EmbeddedLog, new_identity
from exporter.log.files import log_path

pytestmark = pytest.mark.dashboard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return log_path(tmp_path / "errors.duckdb")


@pytest.fixture
def log(path: Path) -> EmbeddedLog:
    log = EmbeddedLog(path)
    log.initialise(new_identity(), 0)
    return log


def held(log: EmbeddedLog, after: int = 0, max_bytes: int = 2**30) -> list[tuple[int, bytes | None]]:
    return [tuple(entry) for entry in log.summaries(after, max_bytes)]


def test_they_are_numbered_beside_the_events(log: EmbeddedLog, path: Path) -> None:
    assert (log.last_summary, held(log)) == (0, [])
    append(log, [event(), event()])
    assert [log.append_summary(b"a"), log.append_summary(b"b" * 50_000)] == [1, 2]
    append(log, [event()])
    assert (log.first, log.last, log.last_summary) == (1, 3, 2)
    assert held(log) == [(1, b"a"), (2, b"b" * 50_000)]
    assert held(log, 1) == [(2, b"b" * 50_000)]
    assert held(log, 0, 1) == [(1, b"a")]
    assert log.append_summary(b"c") == 3
    log.close()
    again = EmbeddedLog(path)
    assert again.append_summary(b"d") == 4
    again.close()


def test_only_what_the_database_has_is_deleted(log: EmbeddedLog, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "KEPT", 3)
    for number in range(6):
        log.append_summary(b"%d" % number)
    assert len(held(log)) == 6
    log.release_summaries(4)
    log.append_summary(b"6")
    assert [number for number, _ in held(log)] == [4, 5, 6, 7]
    log.release_summaries(7)
    log.close()
    again = EmbeddedLog(path)
    assert again.append_summary(b"7") == 8
    assert [number for number, _ in held(again)] == [4, 5, 6, 7, 8], (
        "after a start it is not known what the database has"
    )
    again.release_summaries(8)
    again.append_summary(b"8")
    assert [number for number, _ in held(again)] == [6, 7, 8, 9]
    again.close()


def test_those_that_the_database_has_are_bounded_in_bytes(log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "KEPT_BYTES", 1_000)
    for _ in range(5):
        log.append_summary(b"x" * 400)
        log.release_summaries(log.last_summary)
    log.append_summary(b"x" * 400)
    assert [number for number, _ in held(log)] == [4, 5, 6]
    log.close()


def test_while_the_database_is_away_they_are_bounded(log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "MAX_WAITING_BYTES", 1_000)
    log.append_summary(b"x" * 600)
    with pytest.raises(LogFullError, match="the database does not have yet"):
        log.append_summary(b"x" * 600)
    append(log, [event()])  # errors are still accepted
    log.release_summaries(1)
    assert log.append_summary(b"x" * 600) == 2
    log.close()


def test_a_log_that_refuses_events_refuses_summaries(log: EmbeddedLog) -> None:
    log.refusal = "no room"
    with pytest.raises(LogError, match="no room"):
        log.append_summary(b"x")
    log.close()


def test_a_damaged_summary_is_told_and_hides_no_other(log: EmbeddedLog, path: Path) -> None:
    for text in (b"one", b"two", b"three"):
        log.append_summary(text)
    log.close()
    with lmdb.open(str(path), subdir=False, max_dbs=3) as env, env.begin(write=True) as txn:
        db = env.open_db(b"summaries", txn=txn)
        key = (2).to_bytes(8, "big")
        txn.put(key, txn.get(key, db=db)[:-1] + b"!", db=db)
    again = EmbeddedLog(path)
    assert held(again) == [(1, b"one"), (2, None), (3, b"three")]
    again.close()


def test_a_log_of_an_earlier_release_has_none(path: Path) -> None:
    log = EmbeddedLog(path)
    log.initialise(new_identity(), 0)
    append(log, [event()])
    log.close()
    with lmdb.open(str(path), subdir=False, max_dbs=3) as env, env.begin(write=True) as txn:
        txn.drop(env.open_db(b"summaries", txn=txn))
    reading = EmbeddedLog(path, readonly=True)
    assert (reading.last_summary, held(reading), reading.last) == (0, [], 1)
    reading.close()
    writing = EmbeddedLog(path)
    assert writing.append_summary(b"a") == 1
    writing.close()
