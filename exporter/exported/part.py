"""A part of an export: what one read of the database's process returns. It becomes a part of the response as it is."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from exporter.exported import csv_text, ndjson, parquet
from exporter.exported.error import Exported
from exporter.exported.parquet import Page


class Part(Struct, array_like=True):
    """Some errors of an export. `position` is the id up to which it has all that match, `is_last` whether no more
    follow. They are in `text`, or in `pages` for Parquet."""

    position: int
    errors: int
    is_last: bool
    text: bytes = b""
    pages: list[Page] = []


_TEXTS: Final[dict[str, Callable[[Sequence[Exported]], bytes]]] = {"ndjson": ndjson.lines, "csv": csv_text.lines}
_encode = msgspec.msgpack.Encoder().encode
decode_part: Final = msgspec.msgpack.Decoder(Part).decode


def encoded_part(position: int, errors: Sequence[Exported], *, is_last: bool, format_: str) -> bytes:
    """Returns a part as MessagePack."""
    part = Part(position, len(errors), is_last)
    if format_ in _TEXTS:
        part.text = _TEXTS[format_](errors)
    elif errors:
        part.pages = parquet.pages(errors)
    return _encode(part)
