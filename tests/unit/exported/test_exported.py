"""An exported error: which report it has, and how the formats write it."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from exporter.exported import csv_text, ndjson, parquet
from exporter.exported.error import Columns, Exported, exported, iso, restored
from exporter.exported.parquet import ParquetFile, pages
from exporter.exported.part import decode_part, encoded_part
from exporter.exported.table import COLUMNS

pytestmark = pytest.mark.dashboard
MOMENT = 1_764_000_000_123_456
AT = "2025-11-24T16:00:00.123456Z"


def columns(**given: Any) -> Columns:
    usual = Columns(
        7, MOMENT, MOMENT + 1, "w", "e", "T", "TEST_X", "info", "m", None, "f" * 16, "p" * 16, False, True, False, True,
        None, 1.5, None, 0.0, None, '["r"]', "[]",
    )  # fmt: skip
    return usual._replace(**given)


@pytest.mark.parametrize("timestamp", [AT, "2025-11-24T17:00:00.123456+01:00", MOMENT, MOMENT / 1e6, str(MOMENT)])
def test_a_report_that_says_the_same_anywhere_is_unchanged(timestamp: Any) -> None:
    body = json.dumps({"x": 1, "event_id": "e", "timestamp": timestamp, "worker_id": "w"})
    assert exported(columns(), body) == Exported(columns(), "{}", body)


@pytest.mark.parametrize(
    "timestamp",
    ['"2025-11-24T16:00:00.123456"', '"2025-11-24"', '"2025-11-24T16:00:00Z"', '"yesterday"', '""', '"N/A"', "null",
     "true", "1e400", "[1]", "1"],
)  # fmt: skip
def test_a_time_that_says_another_moment_elsewhere_is_replaced(timestamp: str) -> None:
    found = exported(columns(), f'{{"timestamp":{timestamp},"event_id":"e","worker_id":"w"}}')
    assert json.loads(found.report) == {"event_id": "e", "worker_id": "w", "timestamp": AT}
    assert found.sent == f'{{"timestamp":{timestamp}}}'


def test_what_is_missing_is_added() -> None:
    found = exported(columns(), '{"worker_id":"w"}')
    assert found.report == f'{{"worker_id":"w","event_id":"e","timestamp":"{AT}"}}'
    assert json.loads(found.sent) == {"event_id": None, "timestamp": None}


def test_a_number_may_be_the_event_id() -> None:
    body = f'{{"event_id":18,"timestamp":"{AT}"}}'
    assert exported(columns(event_id="18"), body).report == body
    assert json.loads(exported(columns(event_id="19"), body).report)["event_id"] == "19"


def test_a_lost_report_is_made_of_the_columns() -> None:
    report = json.loads(exported(columns(hardware_type="cuda"), "{}").report)
    assert report == {
        "worker_id": "w", "type": "T", "error_category": "TEST_X", "message": "m", "event_id": "e", "timestamp": AT,
        "hardware_context": {"hardware_type": "cuda"},
    }  # fmt: skip


@pytest.mark.parametrize("own", ["[1, 2]", '{"sent": 1}', '"x"', "null"])
def test_a_field_of_the_sender_with_our_name_is_kept(own: str) -> None:
    body = f'{{"event_id":"e","timestamp":"{AT}","error_visualization":{own}}}'
    first = exported(columns(), body)
    assert json.loads(first.sent) == {"error_visualization": json.loads(own)}
    again = restored(ndjson.lines([first]).strip()).decode()
    assert json.loads(again)["error_visualization"] == {"sent": {"error_visualization": json.loads(own)}}
    assert exported(columns(), again) == first


@pytest.mark.parametrize("body", ['{"worker_id":"w"}', f'{{"event_id":"e","timestamp":"{AT}"}}', "{}"])
@pytest.mark.parametrize("rewrite", [bytes, lambda line: json.dumps(json.loads(line), sort_keys=True).encode()])
def test_a_second_export_is_the_first(body: str, rewrite: Any) -> None:
    """Also if another program wrote the line anew."""
    first = exported(columns(), body)
    line = ndjson.lines([first]).strip()
    imported = restored(rewrite(line)).decode()
    again = exported(columns(), imported)
    assert json.loads(again.report) == json.loads(first.report)
    assert again.sent == first.sent
    sent_without_command = exported(columns(), line.decode())
    assert (sent_without_command.report, sent_without_command.sent) == (first.report, first.sent)


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"nonsense", b'{"a":{"b":1,"error_visualization":{"sent":{}}}}', b'{"a":1,"error_visualization":{"x":1}}',
     rb'{"a":"\",\"error_visualization\":{\"sent\":{}}"}', b'[1,"error_visualization":{"sent":{}}]'],
)  # fmt: skip
def test_a_line_of_another_origin_is_unchanged(line: bytes) -> None:
    assert restored(line) == line


def test_a_line_has_what_the_service_derived() -> None:
    line = ndjson.lines([exported(columns(reported_at="x"), '{"worker_id":"w","event_id":"e"}')])
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["error_visualization"] == {
        "id": 7, "timestamp": AT, "received_at": "2025-11-24T16:00:00.123457Z", "type": "T", "error_category": "TEST_X",
        "severity": "info", "reasons": ["r"], "fingerprint": "f" * 16, "pattern_id": "p" * 16, "warnings": [],
        "is_recurring": False, "is_system_critical": True, "is_hardware_error": False, "imported": True,
        "reported_at": "x", "sent": {"timestamp": None},
    }  # fmt: skip


def many() -> list[Exported]:
    """Errors whose columns have every kind of value."""
    texts = ["a", "", '"', 'a"b""c', "x,y", "a\nb\r\nc", "NUL \0", "€", " blank ", "\U0001f600", "x" * 70_000]
    return [
        Exported(
            columns(
                id=2**40 + n, worker_id=texts[n % 11], message=texts[-n % 11], is_recurring=n % 3 == 0,
                hardware_type=None if n % 2 else texts[n % 7], cpu_percent=None if n % 5 else n / 7,
                gpu_celsius=None, timestamp=MOMENT + n * 7, reported_at=None if n % 13 else "r",
            ),
            "{}", json.dumps({"n": n, "t": texts[n % 11]}),
        )
        for n in range(137)
    ]  # fmt: skip


def as_rows(errors: list[Exported]) -> list[tuple[Any, ...]]:
    return [(*one.columns, one.sent, one.report) for one in errors]


def test_csv_is_read_back() -> None:
    errors = many()
    text = (csv_text.header() + csv_text.lines(errors)).decode()
    names, *records = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert names == [column.name for column in COLUMNS]
    assert names[-1] == "report"
    expected = [
        [
            iso(value) if column.is_time else "" if value is None else str(value).lower() if column.kind is bool else str(value)
            for column, value in zip(COLUMNS, row, strict=True)
        ]
        for row in as_rows(errors)
    ]  # fmt: skip
    assert records == expected


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\n=1"])
def test_csv_has_no_formulas(text: str) -> None:
    one = Exported(columns(message=text, worker_id=text, event_id=text, reported_at=text), "{}", "{}")
    (record,) = csv.DictReader(io.StringIO((csv_text.header() + csv_text.lines([one])).decode(), newline=""))
    assert {record[name] for name in ("message", "worker_id", "event_id", "reported_at")} == {f"'{text}"}


@pytest.mark.parametrize("at_once", [1, 8, 50, 137])
def test_parquet_is_read_back(at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_ROWS", 60)
    errors = many()
    file = ParquetFile()
    content = file.begin()
    for start in range(0, len(errors), at_once):
        some = errors[start : start + at_once]
        part = decode_part(encoded_part(0, some, is_last=False, format_="parquet"))
        content += file.add(part.pages, part.errors)
    path = tmp_path / "x.parquet"
    path.write_bytes(content + file.end())
    names = ", ".join(f"epoch_us({column.name})" if column.is_time else column.name for column in COLUMNS)
    assert duckdb.sql(f"SELECT {names} FROM '{path}'").fetchall() == as_rows(errors)
    groups = duckdb.sql(
        f"SELECT DISTINCT row_group_id, row_group_num_rows, compression FROM parquet_metadata('{path}') ORDER BY 1"
    ).fetchall()
    assert sum(rows for _, rows, _ in groups) == len(errors)
    assert (len(groups), groups[0][2]) == ({1: 3, 8: 3, 50: 2, 137: 1}[at_once], "ZSTD")
    kinds = dict(duckdb.sql(f"SELECT name, converted_type FROM parquet_schema('{path}')").fetchall())
    assert (kinds["report"], kinds["timestamp"], kinds["id"]) == ("UTF8", "TIMESTAMP_MICROS", None)


def test_parquet_without_an_error_is_a_file(tmp_path: Path) -> None:
    file = ParquetFile()
    path = tmp_path / "x.parquet"
    path.write_bytes(file.begin() + file.end())
    assert duckdb.sql(f"SELECT * FROM '{path}'").fetchall() == []
    assert duckdb.sql(f"SELECT * FROM '{path}'").columns == [column.name for column in COLUMNS]


def test_a_row_group_ends_at_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_BYTES", 10_000)
    file = ParquetFile()
    assert file.add(pages(many()[:1]), 1) == b""
    assert sum(bool(file.add(pages(many()), 137)) for _ in range(20)) > 1


def test_a_part_crosses_as_it_is() -> None:
    part = decode_part(encoded_part(9, many()[:2], is_last=True, format_="csv"))
    assert (part.position, part.errors, part.is_last, part.pages) == (9, 2, True, [])
    assert part.text == csv_text.lines(many()[:2])
    assert decode_part(encoded_part(9, [], is_last=False, format_="parquet")).pages == []
    assert isinstance(msgspec.msgpack.encode(part), bytes)
