"""Which errors the verdict leaves out because of a state, and what it says of a pattern."""

import datetime as dt
import time
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from events import event

from exporter.events.event import ErrorEvent
from exporter.judgement import watch as watch_module
from exporter.judgement.situation import Aside, StateNote
from exporter.judgement.states import KnownStates
from exporter.judgement.verdict import verdict
from exporter.judgement.watch import Watch
from exporter.store.states import DrainChange, Drained, PatternState, StateChange, StatesChanged

pytestmark = pytest.mark.dashboard
START = dt.datetime(2026, 11, 26, 2, tzinfo=dt.UTC)
ONE, OTHER = "1" * 16, "2" * 16
NOTE = StateNote(came_back=True, resolved_by="Ana", resolved_at=START + dt.timedelta(seconds=10))


def at(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def error(number: int, seconds: float, fingerprint: str = ONE, worker: str = "w", **more: Any) -> ErrorEvent:
    given: dict[str, Any] = {"severity": "critical", "timestamp": at(seconds), "received_at": at(seconds)}
    return event(number, fingerprint=fingerprint, worker_id=worker, **(given | more))


def state(status: Any, fingerprint: str = ONE, seconds: float = 10, *, resolved: float | None = None) -> StateChange:
    kept = PatternState(
        status=status, by="Ana", at="", until=None, errors_left=None, silence_id=None, silence_error=None
    )
    moment = at(resolved).replace(tzinfo=None) if resolved is not None else None
    return StateChange(
        anchor=fingerprint, number=1, pattern_id=fingerprint, names=(fingerprint,), state=kept, until=None,
        at=at(seconds).replace(tzinfo=None), regressions=0, error_id=None, resolved_at=moment,
    )  # fmt: skip


def drained(worker: str, *, by: str | None = "Ana") -> DrainChange:
    return DrainChange(1, worker, Drained(by=by, at="", until=None) if by else None)


def known(*patterns: StateChange, workers: tuple[DrainChange, ...] = ()) -> KnownStates:
    states = KnownStates()
    states.apply(StatesChanged(list(patterns), list(workers)))
    return states


def test_a_muted_pattern_gives_no_colour_and_shows_that_its_worker_lives() -> None:
    watch = Watch(states=known(state("muted")))
    watch.on_events([error(1, 0, OTHER), error(2, 58, severity="warning", timestamp=at(-1)), error(3, 60)])
    found = watch.situation(at(61))
    assert found.episode
    assert (found.episode.where.errors, found.critical_in_window, found.suspects) == (1, 1, ())
    assert found.aside == Aside(muted_errors=2, muted_patterns=1)
    assert found.last_critical == at(60)  # a fact, which no state changes
    assert watch.situation(at(700)).aside is None


def test_a_drained_worker_is_not_silent_and_named_only_with_errors_in_the_window() -> None:
    watch = Watch(states=known(workers=(drained("w"),)))
    watch.on_events([error(1, 0), error(2, 1, worker="v", severity="info")])
    found = watch.situation(at(30))
    assert (found.episode, found.suspects) == (None, ())
    assert verdict(found).sentence.endswith("; 1 error on w, which is drained, is not counted.")
    later = verdict(watch.situation(at(700)))
    assert (later.colour, later.silent_workers, "drained" in later.sentence) == ("calm", 0, False)


@pytest.mark.parametrize("status", ["resolved", "regressed", "claimed", "open"])
def test_errors_before_a_resolution_count_no_more_whatever_became_of_the_pattern(status: str) -> None:
    watch = Watch(states=known(state(status, seconds=20 if status != "resolved" else 10, resolved=10)))
    watch.on_events([error(1, 5), error(2, 9, received_at=at(15))])
    assert watch.situation(at(16)).episode is None
    assert watch.situation(at(16)).aside is None
    watch.on_events([error(3, 20)])
    episode = watch.situation(at(21)).episode
    assert episode
    assert (episode.since, episode.where.errors) == (at(20), 1)
    came_back = NOTE if status in ("resolved", "regressed") else None
    assert episode.where.pattern.note == (StateNote(claimed_by="Ana") if status == "claimed" else came_back)


def test_what_came_back_is_named_first_before_the_database_says_so() -> None:
    watch = Watch(states=known(state("resolved", resolved=10)))
    watch.on_events([error(number, 20 + number, OTHER) for number in range(1, 30)])
    assert watch.situation(at(60)).episode.where.pattern.pattern_id == OTHER  # type: ignore[union-attr]
    watch.on_events([error(30, 61)])
    found = verdict(watch.situation(at(62)))
    assert '1 of them "' in found.sentence
    assert ", which came back after Ana resolved it at 02:00 UTC" in found.sentence
    assert found.concerned
    assert found.concerned.came_back
    assert found.concerned.came_back.pattern_id == ONE
    assert found.concerned.pattern.pattern_id != ONE  # it has most of the errors


def test_what_came_back_and_was_resolved_again_within_a_second_is_not_said_to_be_back() -> None:
    states = known(state("resolved", resolved=10))
    assert states.why_not(error(1, 20))[0] == ""
    assert states.notes()[ONE].came_back
    states.apply(StatesChanged([state("resolved", seconds=20.5, resolved=20.5)], []))
    assert states.notes() == {}
    assert states.why_not(error(2, 20.2))[0] == "resolved"
    assert states.why_not(error(3, 21))[0] == ""
    states.apply(StatesChanged([state("claimed", OTHER)], []))  # of another pattern
    assert states.notes()[ONE].came_back


def test_what_came_back_before_these_errors_does_not_hide_the_pattern_with_most() -> None:
    for began, named in ((20, OTHER), (1, ONE)):  # it came back with error 3
        changed = msgspec.structs.replace(state("regressed", resolved=10), error_id=3)
        watch = Watch(states=known(changed))
        watch.on_events(
            [error(began, 21), *(error(number, 30 + number, OTHER) for number in range(began + 1, began + 9))]
        )
        situation = watch.situation(at(60))
        assert situation.episode
        assert situation.episode.where.pattern.pattern_id == named
        found = verdict(situation)
        assert found.concerned
        assert found.concerned.pattern.pattern_id == OTHER
        assert (found.concerned.came_back is not None) == (named == ONE)


def test_an_error_that_arrives_late_does_not_bring_a_pattern_back() -> None:
    states = known(state("resolved", resolved=10))
    assert [states.why_not(one)[0] for one in (error(1, 9), error(2, 9, received_at=at(20)))] == ["resolved"] * 2
    assert states.why_not(error(3, 11))[0] == ""


def test_only_a_change_of_what_is_left_out_needs_the_facts_again() -> None:
    states = known()
    keys = [states.key]
    for change in (state("open"), state("claimed"), state("muted"), state("muted", seconds=30), state("open"),
                   state("resolved", resolved=10), state("regressed", seconds=20, resolved=10), state("open")):  # fmt: skip
        states.apply(StatesChanged([change], []))
        keys.append(states.key)
    assert [one != other for one, other in pairwise(keys)] == [
        False, False, True, False, True, True, False, True,
    ]  # fmt: skip
    states.apply(StatesChanged([], [drained("w")]))
    assert states.left_out().drained == ["w"]
    states.apply(StatesChanged([], [drained("w", by=None)]))
    assert states.left_out().is_empty


def test_the_names_of_what_is_left_out_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "MAX_ASIDE", 3)
    watch = Watch(states=known(workers=tuple(drained(f"w{n}") for n in range(9))))
    watch.on_events([error(1 + n, n % 50, worker=f"w{n % 9}") for n in range(90)])
    assert max(map(len, watch._aside.values())) == 4
    watch.on_events([error(100 + n, 3_600 * n, worker="w1") for n in range(1, 60)])
    assert len(watch._aside) <= 2 * watch_module.MINUTES


def test_ten_thousand_states_do_not_slow_an_error_down() -> None:
    watch = Watch(states=known(*(state("muted", f"{number:016x}") for number in range(10_000))))
    events = [error(1 + number, number / 1_000, OTHER) for number in range(20_000)]
    began = time.process_time()
    watch.on_events(events)
    assert time.process_time() - began < 1.0
