"""Writes the errors of a database as one Parquet file, with names instead of integers and with the reports as text.

DuckDB cannot unpack blocks of reports. So parts of the errors are written as files, each with the reports that Python
unpacked for it, and DuckDB joins the files to one. Each step needs memory for one part.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from exporter.local.copying import literal
from exporter.local.progress import Progress
from exporter.log.files import flush
from exporter.store import StoreError
from exporter.store.database import limits
from exporter.store.report_tables import read_blocks
from exporter.store.reports import PER_BLOCK, Report, unpack
from exporter.store.sql import number

PART: Final = 256 * PER_BLOCK  # ids of a part; rows of a row group
PART_BYTES: Final = 2**24  # characters of the reports of a part, unless it is one report
_SINGLES: Final = "SELECT id, report FROM single_reports WHERE id >= $first AND id < $end ORDER BY id"
_ROWS: Final = """
SELECT n.* REPLACE (from_json(n.reasons, '["VARCHAR"]') AS reasons, from_json(n.warnings, '["VARCHAR"]') AS warnings),
       coalesce(a.pattern_id, n.fingerprint) AS pattern_id,
       e.cpu_percent, e.memory_percent, e.disk_percent, e.gpu_celsius,
       [name FOR name, place IN ['overheating', 'memory_pressure', 'throttling']
        IF (e.conditions >> (place - 1)) & 1 = 1] AS conditions,
       p.report
FROM part p
     JOIN named_errors n USING (id)
     JOIN errors e USING (id)
     LEFT JOIN assignments a ON a.fingerprint = n.fingerprint
WHERE n.id >= {first} AND n.id <= {last} AND e.id >= {first} AND e.id <= {last}
ORDER BY p.id"""


def write_parquet(database: Path, target: Path, progress: Progress) -> None:
    """Writes `target` and flushes it. Needs disk for twice its size. Raises `StoreError`, duckdb.Error and OSError."""
    parts: list[Path] = []
    with duckdb.connect(str(database), read_only=True, config=limits(database)) as db:
        errors = number(db, "SELECT count(*) FROM errors")
        db.execute("CREATE TEMP TABLE part (id BIGINT, report VARCHAR)")
        with progress.step("parquet", errors) as step:
            for reports in _parts(db):
                parts.append(target.with_name(f"{target.name}.{len(parts)}"))
                _write_part(db, reports, parts[-1])
                step.add(len(reports))
            if not parts:
                return
            _copy(db, f"FROM read_parquet([{', '.join(map(literal, parts))}])", target)
        if (written := number(db, f"SELECT count(*) FROM read_parquet({literal(target)})")) != errors:
            raise StoreError(f"{target} has {written} errors instead of {errors}")
    flush(target)  # COPY leaves it in the page cache
    for part in parts:
        part.unlink()


def _parts(db: duckdb.DuckDBPyConnection) -> Iterator[list[Report]]:
    """Yields the reports in the order of their blocks, in lists of at most `PART_BYTES`, or of one report."""
    end = number(db, "SELECT coalesce(max(id), -1) FROM errors") // PER_BLOCK + 1
    for first in range(0, end, PART // PER_BLOCK):
        waiting: list[Report] = []
        size = 0
        for one in _reports(db, first, first + PART // PER_BLOCK):
            if waiting and size + len(one[1]) > PART_BYTES:
                yield waiting
                waiting, size = [], 0
            waiting.append(one)
            size += len(one[1])
        if waiting:
            yield waiting


def _reports(db: duckdb.DuckDBPyConnection, first: int, end: int) -> Iterator[Report]:
    """Yields the reports of the blocks from `first` to before `end`. The last blocks may be single reports."""
    for _, packed in read_blocks(db.cursor(), range(first, end)):
        yield from unpack(packed)
    singles = db.cursor().execute(_SINGLES, {"first": first * PER_BLOCK, "end": end * PER_BLOCK})
    while row := singles.fetchone():
        yield row


def _write_part(db: duckdb.DuckDBPyConnection, reports: list[Report], target: Path) -> None:
    db.execute("DELETE FROM part")
    with db.appender("part") as part:
        part.append_rows(reports)
    ids = [id_ for id_, _ in reports]
    _copy(db, _ROWS.format(first=min(ids), last=max(ids)), target)


def _copy(db: duckdb.DuckDBPyConnection, rows: str, target: Path) -> None:
    db.execute(f"COPY ({rows}) TO {literal(target)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {PART})")
