"""An exported error: a report that can be sent again, and what the service derived from it.

    report   the JSON of the report as it was sent, on one line. If another service would not read the same `event_id`
             or the same time from it, these are replaced or added.
    sent     what the report had in place of them, null for nothing

In NDJSON, everything but the report is the field `error_visualization` (`NAME`) of the report. An import keeps `sent`
with the report if it is not empty, so that the next export has it, too, and leaves out the rest.
"""

import datetime as dt
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from exporter.events.lenient import lenient_json
from exporter.events.stored import payload
from exporter.events.values import UnreadableError, identifier
from exporter.ingest.times import EPOCH, is_day, read_time

NAME: Final = "error_visualization"
NOTHING: Final = "{}"  # `sent` of most errors, and the report of an error that damage took it from
_QUOTED: Final = f'"{NAME}"'
_BEGINNING: Final = f",{_QUOTED}:"
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode


class Columns(NamedTuple):
    """What the database has of an error besides its report, in the order of the columns of CSV and Parquet. Times are
    microseconds since 1970 in UTC; `reasons`, `warnings` and `devices` are JSON arrays."""

    id: int
    timestamp: int
    received_at: int
    worker_id: str
    event_id: str
    type: str
    error_category: str
    severity: str
    message: str
    hardware_type: str | None
    fingerprint: str
    pattern_id: str
    is_recurring: bool
    is_system_critical: bool
    is_hardware_error: bool
    imported: bool
    reported_at: str | None
    cpu_percent: float | None
    memory_percent: float | None
    disk_percent: float | None
    gpu_celsius: float | None
    reasons: str
    warnings: str
    run: str | None = None
    job: str | None = None
    suite: str | None = None
    branch: str | None = None
    commit: str | None = None
    user: str | None = None
    test: str | None = None
    devices: str | None = None


class Exported(NamedTuple):
    """An error as it is exported. `report` and `sent` are JSON objects."""

    columns: Columns
    sent: str
    report: str


class _Own(Struct, gc=False):
    """Those fields of a report that may have to be replaced, as JSON; empty if the report lacks them."""

    timestamp: Raw = Raw()
    event_id: Raw = Raw()
    error_visualization: Raw = Raw()


class _Sent(Struct, gc=False):
    """What this module reads of the field `NAME`."""

    sent: dict[str, Raw]


_decode_own = msgspec.json.Decoder(_Own).decode
_decode_sent = msgspec.json.Decoder(_Sent).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def exported(columns: Columns, body: str) -> Exported:
    """Returns an error as it is exported. `body` is its report as it is stored."""
    text = _on_one_line(body)
    if text == NOTHING:
        text = _of_columns(columns)
    try:
        own = _decode_own(text)
    except msgspec.DecodeError:  # stored by an earlier release
        text = _encode(payload(text)).decode()
        own = _decode_own(text)
    sent: dict[str, Raw] = {}
    more: dict[str, bytes] = {}
    if not _is_event_id(own.event_id, columns.event_id):
        more["event_id"], sent["event_id"] = _encode(columns.event_id), own.event_id
    if not _is_time(own.timestamp, columns.timestamp):
        more["timestamp"], sent["timestamp"] = _encode(iso(columns.timestamp)), own.timestamp
    if own.error_visualization:
        if found := _divided(text):
            text = found[0]
            sent |= found[1]
        else:
            text, sent[NAME] = _without(text, {NAME}), own.error_visualization
    if not sent:
        return Exported(columns, NOTHING, text)
    return Exported(columns, _encode(_not_empty(sent)).decode(), replaced(text, more))


def restored(line: bytes) -> bytes:
    """Returns the report of a line of exported NDJSON, with the field `NAME` only if that has something in `sent`.
    Returns any other line as it is."""
    try:
        found = _divided(line.decode()) if _QUOTED.encode() in line else None
    except UnicodeDecodeError:
        return line
    return with_sent(found[0], found[1]).encode() if found else line


def with_sent(report: str, sent: dict[str, Raw]) -> str:
    """Returns a report with `sent`, unless that is empty."""
    return _with(report, {NAME: b'{"sent":%s}' % _encode(sent)}) if sent else report


def _divided(text: str) -> tuple[str, dict[str, Raw]] | None:
    """Returns a report without the field `NAME`, and `sent` of that field; None if there is no such field, or if it is
    the sender's own."""
    begin = text.rfind(_BEGINNING)
    if begin >= 0:
        try:  # the usual case: the field is the last one, so what follows up to the last brace is its value
            return text[:begin] + "}", _decode_sent(text[begin + len(_BEGINNING) : text.rindex("}")]).sent
        except (msgspec.DecodeError, ValueError):
            pass
    try:
        fields = _decode_fields(text)
        sent = _decode_sent(fields.pop(NAME)).sent
    except (msgspec.DecodeError, KeyError):
        return None
    return _encode(fields).decode(), sent


def iso(microseconds: int) -> str:
    """Returns a moment as ISO 8601 in UTC, to the microsecond."""
    return (EPOCH + microseconds * _MICROSECOND).isoformat(timespec="microseconds")[:-6] + "Z"


def _on_one_line(body: str) -> str:
    """Returns JSON without line breaks. Inside of its texts, JSON has none."""
    if "\n" in body or "\r" in body:
        body = body.replace("\n", " ").replace("\r", " ")
    return body.strip()


def _of_columns(columns: Columns) -> str:
    """Returns a report that says what the database has of an error whose own report is lost."""
    wanted = ("worker_id", "type", "error_category", "message")
    report: dict[str, Any] = {name: getattr(columns, name) for name in wanted}
    if columns.hardware_type is not None:
        report["hardware_context"] = {"hardware_type": columns.hardware_type}
    return _encode(report).decode()


def _is_event_id(value: Raw, event_id: str) -> bool:
    """Returns whether the service reads this id from the JSON `value`."""
    if not value:
        return False
    if bytes(value) == _encode(event_id):
        return True
    try:
        read = _value(value)
        return read is not None and identifier(read) == event_id
    except UnreadableError:
        return False


def _is_time(value: Raw, microseconds: int) -> bool:
    """Returns whether the service reads this time from the JSON `value`, in each zone and at each receipt."""
    if not value:
        return False
    read = _value(value)
    try:
        if isinstance(read, str):
            moment = dt.datetime.fromisoformat(read)
            if moment.tzinfo is not None and (moment - EPOCH) // _MICROSECOND == microseconds:
                return True
    except (ValueError, OverflowError):
        pass
    try:
        said = read_time(read, EPOCH, dt.UTC)
    except ValueError:
        return False
    if said is None or said.naive or is_day(read):
        return False
    return (said.moment - EPOCH) // _MICROSECOND == microseconds


def _value(value: Raw) -> Any:
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:  # a number such as 1e400, or a lone surrogate
        return lenient_json(bytes(value).decode())


def _not_empty(fields: dict[str, Raw]) -> dict[str, Raw]:
    return {name: value or Raw(b"null") for name, value in fields.items()}


def replaced(text: str, fields: dict[str, bytes]) -> str:
    """Returns a JSON object in which these fields have these values, as JSON."""
    return _with(_without(text, {name for name in fields if name in text}), fields) if fields else text


def _without(text: str, names: set[str]) -> str:
    """Returns a JSON object without these fields. If it cannot be taken apart (lone surrogates in names), it keeps
    them: the same names at its end, which `_with` adds, are in force."""
    try:
        fields = _decode_fields(text)
    except msgspec.DecodeError:
        return text
    if not names & fields.keys():
        return text
    return _encode({name: value for name, value in fields.items() if name not in names}).decode()


def _with(text: str, fields: dict[str, bytes]) -> str:
    """Returns a JSON object with more fields at its end."""
    more = ",".join([f'"{name}":{value.decode()}' for name, value in fields.items()])
    begin = text[:-1].rstrip()
    return f"{begin}{'' if begin == '{' else ','}{more}}}"
