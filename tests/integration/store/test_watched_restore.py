"""A restart loses nothing of the verdict: its facts as the database has them are those that following the log gives."""

import asyncio
import datetime as dt
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from events import event
from msgspec.structs import replace
from projected import Projected
from random_errors import START, random_errors

from exporter.judgement import judge as judge_module
from exporter.judgement import watch as watch_module
from exporter.judgement.judge import Judge, Lag
from exporter.judgement.situation import Situation, Usual
from exporter.judgement.watch import Watch
from exporter.store import StoreError
from exporter.store.queries import GetUsual, Read
from exporter.store.states import DrainChange, Drained, PatternState, StateChange, StatesChanged
from exporter.store.watched import OfKey, OfPattern, Spell, Tallied, UsualRates, Watched

pytestmark = pytest.mark.dashboard


class Answered:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def decode(self) -> Any:
        return self._answer


def made(projected: Projected, now: dt.datetime) -> Judge:
    async def read(query: Read[Any]) -> Any:
        return Answered(projected.read(query))

    return Judge(read, lambda _: (), Lag, lambda _: None, clock=lambda: now)


def comparable(found: Situation) -> Situation:
    """Without what the database does not have: whether a pattern was new, and how long late reports have been coming."""
    episode, warnings = found.episode, found.warnings
    if episode:
        episode = replace(episode, where=replace(episode.where, pattern=replace(episode.where.pattern, is_new=False)))
    if warnings:
        warnings = replace(
            warnings, where=replace(warnings.where, pattern=replace(warnings.where.pattern, is_new=False))
        )
    return replace(found, episode=episode, warnings=warnings, late=None)


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_restored_is_what_was_known(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "surge_from", lambda _: 1)
    events, now = random_errors(seed, 80)
    projected = Projected(tmp_path / "errors.duckdb")
    projected.append(events[:50], events[50:])
    if seed % 2:
        projected.catch_up()
        projected.roll_up()
    watch = Watch()
    watch.on_events(events)
    judge = made(projected, now)
    await judge.resume(0, None)
    restored = judge._watch
    for seconds in (0, 61, 700, 3_000):
        later = now + dt.timedelta(seconds=seconds)
        before, after = watch.situation(later), restored.situation(later)
        if before.episode and now - before.episode.last > dt.timedelta(hours=1):  # it says nothing about now
            before = replace(before, episode=None)
        assert comparable(after) == comparable(before)
    late = watch.situation(now).late
    if late and now - late.received_at < dt.timedelta(seconds=600):
        again = restored.situation(now).late
        assert again
        assert again.received_at == late.received_at
        assert again.reports <= late.reports
    more = event(len(events) + 1, timestamp=now, received_at=now, worker_id="w3")
    watch.on_events([more])
    restored.on_events([more])
    assert comparable(restored.situation(now)) == comparable(watch.situation(now))


@pytest.mark.parametrize("seed", range(8))
async def test_what_states_leave_out_is_restored(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database leaves out the errors that following the log leaves out."""
    monkeypatch.setattr(watch_module, "surge_from", lambda _: 1)
    events, now = random_errors(seed, 80)
    projected = Projected(tmp_path / "errors.duckdb")
    projected.append(events)
    until = events[40].received_at.replace(tzinfo=None)
    said = PatternState(
        status="muted", by="Ana", at="", until=None, errors_left=None, silence_id=None, silence_error=None
    )
    muted = StateChange("1" * 16, 1, "1" * 16, ("1" * 16,), said, until, None, 0, None)
    resolved = replace(
        muted, anchor="2" * 16, pattern_id="2" * 16, names=("2" * 16,), state=replace(said, status="resolved"),
        resolved_at=until,
    )  # fmt: skip
    drained = [DrainChange(3, name, Drained(by="Ana", at="", until=None)) for name in ("w1", "nobody")]
    changed = StatesChanged([muted, resolved], drained, complete=True)
    judge = made(projected, now)
    judge.on_states(changed)
    watch = Watch(states=judge._states)
    watch.on_events(events)
    await judge.resume(0, None)
    for seconds in (0, 61, 700, 3_000):
        later = now + dt.timedelta(seconds=seconds)
        before, after = watch.situation(later), judge._watch.situation(later)
        if before.episode and now - before.episode.last > dt.timedelta(hours=1):
            before = replace(before, episode=None)
        if before.aside and after.aside:  # which of several is the first
            before = replace(before, aside=replace(before.aside, drained_name=after.aside.drained_name))
        assert comparable(after) == comparable(before)


async def test_a_reset_is_restored_and_the_newness_of_a_pattern(tmp_path: Path) -> None:
    projected = Projected(tmp_path / "errors.duckdb")

    def at(minutes: float) -> dt.datetime:
        return START + dt.timedelta(minutes=minutes)

    def error(number: int, minutes: float, **more: Any) -> Any:
        return event(number, timestamp=at(minutes), received_at=at(minutes), **more)

    old, new = "1" * 16, "2" * 16
    projected.append([
        error(1, 0, fingerprint=old, worker_id="a"), error(2, 200, fingerprint=old, worker_id="b"),
        error(3, 210, fingerprint=new, worker_id="c", is_new_pattern=True),
        error(4, 211, fingerprint=new, worker_id="c"),
    ])  # fmt: skip
    judge = made(projected, at(212))
    await judge.resume(0, None)
    found = judge._watch.situation(at(212))
    assert found.episode
    assert (found.episode.where.errors, found.episode.where.pattern.is_new) == (3, True)
    assert [one.worker_id for one in found.suspects] == ["a", "b", "c"]
    await judge.resume(0, at(205))
    found = judge._watch.situation(at(212))
    assert found.episode
    assert (found.episode.since, found.episode.where.errors) == (at(210), 2)
    assert [one.worker_id for one in found.suspects] == ["c"]


async def test_without_the_database_the_verdict_says_what_it_does_not_know(caplog: pytest.LogCaptureFixture) -> None:
    now = START

    async def read(_: Read[Any]) -> Any:
        raise StoreError("it cannot answer")

    judge = Judge(read, lambda _: (), Lag, lambda _: None, clock=lambda: now)
    await judge.resume(7, None)
    assert "it cannot answer" in caplog.text
    assert (judge.position, judge.verdict().colour, judge.verdict().rule) == (7, "unknown", "blind")
    judge.on_events([event(8, timestamp=now, received_at=now)])
    assert judge.verdict().colour == "critical"
    await judge._retry()  # as every minute while the database cannot answer
    assert (judge.position, judge.verdict().colour) == (8, "critical")
    assert await judge._ask() == judge_module.RETRY_SECONDS


async def test_what_is_usual_is_known_at_the_turn_of_an_hour() -> None:
    """Until the database has answered, that of the hour before counts: fleets that always warn do not surge then."""
    now = dt.datetime(2026, 11, 26, 2, 59, 59, tzinfo=dt.UTC)
    answers = True

    async def read(_: Read[Any]) -> Any:
        if not answers:
            raise StoreError("it cannot answer")
        return Answered(UsualRates(7, 0, 6_000, 6_000))

    judge = Judge(read, lambda _: (), Lag, lambda _: None, clock=lambda: now)
    await judge._ask()
    judge.on_events([event(1 + n, severity="warning", timestamp=now, received_at=now) for n in range(500)])
    assert judge.verdict().rule == "calm"
    now += dt.timedelta(seconds=1)
    assert (judge.verdict().rule, judge._situation(now, Lag()).usual) == ("calm", Usual(7, 0, 6_000, 6_000))
    answers = False
    await judge._ask()
    assert judge.verdict().rule == "calm"
    now += dt.timedelta(minutes=3)
    assert judge._situation(now, Lag()).usual is None


async def test_a_reset_while_the_facts_are_read_again_counts() -> None:
    now = START

    async def read(_: Read[Any]) -> Any:
        judge.reset(now)
        tallied = Tallied(1, 1, [OfKey("w", 1, 1)], [OfPattern("p", 1, 1, "w", "text", False)], [], [])
        return Answered(
            Watched(1, [(int(now.timestamp()) // 60, 1, 0)], [Spell(now, now, tallied)], [], [], None, now, now)
        )

    judge = Judge(read, lambda _: (), Lag, lambda _: None, clock=lambda: now)
    await judge.read_again()
    assert judge.verdict().rule == "calm"
    assert judge._situation(now, Lag(behind=3)).as_of == now  # the newest report that the database has


async def test_a_muted_error_shows_that_its_worker_lives_after_a_restart(tmp_path: Path) -> None:
    projected = Projected(tmp_path / "errors.duckdb")
    times = [START, START + dt.timedelta(minutes=1)]
    projected.append(
        [event(n + 1, timestamp=at, received_at=at, fingerprint=f"{n}" * 16) for n, at in enumerate(times)]
    )
    said = PatternState(
        status="muted", by="Ana", at="", until=None, errors_left=None, silence_id=None, silence_error=None
    )
    muted = StateChange("1" * 16, 1, "1" * 16, ("1" * 16,), said, START.replace(tzinfo=None), None, 0, None)
    judge = made(projected, times[1])
    judge.on_states(StatesChanged([muted], []))
    await judge.resume(0, None)
    found = judge._watch.situation(times[1])
    assert (found.episode and found.episode.where.errors, found.suspects) == (1, ())


async def test_a_state_that_changes_while_the_facts_are_read_again_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the database cannot answer at first."""
    monkeypatch.setattr(judge_module, "COUNT_RETRY_SECONDS", 0.0)
    asked: list[list[str]] = []

    def drain(worker: str) -> None:
        changes = [DrainChange(1, worker, Drained(by="Ana", at="", until=None))]
        judge.on_states(StatesChanged([], changes))

    async def read(query: Any) -> Any:
        asked.append(query.left_out.drained)
        if len(asked) == 1:
            raise StoreError("it cannot answer")
        if len(asked) == 2:
            drain("b")
        return Answered(Watched(1, [], [], [], [], None, None, START))

    judge = Judge(read, lambda _: (), Lag, lambda _: None, clock=lambda: START)
    await judge.settled()  # nothing to wait for
    drain("a")
    counting = asyncio.create_task(judge._count_again())
    await judge.settled()
    assert asked == [["a"], ["a"], ["a", "b"]]
    counting.cancel()


async def test_nothing_is_calm_while_it_is_not_known_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "COUNT_RETRY_SECONDS", 0.0)
    clock, tries = START, 0

    async def read(_: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise StoreError("it cannot answer")
        return Answered(Watched(1, [], [], [], [], None, None, clock))

    judge = Judge(read, lambda _: (), Lag, lambda _: None, clock=lambda: clock)
    judge.on_events([event(1, worker_id="a", severity="info", timestamp=START, received_at=START)])
    assert judge.verdict().colour == "calm"
    judge.on_states(StatesChanged([], [DrainChange(1, "a", Drained(by="Ana", at="", until=None))]))
    clock += dt.timedelta(seconds=9)
    assert judge.verdict().colour == "calm"
    clock += dt.timedelta(seconds=2)
    counting = asyncio.create_task(judge._count_again())
    await asyncio.sleep(0)
    assert (judge.verdict().colour, judge.verdict().rule) == ("unknown", "blind")
    await judge.settled()
    assert (judge.verdict().colour, tries) == ("calm", 4)
    counting.cancel()


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_what_is_usual_is_the_median_of_the_same_hour(tmp_path: Path, is_rolled_up: bool) -> None:
    now = dt.datetime(2026, 11, 26, 2, 30, tzinfo=dt.UTC)
    projected = Projected(tmp_path / "errors.duckdb")
    assert projected.read(GetUsual(now=now, days=7)).days == 0
    number, events = 0, []
    counts = {1: 3, 2: 0, 3: 5, 4: 8}  # days ago → critical errors of the hour; as many warnings and one more
    for day, critical in sorted(counts.items(), reverse=True):
        for index in range(2 * critical + 1):
            number += 1
            time = now.replace(minute=index) - dt.timedelta(days=day)
            severity = "critical" if index < critical else "warning"
            events.append(event(number, timestamp=time, received_at=time, severity=severity))
        for hours in (-1, 1):  # of other hours
            number += 1
            time = now.replace(minute=0 if hours > 0 else 59) - dt.timedelta(days=day) + dt.timedelta(hours=hours)
            events.append(event(number, timestamp=time, received_at=time))
    projected.append(sorted(events, key=lambda one: one.received_at))
    if is_rolled_up:
        projected.catch_up()
        projected.roll_up()
    rates = projected.read(GetUsual(now=now, days=7))
    assert (rates.days, rates.critical) == (4, median(counts.values()))
    assert (rates.warning, rates.reports) == (rates.critical + 1, 2 * rates.critical + 1)
    assert projected.read(GetUsual(now=now, days=2)).days == 2
