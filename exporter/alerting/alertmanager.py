"""Pushes alerts to the API v2 of each Alertmanager. Each has its own queue and its own retries (`queue.py`).

Firing alerts are resent regularly, as Alertmanager expects of its clients: it resolves an alert that is not resent
before its `endsAt`. The state, with what the Alertmanagers were not told yet, is kept in the log, so a restart goes on
where the service stopped: it makes no alert again under other labels, and loses none.
"""

import asyncio
import contextlib
import datetime as dt
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

import msgspec

from exporter.alerting.alert import Alert, Push
from exporter.alerting.alerts import Alerts, Kept
from exporter.alerting.queue import Queue, State
from exporter.alerting.standings import Standings, ended_before
from exporter.events.event import ErrorEvent
from exporter.log import Log
from exporter.store.states import StateChange

TICK_SECONDS: Final = 0.5
STOP_SECONDS: Final = 1.0  # a shutdown waits this long for queued alerts to be sent
READER: Final = "alertmanager"  # the name under which the log keeps the state
KEEP_SECONDS: Final = 2.0  # least time between two saves of the state
KEEP_BYTES_PER_SECOND: Final = 100_000  # a large state is saved more rarely
MAX_WAITING: Final = 1_000  # alerts that have ended and that an Alertmanager was not told of; more are not saved
_log = logging.getLogger(__name__)


class _Saved(msgspec.Struct):
    """The state up to a position of the log. `waiting`: what is queued for each Alertmanager of alerts that ended."""

    position: int
    alerts: Kept
    waiting: dict[str, list[State]]
    told: dict[str, int] | None = None  # `Standings.told`


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Saved).decode


class Notifier:
    """A reader of the log that turns events into alerts and sends the alerts. `resumes_at` is the position of the log
    up to which a saved state has the events; None without one."""

    def __init__(
        self, log: Log, urls: Sequence[str], push: Push, capacity: int, standings: Standings | None = None
    ) -> None:
        self.position = log.last
        self._log = log
        self.push = push
        self._capacity = capacity
        self.queues = self._queues(urls)
        self._standings = standings or Standings()
        self._alerts = Alerts(push, self._standings)
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}  # by the name of the queue; "": that of the alerts
        self._saved = self._read() if self.queues else None
        self.resumes_at = min(self._saved.position, log.last) if self._saved else None
        self._keep_at = 0.0

    def on_events(self, events: Sequence[ErrorEvent]) -> None:
        if not self.queues:
            self.position = events[-1].id
            return
        now = time.monotonic()
        for event in events:
            self._send(self._alerts.on_events((event,), now))
            self.position = event.id

    def resume(self, events: Iterable[ErrorEvent]) -> None:
        """Restores the alerts after a restart. `events`, oldest first, are those after `resumes_at`, whose hold time
        begins now, however long the service was down. Without a saved state they are those whose alerts may still be
        firing."""
        now, clock, saved = dt.datetime.now(dt.UTC), time.monotonic(), self._saved
        if saved:
            self._alerts.restore(saved.alerts, clock, now)
            self._standings.told |= saved.told or {}
            for queue in self.queues:
                for alert, ended in saved.waiting.get(queue.name, []):
                    queue.put([alert], ended)
        else:
            self._standings.tell_no_past()  # a recent one is told by its error, which is among `events`
        for event in events:
            age = 0.0 if saved else (now - event.received_at).total_seconds()
            self._send(self._alerts.on_events([event], clock - max(age, 0.0)))  # the clock may have been set back
        self._send(self._alerts.due(clock))
        self._saved = None

    def on_states(self, changes: Iterable[StateChange], error: Callable[[int], ErrorEvent | None]) -> None:
        """Ends the alerts of patterns that somebody resolved, and makes one for each pattern that came back, unless
        there is one: each time exactly one. `error` returns an error by its id, None if the log has it no more."""
        now = time.monotonic()
        for change in changes:
            before = ended_before(change)
            by = change.state.by or ""
            self._send(self._alerts.resolve(change.names, before, by, now), ended=dt.datetime.now(dt.UTC))
            if change.state.status != "regressed" or self._standings.told.get(change.anchor, 0) >= change.regressions:
                continue
            self._standings.told[change.anchor] = change.regressions
            event = error(change.error_id) if self.queues and change.error_id is not None else None
            if event is not None and not self._alerts.has(change.names, change.regressions):
                self._send(self._alerts.on_return(event, change.regressions, by, now))

    def start(self) -> None:
        self._tasks = {queue.name: _serve(queue) for queue in self.queues}
        self._tasks[""] = [asyncio.create_task(self._keep())]

    def use(self, urls: Sequence[str]) -> None:
        """Sends alerts to these Alertmanagers from now on. One that stays keeps its queue and its counters; a new one
        gets the alerts that fire with their next resend."""
        known = {queue.name: queue for queue in self.queues}
        wanted = self._queues(urls)
        for queue in wanted:
            if queue.name in known:
                known[queue.name].url = queue.url  # perhaps with another password
            else:
                self._tasks[queue.name] = _serve(queue)
        names = {queue.name for queue in wanted}
        for name in known.keys() - names:
            for task in self._tasks.pop(name):
                task.cancel()
        self.queues[:] = [known.get(queue.name, queue) for queue in wanted]  # in place: metrics hold the list, too

    def _queues(self, urls: Sequence[str]) -> list[Queue]:
        return list({one.name: one for one in (Queue(url, self.push, self._capacity) for url in urls)}.values())

    def errors(self) -> set[int]:
        """Returns the ids of the errors whose texts alerts have."""
        waiting = (alert for queue in self.queues for alert, _ in queue.waiting())
        return {*self._alerts.errors(), *(int(alert.annotations["error_id"]) for alert in waiting)}

    def forget(self, ids: Collection[int]) -> None:
        """Removes the texts of errors that were deleted, here and at the Alertmanagers."""
        for queue in self.queues:
            queue.forget(ids)
        self._send(self._alerts.forget(ids, time.monotonic()))
        self._keep_at = 0.0

    async def stop(self) -> None:
        """Gives the queues `STOP_SECONDS` to send their alerts, and saves the state. Alertmanager resolves firing
        alerts at their `endsAt`, unless the service restarts before."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(queue.idle.wait() for queue in self.queues)), STOP_SECONDS)
        tasks = [task for tasks in self._tasks.values() for task in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._save()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            self._send(self._alerts.due(now))
            self._send(self._alerts.end(now), ended=dt.datetime.now(dt.UTC))
            if now >= self._keep_at:
                self._keep_at = now + KEEP_SECONDS + self._save() / KEEP_BYTES_PER_SECOND

    def _save(self) -> int:
        """Saves the state, and returns its bytes. The log writes it with the next append. Without an Alertmanager it
        removes the state: a later start with one would take all errors since then for new ones."""
        if not self.queues:
            if self._log.state(READER):
                self._log.save_state(READER, b"")
            return 0
        kept = self._alerts.keep(time.monotonic(), dt.datetime.now(dt.UTC))
        firing = {id(alert) for alert in self._alerts}
        waiting = {
            queue.name: [state for state in queue.waiting() if id(state[0]) not in firing][-MAX_WAITING:]
            for queue in self.queues
        }
        saved = _encode(_Saved(self.position, kept, waiting, self._standings.told))
        self._log.save_state(READER, saved)
        return len(saved)

    def _read(self) -> _Saved | None:
        saved = self._log.state(READER)
        try:
            return _decode(saved) if saved else None
        except msgspec.DecodeError as error:
            _log.warning("the state of alerts cannot be read; alerts are made again from recent errors: %s", error)
            return None

    def _send(self, alerts: Sequence[Alert], ended: dt.datetime | None = None) -> None:
        for queue in self.queues if alerts else ():
            queue.put(alerts, ended)


def _serve(queue: Queue) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(queue.run()), asyncio.create_task(queue.confirm())]
