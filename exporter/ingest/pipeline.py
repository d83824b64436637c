"""Turns one report into an event: parse, deduplicate, fingerprint, classify.

Runs on the event loop of the HTTP process. What depends on other reports (repeats, recurrence, new patterns) is decided
here, in the order in which the events are appended, because this process is the log's only writer.
"""

import datetime as dt
import itertools
import math
import secrets
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from time import monotonic
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from exporter.access.caller import ANYBODY, Caller
from exporter.events.event import MAX_MESSAGE, ErrorEvent
from exporter.events.plain_text import plain_text
from exporter.events.report import CONDITIONS, MAX_EVENT_ID, MAX_LABEL, ErrorReport
from exporter.events.tolerant import Dropped, warnings_of
from exporter.ingest.deduplication import Key, KnownIds
from exporter.ingest.measurements import Impossible, measure
from exporter.ingest.new_patterns import NewPatterns, common_pattern, too_many_report
from exporter.ingest.origin import NOWHERE, origin
from exporter.ingest.parse import ReportError, may_be_read, parse_report, parse_within
from exporter.ingest.past import Past, Reassigned
from exporter.ingest.patterns import PatternIds
from exporter.ingest.rate_limits import RateLimits, Wait
from exporter.ingest.recurrence import Recurrences
from exporter.ingest.refused import Refused, RefusedReports
from exporter.ingest.report_times import MAX_AGE, ReportTime, ReportTimes
from exporter.ingest.severity import Classifier, Thresholds, conditions
from exporter.ingest.size_limits import MAX_REPORT_BYTES, SizeLimits, cut_report
from exporter.patterns.fingerprint import Pattern, fingerprint
from exporter.redaction.redact import Redaction

INTERNAL: Final = "internal_error"
RATE_LIMITED: Final = "rate_limited"
DELETED: Final = "deleted"  # the report repeats an error that was deleted since
FOREIGN: Final = "forbidden_worker"  # the sender may report for other workers only
_STATUS: Final = {INTERNAL: 500, DELETED: 410, RATE_LIMITED: 429, FOREIGN: 403}
_SAMPLE: Final = SizeLimits.of(4_096)  # of a refused report that is kept as a sample
_UNLIMITED: Final = SizeLimits.of(2**40)
_PROCESS: Final = secrets.token_hex(8)  # differs in every run, so that generated event ids never collide
_numbers = itertools.count(1)


class Submission(Struct, gc=False):
    """One report as it came: its JSON, the time of receipt in UTC, the `Idempotency-Key` of its request, None if there
    is none, whether it is part of an import, and who sends it. For a report of a batch, "#" and its index are appended
    to the key. The rate limits and the limit of new patterns do not apply to an import, and no limit to a report that
    the service makes itself (`own`)."""

    body: bytes
    received_at: dt.datetime
    key: str | None
    importing: bool = False
    caller: Caller = ANYBODY
    own: bool = False


class Refusal(NamedTuple):
    """Why a report was not accepted. `reason` is the label value of the counter of rejected reports. `retry_after`: the
    seconds after which the same report may be accepted, if it is refused because of a rate limit."""

    message: str
    field: str
    reason: str
    retry_after: int = 0

    @property
    def retry(self) -> bool:
        """Whether the same report may be accepted later."""
        return self.reason in ("store_failed", "queue_full")

    @property
    def status(self) -> int:
        """The HTTP status of a request with this report alone."""
        return 503 if self.retry else _STATUS.get(self.reason, 400)


class Parsed(Struct, gc=False):
    """A report that can be accepted. `key` is the deduplication key, None if the sender gave no id. `dropped` are the
    values that could not be read, `cut` has a warning for each field that was too large. `caller` is that of
    the submission. `exempt`: the rate limits and the limit of new patterns do not apply."""

    report: ErrorReport
    body: str
    time: ReportTime
    received_at: dt.datetime
    key: Key | None
    dropped: Sequence[Dropped]
    caller: Caller = ANYBODY
    exempt: bool = False
    cut: tuple[str, ...] = ()


class Batch:
    """The new events of one append. `keys` maps deduplication keys to those events that have one; `metered` has the
    `id()` of each event that took a token of its worker's rate limit."""

    def __init__(self) -> None:
        self.events: list[ErrorEvent] = []
        self.keys: dict[Key, ErrorEvent] = {}
        self.metered: set[int] = set()


# What became of one report:
#   ErrorEvent  its new event, or the event of the same batch that it repeats
#   int         the position of the event of an earlier batch that it repeats
#   Parsed      the report itself: it may repeat an event whose id was evicted from memory; ask the database
#   Refusal     why it is not accepted
Prepared = ErrorEvent | int | Parsed | Refusal


class Pipeline:
    """Prepares submissions. `past` is what was accepted before this process started. `duplicates` counts repeats,
    `dropped` the values of new errors that could not be read or are impossible, by their path in the schema. `zone` is
    that of times without an offset; older times than `max_age` are not believed. `rates` are the rate limits, `refused`
    counts what they refuse; a worker makes at most `max_new_patterns` in an hour (0: any number); a report is cut to
    about `max_report_bytes`. Without `redaction`, secrets stay."""

    def __init__(
        self,
        past: Past,
        *,
        thresholds: Thresholds,
        zone: dt.tzinfo | None,
        max_age: dt.timedelta = MAX_AGE,
        derive_category: bool = True,
        redaction: Redaction | None = None,
        rates: RateLimits | None = None,
        refused: RefusedReports | None = None,
        max_new_patterns: int = 0,
        max_report_bytes: int = MAX_REPORT_BYTES,
    ) -> None:
        self.redaction = redaction
        self.duplicates = 0
        self.dropped: Counter[str] = Counter()
        self.times = ReportTimes(zone, max_age)
        self.refused = refused or RefusedReports()
        self._rates = rates or RateLimits()
        self._new_patterns = NewPatterns(max_new_patterns)
        self._sizes = SizeLimits.of(max_report_bytes)
        self._thresholds = thresholds
        self._derive_category = derive_category
        self._classifier = Classifier(thresholds)
        self._recurrences = Recurrences(thresholds, past.recurrences)
        self._known = KnownIds(past.known_ids, past.known_ids_since, past.known_ids_ahead)
        self._patterns = PatternIds(past)

    def use(self, thresholds: Thresholds, redaction: Redaction | None) -> None:
        """Uses other thresholds and another redaction for the next reports."""
        if thresholds != self._thresholds:
            self._thresholds = thresholds
            self._classifier = Classifier(thresholds)
            self._recurrences.use(thresholds)
        self.redaction = redaction

    @property
    def evicted(self) -> int:
        """The position up to which the database has to have the events when it is asked whether a report is a repeat:
        the ids of later events are in memory."""
        return self._known.evicted

    def prepare(self, submission: Submission, batch: Batch) -> Prepared:
        """Parses a submission and adds its event to `batch` if it is new. Returns one of the kinds of `Prepared`."""
        try:
            parsed = self._parse(submission)
        except ReportError as error:
            return Refusal(str(error), error.field, error.reason)
        return self.prepare_parsed(parsed, batch, looked_up=False)

    def prepare_parsed(self, parsed: Parsed, batch: Batch, *, looked_up: bool) -> Prepared:
        """As `prepare`, for a parsed report. `looked_up`: the database was asked, and does not know the report's id."""
        if parsed.key is not None:
            known = batch.keys.get(parsed.key) or self._known.get(parsed.key)
            if known is not None:
                self.duplicates += 1
                return known
            if not looked_up and self._may_repeat_an_evicted(parsed.key[0], parsed.time, parsed.received_at):
                return parsed
        if not parsed.exempt:
            wait = self._rates.take((parsed.report.worker_id or "")[:MAX_LABEL], parsed.caller.name)
            if wait is not None:
                return self._refuse(parsed, wait)
        event = self._event(parsed, batch)
        if not parsed.exempt:
            batch.metered.add(id(event))
        return event

    def stored(self, batch: Batch) -> None:
        """To be called when the batch is on disk and its events have their ids. Ids that were generated are known, too:
        an export has them, and may be imported."""
        for event in batch.events:
            self._known.add(event)
        self.refused.stored(batch.events, monotonic())

    def failed(self, events: Sequence[ErrorEvent], batch: Batch) -> None:
        """To be called with events of a batch that could not be appended. Undoes what they did to recurrence, patterns
        and rates."""
        for event in events:
            now_id = self._patterns.ids.get(event.fingerprint) or event.pattern_id
            self._recurrences.forget(now_id, event.timestamp)
            if event.is_new_fingerprint:
                self._patterns.forget(event.fingerprint)
            self._new_patterns.forget(event)
            if id(event) in batch.metered:
                self._rates.give_back(event.worker_id)

    def reassign(self, changed: Reassigned) -> dict[str, str]:
        """Takes over changed pattern ids, also for recurrence. Returns for each id that is gone what replaces it."""
        gone = self._patterns.reassign(changed)
        for old, new in gone.items():
            self._recurrences.join(old, new)
        return gone

    def _may_repeat_an_evicted(self, worker: str, time: ReportTime, received_at: dt.datetime) -> bool:
        """Returns whether the database has to be asked. It finds an error by the time that the report says, so a report
        without a time is not looked up."""
        if time.reported_at is not None:
            return self._known.has_evicted
        return time.said != received_at and self._known.may_be_evicted(worker, time.said.timestamp())

    def _parse(self, submission: Submission) -> Parsed:
        body, sizes = submission.body, _UNLIMITED if submission.own else self._sizes
        if self.redaction is not None and len(body) > sizes.field and may_be_read(body):
            # before a cut may divide a secret
            body = self.redaction.redact(body)
        report, text, dropped, cut = parse_within(body, sizes)
        if not (report.worker_id or "").startswith(submission.caller.worker):
            words = f"this token may only report for workers whose id begins with {submission.caller.worker!r}"
            raise ReportError(words, field="worker_id", reason=FOREIGN)
        if self.redaction is not None and (redacted := self.redaction.redact(sent := text.encode())) is not sent:
            identity = report.worker_id, report.event_id
            report, text, dropped = parse_report(redacted)
            report.worker_id, report.event_id = identity
        if submission.key is not None and report.event_id is None:
            if not (0 < len(submission.key) <= MAX_EVENT_ID and submission.key.isprintable()):
                raise ReportError(f"expected 1 to {MAX_EVENT_ID} printable characters", field="Idempotency-Key")
            report.event_id = submission.key
        worker = (report.worker_id or "")[:MAX_LABEL]
        time = self.times.of(report.timestamp, worker, submission.received_at, importing=submission.importing)
        key = None if report.event_id is None else (worker, report.event_id)
        exempt = submission.importing or submission.own
        return Parsed(report, text, time, submission.received_at, key, dropped, submission.caller, exempt, cut)

    def _refuse(self, parsed: Parsed, wait: Wait) -> Refusal:
        """Counts a report that is above a rate limit, and refuses it."""
        if not self.refused.knows(parsed.key):
            pattern = _fingerprinted(parsed.report)[1]
            worker = (parsed.report.worker_id or "")[:MAX_LABEL]
            one = Refused(worker, parsed.key, pattern.fingerprint, pattern.text, parsed.received_at, wait.limit)
            self.refused.add(one, monotonic(), lambda: cut_report(parsed.body.encode(), _SAMPLE).body.decode())
        seconds = math.ceil(wait.seconds) or 1
        message = f"this {wait.limit} sends more reports than its limit allows; send it again after {seconds} s"
        return Refusal(message, "", RATE_LIMITED, seconds)

    def _event(self, parsed: Parsed, batch: Batch) -> ErrorEvent:
        """Makes the event of a new report and adds it to `batch`."""
        report, time = parsed.report, parsed.time
        sent = report.message or "", report.traceback
        type_, pattern = _fingerprinted(report)
        message = report.message or ""
        pattern_id = self._patterns.ids.see(pattern.fingerprint)
        new = None
        if pattern_id is None:
            new = self._patterns.admit(pattern, type_, *sent)
            if new.is_new_pattern and not parsed.exempt and self._makes_too_many(parsed, type_, batch):
                self._patterns.forget(pattern.fingerprint)
                pattern = common_pattern((report.worker_id or "")[:MAX_LABEL])
                pattern_id = self._patterns.ids.see(pattern.fingerprint)
                new = None if pattern_id is not None else self._patterns.admit_alone(pattern)
            pattern_id = pattern_id or pattern.fingerprint if new is None else new.pattern_id
            if new is not None and new.alias is not None:
                self._recurrences.copy(new.alias, pattern_id)
        recurs = self._recurrences.recurs(pattern_id, time.moment, parsed.received_at)
        measured, impossible = measure(report.system_context)
        seen = conditions(report, recurring=recurs, thresholds=self._thresholds, derive_category=self._derive_category)
        judged = self._classifier.classify(seen, measured)
        hardware = report.hardware_context
        event = ErrorEvent(
            0,
            report.event_id or f"{_PROCESS}-{next(_numbers):x}",
            time.moment,
            parsed.received_at,
            (report.worker_id or "")[:MAX_LABEL],
            type_,
            seen.category,
            message[:MAX_MESSAGE],
            judged.severity,
            judged.reasons,
            pattern.fingerprint,
            pattern.text,
            seen.recurring or seen.counted is not None,
            seen.system_critical,
            (hardware.hardware_type or "")[:MAX_LABEL] or None if hardware else None,
            judged.hardware_error,
            new is not None and new.is_new_pattern,
            parsed.body,
            measured.cpu_percent,
            measured.memory_percent,
            measured.disk_percent,
            measured.gpu_celsius,
            _reported(seen.overheating, seen.memory_pressure, seen.throttling),
            pattern_id,
            _warnings(parsed, impossible) if parsed.dropped or impossible or parsed.cut else time.warnings,
            time.reported_at,
            time.imported,
        )
        came_from = origin(report, event.worker_id)
        if came_from is not NOWHERE:
            event.run, event.job, event.suite, event.branch, event.commit, event.user = came_from[:6]
            event.test, event.devices = came_from.test, came_from.devices
            event.warnings = (*event.warnings, *came_from.warnings)
        event.clock_offset = time.offset
        if parsed.dropped or impossible:
            self.dropped.update([one.field for one in parsed.dropped])
            self.dropped.update([one.field for one in impossible])
        if time.reported_at is not None:
            self.dropped["timestamp"] += 1
        if new is not None:
            event.is_new_fingerprint, event.scope, event.alias = True, pattern.scope, new.alias
        if parsed.key is not None:
            batch.keys[parsed.key] = event
        batch.events.append(event)
        return event

    def _makes_too_many(self, parsed: Parsed, type_: str, batch: Batch) -> bool:
        """Counts a new pattern, and returns whether its worker has made too many in this hour. The first time, adds an
        event to `batch` that says so."""
        limit = self._new_patterns.limit
        if not limit:
            return False
        worker = (parsed.report.worker_id or "")[:MAX_LABEL]
        count = self._new_patterns.add(worker)
        if count == limit + 1:
            report = msgspec.json.encode(too_many_report(worker, type_, limit))
            self.prepare(Submission(report, parsed.received_at, None, own=True), batch)
        return count > limit


def _fingerprinted(report: ErrorReport) -> tuple[str, Pattern]:
    """Returns type and pattern of a report. Removes terminal control sequences from its texts."""
    report.type = plain_text(report.type or "")
    report.message = plain_text(report.message or "")
    report.traceback = report.traceback and plain_text(report.traceback)
    type_ = (report.type or "UnknownError")[:MAX_LABEL]
    return type_, fingerprint(type_, report.message, report.traceback)


def _warnings(parsed: Parsed, impossible: Sequence[Impossible]) -> tuple[str, ...]:
    return (*warnings_of(parsed.dropped), *[one.warning for one in impossible], *parsed.time.warnings, *parsed.cut)


@lru_cache
def _reported(overheating: bool, memory_pressure: bool, throttling: bool) -> str | None:
    """Those of `CONDITIONS` that were reported, joined by commas."""
    reported = (overheating, memory_pressure, throttling)
    return ",".join([name for name, is_so in zip(CONDITIONS, reported, strict=True) if is_so]) or None
