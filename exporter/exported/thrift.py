"""Writes the compact protocol of Apache Thrift, in which Parquet has its metadata.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Iterable
from typing import Final

I32: Final = 5
I64: Final = 6
BINARY: Final = 8
LIST: Final = 9
STRUCT: Final = 12
Field = tuple[int, int, bytes]  # its id, its type, and its value as the functions below return it


def varint(number: int) -> bytes:
    """Returns a whole number from 0 as ULEB128."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def i32(id_: int, number: int) -> Field:
    return id_, I32, _zigzag(number)


def i64(id_: int, number: int) -> Field:
    return id_, I64, _zigzag(number)


def binary(id_: int, content: bytes) -> Field:
    return id_, BINARY, _sized(content)


def struct(*fields: Field) -> bytes:
    """Returns a struct. The ids of its fields must grow, by 15 at most from one to the next."""
    parts = []
    last = 0
    for id_, kind, value in fields:
        parts += [bytes([(id_ - last) << 4 | kind]), value]
        last = id_
    return b"".join(parts) + b"\0"


def structs(id_: int, items: Iterable[bytes]) -> Field:
    return _list(id_, STRUCT, list(items))


def i32s(id_: int, numbers: Iterable[int]) -> Field:
    return _list(id_, I32, [_zigzag(number) for number in numbers])


def binaries(id_: int, items: Iterable[bytes]) -> Field:
    return _list(id_, BINARY, [_sized(item) for item in items])


def _list(id_: int, kind: int, items: list[bytes]) -> Field:
    size = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + varint(len(items))
    return id_, LIST, size + b"".join(items)


def _sized(content: bytes) -> bytes:
    return varint(len(content)) + content


def _zigzag(number: int) -> bytes:
    return varint(number * 2 if number >= 0 else -number * 2 - 1)
