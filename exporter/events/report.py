"""Parse: the bytes of a request → checked error reports (the guide's schema).

Every field of the guide is typed and may be null; unknown fields are no error: the report's own text is stored beside
the parsed fields, so nothing of it is lost. What Python's `json` writes but JSON forbids is taken too: NaN and
infinities become null, lone surrogates U+FFFD.
"""

import datetime as dt
import json
import re
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

MAX_LABEL: Final = 256  # characters of worker, type and category that are kept as columns; the payload keeps the whole
MAX_EVENT_ID: Final = 256
MAX_DEPTH: Final = 64
MAX_NESTED: Final = 20_000  # objects and arrays of one report; counting the depth of more would hold up the others
MAX_LENIENT: Final = 200_000  # values of a report that only Python's own json can read
MAX_DIGITS: Final = 20  # of a whole number; 64 bits have no more
FUTURE_TOLERANCE: Final = dt.timedelta(minutes=5)
UNKNOWN_CATEGORY: Final = "UNKNOWN_ERROR"


class ReportError(ValueError):
    """A report that cannot be taken. `field` is the path of what is wrong ("" where it is the whole body), `reason`
    the bounded word under which it is counted."""

    def __init__(self, message: str, *, field: str = "", reason: str = "invalid_field") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.reason = reason


class Cpu(Struct):
    percent: float | None = None
    count: int | None = None
    physical_count: int | None = None
    frequency_mhz: float | None = None


class Memory(Struct):
    used_percent: float | None = None
    total_gb: float | None = None
    available_gb: float | None = None


class Disk(Struct):
    used_percent: float | None = None
    total_gb: float | None = None
    free_gb: float | None = None


class Metrics(Struct):
    cpu: Cpu | None = None
    memory: Memory | None = None
    disk: Disk | None = None


class Device(Struct):
    index: int | None = None
    name: str | None = None
    memory_utilization: float | None = None
    temperature: float | None = None


class GpuMetrics(Struct):
    count: int | None = None
    devices: list[Device] | None = None


class SystemContext(Struct):
    hostname: str | None = None
    platform: str | None = None
    architecture: str | None = None
    python_version: str | None = None
    metrics: Metrics | None = None
    gpu_metrics: GpuMetrics | None = None


class HardwareStatus(Struct):
    overheating: bool | None = None
    memory_pressure: bool | None = None
    throttling: bool | None = None


class HardwareContext(Struct):
    hardware_type: str | None = None
    hardware_types: list[str] | None = None
    hardware_status: HardwareStatus | None = None


class Frequencies(Struct):
    last_1h: int | None = None
    last_6h: int | None = None
    last_24h: int | None = None


class ErrorFrequency(Struct):
    recurring: bool | None = None
    same_type: Frequencies | None = None
    similar_message: Frequencies | None = None


class ErrorReport(Struct):
    """One inbound report. Units are the guide's: percent 0 to 100, gigabytes, MHz, °C."""

    worker_id: str | None = None
    type: str | None = None
    message: str | None = None
    error_category: str | None = None
    traceback: str | None = None
    timestamp: str | int | float | None = None
    system_context: SystemContext | None = None
    hardware_context: HardwareContext | None = None
    error_frequency: ErrorFrequency | None = None
    event_id: str | None = None
    is_system_critical: bool | None = None


class Received(NamedTuple):
    """A checked report and its own JSON text, which is what gets stored."""

    report: ErrorReport
    body: str


_decode = msgspec.json.Decoder(ErrorReport).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_PATH = re.compile(r" - at `\$\.?(.*)`$")
_MARKS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|([\[{])|([\]}])', re.DOTALL)
_NAMES: Final = {
    "str": "a string", "int": "a whole number", "float": "a number", "bool": "true or false", "object": "an object",
    "array": "an array", "null": "null",
}  # fmt: skip


def parse_report(body: bytes) -> Received:
    """One report out of a JSON object. Raises `ReportError`."""
    try:
        report = _decode(body)
        text = body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        report, text = _second_look(body, error)
    if not report.worker_id:
        raise ReportError("required, a string that is not empty", field="worker_id")
    if not (report.message or report.type):
        raise ReportError("required unless type is given", field="message")
    if report.event_id is not None and not 0 < len(report.event_id) <= MAX_EVENT_ID:
        raise ReportError(f"expected 1 to {MAX_EVENT_ID} characters", field="event_id")
    nested = text.count("{") + text.count("[")
    if nested > MAX_DEPTH:
        _refuse_depth(text, nested)
    return Received(report, text)


def split_reports(body: bytes, *, ndjson: bool) -> list[bytes]:
    """The single reports of a batch: the items of a JSON array, or the lines of NDJSON. Raises `ReportError` when the
    array itself cannot be read; what is wrong with an item is found when that item is parsed."""
    if ndjson:
        return [line for line in body.split(b"\n") if line.strip()]
    try:
        return [bytes(item) for item in _decode_items(body)]
    except msgspec.ValidationError:
        raise ReportError("expected an array of reports") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        items = _lenient(body, error)
        if not isinstance(items, list):
            raise ReportError("expected an array of reports") from None
        return [msgspec.json.encode(item) for item in items]


def event_time(value: str | float | None, received_at: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    """When the error happened, in UTC: ISO 8601 (naive means `zone`, None the machine's) or epoch seconds; the receipt
    where it is absent or more than five minutes ahead of it. Raises `ReportError`."""
    if value is None:
        return received_at
    try:
        if isinstance(value, str):
            moment = dt.datetime.fromisoformat(value.strip())
            if moment.tzinfo is None and zone is not None:
                moment = moment.replace(tzinfo=zone)
            moment = moment.astimezone(dt.UTC)
        else:
            moment = dt.datetime.fromtimestamp(value, dt.UTC)
    except (ValueError, OverflowError, OSError):
        raise ReportError("expected ISO 8601 or epoch seconds", field="timestamp") from None
    return received_at if moment - received_at > FUTURE_TOLERANCE else moment


def _second_look(body: bytes, error: Exception) -> tuple[ErrorReport, str]:
    """Says what is wrong with a report that did not decode, or decodes what only Python's own `json` accepts."""
    if isinstance(error, msgspec.ValidationError):
        raise _explain(error) from None
    plain = _lenient(body, error)
    try:
        return msgspec.convert(plain, ErrorReport), msgspec.json.encode(plain).decode()
    except msgspec.ValidationError as wrong:
        raise _explain(wrong) from None


def _lenient(body: bytes, error: Exception) -> Any:
    if isinstance(error, RecursionError):
        raise ReportError("nested too deeply", reason="malformed") from None
    try:
        text = body.decode()
    except UnicodeDecodeError as wrong:
        raise ReportError(f"not UTF-8 at byte {wrong.start}", reason="malformed") from None
    if text.count(",") > MAX_LENIENT:
        raise ReportError(f"not JSON: {error}", reason="malformed")
    try:
        return lenient_json(text)
    except RecursionError:
        raise ReportError("nested too deeply", reason="malformed") from None
    except ValueError:
        raise ReportError(f"not JSON: {error}", reason="malformed") from None


def lenient_json(text: str) -> Any:
    """What Python's `json` makes of a text, without what JSON forbids. Raises ValueError and RecursionError."""
    return _clean(json.loads(text, parse_constant=lambda _: None, parse_int=_whole_number))


def _whole_number(digits: str) -> int | None:
    return int(digits) if len(digits) <= MAX_DIGITS else None


def _clean(value: Any) -> Any:
    """`value` with lone surrogates replaced and numbers beyond a double's or 64 bits' range as null."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return None
    return value


def _explain(error: msgspec.ValidationError) -> ReportError:
    text = str(error)
    path = _PATH.search(text)
    field = path.group(1).replace("[...]", "") if path else ""
    words = _PATH.sub("", text)
    match = re.fullmatch(r"Expected `(.*)`, got `(.*)`", words)
    if match:
        wanted = [_NAMES.get(name, name) for name in match.group(1).split(" | ") if name != "null"]
        words = f"expected {' or '.join(wanted)}, got {_NAMES.get(match.group(2), match.group(2))}"
    return ReportError(words, field=field)


def _refuse_depth(text: str, nested: int) -> None:
    """Refuses nesting that a reader of the stored text could trip over."""
    if nested > MAX_NESTED:
        raise ReportError(f"more than {MAX_NESTED} objects and arrays", reason="malformed")
    depth = 0
    for mark in _MARKS.finditer(text):
        if mark.group(1):
            depth += 1
            if depth > MAX_DEPTH:
                raise ReportError(f"nested more than {MAX_DEPTH} levels deep", reason="malformed")
        elif mark.group(2):
            depth -= 1
