"""Delivers what is in the spool and in memory, in order, in a thread of its own."""

from __future__ import annotations

import _thread
import contextlib
import json
import queue
import random
import time
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple

from error_visualization import answers
from error_visualization.answers import Answer, Verdict
from error_visualization.body import event_id
from error_visualization.frames import Record
from error_visualization.memory import Memory
from error_visualization.spool import Spool

REPORT, REPORTS = "/api/report-error", "/api/report-errors"
MAX_BATCH = 100  # reports
MAX_BATCH_BYTES = 1_000_000
SCAN_SECONDS = 5.0  # between two looks for files of processes that died
Send = Callable[[str, bytes], Answer]


class NotSentError(Exception):
    """A person has to do something before anything can be sent; the message says what is wrong."""


class _Outcome(NamedTuple):
    """`pause` is in seconds; 0 if something was delivered. `why` is "" unless something failed. `can_hurry`: the
    service did not ask for the pause."""

    pause: float
    why: str = ""
    can_hurry: bool = True


class Delivery:
    """Sends with `send(path, body)`, which raises OSError or another exception if the service cannot be reached."""

    def __init__(self, spool: Spool, memory: Memory, send: Send, drops: Callable[[], int]) -> None:
        self._spool, self._memory, self._send, self._drops = spool, memory, send, drops
        self._signals: queue.SimpleQueue[bool] = queue.SimpleQueue()  # False: end
        self._running = _thread.allocate_lock()  # held while there is a thread
        self._failures = 0  # in a row
        self._faults, self._tries = 0, answers.TRIES  # of the report that is sent alone: faults of the service so far
        self._said = ""
        self._alone = 0  # reports that have to be sent one by one
        self.hurried_until = 0.0  # monotonic; until then, pauses after failed connections are short
        self.last_failure = 0.0  # monotonic time

    def start(self) -> None:
        """Starts the thread unless it runs, or the interpreter ends."""
        if self._running.acquire(blocking=False):
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:
                self._running.release()

    def wake(self) -> None:
        """Lets the thread look for reports now. Any thread may call it, also a signal handler."""
        self.start()
        self._signals.put(True)

    def stop(self) -> None:
        if self._running.locked():
            self._signals.put(False)

    @property
    def is_running(self) -> bool:
        return self._running.locked()

    def _run(self) -> None:
        try:
            scanned = float("-inf")
            while True:
                if time.monotonic() - scanned >= SCAN_SECONDS:
                    scanned = time.monotonic()
                    with contextlib.suppress(Exception):
                        self._spool.adopt()
                try:
                    outcome = self._round()
                except Exception as error:  # a fault of ours, or a disk that cannot be read
                    outcome = self._failed(repr(error), answers.MAX_PAUSE)
                if outcome.pause and not self._wait(outcome):
                    return
        finally:
            self._running.release()

    def _wait(self, outcome: _Outcome) -> bool:
        """Waits for the pause, or for a signal if nothing has failed. Returns False if the thread shall end."""
        until = time.monotonic() + outcome.pause
        while True:
            remaining = until - time.monotonic()
            hurried = outcome.can_hurry and time.monotonic() < self.hurried_until
            if outcome.why and hurried:
                remaining = min(remaining, 0.1)
            try:
                going_on = self._signals.get(timeout=max(remaining, 0.0))
            except queue.Empty:
                return True
            if not going_on:
                return False
            if not outcome.why or hurried or (outcome.can_hurry and time.monotonic() < self.hurried_until):
                with contextlib.suppress(queue.Empty):
                    while self._signals.get_nowait():
                        pass
                    return False
                return True

    def _round(self) -> _Outcome:
        """Sends the oldest reports once."""
        waiting = self._spool.next(MAX_BATCH_BYTES)
        in_memory = not waiting
        waiting = waiting or self._memory.next()
        if not waiting:
            return _Outcome(SCAN_SECONDS)
        batch = self._batch(waiting)
        path, body = _request(batch)
        try:
            answer = self._send(path, body)
        except NotSentError as error:
            return self._failed(str(error), answers.PATIENCE)
        except Exception as error:
            pause = answers.pause(Answer(0, ""), self._failures, random.random())
            return self._failed(f"the service does not answer: {error!r}", pause)
        return self._settle(batch, answer, in_memory)

    def _batch(self, waiting: list[Record]) -> list[Record]:
        """Returns the records to send together: reports, or one request of another path."""
        if self._alone or waiting[0].path != REPORT:
            self._alone = max(self._alone - 1, 0)
            return waiting[:1]
        count = 1
        while count < min(len(waiting), MAX_BATCH) and waiting[count].path == REPORT:
            count += 1
        return waiting[:count]

    def _settle(self, batch: list[Record], answer: Answer, in_memory: bool) -> _Outcome:
        optional = batch[0].path != REPORT
        verdicts = answers.judge(answer, len(batch), self._faults, tries=self._tries, optional=optional)
        self._count_faults(answer, verdicts)
        if Verdict.SETTLED in verdicts:
            self._count_drops()
        settled: Record | None = None
        left = None
        for record, verdict in zip(batch, verdicts):
            if verdict not in (Verdict.SETTLED, Verdict.REFUSED):
                left = verdict
                break
            if verdict is Verdict.REFUSED:
                self._refused(record, answer)
            if in_memory:
                self._memory.delivered(record, stored=verdict is Verdict.SETTLED)
            settled = record
        if settled is not None and not in_memory:
            self._spool.delivered(settled)
        if left is Verdict.ALONE:
            self._alone = len(batch)
            return _Outcome(0.0)
        if left is None:
            self._failures, self._said = 0, ""
            return _Outcome(0.0)
        pause = answers.PATIENCE if left is Verdict.HELD else answers.pause(answer, self._failures, random.random())
        return self._failed(f"{answer.status} {answer.text[:500]}", pause, can_hurry=not answer.retry_after)

    def _count_faults(self, answer: Answer, verdicts: list[Verdict]) -> None:
        """A report with which the service fails is given up, but if the service fails with the next one, too, then it
        is not the reports that are at fault: each is tried twice as often as the one before."""
        if Verdict.SETTLED in verdicts:
            self._faults, self._tries = 0, answers.TRIES
        elif Verdict.REFUSED in verdicts:
            self._faults, self._tries = 0, min(self._tries * 2, 1_000) if answers.is_fault(answer) else self._tries
        elif Verdict.LATER in verdicts and answers.is_fault(answer):
            self._faults += 1

    def _failed(self, why: str, pause: float, can_hurry: bool = True) -> _Outcome:
        self._failures += 1
        self.last_failure = time.monotonic()
        kind = why[:40]
        if kind != self._said:  # once for each kind in a row
            self._said = kind
            _log().warning("reports are not delivered yet, and are tried again: %s", why)
        return _Outcome(pause, why, can_hurry)

    def _refused(self, record: Record, answer: Answer) -> None:
        _log().warning("the service refused a report: %s %s", answer.status, answer.text[:500])
        self._spool.put_aside(record, f"{answer.status} {answer.text[:500]}")

    def _count_drops(self) -> None:
        """Reports how many reports were dropped."""
        count = self._drops() + self._spool.take_dropped()
        if not count:
            return
        import socket

        report = {
            "event_id": event_id(), "worker_id": socket.gethostname(), "type": "ReportsDropped",
            "error_category": "RESOURCE_EXHAUSTED",
            "message": f"{count} error reports were dropped: the spool of the sender is full",
        }  # fmt: skip
        self._memory.append(Record(REPORT, json.dumps(report).encode()), lambda: None)


def _request(batch: list[Record]) -> tuple[str, bytes]:
    if len(batch) == 1:
        return batch[0].path, batch[0].body
    return REPORTS, b"[" + b",".join(record.body for record in batch) + b"]"


def sender(url: str, headers: Callable[[], Mapping[str, str]]) -> Send:
    """Returns a function that posts to the service at `url`. `headers` is asked each time: a token may change."""

    def send(path: str, body: bytes) -> Answer:
        from error_visualization.post import post

        try:
            given = headers()
        except (OSError, ValueError) as error:
            raise NotSentError(f"the token cannot be read: {error}") from error
        return post(url + path, body, given)

    return send


def _log() -> Any:
    import logging

    return logging.getLogger("error_visualization")
