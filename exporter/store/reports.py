"""Reports as they were sent, 64 in one compressed block.

DuckDB's own compression has to decode 2,048 rows, about 2 MB, to return one. Reading 100 reports from different places
of the table took 0.1 s.

    report_blocks_N  block = id // 64, packed = zstd(msgpack [[id, report], …]); see `report_tables.py`
    single_reports   the reports of blocks that are not complete yet

A large report gets a row of its own at once: 64 of them in one row would not fit into DuckDB's memory. So a block may
have more than one row.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import duckdb
import msgspec

from exporter.store.report_tables import Block, read_blocks

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PER_BLOCK: Final = 64
NO_REPORT: Final = "{}"
LARGE: Final = 2**18  # characters of a report
NEAR: Final = 2  # single reports are read with those between them, up to so many for each: a list takes longer to plan
_LEVEL: Final = 3
Report = tuple[int, str]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Report]).decode


def pack(reports: Iterable[Report]) -> list[Block]:
    """Returns reports as blocks, in the order of their ids, each large one as a block of its own."""
    blocks: dict[tuple[int, int | None], list[Report]] = defaultdict(list)
    for id_, report in sorted(reports):
        blocks[id_ // PER_BLOCK, id_ if len(report) >= LARGE else None].append((id_, report))
    return [(block, zstd.compress(_encode(some), _LEVEL)) for (block, _), some in blocks.items()]


def unpack(packed: bytes) -> list[Report]:
    """Returns the reports of a block. Raises ValueError if it cannot be read."""
    try:
        return _decode(zstd.decompress(packed))
    except (zstd.ZstdError, msgspec.DecodeError) as error:
        raise ValueError(str(error)) from error


def split(singles: Sequence[Report], last: int) -> tuple[list[Report], list[Report]]:
    """Divides reports into those to be packed and others. Packed are large ones, and those whose block is complete once
    the database holds the error `last`."""
    end = (last + 1) // PER_BLOCK * PER_BLOCK
    parts: tuple[list[Report], list[Report]] = ([], [])
    for one in singles:
        parts[one[0] >= end and len(one[1]) < LARGE].append(one)
    return parts


def fetch(cursor: duckdb.DuckDBPyConnection, ids: Sequence[int]) -> dict[int, str]:
    """Returns the reports of errors by id; an empty one where damage took it. Raises duckdb.Error."""
    found = dict.fromkeys(ids, NO_REPORT)
    found.update(report for report in _read(cursor, ids) if report[0] in found)
    return found


def each(cursor: duckdb.DuckDBPyConnection, ids: Sequence[int]) -> Iterator[Report]:
    """Yields the same one after the other, in any order: of large reports, few are in memory. Raises duckdb.Error."""
    for start in range(0, len(ids), PER_BLOCK):
        missing = set(ids[start : start + PER_BLOCK])
        for id_, report in _read(cursor, ids[start : start + PER_BLOCK]):
            if id_ in missing:
                missing.discard(id_)
                yield id_, report
        yield from [(id_, NO_REPORT) for id_ in missing]


def fetch_first(cursor: duckdb.DuckDBPyConnection, ids: Sequence[int], most: int) -> dict[int, str]:
    """Returns the same for the first of these ids, which are sorted: for as many as have `most` characters together,
    and at least for one. Only these are in memory, and the one that is being read. Raises duckdb.Error."""
    wanted = set(ids)
    found: dict[int, str] = {}
    size = 0
    end = ids[-1] + 1
    for id_, report in _read(cursor, ids):
        if id_ in wanted and id_ < end:
            found[id_] = report
            size += len(report)
            while size > most and len(found) > 1:
                end = max(found)
                size -= len(found.pop(end))
    return {id_: found.get(id_, NO_REPORT) for id_ in ids if id_ < end}


def _read(cursor: duckdb.DuckDBPyConnection, ids: Sequence[int]) -> Iterator[Report]:
    """Yields the reports of errors, and others of the same blocks or of ids in between."""
    if not ids:
        return
    first, last = min(ids), max(ids)
    if last - first < NEAR * len(ids):
        singles = f"SELECT id, report FROM single_reports WHERE id BETWEEN {first} AND {last}"
        yield from cursor.execute(singles).fetchall()
    else:
        singles = "SELECT id, report FROM single_reports WHERE id IN (SELECT unnest($ids))"
        yield from cursor.execute(singles, {"ids": list(ids)}).fetchall()
    for _, packed in read_blocks(cursor, {id_ // PER_BLOCK for id_ in ids}):
        yield from unpack(packed)
