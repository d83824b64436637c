"""Exported errors as Parquet, written piece by piece: neither rows nor columns of the whole file are ever in memory.

    PAR1   row groups: for each column its pages, one after another   metadata   length of the metadata   PAR1

`pages` makes a page of each column of some errors: plain encoding, compressed with zstd. `ParquetFile` collects pages
up to a row group. DuckDB could write such a file only as a whole, from uncompressed row groups, in a process of its
own: with 60 MB for itself and more than 96 MB for the rows, all processes would have more than 500 MB.

https://parquet.apache.org/docs/file-format/
"""

import itertools
import struct
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct

from exporter import __version__
from exporter.exported import thrift
from exporter.exported.error import Exported
from exporter.exported.table import COLUMNS, Column, rows

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_ROWS: Final = 100_000  # in a row group
MAX_BYTES: Final = 2**23  # of compressed pages in a row group, which are kept in memory until it is complete
MAGIC: Final = b"PAR1"
_LEVEL: Final = 3
# Numbers of the enumerations of parquet.thrift.
_BOOLEAN, _INT64, _DOUBLE, _BYTE_ARRAY = 0, 2, 5, 6
_REQUIRED, _OPTIONAL = 0, 1
_PLAIN, _RLE = 0, 3
_ZSTD: Final = 6
_DATA_PAGE: Final = 0
_UTF8, _TIMESTAMP_MICROS = 0, 10  # types before Parquet 2.4; readers of all ages know them
_TYPES: Final[dict[type, int]] = {bool: _BOOLEAN, int: _INT64, float: _DOUBLE, str: _BYTE_ARRAY}


class Page(Struct, array_like=True):
    """A page with its header, and its size if it were not compressed."""

    content: bytes
    uncompressed: int


class _Chunk(NamedTuple):
    """The pages of a column in a row group: where they are in the file, and their sizes."""

    offset: int
    size: int
    uncompressed: int


def pages(errors: Iterable[Exported]) -> list[Page]:
    """Returns a page for each column of `COLUMNS`."""
    columns = list(zip(*rows(errors), strict=True))
    return [_page(column, values) for column, values in zip(COLUMNS, columns, strict=True)]


class ParquetFile:
    """A file that is being written. What its methods return is the file, one part after another."""

    def __init__(self) -> None:
        self._written = 0
        self._waiting: list[list[Page]] = [[] for _ in COLUMNS]
        self._rows = 0
        self._bytes = 0
        self._groups: list[tuple[int, list[_Chunk]]] = []

    def begin(self) -> bytes:
        return self._write([MAGIC])

    def add(self, added: Sequence[Page], errors: int) -> bytes:
        """Adds the pages of so many errors. Returns a row group when one is complete, else nothing."""
        for waiting, page in zip(self._waiting, added, strict=True):
            waiting.append(page)
            self._bytes += len(page.content)
        self._rows += errors
        return self._group() if self._rows >= MAX_ROWS or self._bytes >= MAX_BYTES else b""

    def end(self) -> bytes:
        """Returns what is left of the file."""
        group = self._group() if self._rows else b""
        metadata = self._metadata()
        return group + metadata + struct.pack("<I", len(metadata)) + MAGIC

    def _group(self) -> bytes:
        chunks = []
        offset = self._written
        for waiting in self._waiting:
            size = sum(len(page.content) for page in waiting)
            chunks.append(_Chunk(offset, size, sum(page.uncompressed for page in waiting)))
            offset += size
        self._groups.append((self._rows, chunks))
        content = self._write(page.content for waiting in self._waiting for page in waiting)
        self._waiting = [[] for _ in COLUMNS]
        self._rows = self._bytes = 0
        return content

    def _write(self, parts: Iterable[bytes]) -> bytes:
        content = b"".join(parts)
        self._written += len(content)
        return content

    def _metadata(self) -> bytes:
        root = thrift.struct(thrift.binary(4, b"errors"), thrift.i32(5, len(COLUMNS)))
        return thrift.struct(
            thrift.i32(1, 1),
            thrift.structs(2, [root, *map(_schema, COLUMNS)]),
            thrift.i64(3, sum(many for many, _ in self._groups)),
            thrift.structs(4, [_row_group(many, chunks) for many, chunks in self._groups]),
            thrift.binary(6, f"error-visualization version {__version__}".encode()),
        )


def _schema(column: Column) -> bytes:
    fields = [
        thrift.i32(1, _TYPES[column.kind]),
        thrift.i32(3, _OPTIONAL if column.optional else _REQUIRED),
        thrift.binary(4, column.name.encode()),
    ]
    if column.kind is str:
        fields.append(thrift.i32(6, _UTF8))
    elif column.is_time:
        fields.append(thrift.i32(6, _TIMESTAMP_MICROS))
    return thrift.struct(*fields)


def _row_group(many: int, chunks: Sequence[_Chunk]) -> bytes:
    columns = []
    for column, chunk in zip(COLUMNS, chunks, strict=True):
        metadata = thrift.struct(
            thrift.i32(1, _TYPES[column.kind]),
            thrift.i32s(2, [_PLAIN, _RLE]),
            thrift.binaries(3, [column.name.encode()]),
            thrift.i32(4, _ZSTD),
            thrift.i64(5, many),
            thrift.i64(6, chunk.uncompressed),
            thrift.i64(7, chunk.size),
            thrift.i64(9, chunk.offset),
        )
        columns.append(thrift.struct(thrift.i64(2, chunk.offset), (3, thrift.STRUCT, metadata)))
    return thrift.struct(
        thrift.structs(1, columns), thrift.i64(2, sum(chunk.uncompressed for chunk in chunks)), thrift.i64(3, many)
    )


def _page(column: Column, values: Sequence[Any]) -> Page:
    content = _plain(column.kind, [value for value in values if value is not None])
    if column.optional:
        levels = _bits([value is not None for value in values])
        groups = thrift.varint(len(levels) << 1 | 1) + levels  # bit-packed groups of 8
        content = struct.pack("<I", len(groups)) + groups + content
    packed = zstd.compress(content, _LEVEL)
    data = thrift.struct(thrift.i32(1, len(values)), thrift.i32(2, _PLAIN), thrift.i32(3, _RLE), thrift.i32(4, _RLE))
    header = thrift.struct(
        thrift.i32(1, _DATA_PAGE), thrift.i32(2, len(content)), thrift.i32(3, len(packed)), (5, thrift.STRUCT, data)
    )
    return Page(header + packed, len(header) + len(content))


def _plain(kind: type, values: Sequence[Any]) -> bytes:
    """Returns values in the encoding PLAIN."""
    if kind is str:
        texts = [value.encode() for value in values]
        sizes = [len(text).to_bytes(4, "little") for text in texts]
        return b"".join(itertools.chain.from_iterable(zip(sizes, texts, strict=True)))
    if kind is bool:
        return _bits(values)
    return struct.pack(f"<{len(values)}{'q' if kind is int else 'd'}", *values)


def _bits(flags: Sequence[bool]) -> bytes:
    """Returns a bit for each flag, the first in the lowest bit of the first byte."""
    digits = "".join(["1" if flag else "0" for flag in reversed(flags)])
    return int(digits or "0", 2).to_bytes((len(flags) + 7) // 8, "little")
