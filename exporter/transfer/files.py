"""Reads reports from files: NDJSON (also compressed with gzip), CSV and Parquet, one after another."""

import csv
import datetime as dt
import gzip
import itertools
import json
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import msgspec
from msgspec import Raw, Struct

from exporter.events.lenient import lenient_json
from exporter.exported.error import replaced, restored, with_sent
from exporter.store.parameters import ExportFormat

FORMATS: Final = get_args(ExportFormat)
ENDINGS: Final = {"ndjson": "ndjson", "jsonl": "ndjson", "csv": "csv", "parquet": "parquet"}
MAX_FIELD: Final = 2**26  # characters of a field of CSV
ROWS: Final = 500  # of Parquet that are read at once
MAX_BYTES: Final = 128 * 2**20  # of memory that DuckDB may use for Parquet
_CONFIG: Final[dict[str, Any]] = {
    "memory_limit": f"{MAX_BYTES}B",
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_DAMAGED: Final = (EOFError, gzip.BadGzipFile, zlib.error)  # of gzip
_encode = msgspec.json.Encoder().encode


class FileError(Exception):
    """A file cannot be read, or not to its end."""


class Item(NamedTuple):
    """A report of a file, and its place: the line on which it begins, from 1; in Parquet the row. `refused` says why
    there is no report at this place, "" if there is one."""

    place: int
    report: bytes
    refused: str = ""


class _Own(Struct, gc=False):
    event_id: Any = None
    timestamp: Any = None


_decode_own = msgspec.json.Decoder(_Own).decode
_decode_sent = msgspec.json.Decoder(dict[str, Raw]).decode


def format_of(path: Path) -> str:
    """Returns the format that the end of a name stands for. Raises `FileError`."""
    ending = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if ending not in ENDINGS:
        raise FileError(f"{path}: the end of its name says no format; give --format {'|'.join(FORMATS)}")
    return ENDINGS[ending]


def items(path: Path, format_: str) -> Iterator[Item]:
    """Yields the reports of a file, each with an `event_id` and a timestamp. Raises `FileError` and OSError."""
    written = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC).isoformat()
    reading = {"ndjson": _of_ndjson, "csv": _of_csv, "parquet": _of_parquet}[format_]
    for place, report in reading(path):
        if report.strip():
            yield Item(place, _completed(report, place, written))
        else:  # the service would skip it, and its results would not be those of the reports
            yield Item(place, b"", "the column report is empty")


def _completed(report: bytes, place: int, written: str) -> bytes:
    """Returns a report with an `event_id` and a timestamp. The id is made of what the report says and of its place, so
    it is the same when the file is imported again. The timestamp is the time at which the file was written: at the
    receipt, an old error would count as a new one."""
    try:
        own = _decode_own(report)
    except msgspec.DecodeError:
        try:
            own = msgspec.convert(lenient_json(report.decode()), _Own)
        except (ValueError, RecursionError):
            return report  # the service says what is wrong with it
    more: dict[str, bytes] = {}
    if own.event_id is None:
        more["event_id"] = _encode(f"import-{blake2b(report, digest_size=12).hexdigest()}-{place}")
    if own.timestamp is None:
        more["timestamp"] = _encode(written)
    if not more:
        return report
    try:
        return replaced(report.decode(), more).encode()
    except UnicodeDecodeError:
        return report  # likewise


def _of_ndjson(path: Path) -> Iterator[tuple[int, bytes]]:
    opened: Any = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rb") as file:
        place = 0
        try:
            for place, line in enumerate(file, 1):
                if line := line.strip():
                    yield place, restored(line)
        except _DAMAGED as error:
            raise FileError(f"{path}, line {place + 1}: {error}") from None


def _of_csv(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yields the reports of the column `report`. Without it, the columns are the fields of the reports."""
    csv.field_size_limit(MAX_FIELD)
    opened: Any = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            names = next(reader, [])
            place = reader.line_num + 1
            for values in reader:
                if values:
                    yield place, _of_row(dict(zip(names, values, strict=False)))
                place = reader.line_num + 1
        except (csv.Error, *_DAMAGED) as error:
            raise FileError(f"{path}, line {reader.line_num}: {error}") from None


def _of_parquet(path: Path) -> Iterator[tuple[int, bytes]]:
    """Likewise."""
    import duckdb  # takes 60 MB of memory

    try:
        with duckdb.connect(config=_CONFIG) as db:
            names = [name for name, *_ in db.execute("DESCRIBE FROM read_parquet(?)", [str(path)]).fetchall()]
            wanted = (
                ", ".join(f'"{name}"' for name in ("report", "sent") if name in names) if "report" in names else "*"
            )
            rows = db.execute(f"SELECT {wanted} FROM read_parquet(?)", [str(path)])
            names = [column[0] for column in rows.description or ()]
            places = itertools.count(1)
            while some := rows.fetchmany(ROWS):
                for values in some:
                    yield next(places), _of_row(dict(zip(names, values, strict=True)))
    except duckdb.Error as error:
        raise FileError(f"{path}: {error}") from None


def _of_row(row: dict[str, Any]) -> bytes:
    """Returns the report of a row of a table, b"" if its column `report` is empty."""
    if "report" not in row:
        fields = {name: value for name, value in row.items() if value is not None and value != ""}
        return json.dumps(fields, default=str, ensure_ascii=False).encode("utf-8", "surrogateescape")
    text = row["report"]
    if not isinstance(text, str):
        return b"" if text is None else _encode(str(text))  # of the latter, the service says that it is no object
    report = text.encode("utf-8", "surrogateescape").replace(b"\r", b" ").replace(b"\n", b" ")
    sent = row.get("sent") or "{}"
    if sent == "{}":
        return restored(report)
    try:
        return with_sent(report.decode(), _decode_sent(sent)).encode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return report
