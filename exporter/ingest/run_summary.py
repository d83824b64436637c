"""Reads the body of `POST /api/runs`. Pure.

As in a report, a value that cannot be read is dropped and named in a warning. Refused is only what names no run or no
sender, or is not JSON. Of more than `MAX_TESTS` ids, those of failed tests are kept before those of passed ones; the
counts count all.
"""

import contextlib
import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from exporter.events.lenient import lenient_json
from exporter.events.report import MAX_LABEL, MAX_TEST_ID, RunContext
from exporter.events.run_summary import RunSummary
from exporter.events.tolerant import Dropped, reader_of, warnings_of
from exporter.events.values import UnreadableError, flag, is_absent, kind, text, whole_number
from exporter.ingest.origin import label, run_labels
from exporter.ingest.parse import BOM, MAX_LENIENT, ReportError
from exporter.ingest.times import read_time

MAX_TESTS: Final = 100_000  # ids in one summary
MAX_WORKERS: Final = 10_000
MAX_URL: Final = 2_048  # characters
MAX_COUNT: Final = 10**12
_NAMES: Final = ("passed", "skipped", "failed", "errors")  # in a body, in the order of `OUTCOMES`
_KEPT_FIRST: Final = (3, 2, 1, 0)
_read_run: Final = reader_of(RunContext, "run")
_RUN: Final = 'send the id of the run, such as {"run": {"id": "4711"}, …}'
_SENDER: Final = "send the name of the program that sends the summary, such as that of its worker"


class ReadSummary(NamedTuple):
    """A summary, and a warning for each value that was dropped or cut."""

    summary: RunSummary
    warnings: tuple[str, ...]


def read_summary(body: bytes, received_at: dt.datetime, zone: dt.tzinfo | None) -> ReadSummary:
    """Reads a summary, which `as_json` returned. Times without an offset are in `zone`. Raises `ReportError`."""
    sent = _object(body)
    dropped: list[Dropped] = []
    warnings: list[str] = []
    run = msgspec.convert(_read_run(sent.get("run"), "run", dropped) or {}, RunContext)
    labels = run_labels(run, warnings)
    if labels["id"] is None:
        raise ReportError(f"required, a string that is not empty: {_RUN}", field="run.id")
    sender = label(_text(sent.get("worker_id"), "worker_id", dropped), MAX_LABEL, "worker_id", warnings)
    if sender is None:
        raise ReportError(f"required, a string that is not empty: {_SENDER}", field="worker_id")
    tests, found = _tests(sent.get("workers"), dropped, warnings)
    complete = _flag(sent.get("complete"), dropped)
    summary = RunSummary(
        run=labels.pop("id") or "",
        sender=sender,
        received_at=received_at,
        started_at=_time(sent, "started_at", received_at, zone, dropped),
        finished_at=_time(sent, "finished_at", received_at, zone, dropped),
        complete=sent.get("finished_at") is not None if complete is None else complete,
        counts=_counts(sent.get("counts"), found, dropped),
        details=labels | {"url": label(run.url, MAX_URL, "run.url", warnings)},
        tests=tests,
    )
    return ReadSummary(summary, (*warnings_of(dropped), *warnings))


def as_json(body: bytes) -> bytes:
    """Returns a body as JSON, if Python wrote it: without NaN, infinities and lone surrogates, which JSON forbids. As
    in a report, they are no reason to refuse the rest. Returns what cannot be read at all as it is."""
    body = body.removeprefix(BOM)
    try:
        msgspec.json.decode(body)
    except RecursionError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError):
        with contextlib.suppress(ValueError, RecursionError):
            return msgspec.json.encode(lenient_json(body.decode())) if body.count(b",") <= MAX_LENIENT else body
    return body


def _object(body: bytes) -> dict[str, Any]:
    try:
        sent = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(f"the body is not JSON: {error}", reason="malformed") from None
    if not isinstance(sent, dict):
        raise ReportError(f"expected an object, got {kind(sent)}", reason="malformed")
    return sent


def _tests(sent: Any, dropped: list[Dropped], warnings: list[str]) -> tuple[dict[str, Any], list[int]]:
    """Returns the ids of tests by worker and outcome, and how many of each outcome there were."""
    found = [0, 0, 0, 0]
    if sent is None:
        return {}, found
    if not isinstance(sent, dict):
        if not is_absent(sent):
            dropped.append(Dropped("workers", "workers", "an object", kind(sent)))
        return {}, found
    tests: dict[str, Any] = {}
    for name, outcomes in list(sent.items())[:MAX_WORKERS]:
        path = f"workers.{name[:MAX_LABEL]}"
        if not isinstance(outcomes, dict):
            dropped.append(Dropped("workers", path, "an object", kind(outcomes)))
            continue
        worker = label(name, MAX_LABEL, "workers", warnings) or "worker"
        mine = tests.setdefault(worker, ([], [], [], []))
        for code, outcome in enumerate(_NAMES):
            for test in _list(outcomes.get(outcome), f"{path}.{outcome}", dropped):
                if (id_ := label(test, MAX_TEST_ID, f"{path}.{outcome}", warnings)) is not None:
                    mine[code].append(id_)
                    found[code] += 1
    if len(sent) > MAX_WORKERS:
        warnings.append(f"workers: only the first {MAX_WORKERS:,} of {len(sent):,} are stored")
    if sum(found) > MAX_TESTS:
        warnings.append(f"workers: only {MAX_TESTS:,} of {sum(found):,} ids of tests are stored, failed tests first")
        tests = _bounded(tests)
    return tests, found


def _bounded(tests: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `MAX_TESTS` ids of tests."""
    left = MAX_TESTS
    kept: dict[str, Any] = {worker: ([], [], [], []) for worker in tests}
    for code in _KEPT_FIRST:
        for worker, mine in tests.items():
            kept[worker][code].extend(mine[code][:left])
            left -= len(kept[worker][code])
    return kept


def _list(value: Any, path: str, dropped: list[Dropped]) -> list[str]:
    """Returns the ids of tests in a list."""
    if is_absent(value):
        return []
    if not isinstance(value, list):
        dropped.append(Dropped("workers", path, "an array of ids of tests", kind(value)))
        return []
    return [read for one in value if (read := _text(one, path, dropped))]


def _counts(sent: Any, found: list[int], dropped: list[Dropped]) -> tuple[int, int, int, int]:
    """Returns the counts that were sent; those of the ids where none were."""
    counts = found.copy()
    if sent is not None and not isinstance(sent, dict):
        dropped.append(Dropped("counts", "counts", "an object", kind(sent)))
    elif sent:
        for code, name in enumerate(_NAMES):
            try:
                value = sent.get(name)
                read = None if value is None else whole_number(value, name)
                if read is not None and not 0 <= read <= MAX_COUNT:
                    raise UnreadableError("a number out of range")
                counts[code] = found[code] if read is None else read
            except UnreadableError as error:
                dropped.append(Dropped("counts", f"counts.{name}", "a whole number", str(error)))
    passed, skipped, failed, errors = counts
    return passed, skipped, failed, errors


def _text(value: Any, path: str, dropped: list[Dropped]) -> str | None:
    if value is None:
        return None
    try:
        return text(value)
    except UnreadableError as error:
        dropped.append(Dropped(path, path, "a string", str(error)))
        return None


def _flag(value: Any, dropped: list[Dropped]) -> bool | None:
    if value is None:
        return None
    try:
        return flag(value)
    except UnreadableError as error:
        dropped.append(Dropped("complete", "complete", "true or false", str(error)))
        return None


def _time(
    sent: Mapping[str, Any], name: str, received_at: dt.datetime, zone: dt.tzinfo | None, dropped: list[Dropped]
) -> dt.datetime | None:
    try:
        said = read_time(sent.get(name), received_at, zone)
    except ValueError:
        dropped.append(Dropped(name, name, "a time", kind(sent.get(name))))
        return None
    return None if said is None else said.moment
