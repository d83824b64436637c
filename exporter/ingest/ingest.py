"""Group commit: the reports of many requests become one batch, and one append to the log.

While a batch is being appended, requests queue up for the next one. A batch does not wait for more requests, unless
`linger` is set. Reports are prepared when their batch is formed, one after the other, which costs a third less than
preparing each when it arrives. Runs on the event loop; only the append itself blocks, in a thread of its own.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from exporter.events.event import ErrorEvent, encode_batch
from exporter.events.outcome import UnavailableError, outcome_of
from exporter.ingest.pipeline import DELETED, INTERNAL, Batch, Parsed, Pipeline, Prepared, Refusal, Submission
from exporter.ingest.repeats import Lookup, Repeats
from exporter.ingest.turns import MAX_EVENTS, kept_free, next_size, next_turn
from exporter.log import Log, LogError, LogFullError

SLICE: Final = 100  # reports that are prepared before other tasks get their turn
Result = bytes | Refusal
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class QueueFullError(Exception):
    """More reports wait to be appended than `capacity` or `capacity_bytes` allow."""


class Settled(NamedTuple):
    """What became of each report of a request, and why the append failed, None if it did not. `prepared` is None if a
    bug ended the batch; then `error` is that."""

    prepared: list[Prepared] | None
    error: Exception | None


class Entry(Struct, gc=False):
    """One request in the queue, or one report that is queued again after the database was asked about its id. `settle`
    is called once, when its batch is on disk or has failed. `since` is the monotonic time of entry; `size` is in
    bytes."""

    submissions: Sequence[Submission | Parsed]
    settle: Callable[[Settled], None]
    since: float
    size: int


class Ingest:
    """Accepts reports into `log`.

    `lookup` asks the database for the outcomes of events. Before the senders are answered, a successful append calls
    `on_batch(events, seconds)`, a failed one `on_failure(error)`. `observe` gets the seconds from the entry of each
    request to its outcome.
    """

    def __init__(
        self,
        log: Log,
        pipeline: Pipeline,
        lookup: Lookup,
        *,
        on_batch: Callable[[list[ErrorEvent], float], None],
        on_failure: Callable[[LogError], None],
        observe: Callable[[float], None],
        capacity: int,
        capacity_bytes: int,
        linger: float = 0.0,
    ) -> None:
        self.capacity = capacity
        self.capacity_bytes = capacity_bytes
        self.queued = 0
        self.bytes = 0
        self.pipeline = pipeline
        self._log = log
        self._repeats = Repeats(log, lookup, lambda: self.pipeline.evicted)
        self._on_batch = on_batch
        self._on_failure = on_failure
        self._observe = observe
        self._linger = linger
        self._waiting: list[Entry] = []
        self._most = MAX_EVENTS
        self._appending: list[Entry] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()  # set when nothing waits any more
        self._batch = asyncio.Lock()  # held from the first report that is prepared until its batch is settled
        self._thread = ThreadPoolExecutor(1, "log")
        self._task: asyncio.Task[None] | None = None
        self._last_call: asyncio.Future[int] | None = None  # made by `drain`; done when the log's thread is idle

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def ingest(self, submissions: Sequence[Submission | Parsed]) -> list[Result]:
        """Parse, fingerprint and classify `submissions`, append them to the log, and return one outcome per submission:
        the `data` of the answer as JSON, or a refusal. Raises `QueueFullError` before anything is prepared."""
        future: asyncio.Future[Settled] = asyncio.get_running_loop().create_future()
        self.enter(submissions, lambda settled: None if future.done() else future.set_result(settled))
        return await self.outcomes(await future)

    async def outcomes(self, settled: Settled) -> list[Result]:
        """Returns what `ingest` does, of submissions that entered before."""
        prepared, error = settled
        if prepared is None:
            raise error or LogError("the batch was not handled")
        results = [_outcome_if_known(item, error) for item in prepared]
        if None in results:
            await self._complete(results, prepared)
        return results  # type: ignore[return-value]  # none of them is None now

    def has_room_for(self, arriving: int) -> bool:
        """Whether so many bytes of unfinished bodies may be in memory besides the reports that wait."""
        return arriving <= self.capacity_bytes // 2 and self.bytes + arriving <= self.capacity_bytes

    def oldest_seconds(self) -> float:
        """For how long the oldest report that is not on disk has been waiting."""
        oldest = self._appending or self._waiting
        return time.monotonic() - oldest[0].since if oldest else 0.0

    async def run_in_log_thread(self, call: Callable[[], None]) -> None:
        """Runs `call` between two appends."""
        await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def drain(self, seconds: float) -> bool:
        """Waits up to `seconds` until the queued reports are appended or have failed, stops forming batches, and waits
        up to `seconds` for the log's thread. Returns whether that thread is idle; if not, an append hangs, and the log
        must not be closed."""
        if self._appending or self._waiting:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
        if self._task:
            self._task.cancel()
        if self._last_call is None:
            self._last_call = asyncio.get_running_loop().run_in_executor(self._thread, int)
            self._thread.shutdown(wait=False)
        await asyncio.wait([self._last_call], timeout=seconds)
        return self._last_call.done()

    def enter(self, submissions: Sequence[Submission | Parsed], settle: Callable[[Settled], None]) -> None:
        """Queues submissions. Calls `settle` when their batch is on disk or has failed. Raises `QueueFullError`."""
        size = sum([len(one.body) for one in submissions])
        many = len(submissions)
        free, free_bytes = self.capacity - self.queued, self.capacity_bytes - self.bytes
        if self.queued:  # an empty queue takes any request that fits into it
            free -= kept_free(many, self.capacity)
            free_bytes -= kept_free(many, self.capacity_bytes)
        if many > free or size > free_bytes:
            raise QueueFullError
        self.queued += many
        self.bytes += size
        self._waiting.append(Entry(submissions, settle, time.monotonic(), size))
        self._wake.set()

    @asynccontextmanager
    async def between_batches(self) -> AsyncIterator[None]:
        """While it is entered, no report is prepared or appended."""
        async with self._batch:
            yield

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
            if self._linger:
                await asyncio.sleep(self._linger)
            await asyncio.sleep(0)
            entries, self._waiting = next_turn(self._waiting, self._most)
            self._appending = entries
            was_full, began = bool(self._waiting), time.monotonic()
            try:
                async with self._batch:
                    settled = await self._accept(entries)
            except Exception as failure:  # a bug must not end this task, which handles all later reports
                _log.exception("the reports of %d requests could not be handled", len(entries))
                settled = [Settled(None, failure)] * len(entries)
            self._appending = []
            self._most = next_size(self._most, time.monotonic() - began, was_full=was_full)
            self.queued -= sum([len(entry.submissions) for entry in entries])
            self.bytes -= sum([entry.size for entry in entries])
            self._settle(entries, settled)

    def _settle(self, entries: Sequence[Entry], settled: Sequence[Settled]) -> None:
        now = time.monotonic()
        for entry, found in zip(entries, settled, strict=True):
            try:
                self._observe(now - entry.since)
                entry.settle(found)
            except Exception:  # a bug; the other requests are answered
                _log.exception("a request could not be answered")

    async def _accept(self, entries: Sequence[Entry]) -> list[Settled]:
        """Makes one batch of the entries, and appends it."""
        batch = Batch()
        prepared = await self._prepare(entries, batch)
        error = await self._append(batch) if batch.events else None
        return [Settled(items, error) for items in prepared]

    async def _prepare(self, entries: Sequence[Entry], batch: Batch) -> list[list[Prepared]]:
        """Adds the events of the entries to `batch`."""
        prepared: list[list[Prepared]] = []
        reports = 0
        for entry in entries:
            items = []
            for one in entry.submissions:
                items.append(self._prepare_one(one, batch))
                reports += 1
                if reports % SLICE == 0:
                    await asyncio.sleep(0)
            prepared.append(items)
        return prepared

    def _prepare_one(self, one: Submission | Parsed, batch: Batch) -> Prepared:
        try:
            if isinstance(one, Submission):
                return self.pipeline.prepare(one, batch)
            return self.pipeline.prepare_parsed(one, batch, looked_up=True)
        except Exception:  # a bug; the other reports of the batch are accepted
            _log.exception("a report could not be prepared")
            message = "an error of the service itself; its log on stderr has the details"
            return Refusal(message, "", INTERNAL)

    async def _append(self, batch: Batch) -> LogError | None:
        """Appends a batch and gives its events their ids. If it fails they keep the id 0 and the error is returned."""
        began = time.perf_counter()
        try:
            payload = self._encoded(batch)
            if not batch.events:
                return None
            loop = asyncio.get_running_loop()
            first = await loop.run_in_executor(self._thread, self._log.append, payload, len(batch.events))
        except Exception as failure:
            if not isinstance(failure, LogError):
                _log.exception("a batch could not be appended")
            error = failure if isinstance(failure, LogError) else LogError(str(failure))
            self.pipeline.failed(batch.events, batch)
            self._on_failure(error)
            return error
        for id_, event in enumerate(batch.events, first):
            event.id = id_
        self.pipeline.stored(batch)
        self._on_batch(batch.events, time.perf_counter() - began)
        return None

    def _encoded(self, batch: Batch) -> bytes:
        """Encodes a batch. An event that cannot be encoded is taken out, so that the others are stored."""
        try:
            return encode_batch(batch.events)
        except Exception:
            _log.exception("a report cannot be stored")
            bad = [event for event in batch.events if not _can_be_encoded(event)]
            refused = {id(event) for event in bad}
            self.pipeline.failed(bad, batch)
            batch.events = [event for event in batch.events if id(event) not in refused]
            batch.keys = {key: event for key, event in batch.keys.items() if id(event) not in refused}
            return encode_batch(batch.events)

    async def _complete(self, results: list[Result | None], prepared: Sequence[Prepared]) -> None:
        """Puts outcomes that have to be looked up in the places of None in `results`."""
        places = [place for place, result in enumerate(results) if result is None]
        found = await self._look_up([item for place in places if isinstance(item := prepared[place], int | Parsed)])
        for place, result in zip(places, found, strict=True):
            results[place] = result

    async def _look_up(self, items: Sequence[int | Parsed]) -> list[Result]:
        """Returns the outcomes of events, given by their positions, and of reports that may be repeats. The reports
        that the database does not know are queued again as new ones."""
        results: list[Result | None] = []
        size = sum([len(item.body) for item in items if isinstance(item, Parsed)])
        self.queued += len(items)  # they are in memory until the database has answered
        self.bytes += size
        try:
            outcomes = await self._repeats.outcomes(items)
        except UnavailableError as error:
            words = f"the database cannot say now whether this report is a repeat: {error}"
            return [Refusal(words, "", "store_failed")] * len(items)
        finally:
            self.queued -= len(items)
            self.bytes -= size
        new: list[Parsed] = []
        for item, outcome in zip(items, outcomes, strict=True):
            if outcome is not None:
                self.pipeline.duplicates += not isinstance(item, int)
                results.append(_encode(outcome))
            elif isinstance(item, int):
                results.append(Refusal("the report repeats an error that was deleted", "", DELETED))
            else:
                new.append(item)
                results.append(None)
        added = iter(await self._add(new))
        return [next(added) if result is None else result for result in results]

    async def _add(self, reports: Sequence[Parsed]) -> list[Result]:
        """Queues reports that the database does not know, and returns their outcomes."""
        if not reports:
            return []
        try:
            return await self.ingest(reports)
        except QueueFullError:  # the other reports of the request may be stored already
            return [Refusal("too many reports wait to be written", "", "queue_full")] * len(reports)


def _can_be_encoded(event: ErrorEvent) -> bool:
    try:
        encode_batch([event])
    except Exception:
        return False
    return True


def stored_answer(settled: Settled) -> bytes | None:
    """Returns the outcome of a single report if its event is in the batch of the report, and on disk."""
    item = settled.prepared[0] if settled.prepared else None
    return _encode(outcome_of(item)) if isinstance(item, ErrorEvent) and item.id else None


def _outcome_if_known(item: Prepared, error: Exception | None) -> Result | None:
    """Returns the outcome if it is known already; None if it has to be looked up."""
    if isinstance(item, ErrorEvent):
        if item.id:
            return _encode(outcome_of(item))
        if error is None:
            return Refusal("this report cannot be stored; the service's log on stderr says why", "", "internal_error")
        return Refusal(str(error), "", "queue_full" if isinstance(error, LogFullError) else "store_failed")
    return item if isinstance(item, Refusal) else None
