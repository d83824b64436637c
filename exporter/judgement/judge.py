"""The verdict of the running service: follows the log, knows what is usual, and tells subscribers what changes.

log ─► `on_events` ─► Watch ─┐
states ─► `on_states` ─► what does not count; if that changed, the facts are read again ─┤
database ─► `_ask`, once in some minutes ─► what is usual ─┤─► `encoded`, at any time, from memory
once a second: `_tell` ─► `publish`, if the verdict has changed, and every `REPEAT_SECONDS`
"""

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from exporter.events.event import ErrorEvent, isoformat
from exporter.judgement.result import Verdict
from exporter.judgement.situation import (
    LATE_NOTE_SECONDS,
    LATE_SECONDS,
    MEMORY_SECONDS,
    RECOVERY_SECONDS,
    Situation,
    Usual,
)
from exporter.judgement.states import KnownStates
from exporter.judgement.tally import MAX_OTHERS, MAX_PATTERNS, MAX_WORKERS
from exporter.judgement.verdict import verdict
from exporter.judgement.watch import MAX_EPISODES, MINUTES, Watch
from exporter.store import StoreError
from exporter.store.queries import GetUsual, GetWatched, Read
from exporter.store.states import StatesChanged

TICK_SECONDS: Final = 1.0
REPEAT_SECONDS: Final = 5.0  # a page may show green for 10 s after the service said so
USUAL_SECONDS: Final = 600.0  # after which it is asked again what is usual, and at the beginning of each hour
RETRY_SECONDS: Final = 60.0  # after the database could not say
USUAL_FOR: Final = dt.timedelta(hours=1, seconds=2 * RETRY_SECONDS)  # what is usual in an hour, until the next is known
DAYS: Final = 7
SETTLE_SECONDS: Final = 1.0  # for which the answer to a change of a state waits for the verdict
UNCOUNTED_SECONDS: Final = 10.0  # after which a verdict is unknown of which it is not known what counts
COUNT_RETRY_SECONDS: Final = 5.0  # after the facts could not be read again
COUNT_SHARE: Final = 1.0  # times as long as the facts were read it waits before it reads them again
_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Lag(NamedTuple):
    """What keeps the verdict from being about now. `behind`: how many events of the log it lacks. `refused`: why
    reports cannot be stored, "" if they can."""

    behind: int = 0
    refused: str = ""


class Judge:
    """A reader of the log. `read` asks the database, `logged_after` returns the events of the log after a position,
    `lag` says what the verdict lacks, `away` when the service did not run, and `publish` gets each new verdict as JSON.
    Only the event loop may use it."""

    def __init__(
        self,
        read: Callable[[Read[Any]], Awaitable[Any]],
        logged_after: Callable[[int], Iterable[Sequence[ErrorEvent]]],
        lag: Callable[[], Lag],
        publish: Callable[[bytes], None],
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        away: Callable[[], tuple[dt.datetime, dt.datetime] | None] = lambda: None,
    ) -> None:
        self._read = read
        self._logged_after = logged_after
        self._lag = lag
        self._publish = publish
        self._clock = clock
        self._away = away
        self._states = KnownStates()
        self._watch = Watch(states=self._states)
        self._counted = self._states.key  # what the facts leave out that were read last
        self._uncounted_since: dt.datetime | None = None  # when something else began to be left out
        self._restoring = asyncio.Lock()  # an older answer must not replace a newer one: it may have a deleted text
        self._has_to_count = asyncio.Event()
        self._has_counted = asyncio.Event()
        self._has_counted.set()
        self._blind_before: dt.datetime | None = None
        self._refused: tuple[str, dt.datetime] | None = None
        self._usual: Usual | None = None
        self._usual_hour: dt.datetime | None = None  # the hour of which `_usual` is
        self._asked_hour: dt.datetime | None = None
        self._is_asked_for = False  # whether the facts are to be read again at once
        self._verdict: Verdict | None = None
        self._lagged = Lag()  # when the verdict was made
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def position(self) -> int:
        """The event up to which the verdict knows the log."""
        return self._watch.position

    @position.setter
    def position(self, position: int) -> None:
        """Skips events, which then are read from the database: a verdict must not lack them."""
        self._watch.position = position
        self._blind_before = self._clock()
        self._is_asked_for = True
        self._verdict = None

    def on_events(self, events: Sequence[ErrorEvent]) -> None:
        self._verdict = None
        self._watch.on_events(events)

    def reset(self, at: dt.datetime) -> None:
        """Forgets the critical errors up to `at`, because somebody has reset the counts."""
        self._verdict = None
        self._watch.reset(at)

    def replace_patterns(self, gone: Mapping[str, str]) -> None:
        """As `Watch.replace_patterns`."""
        self._verdict = None
        self._watch.replace_patterns(gone)

    def on_states(self, changed: StatesChanged) -> None:
        """Takes over states of patterns and workers. What they say of a pattern holds at once; if other errors count
        now, the facts are read again (`settled`)."""
        self._verdict = None
        self._states.apply(changed)
        self._watch.states_changed()
        self._check_counted()

    async def settled(self) -> None:
        """Waits until only those errors count that are to count, `SETTLE_SECONDS` at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_counted.wait(), SETTLE_SECONDS)

    def _check_counted(self) -> None:
        if self._counted == self._states.key:
            self._uncounted_since = None
            self._has_to_count.clear()
            self._has_counted.set()
        else:
            self._uncounted_since = self._uncounted_since or self._clock()
            self._has_counted.clear()
            self._has_to_count.set()

    async def resume(self, position: int, reset_at: dt.datetime | None) -> None:
        """Restores the facts from the database, and from the log what the database lacks. If the database cannot
        answer, the facts begin after the event `position`, and the verdict says so. Raises `LogError`."""
        now = self._clock()
        try:
            await self._restore(position, reset_at, now)
        except StoreError as error:
            _log.warning("the verdict does not know the errors before %s: %s", isoformat(now), error)
            self._blind_before = now
            self._watch, self._verdict = Watch(position, self._watch.reset_at or reset_at, self._states), None
            self._counted = self._states.key
            self._check_counted()

    async def _retry(self) -> None:
        """Restores the facts that could not be read before. If the database still cannot answer, those that came from
        the log since then stay. Raises `LogError`."""
        try:
            await self._restore(self.position, self._watch.reset_at, self._clock())
        except StoreError as error:
            _log.warning("the verdict still lacks earlier errors: %s", error)

    async def _restore(self, position: int, reset_at: dt.datetime | None, now: dt.datetime) -> None:
        """Replaces the facts by those of the database and the log. Raises `StoreError` and `LogError`."""
        async with self._restoring:
            await self._read_facts(position, reset_at, now)

    async def _read_facts(self, position: int, reset_at: dt.datetime | None, now: dt.datetime) -> None:
        watch, key = Watch(position, reset_at, self._states), self._states.key
        query = GetWatched(
            now=now, reset_at=reset_at, memory=MEMORY_SECONDS, gap=RECOVERY_SECONDS, late=LATE_SECONDS,
            late_note=LATE_NOTE_SECONDS, spells=MAX_EPISODES, recent=MINUTES, workers=MAX_WORKERS,
            patterns=MAX_PATTERNS, hardware=MAX_OTHERS, left_out=self._states.left_out(),
        )  # fmt: skip
        watch.resume((await self._read(query)).decode(), now)
        for events in self._logged_after(watch.position):
            watch.on_events(events)
        if self._watch.reset_at and self._watch.reset_at != reset_at:  # meanwhile
            watch.reset(self._watch.reset_at)
        self._watch, self._verdict, self._blind_before = watch, None, None
        self._counted = key
        self._check_counted()  # a state may have changed meanwhile

    async def read_again(self) -> None:
        """Restores the facts again, after errors were deleted. Raises `LogError`."""
        await self.resume(self.position, self._watch.reset_at)

    def encoded(self) -> bytes:
        """Returns the verdict as JSON."""
        return _encode(self.verdict())

    def tagged(self) -> tuple[bytes, str]:
        """Returns the verdict as JSON, and a hash of what it says: of all but the moments that change every second."""
        now = self.verdict()
        as_of = "" if now.as_of == now.checked_at else now.as_of
        said = _encode(replace(now, checked_at="", as_of=as_of, last_critical_seconds=None))
        return _encode(now), blake2b(said, digest_size=6).hexdigest()

    def verdict(self) -> Verdict:
        """Returns the verdict at this moment."""
        now, lag = self._clock(), self._lag()
        kept = self._verdict
        if kept is not None and lag == self._lagged and not lag.behind and not _is_due(kept, now):
            return _at(kept, now)
        self._lagged = lag
        self._verdict = verdict(self._situation(now, lag))
        return self._verdict

    def _situation(self, now: dt.datetime, lag: Lag) -> Situation:
        if not lag.refused:
            self._refused = None
        elif self._refused is None or self._refused[0] != lag.refused:
            self._refused = (lag.refused, self._refused[1] if self._refused else now)
        usual = self._usual if self._usual_hour and now < self._usual_hour + USUAL_FOR else None
        return replace(
            self._watch.situation(now, usual),
            behind=lag.behind,
            as_of=self._watch.received_at,
            refused=lag.refused,
            refused_since=self._refused[1] if self._refused else None,
            blind_before=self._blind_before or self._uncounted(now),
            away=self._away(),
        )

    def _uncounted(self, now: dt.datetime) -> dt.datetime | None:
        """Returns since when it is not known which earlier errors count, if that takes long."""
        since = self._uncounted_since
        return since if since and (now - since).total_seconds() >= UNCOUNTED_SECONDS else None

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._tell(), name="verdict"),
            asyncio.create_task(self._learn(), name="what is usual"),
            asyncio.create_task(self._count_again(), name="what counts"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tell(self) -> None:
        """Publishes the verdict when its colour or its words change, and from time to time."""
        said, said_at, ticks = "", 0.0, asyncio.get_running_loop().time
        while True:
            try:
                now = self.verdict()
                if _words(now) != said or ticks() - said_at >= REPEAT_SECONDS:
                    said, said_at = _words(now), ticks()
                    self._publish(_encode(now))
            except Exception:  # a bug; the next verdict is needed all the same
                _log.exception("the verdict could not be made")
            await asyncio.sleep(TICK_SECONDS)

    async def _learn(self) -> None:
        """Asks the database what is usual, and for the facts if they could not be read before."""
        ticks, ask_at = asyncio.get_running_loop().time, 0.0
        while True:
            if ticks() >= ask_at or self._is_asked_for or self._asked_hour != _hour(self._clock()):
                self._is_asked_for = False
                try:
                    if self._blind_before:
                        await self._retry()
                    ask_at = ticks() + await self._ask()
                except Exception:  # the log cannot be read now, or a bug
                    _log.exception("what is usual could not be read")
                    ask_at = ticks() + RETRY_SECONDS
            await asyncio.sleep(TICK_SECONDS)

    async def _count_again(self) -> None:
        """Reads the facts again whenever other errors are to count."""
        ticks = asyncio.get_running_loop().time
        while True:
            await self._has_to_count.wait()
            self._has_to_count.clear()
            began, wait = ticks(), 0.0
            try:
                await self._restore(self.position, self._watch.reset_at, self._clock())
            except Exception as error:  # the database cannot answer, the log cannot be read, or a bug
                is_known = isinstance(error, StoreError)
                _log.warning("the verdict does not yet know a changed state: %s", error, exc_info=not is_known)
                self._has_to_count.set()
                self._verdict = None
                wait = COUNT_RETRY_SECONDS
            await asyncio.sleep(max(wait, COUNT_SHARE * (ticks() - began)))  # many changes must not keep it reading

    async def _ask(self) -> float:
        """Asks what is usual at this hour, and returns after how many seconds to ask again."""
        hour = _hour(self._clock())
        try:
            rates = (await self._read(GetUsual(now=self._clock(), days=DAYS))).decode()
        except StoreError:
            wait = RETRY_SECONDS
        else:
            self._usual = Usual(rates.days, rates.critical, rates.warning, rates.reports) if rates.days else None
            self._usual_hour, wait = hour, USUAL_SECONDS
        self._asked_hour = hour
        self._verdict = None
        return wait


def _is_due(kept: Verdict, now: dt.datetime) -> bool:
    """Returns whether time has changed a verdict, or the clock was set back."""
    if isoformat(now) < kept.checked_at:
        return True
    return kept.next_change_at is not None and isoformat(now) >= kept.next_change_at


def _at(kept: Verdict, now: dt.datetime) -> Verdict:
    """Returns a verdict that has not changed, at another moment."""
    text = isoformat(now)
    seconds = kept.last_critical_seconds
    if kept.last_critical_at is not None:
        seconds = max(0, int((now - dt.datetime.fromisoformat(kept.last_critical_at)).total_seconds()))
    is_now = kept.as_of == kept.checked_at
    return replace(kept, checked_at=text, as_of=text if is_now else kept.as_of, last_critical_seconds=seconds)


def _words(one: Verdict) -> str:
    """Returns what has to differ for a verdict to be published before it is time."""
    return f"{one.colour} {one.sentence}"


def _hour(moment: dt.datetime) -> dt.datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
