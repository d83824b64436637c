"""Cuts reports that are too large or nested too deeply, and marks what is missing, so that none is refused.

    message     128 KiB: the beginning, and a quarter from the end           "…[cut: 3,999,000 characters]…"
    traceback   512 KiB: a quarter from the beginning, the rest from the end, where it names the error
    other texts 128 KiB: the beginning
    objects and arrays, 128 KiB of JSON: the items at their beginning        {"a": 1, "[cut]": "3,999,000 bytes"}
    the whole     1 MiB: the unknown fields that come last are left out      {…, "[cut]": "17 unknown fields"}

These are the sizes with the default of `max_report_bytes`; with another one they change in proportion. A report that
is not longer than one field may be is not looked at. The time is linear in the length of a report: what is cut off is
skipped by msgspec and never becomes Python objects.
"""

import re
from typing import Any, Final, NamedTuple

import msgspec

from exporter.events.report import ErrorReport
from exporter.events.values import long_text
from exporter.ingest.nesting import MAX_DEPTH, MAX_NESTED, NestingError

MAX_REPORT_BYTES: Final = 1_048_576  # the default of the setting `max_report_bytes`
MAX_FIELDS: Final = 1_000  # of a report that is cut
MAX_FIELD_NAME: Final = 256  # bytes of the name of an unknown field
MAX_KEYS: Final = 50_000  # colons in a report whose unknown fields are looked at one by one
MAX_TOKENS: Final = 400_000  # commas, brackets and quotes in a report that is nested a thousand levels deep
MARK: Final = "[cut]"
_RESERVE: Final = 1_000  # objects and arrays that one field leaves to the others
_MARK_BYTES: Final = 64  # for the mark, so that what was cut is not cut again when it is imported
_LEAST: Final = 64  # bytes; a field is left out if less is left for it
_KNOWN: Final = ErrorReport.__struct_fields__
_TAILS: Final = {"traceback": 0.75, "message": 0.25}  # the part of what is kept that is from the end
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\],]|"', re.DOTALL)
_CLOSING: Final = {b"{": b"}", b"[": b"]"}
_encode = msgspec.json.Encoder().encode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_known = msgspec.json.Decoder(
    msgspec.defstruct("_Known", [(name, msgspec.Raw, msgspec.Raw()) for name in _KNOWN])
).decode
_decode_lines = msgspec.json.Decoder(list[str]).decode


class SizeLimits(NamedTuple):
    """The most bytes of JSON of a whole report, of its traceback, and of any other field."""

    report: int
    traceback: int
    field: int

    @classmethod
    def of(cls, report: int) -> "SizeLimits":
        return cls(report, report // 2, report // 8)


class CutReport(NamedTuple):
    """The JSON of a report within the limits, and a warning for each field that was cut."""

    body: bytes
    warnings: tuple[str, ...]


def cut_report(body: bytes, limits: SizeLimits) -> CutReport:
    """Cuts the JSON object of a report. Raises msgspec.DecodeError or UnicodeDecodeError if it is not valid JSON, and
    RecursionError if it is nested more than about a thousand levels deep: see `without_depth`."""
    fields, left_out = _fields(body)
    kept: list[bytes] = []
    warnings: list[str] = []
    left, nested = limits.report, MAX_NESTED - 1
    for name in sorted(fields, key=lambda name: name not in _KNOWN):  # unknown ones last, each in its order
        raw, key = bytes(fields[name]), _encode(name)
        most = limits.traceback if name == "traceback" else limits.field
        if name not in _KNOWN:
            if len(kept) >= MAX_FIELDS or len(key) > MAX_FIELD_NAME or left < len(key) + _LEAST:
                left_out += 1
                continue
            most = min(most, left - len(key))
        if (value := _cut(name, raw, most, max(nested - _RESERVE, nested // 2))) is not raw:
            warnings.append(f"{name}: cut to {len(value):,} bytes of {len(raw):,}")
            raw = value
        left -= len(key) + len(raw)
        nested -= _containers(raw) if raw[:1] in _CLOSING else 0
        kept.append(key + b":" + raw)
    if left_out:
        words = "all unknown fields" if body.count(b":") > MAX_KEYS else f"{left_out:,} unknown fields"
        kept.append(_encode(MARK) + b":" + _encode(words))
        warnings.append(f"{words} were left out: the report is too large")
    if not warnings and len(body) <= limits.report:
        return CutReport(body, ())
    return CutReport(b"{" + b",".join(kept) + b"}", tuple(warnings))


def without_depth(body: bytes) -> bytes:
    """Returns the JSON of a report without what is nested more than `MAX_DEPTH` levels deep. Raises `NestingError` if
    that would take too long, and perhaps if `body` is not valid JSON."""
    if sum(body.count(one) for one in (b",", b"[", b"{", b'"')) > MAX_TOKENS:
        raise NestingError("nested too deeply")
    return cut_container(body, len(body), len(body), depth=0)


def _fields(body: bytes) -> tuple[dict[str, Any], int]:
    """Returns the fields of a report. If there may be more than `MAX_KEYS`, only the known ones, because that many take
    too long. Also returns how many were left out at least."""
    if body.count(b":") <= MAX_KEYS:
        return _decode_fields(body), 0
    found = _decode_known(body)
    raws = {name: getattr(found, name) for name in _KNOWN}
    known = {name: raw for name, raw in raws.items() if bytes(raw)}
    others = len(body) - sum(len(name) + len(bytes(raw)) + len('"":,') for name, raw in known.items())
    return known, int(others > _LEAST)


def _cut(name: str, raw: bytes, most: int, nested: int) -> bytes:
    """Returns the JSON of a field in at most about `most` bytes, with at most `nested` objects and arrays; the same
    object if nothing has to be cut."""
    if raw[:1] in _CLOSING:
        if name in ("message", "traceback") and len(raw) > most and (text := _lines(raw)) is not None:
            return _cut_text(name, text, most)
        return cut_container(raw, most, nested)
    if len(raw) <= most:
        return raw
    return _cut_text(name, msgspec.json.decode(raw), most) if raw[:1] == b'"' else b"null"  # a very long number


def _lines(raw: bytes) -> str | None:
    """Returns the text of a list of lines, None for anything else."""
    try:
        return long_text(_decode_lines(raw))
    except msgspec.DecodeError:
        return None


def _cut_text(name: str, text: str, most: int) -> bytes:
    """Returns a text as JSON of about `most` bytes. `tail` characters of them are from its end."""
    if len(_encode(text)) <= most:
        return _encode(text)
    most = max(most - _MARK_BYTES, 0) * len(text) // max(len(_encode(text)), 1)  # in characters
    gone = len(text) - most
    tail = int(_TAILS.get(name, 0) * most)
    end = f"…{text[-tail:]}" if tail else ""
    return _encode(f"{text[: most - tail]}…[cut: {gone:,} characters]{end}")


def _containers(raw: bytes) -> int:
    """Returns the number of objects and arrays, or more: brackets in texts are counted, too."""
    return raw.count(b"{") + raw.count(b"[")


def cut_container(raw: bytes, most: int, nested: int, *, depth: int = 1) -> bytes:
    """Returns the JSON of an object or array, ended after the last item that is complete within `most` bytes and
    `nested` objects and arrays, and without what is nested more than `MAX_DEPTH` levels deep; the same object if
    nothing has to be cut. `depth` is the number of containers around it. Raises `NestingError` if `raw` is not valid
    JSON, as far as it notices."""
    if len(raw) <= most and _containers(raw) <= min(MAX_DEPTH - depth, nested):
        return raw
    parts: list[bytes] = []
    around: list[bytes] = []  # the containers that are open
    start = end = 0  # of what is kept and not yet in `parts`
    open_at_end: list[bytes] = []
    skipped = skipped_from = 0  # containers that are open in what is too deep, and where that begins
    for match in _TOKEN.finditer(raw if len(raw) <= most else raw[: max(most - _MARK_BYTES, 0)]):
        token = match.group()
        if token == b'"':  # a string that is longer than the rest
            break
        if token in _CLOSING:
            if skipped or len(around) + depth >= MAX_DEPTH:
                skipped_from = skipped_from if skipped else match.start()
                skipped += 1
                continue
            nested -= 1
            if nested < 0:
                break
            around.append(token)
        elif token in (b"}", b"]"):
            if skipped:
                skipped -= 1
                if skipped:
                    continue
                parts += [raw[start:skipped_from], _encode(MARK)]
                start = match.end()
            else:
                if not around:
                    raise NestingError("a bracket too many")
                around.pop()
                if not around:
                    return b"".join([*parts, raw[start : match.end()]]) if parts else raw
        elif token != b"," or skipped:
            continue
        end = match.start() if token == b"," else match.end()
        open_at_end = around.copy()
    if not open_at_end:
        return _encode(f"{MARK} {len(raw):,} bytes")
    mark = _encode(f"{len(raw) - end:,} bytes")
    item = _encode(MARK) + b":" + mark if open_at_end[-1] == b"{" else _encode(f"{MARK} {len(raw) - end:,} bytes")
    parts.append(raw[start:end])
    separator = b"" if raw[end - 1 : end] in _CLOSING else b","
    return b"".join([*parts, separator, item, *[_CLOSING[one] for one in reversed(open_at_end)]])
