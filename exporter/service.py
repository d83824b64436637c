"""The service: its parts, how they start and stop, and whether a report could be accepted now.

start   lock and open the log ─► start the store's process ─► do log and database belong together? ─► the database
        catches up ─► restore metrics, alerts and ingest from it ─► ingest and readers run ─► (HTTP listens)
stop    (HTTP has stopped) ─► store the counts of refused reports ─► append what waits ─► push what can be
        pushed at once ─► close the database, the log
"""

import asyncio
import datetime as dt
import itertools
import logging
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from exporter import logs
from exporter.alerting.alert import Push
from exporter.alerting.alertmanager import Notifier
from exporter.alerting.silence_plan import Wanted, wanted
from exporter.alerting.silences import Result, Silencer
from exporter.alerting.standings import Standings
from exporter.config import Settings
from exporter.events.event import ErrorEvent, decode_batch
from exporter.events.outcome import Outcome
from exporter.events.report import FUTURE_TOLERANCE
from exporter.ingest.flood_reports import FloodReports
from exporter.ingest.ingest import Ingest
from exporter.ingest.past import Reassigned
from exporter.ingest.pipeline import Pipeline
from exporter.ingest.rate_limits import RateLimits
from exporter.ingest.readiness import Readiness, Reason
from exporter.ingest.refused import RefusedReports
from exporter.ingest.repeats import Repeat
from exporter.judgement.judge import Judge, Lag
from exporter.live.hub import Live
from exporter.live.machine_file import Saver, machine_file
from exporter.live.machines import MachineBook
from exporter.live.presence import Presence, presence_file
from exporter.live.states import TOPIC as STATES
from exporter.live.states import StateNews
from exporter.log import REPAIR, LogDamagedError, LogError
from exporter.log.embedded import EmbeddedLog, new_identity
from exporter.log.files import database_path, log_path, refuse_other_names
from exporter.log.readers import Readers
from exporter.log.watched import Loss
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.service_metrics import ServiceMetrics
from exporter.redaction.redact import Redaction
from exporter.redaction.rules_file import read_rules
from exporter.store import DatabaseInfo, State, StoreError
from exporter.store.belonging import LogInfo, new_log_base
from exporter.store.client import StoreClient
from exporter.store.queries import Encoded, FindOutcomes, GetCriticalAfter, GetRecentCritical, R, Read
from exporter.store.series import LabelLimit, LabelLimits
from exporter.store.states import NoteSilence, StatesChanged
from exporter.store.wire import StoreSettings

BEHIND_SECONDS: Final = 10.0  # `behind` names a reader that is behind for longer
DRAIN_SECONDS: Final = 2.0  # for reports that wait, when the service stops
RESUME_SECONDS: Final = 1.0  # between two attempts to go on after a start on a full disk
JOB: Final = "error-visualization"  # label of alerts, as in the shipped configuration of Prometheus
SERVICE_DIGITS: Final = 8  # of the log's identity in the label `service` of alerts
VERDICT: Final = "verdict"  # topic of live updates, and name of the reader
BEHIND_VERDICT_SECONDS: Final = 1.0  # the verdict says that it is behind the log after this time
REFUSED: Final[dict[Reason, str]] = {  # why reports cannot be stored, in the words of the verdict
    "log_refuses": "the log takes no more", "report_waits": "they wait for the disk", "disk_full": "the disk is full",
    "log_fails": "the log cannot be written", "log_silent": "the disk does not answer",
}  # fmt: skip
MAX_READER_LAG: Final = 200_000  # events; the log does not wait for a reader further behind
_decode_outcomes = msgspec.json.Decoder(list[Outcome | None]).decode
_log = logging.getLogger(__name__)


class Sizes(NamedTuple):
    """Bytes on disk: of the database, of its write-ahead log, and of the log."""

    database: int
    wal: int
    log: int


class Service:
    """`process=False` runs the store in a thread of this process, for tests. `scheme` is that of its own address."""

    floods: FloodReports
    ingest: Ingest
    judge: Judge
    live: Live
    notifier: Notifier
    readiness: Readiness
    silencer: Silencer
    store: StoreClient
    log: EmbeddedLog

    def __init__(self, settings: Settings, *, process: bool = True, scheme: str = "http") -> None:
        self.settings = settings
        self.scheme = scheme
        self.path = database_path(settings.db_path)
        self._given_path = Path(settings.db_path).absolute()  # perhaps a symbolic link, which may be changed
        # These go on when a pipeline takes the place of another one.
        self._redaction = _redaction(settings)
        self._rates = RateLimits(settings.rate_limit, settings.rate_burst, settings.token_rate_limit)
        self._refused = RefusedReports(LabelLimit(settings.max_worker_labels).fold)
        self.errors = ErrorMetrics(
            _labels(settings),
            longest_scrape_interval=settings.longest_scrape_interval,
            hardware=settings.metrics_hardware,
            created=settings.metrics_created,
        )
        self.metrics = ServiceMetrics(self.errors, created=settings.metrics_created)
        self.machines = MachineBook(settings.silent_after)
        self._machine_saver = Saver(self.machines, machine_file(self.path))
        self.presence = Presence(presence_file(self.path))
        self.hangs = False  # after `stop`: a thread hangs in an append, and would keep the process from ending
        self._process = process
        self._standings = Standings()
        self._state_news = StateNews()
        self._loss: Loss | None = None  # that was logged
        self._resuming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the parts in the order drawn above. Raises `LogError` or `StoreError` with a message for operators."""
        settings = self.settings
        if not self.path.parent.exists():
            self.path.parent.mkdir(parents=True)
        for file in (self.path, log_path(self.path)):
            refuse_other_names(file)
        try:
            self.log = EmbeddedLog(
                log_path(self.path), max_bytes=settings.log_max_bytes, keep_events=settings.log_keep_events
            )
        except LogDamagedError as error:
            raise LogDamagedError(f"{error}: {REPAIR}") from error
        self.store = StoreClient(
            _store_settings(settings, self.path, self.log.path),
            self.log,
            process=self._process,
            max_waiting=settings.max_waiting_reads,
        )
        try:
            await self._start()
        except BaseException as error:
            if self._resuming:
                self._resuming.cancel()
            await self.store.close()
            self.log.close()
            if isinstance(error, LogDamagedError):
                raise LogDamagedError(f"{error}: {REPAIR}") from error
            if isinstance(error, msgspec.DecodeError):
                raise LogDamagedError(f"{self.log.path}: a batch cannot be decoded: {REPAIR}") from error
            raise

    async def _start(self) -> None:
        settings = self.settings
        self._match(await self.store.inspect())
        self.log.watched.add(self._given_path, "the database")
        state = await self.store.open()
        self.ingest = Ingest(
            self.log,
            self._pipeline(state),
            self._lookup,
            on_batch=self._appended,
            on_failure=self._not_appended,
            observe=self.metrics.ingest_seconds.observe,
            capacity=settings.queue_capacity,
            capacity_bytes=settings.queue_bytes,
            linger=settings.linger_ms / 1000,
        )
        self.readiness = Readiness(self.log, self.ingest, self.path.parent, settings.min_free_bytes)
        self.floods = FloodReports(self.ingest, settings.rate_limit, settings.token_rate_limit)
        self.judge = Judge(
            self.read, self._logged_after, self._verdict_lag, lambda data: self.live.publish(VERDICT, data),
            away=lambda: self.presence.away,
        )  # fmt: skip
        self.store.on_reassigned = self._reassigned
        self.errors.resume(state)
        self.errors.clock_offsets = self.ingest.pipeline.times.offsets.named
        if state.behind:  # reads and metrics work; a repeat could not be told from a new report
            self.log.refusal = state.behind
            self._resuming = asyncio.create_task(self._resume())
            for events in self._logged_after(state.position):
                self.errors.on_events(events)
        self.live = Live(self.log, settings.max_websocket_clients)
        push = _push(settings, self.scheme, self.log.identity)
        self.notifier = Notifier(
            self.log, settings.alertmanager_url, push, settings.alert_queue_capacity, self._standings
        )
        mark = self.log.identity[:SERVICE_DIGITS]
        self.silencer = Silencer(settings.alertmanager_url, push.labels, mark, self._silenced)
        self.store.on_states = self._states_changed
        known = state.states or StatesChanged([], [], complete=True)
        self._standings.apply(known)
        self.judge.on_states(known)
        if self.notifier.queues:
            self.notifier.resume(await self._to_push(state.position))
        self._use_states(known)
        self.readers = Readers(self.log)
        self.readers.add("metrics", self.errors)
        self.readers.add("live", self.live)
        self.readers.add("alertmanager", self.notifier)
        await self.judge.resume(state.position, state.reset_at)
        self.readers.add(VERDICT, self.judge)
        self.live.topics[VERDICT] = self.judge.encoded
        self.live.topics[STATES] = self._state_news.encoded
        self.metrics.watch(self)
        self.store.on_position = self._projected
        await self._machine_saver.start()
        await self.presence.start()
        self.ingest.start()
        self.floods.start()
        self.readers.start()
        self.notifier.start()
        self.silencer.start()
        self.judge.start()

    async def stop(self) -> None:
        """Stops every part, each within a time limit. Accepted errors that the database then lacks stay in the log."""
        if self._resuming:
            self._resuming.cancel()
        await self._machine_saver.stop()
        await self.presence.stop()
        await self.floods.stop(DRAIN_SECONDS)
        at_rest = await self.ingest.drain(DRAIN_SECONDS)
        await self.judge.stop()
        await self.readers.stop()
        await self.notifier.stop()
        await self.silencer.stop()
        await self.store.close()
        if at_rest:
            self.log.close()
        else:
            self.hangs = True
            _log.error("an append to the log hangs; its reports were not accepted")

    async def read(self, query: Read[R], max_age: float = 0.0) -> Encoded[R]:
        """As `StoreClient.read`."""
        return await self.store.read(query, max_age)

    async def reset_counts(self) -> dt.datetime:
        """Moves the mark from which the page and the gauge of critical errors count. Raises `StoreError`."""
        at = dt.datetime.now(dt.UTC)
        await self.store.reset_counts(at)
        self.errors.reset(at)
        self.judge.reset(at)
        return at

    async def add_summary(self, payload: bytes) -> None:
        """Stores the summary of a run: it is on disk when this returns. Raises `LogError`."""
        try:
            await asyncio.to_thread(self.log.append_summary, payload)
        except LogError as error:
            self._not_appended(error)
            raise
        self.store.outdate()

    def redacted(self, body: bytes) -> bytes:
        """Returns a body with marks for secrets. Any thread may call it."""
        return body if self._redaction is None else self._redaction.redact(body)

    @property
    def zone(self) -> dt.tzinfo | None:
        """The zone of times without an offset; None for that of the machine."""
        return zoneinfo.ZoneInfo(self.settings.timezone) if self.settings.timezone else None

    async def prepare(self, settings: Settings) -> Callable[[], None]:
        """Prepares to run with settings that differ in what can be reloaded. Returns a function that uses them; until
        then nothing changes."""
        redaction = self._redaction
        if redaction is not None:
            redaction = await asyncio.to_thread(_redaction, settings)  # it compiles patterns

        def use() -> None:
            if redaction is not None and self._redaction is not None:
                redaction.counts.update(self._redaction.counts)  # also of rules that are gone: counters go on
            self.settings, self._redaction = settings, redaction
            self.ingest.pipeline.use(settings.thresholds, redaction)
            self.notifier.use(settings.alertmanager_url)
            self.silencer.connect(settings.alertmanager_url)
            logs.set_level(settings.log_level)
            self.store.set_log_level(settings.log_level)

        return use

    async def why_not_ready(self) -> str:
        """Returns why a report could not be accepted now, "" if it could. Found out by writing to the log."""
        self._log_loss()
        reason = await self.readiness.why_not()
        return reason.message if reason else ""

    @property
    def folder(self) -> str:
        """The folder of the database and the log."""
        return str(self.path.parent)

    def behind(self) -> list[str]:
        """Returns the names of the readers that have been behind the log for `BEHIND_SECONDS`. Of these, `database` is
        also named as soon as it fails."""
        names = self.readers.behind(BEHIND_SECONDS)
        if self.store.failure or self.store.silent_seconds() > BEHIND_SECONDS:
            names.append("database")
        return names

    def sizes(self) -> Sizes:
        """Returns the sizes of the files."""
        return Sizes(*map(_file_size, (self.path, self.path.with_name(self.path.name + ".wal"), self.log.path)))

    def _match(self, database: DatabaseInfo) -> None:
        """Makes a new log if the database needs one. Raises `StoreError` if the two do not belong together."""
        log, event_id = self.log, None
        if log.first <= database.position <= log.last:
            (record, *_) = log.read(database.position, 1)
            event_id = decode_batch(record.payload, record.first)[database.position - record.first].event_id
        try:
            base = new_log_base(LogInfo(log.identity, log.first, log.last, event_id), database)
        except StoreError as error:
            raise StoreError(f"{self.path}: {error}") from None
        if base is not None:
            log.initialise(new_identity(), base)

    def _appended(self, events: list[ErrorEvent], seconds: float) -> None:
        self.readiness.wrote()
        self.metrics.appended(len(events), seconds)
        self.readers.publish(events)

    def _not_appended(self, error: LogError) -> None:
        self._log_loss()
        before = self.readiness.failure
        self.readiness.wrote(error)
        if self.readiness.failure != before:  # logged once
            _log.error("a batch could not be appended: %s", error)
        self.metrics.database_errors.inc()

    def _pipeline(self, state: State) -> Pipeline:
        settings = self.settings
        return Pipeline(
            state.past,
            thresholds=settings.thresholds,
            zone=self.zone,
            max_age=dt.timedelta(seconds=settings.max_report_age),
            derive_category=settings.derive_category,
            redaction=self._redaction,
            rates=self._rates,
            refused=self._refused,
            max_new_patterns=settings.max_new_patterns_per_hour,
            max_report_bytes=settings.max_report_bytes,
        )

    async def _resume(self) -> None:
        """Accepts reports when there is room on the disk and the database has caught up with the log."""
        while True:
            await asyncio.sleep(RESUME_SECONDS)
            try:
                state = await self.store.state()
                new = self._pipeline(state)
            except StoreError:
                continue
            except Exception:  # a bug must not keep reports out until a restart
                _log.exception("the state of ingest could not be read; it is tried again")
                continue
            async with self.ingest.between_batches():  # what the old one takes for new may be a repeat
                old = self.ingest.pipeline
                new.duplicates, new.dropped = old.duplicates, old.dropped
                new.use(self.settings.thresholds, self._redaction)  # there may have been a reload meanwhile
                self.ingest.pipeline = new
                self.errors.clock_offsets = new.times.offsets.named
                self.log.refusal = ""
            _log.info("there is room on the disk; reports are accepted")
            return

    def _verdict_lag(self) -> Lag:
        """Returns what the verdict lacks."""
        behind = self.readers.lag(VERDICT, BEHIND_VERDICT_SECONDS)
        reason = self.readiness.latest()
        return Lag(behind, REFUSED.get(reason.reason, "") if reason else "")

    def _log_loss(self) -> None:
        """Logs once that an open file was deleted, moved, replaced or cut, and once that it is back."""
        loss = self.log.watched.lost()
        if loss and not self._loss:
            _log.error(
                "%s: %s while the service runs. Reports are refused. Put it back if you can. Else do not stop the "
                "service yet: it still has what was deleted. docs/operation.md says how to copy it",
                loss.path, loss.reason,
            )  # fmt: skip
        if self._loss and not loss:
            _log.info("%s is there again", self._loss.path)
        self._loss = loss

    def _reassigned(self, changed: Reassigned) -> None:
        """Takes over changed pattern ids."""
        gone = self.ingest.pipeline.reassign(changed)
        self.errors.replace_patterns(gone)
        self.judge.replace_patterns(gone)

    def _states_changed(self, changed: StatesChanged) -> None:
        """Takes over changed states of patterns and workers, and tells the pages."""
        self.judge.on_states(changed)
        changed.patterns = self._standings.apply(changed)
        self._use_states(changed)
        self._state_news.add(changed)
        self.live.publish(STATES, self._state_news.encoded())

    def _use_states(self, changed: StatesChanged) -> None:
        self.notifier.on_states(changed.patterns, self._logged)
        self.silencer.use([wanted(change) for change in self._standings.muted()])

    async def _silenced(self, mute: Wanted, result: Result) -> None:
        """Notes the silence of a muted pattern."""
        await self.store.change_state(NoteSilence(mute.anchor, mute.number, result.silence_id, result.error))

    def _logged(self, position: int) -> ErrorEvent | None:
        """Returns an event; None if the log does not have it any more."""
        try:
            for events in self._logged_after(position - 1):
                return next((event for event in events if event.id == position), None)
        except LogError:
            _log.warning("error %d, with which a pattern came back, is not in the log; it makes no alert", position)
        return None

    def _projected(self, position: int) -> None:
        """Lets the log delete what the database has and every reader has finished. A reader that is more than
        `MAX_READER_LAG` behind is not waited for."""
        self._log_loss()
        if self._loss or self.log.refusal:
            return  # the log may be all that is left
        done = self.readers.position()
        self.log.trim(position if self.log.last - done > MAX_READER_LAG else min(position, done))

    async def _lookup(self, events: Sequence[int | Repeat], at: int) -> list[Outcome | None]:
        return _decode_outcomes(await self.store.read_at(FindOutcomes(events=list(events)), at))

    async def _to_push(self, at: int) -> Iterable[ErrorEvent]:
        """Returns the events that the saved state of the alerts lacks or, without a state, those whose alerts may still
        fire, oldest first. They are read from the log during the iteration, because they may not fit into memory. `at`
        is the position of the database."""
        position = self.notifier.resumes_at
        if position is None:
            now = dt.datetime.now(dt.UTC)
            since = now - dt.timedelta(seconds=self.settings.alert_hold_seconds)
            stored = (await self.read(GetRecentCritical(since=since, until=now + FUTURE_TOLERANCE))).decode()
        elif position + 1 < self.log.first:  # the log has deleted them
            stored = (await self.read(GetCriticalAfter(position=position))).decode()
        else:
            return itertools.chain.from_iterable(self._logged_after(position))
        held = [event for event in stored if event.id <= at]
        return itertools.chain(held, itertools.chain.from_iterable(self._logged_after(at)))

    def _logged_after(self, position: int) -> Iterator[list[ErrorEvent]]:
        """Yields the events after a position, from about 4 MiB of the log at once. Raises `LogError`."""
        while records := self.log.read(position + 1, 2**22):
            for record in records:
                yield [event for event in decode_batch(record.payload, record.first) if event.id > position]
            position = records[-1].last


def _file_size(file: Path) -> int:
    """Returns its bytes; 0 if it is missing, as the write-ahead log is after each checkpoint."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _store_settings(settings: Settings, database: Path, log: Path) -> StoreSettings:
    return StoreSettings(
        db_path=str(database),
        log_path=str(log),
        log_max_bytes=settings.log_max_bytes,
        log_level=settings.log_level,
        log_format=settings.log_format,
        recurrence_times=settings.thresholds.times_needed,
        db_memory_limit=settings.db_memory_limit,
        db_threads=settings.db_threads,
        labels=_labels(settings),
        retention_seconds=(settings.retention_age or dt.timedelta()).total_seconds(),
        max_db_bytes=settings.max_db_bytes,
    )


def _labels(settings: Settings) -> LabelLimits:
    idle = settings.series_idle_age.total_seconds()
    return LabelLimits(settings.max_worker_labels, settings.max_type_labels, settings.max_series, idle)


def _redaction(settings: Settings) -> Redaction | None:
    if not settings.redaction:
        return None
    rules = read_rules(settings.redaction_rules_file)
    return Redaction(rules, emails=settings.redact_emails, ip_addresses=settings.redact_ip_addresses)


def _push(settings: Settings, scheme: str, identity: str = "") -> Push:
    """`identity` is that of the log: it tells two services on one Alertmanager apart."""
    host = "localhost" if settings.host in ("", "0.0.0.0", "::", "127.0.0.1") else settings.host
    page_url = settings.external_url or f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"
    page_url = page_url.rstrip("/")
    return Push(
        critical=settings.push_critical,
        system_critical=settings.push_system_critical,
        new_patterns=settings.push_new_patterns,
        resend_seconds=settings.alert_resend_seconds,
        hold_seconds=settings.alert_hold_seconds,
        page_url=page_url,
        runbook_url=settings.runbook_url.rstrip("/") or f"{page_url}/runbooks",
        runbook_suffix=".md" if settings.runbook_url else "",
        labels={"job": JOB, "service": identity[:SERVICE_DIGITS]} | settings.labels,
    )
