"""Reads what a list shows of a stored report, in bounded time and memory: of a large one, msgspec skips unknown fields
and long contexts, so they never become Python objects. The contexts of a report in which every field has its type stay
the JSON that was sent."""

from typing import Any, Final

import msgspec
import re2

from exporter.events.report import ErrorReport
from exporter.events.stored import known, payload

CONTEXTS: Final = ("system_context", "hardware_context", "error_frequency", "run", "test", "devices")
TEXTS: Final = ("message", "traceback")
MAX_LISTED_CONTEXT: Final = 32_768  # bytes of JSON
LARGE: Final = 65_536  # characters of a report
MAX_SPACED: Final = 4 * MAX_LISTED_CONTEXT  # bytes of a context as it was sent, perhaps with spaces, that is decoded
LONG_NUMBER: Final = 200  # digits; shorter numbers are finite if their exponent has two digits at most
KEPT_WHOLE: Final = 4_096  # bytes of a report that is kept in memory for the contexts in it
NULL: Final = msgspec.Raw(b"null")
_NAMES: Final = (*TEXTS, *CONTEXTS)
# What may be a number that is too large. In a text, such as a hash, it follows a quote.
_may_be_infinite: Final = re2.compile(rb"[:,\[\s]-?[0-9.]+[eE]\+?[0-9]{3}|[0-9]{%d}" % LONG_NUMBER).search
_decode = msgspec.json.Decoder(msgspec.defstruct("_Parts", [(name, msgspec.Raw, NULL) for name in _NAMES])).decode
_encode = msgspec.json.Encoder().encode
_check = msgspec.json.Decoder(ErrorReport).decode


class Listed(msgspec.Struct, gc=False):
    """What a list shows of a report. The contexts are JSON."""

    message: str | None = None
    traceback: str | None = None
    system_context: msgspec.Raw = NULL
    hardware_context: msgspec.Raw = NULL
    error_frequency: msgspec.Raw = NULL
    run: msgspec.Raw = NULL
    test: msgspec.Raw = NULL
    devices: msgspec.Raw = NULL


_decode_as_sent = msgspec.json.Decoder(Listed).decode


def listed(body: str) -> tuple[Listed, list[str]]:
    """Returns message, traceback and contexts of a report, each in its type, and the names of those that are too long
    for a list: contexts, and texts that were sent as an array or object. They are null. A long string is whole."""
    if len(body) <= MAX_LISTED_CONTEXT and (shown := _as_sent(body.encode())) is not None:
        return shown, []
    if len(body) <= LARGE:
        read = known(payload(body))
        too_long: list[str] = []
    else:
        read, too_long = _parts(body)
    contexts = {name: _encode(read.get(name)) for name in CONTEXTS}
    if len(body.encode()) > MAX_LISTED_CONTEXT:
        too_long += [name for name, context in contexts.items() if len(context) > MAX_LISTED_CONTEXT]
    shown = Listed(read.get("message"), read.get("traceback"), *map(msgspec.Raw, contexts.values()))
    for name in too_long:
        setattr(shown, name, NULL if name in CONTEXTS else None)
    return shown, too_long


def _as_sent(sent: bytes) -> Listed | None:
    """Returns what a list shows of a report if the contexts can stay as they were sent, so that they need not become
    Python objects and be encoded again; else None."""
    if len(sent) > MAX_LISTED_CONTEXT or _may_be_infinite(sent):  # msgspec does not look at the numbers in a `Raw`
        return None
    try:
        _check(sent)
        shown = _decode_as_sent(sent)
    except (msgspec.DecodeError, RecursionError):
        return None
    if len(sent) > KEPT_WHOLE:
        for name in CONTEXTS:
            setattr(shown, name, getattr(shown, name).copy())
    return shown


def _parts(body: str) -> tuple[dict[str, Any], list[str]]:
    """Returns texts and contexts of a large report, and the names of those that are too long."""
    raws = _decode(body)
    sent = {name: bytes(getattr(raws, name)) for name in _NAMES}
    too_long = [name for name, raw in sent.items() if len(raw) > MAX_SPACED and raw[:1] != b'"']
    read = known({name: payload(raw.decode()) for name, raw in sent.items() if name not in too_long})
    return read, too_long
