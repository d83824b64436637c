"""Reduces a report that has too many suspicious places, so that each of them can be looked at without holding the event
loop. What is left out was not looked at, so it must not be stored."""

from typing import Any, Final

import msgspec

from exporter.events.lenient import lenient_json
from exporter.events.report import ErrorReport
from exporter.redaction.mark import UNCHECKED

MAX_TEXT: Final = 16_384  # bytes of message and traceback that are kept, as JSON
MAX_FIELD: Final = 2_048  # bytes of any other known field
MARK: Final = f"[redacted:{UNCHECKED}]"
_TEXTS: Final = ("message", "traceback")
_KNOWN: Final = ErrorReport.__struct_fields__
_decode_known = msgspec.json.Decoder(
    msgspec.defstruct("_Known", [(name, msgspec.Raw, msgspec.Raw()) for name in _KNOWN])
).decode
_encode = msgspec.json.Encoder().encode


def reduced(body: bytes) -> bytes:
    """Returns the JSON of a report with its known fields only: texts cut, and a mark for other fields that are too
    large. Returns `body` if it is not the JSON of an object, because then the report is refused."""
    try:
        fields = _decode_known(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            fields = _decode_known(_encode(lenient_json(body.decode())))
        except (ValueError, RecursionError, UnicodeDecodeError):
            return body
    kept = {name: _kept(name, raw) for name in _KNOWN if bytes(raw := getattr(fields, name))}
    return _encode({**kept, MARK: "unknown fields"})


def _kept(name: str, raw: Any) -> Any:
    if len(raw) <= (MAX_TEXT if name in _TEXTS else MAX_FIELD):
        return raw
    first = bytes(raw[:1] if isinstance(raw, bytes) else memoryview(raw)[:1])
    if name in ("worker_id", "event_id"):  # identities stay whole; an object or array is refused
        return {b"{": {}, b"[": []}.get(first, raw)
    if first == b'"':
        text = msgspec.json.decode(raw, type=str)
        return f"{text[:MAX_TEXT] if name in _TEXTS else text[:MAX_FIELD]}… {MARK}"
    return MARK
