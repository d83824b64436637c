"""The file format of the spool: how records lie in a file, so that a half-written one is recognised.

    file    magic "EVSPOOL1" (8 bytes) | position (8) | record | record | …
    record  length (4) | CRC-32 (4) | path of the service, such as "/api/report-error" | "\\n" | JSON

Numbers are little-endian. `position` is the offset of the first record that is not delivered yet; it is written without
a flush, so after a power cut it may be older than the truth, and records are then sent again. The service stores a
report once, by its event id. `length` and CRC are of what follows them. A record that is not whole ends the file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = b"EVSPOOL1"
HEADER = 16  # bytes
MAX_RECORD = 8_000_000  # bytes; a longer length is damage
_LENGTHS = struct.Struct("<II")
_POSITION = struct.Struct("<Q")


class Record(NamedTuple):
    """`end` is the offset in the file behind the record; 0 for a record that is in memory only."""

    path: str
    body: bytes
    end: int = 0


def header(position: int) -> bytes:
    return MAGIC + _POSITION.pack(position)


def position_of(data: bytes) -> int:
    """Returns the position that a header names. Raises ValueError if it is no header."""
    if len(data) < HEADER or data[:8] != MAGIC:
        raise ValueError("not a file of the spool")
    position: int = _POSITION.unpack_from(data, 8)[0]
    return max(position, HEADER)


def frame(record: Record) -> bytes:
    content = record.path.encode() + b"\n" + record.body
    return _LENGTHS.pack(len(content), zlib.crc32(content)) + content


def records(data: bytes, offset: int) -> Iterator[Record]:
    """Yields the whole records in `data`, which begins at `offset` of its file."""
    start = 0
    while start + _LENGTHS.size <= len(data):
        length, checksum = _LENGTHS.unpack_from(data, start)
        end = start + _LENGTHS.size + length
        content = data[start + _LENGTHS.size : end]
        if length > MAX_RECORD or end > len(data) or zlib.crc32(content) != checksum:
            return
        path, _, body = content.partition(b"\n")
        yield Record(path.decode(errors="replace"), body, offset + end)
        start = end
