"""The facts of the verdict: whatever arrives in whatever order, they are what counting from scratch gives."""

import datetime as dt
import random
import time
from collections import Counter
from typing import Any

import pytest
from events import event
from random_errors import START, random_errors

from exporter.events.event import ErrorEvent
from exporter.judgement import tally as tally_module
from exporter.judgement import watch as watch_module
from exporter.judgement.situation import Situation, Usual
from exporter.judgement.verdict import verdict
from exporter.judgement.watch import Watch

pytestmark = pytest.mark.dashboard
SEEDS = range(40)


def watched(*batches: list[ErrorEvent], **more: Any) -> Watch:
    watch = Watch(**more)
    for batch in batches:
        watch.on_events(batch)
    return watch


def at(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def error(number: int, seconds: float, worker: str = "w", severity: str = "critical", **more: Any) -> ErrorEvent:
    return event(
        number,
        **{"timestamp": at(seconds), "received_at": at(seconds), "worker_id": worker, "severity": severity} | more,
    )


def counted(events: list[ErrorEvent], now: dt.datetime) -> dict[str, Any]:
    """Returns the facts, counted from scratch."""
    times = {one.id: min(one.timestamp, one.received_at) for one in events}
    current = [one for one in events if not one.imported and one.received_at - times[one.id] < dt.timedelta(minutes=30)]
    critical = sorted((one for one in current if one.severity == "critical"), key=lambda one: times[one.id])
    episode: list[ErrorEvent] = []
    for one in reversed(critical):
        if episode and times[one.id] + dt.timedelta(minutes=30) <= times[episode[-1].id]:
            break
        episode.append(one)
    minute = now.replace(second=0, microsecond=0)
    window = [one for one in current if times[one.id] >= minute - dt.timedelta(minutes=9)]
    warnings = [one for one in window if one.severity == "warning"]
    newest: dict[str, ErrorEvent] = {}
    for one in current:
        known = newest.get(one.worker_id)
        if known is None or (times[one.id], one.id) > (times[known.id], known.id):
            newest[one.worker_id] = one
    suspects = sorted((times[one.id], name) for name, one in newest.items() if one.severity == "critical")
    silent = [one for one in suspects if one[0] <= now - dt.timedelta(minutes=10)]
    return {
        "since": min((times[one.id] for one in episode), default=None),
        "last": max((times[one.id] for one in episode), default=None),
        "episode": summed(episode),
        "critical_in_window": sum(one.severity == "critical" for one in window),
        "warnings": summed(warnings),
        "suspects": suspects[: len(silent) + 1],  # the next one, too
        "last_critical": max((times[one.id] for one in events if one.severity == "critical"), default=None),
        "last_report": max((one.received_at for one in current), default=None),
    }


def summed(events: list[ErrorEvent]) -> Any:
    """Returns how many errors there are, of how many workers and patterns, and who and what has most of them."""
    if not events:
        return None
    by_id = sorted(events, key=lambda one: one.id)
    tops = []
    for key in ("worker_id", "fingerprint", "hardware_type"):
        values = [getattr(one, key) for one in by_id if getattr(one, key)]
        most = Counter(values).most_common()
        tops.append((next(value for value in values if dict(most)[value] == most[0][1]), most[0][1]) if most else None)
    first = next(one for one in by_id if one.fingerprint == tops[1][0])
    names = list(dict.fromkeys(one.worker_id for one in by_id))
    return len(events), len(names), names[:10], tops, (first.id, first.worker_id, first.pattern)


def facts(found: Situation) -> dict[str, Any]:
    """Returns the facts of a situation in the form of `counted`."""

    def said(where: Any) -> Any:
        if where is None:
            return None
        pattern, hardware = where.pattern, where.hardware
        tops = [
            (where.worker.name, where.worker.errors), (pattern.pattern_id, pattern.errors),
            (hardware.name, hardware.errors) if hardware else None,
        ]  # fmt: skip
        return where.errors, where.workers, list(where.names), tops, (pattern.error_id, pattern.worker_id, pattern.text)

    episode = found.episode
    return {
        "since": episode.since if episode else None,
        "last": episode.last if episode else None,
        "episode": said(episode.where) if episode else None,
        "critical_in_window": found.critical_in_window,
        "warnings": said(found.warnings.where) if found.warnings else None,
        "suspects": [(one.since, one.worker_id) for one in found.suspects],
        "last_critical": found.last_critical,
        "last_report": found.last_report,
    }


@pytest.fixture(autouse=True)
def _every_warning_surges(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "seed" in request.fixturenames:
        monkeypatch.setattr(watch_module, "surge_from", lambda _: 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_facts_are_what_counting_from_scratch_gives(seed: int) -> None:
    events, now = random_errors(seed)
    rng, watch, done = random.Random(seed), Watch(), 0
    while done < len(events):
        upto = min(done + rng.randrange(1, 30), len(events))
        watch.on_events(events[max(0, done - rng.randrange(5)) : upto])  # some of them again
        done = upto
        assert watch.position == done
        now = events[done - 1].received_at
        assert facts(watch.situation(now)) == counted(events[:done], now)
    later = now + dt.timedelta(seconds=rng.choice([30, 400, 3_000]))
    assert facts(watch.situation(later)) == counted(events, later)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_arrival_does_not_matter(seed: int) -> None:
    """Errors that were received at one moment are appended in any order."""
    events, now = random_errors(seed, 60)
    at_once = [event(one.id, timestamp=max(one.timestamp, now - dt.timedelta(minutes=29)), received_at=now,
                     worker_id=one.worker_id, severity=one.severity, fingerprint=one.fingerprint) for one in events]  # fmt: skip
    shuffled = random.Random(seed).sample(at_once, len(at_once))
    for number, one in enumerate(shuffled, 1):
        one.id = number
    found = facts(watched(shuffled).situation(now))
    assert found == counted(shuffled, now)


def test_an_error_brings_two_episodes_together() -> None:
    watch = watched([error(1, 0), error(2, 3_000, "v")])
    assert watch.situation(at(3_000)).episode.where.errors == 1  # type: ignore[union-attr]
    watch.on_events([error(3, 1_500, received_at=at(3_010))])
    episode = watch.situation(at(3_010)).episode
    assert episode is not None
    assert (episode.since, episode.last, episode.where.errors, episode.where.workers) == (at(0), at(3_000), 3, 2)


def test_a_surge_began_when_its_first_warnings_came() -> None:
    watch = watched([error(number, number * 0.5, "w", "warning") for number in range(1, 2_401)])
    found = watch.situation(at(1_205)).warnings
    assert found is not None
    assert at(-60) < found.since <= at(120)  # at the start of a minute
    assert 900 < found.warnings <= 1_200
    assert watch.situation(at(1_205), Usual(7, 0, 3_600, 3_600)).warnings is None
    assert watch.situation(at(1_205 + 700)).warnings is None


def test_a_later_report_says_that_a_worker_lives() -> None:
    watch = watched([error(1, 0, "a"), error(2, 1, "b")])
    watch.on_events([error(4, 60, "a", "info"), error(5, 61, "b", "info", timestamp=at(0.5))])
    assert [one.worker_id for one in watch.situation(at(700)).suspects] == ["b"]  # its report was from before
    assert verdict(watch.situation(at(700))).silent_workers == 1


def test_a_reset_is_an_acknowledgement() -> None:
    watch = watched([error(1, 0, "a"), error(2, 1, "b")])
    watch.reset(at(10))
    found = watch.situation(at(20))
    assert (found.episode, found.suspects, found.last_critical) == (None, (), at(1))
    assert verdict(found).colour == "calm"
    watch.on_events([error(3, 5, "a", received_at=at(21)), error(4, 22, "c")])  # the first happened before
    episode = watch.situation(at(30)).episode
    assert episode is not None
    assert (episode.since, episode.where.errors, episode.where.names) == (at(22), 1, ("c",))
    assert watch.situation(at(30)).critical_in_window == 1  # the sentence compares with what is usual


def test_renaming_thousands_of_patterns_at_once_does_not_take_seconds() -> None:
    """The event loop waits: the leader is looked for again only where it is gone."""
    events = [error(1 + number, 0, fingerprint=f"{number // 2:016x}") for number in range(4_000)]
    watch = watched(events)
    began = time.process_time()
    watch.replace_patterns({f"{number:016x}": "f" * 16 for number in range(1_000, 2_000)})
    assert time.process_time() - began < 0.2
    where = watch.situation(at(7)).episode.where  # type: ignore[union-attr]
    assert (where.pattern.pattern_id, where.pattern.errors, where.patterns) == ("f" * 16, 2_000, 1_001)


def test_a_pattern_that_became_part_of_another_one_is_counted_there() -> None:
    one, other, third = "1" * 16, "2" * 16, "3" * 16
    watch = watched([error(1, 0, fingerprint=one), error(2, 1, fingerprint=other), error(3, 2, fingerprint=other),
                     error(4, 3, fingerprint=third), error(5, 4, fingerprint=third), error(6, 5, fingerprint=third)])  # fmt: skip
    watch.replace_patterns({other: one, "4" * 16: third})
    watch.on_events([error(7, 6, fingerprint=one)])
    where = watch.situation(at(7)).episode.where  # type: ignore[union-attr]
    assert (where.pattern.pattern_id, where.pattern.errors, where.pattern.error_id) == (one, 4, 1)
    assert where.patterns == 2


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "MAX_WORKERS", 50)
    monkeypatch.setattr(tally_module.Tally.__init__, "__defaults__", (50, 20))
    watch, number = Watch(), 0
    for minute in range(0, 20_000, 37):
        batch = []
        for worker in range(4):
            number += 1
            severity = "critical" if worker % 2 else "warning"
            batch.append(error(number, minute * 60, f"w{number}", severity, fingerprint=f"{number:016d}"))
        watch.on_events(batch)
    assert len(watch._minutes) <= 2 * watch_module.MAX_MINUTES
    assert len(watch._recent) <= 2 * watch_module.MINUTES
    assert len(watch._spells) <= watch_module.MAX_EPISODES
    for seconds in range(200):
        number += 1
        watch.on_events([error(number, 1_200_001 + seconds, f"w{number}", fingerprint=f"{number:016d}")])
    where = watch.situation(at(1_200_300)).episode.where  # type: ignore[union-attr]
    assert (where.workers, where.patterns, where.more) == (50, 20, True)
    assert where.errors >= 200
    assert "on more than 50 workers" in verdict(watch.situation(at(1_200_201))).sentence


def test_a_clock_that_was_set_back_does_no_harm() -> None:
    watch = watched([error(1, 10_000), error(2, 0), error(3, 1)])
    found = verdict(watch.situation(at(2)))
    assert found.colour == "critical"
    assert watch.position == 3


def test_an_import_counts_as_late() -> None:
    watch = watched([error(1, 0, imported=True, timestamp=at(-400))])
    assert watch.position == 1
    found = verdict(watch.situation(at(1)))
    assert (found.rule, found.silent_workers, found.late and found.late.reports) == ("empty", 0, 1)


def test_an_old_report_changes_no_colour() -> None:
    old = error(2, 100, timestamp=dt.datetime(2025, 3, 15, tzinfo=dt.UTC))
    assert verdict(watched([old]).situation(at(101))).colour == "unknown"
    watch = watched([error(1, 0, "a", "info"), old])
    found = verdict(watch.situation(at(101)))
    assert (found.colour, found.late and found.late.reports) == ("calm", 1)
    assert found.sentence.endswith("1 error came in that happened on 15 March 2025.")
    crashed = watched([error(1, 0, "a"), error(2, 2_400, "a", "info", timestamp=at(-3_000))])
    assert verdict(crashed.situation(at(2_401))).rule == "silent"
