r"""Splits an envelope, the body in which Sentry SDKs send everything.

    {"event_id": "9ec7…", "dsn": "https://KEY@host/1", "sent_at": "…"}\n      the header
    {"type": "event", "length": 41, "content_type": "application/json"}\n     the header of an item
    …41 bytes…\n                                                              its payload
    {"type": "client_report"}\n                                               without `length`, the payload
    {"discarded_events": […]}\n                                               ends with the line

Only payloads of the wanted types are kept; all others (transactions, sessions, attachments) are skipped.
"""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from exporter.protocols.json_value import MessageError, read_object, text_of

MAX_ITEMS: Final = 1_000
MAX_HEADER: Final = 16_384  # bytes


class Item(NamedTuple):
    """One item of an envelope: its type and its payload."""

    type: str
    payload: bytes


class Envelope(NamedTuple):
    """`header` is the object of the first line, `items` are the wanted items, `skipped` counts the others."""

    header: dict[str, Any]
    items: tuple[Item, ...]
    skipped: int


def header_of(body: bytes) -> dict[str, Any]:
    """Returns the header of an envelope. Raises `MessageError`."""
    line, _, _ = body[: MAX_HEADER + 1].partition(b"\n")
    if len(line) > MAX_HEADER:
        raise MessageError(f"the header of the envelope is longer than {MAX_HEADER} bytes")
    try:
        return read_object(line)
    except MessageError as error:
        raise MessageError(f"the header of the envelope: {error}") from None


def read_envelope(body: bytes, wanted: Collection[str]) -> Envelope:
    """Splits an envelope. Raises `MessageError`."""
    header = header_of(body)
    items: list[Item] = []
    number = 0
    position = _after_line(body, 0)
    while position < len(body):
        end = body.find(b"\n", position)
        end = len(body) if end < 0 else end
        if not body[position:end].strip():  # blank lines may follow the last item
            position = end + 1
            continue
        number += 1
        if number > MAX_ITEMS:
            raise MessageError(f"more than {MAX_ITEMS} items in one envelope")
        item = _item_header(body[position:end], number)
        start = min(end + 1, len(body))
        length = item.get("length")
        if length is None:
            end = body.find(b"\n", start)
            end = len(body) if end < 0 else end
        elif isinstance(length, int) and not isinstance(length, bool) and 0 <= length <= len(body) - start:
            end = start + length
            if body[end : end + 1] not in (b"", b"\n"):
                raise MessageError(f"item {number} of the envelope: no line ends after its {length} bytes")
        else:
            raise MessageError(
                f"item {number} of the envelope: its length is {str(length)[:40]}, and it has fewer bytes"
            )
        if (type_ := text_of(item.get("type"))) in wanted:
            items.append(Item(type_, body[start:end]))
        position = end + 1
    return Envelope(header, tuple(items), number - len(items))


def _item_header(line: bytes, number: int) -> dict[str, Any]:
    try:
        if len(line) > MAX_HEADER:
            raise MessageError(f"longer than {MAX_HEADER} bytes")
        return read_object(line)
    except MessageError as error:
        raise MessageError(f"the header of item {number} of the envelope: {error}") from None


def _after_line(body: bytes, start: int) -> int:
    end = body.find(b"\n", start)
    return len(body) if end < 0 else end + 1
