"""Reads what a list shows of a stored report, in bounded time and memory: of a large one, msgspec skips unknown fields
and long contexts, so they never become Python objects."""

from typing import Any, Final

import msgspec

from exporter.events.stored import known, payload

CONTEXTS: Final = ("system_context", "hardware_context", "error_frequency", "run", "test", "devices")
TEXTS: Final = ("message", "traceback")
MAX_LISTED_CONTEXT: Final = 32_768  # bytes of JSON
LARGE: Final = 65_536  # characters of a report
MAX_SPACED: Final = 4 * MAX_LISTED_CONTEXT  # bytes of a context as it was sent, perhaps with spaces, that is decoded
_NAMES: Final = (*TEXTS, *CONTEXTS)
_decode = msgspec.json.Decoder(
    msgspec.defstruct("_Listed", [(name, msgspec.Raw, msgspec.Raw(b"null")) for name in _NAMES])
).decode


def listed(body: str) -> tuple[dict[str, Any], list[str]]:
    """Returns message, traceback and contexts of a report, each in its type, and the names of those that are too long
    for a list: contexts, and texts that were sent as an array or object. They are None. A long string is whole."""
    if len(body) <= LARGE:
        sent = known(payload(body))
        read = {name: sent.get(name) for name in _NAMES}
        too_long: list[str] = []
    else:
        read, too_long = _parts(body)
    if len(body.encode()) > MAX_LISTED_CONTEXT:
        too_long += [name for name in CONTEXTS if len(msgspec.json.encode(read[name])) > MAX_LISTED_CONTEXT]
    return read | dict.fromkeys(too_long), too_long


def _parts(body: str) -> tuple[dict[str, Any], list[str]]:
    """As `listed`, for a large report."""
    raws = _decode(body)
    sent = {name: bytes(getattr(raws, name)) for name in _NAMES}
    too_long = [name for name, raw in sent.items() if len(raw) > MAX_SPACED and raw[:1] != b'"']
    read = known({name: payload(raw.decode()) for name, raw in sent.items() if name not in too_long})
    return dict.fromkeys(_NAMES) | read, too_long
