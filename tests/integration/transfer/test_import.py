"""`error-visualization import`: exports of each format come back exactly, once, and whatever the service says."""

import asyncio
import csv
import gzip
import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from aiohttp import web
from conftest import REPORT, InProcess, Served, eventually
from interrupts import interruptible
from nasty import NASTY

from exporter.cli import main
from exporter.exported.error import restored
from exporter.ingest import deduplication
from exporter.ingest.ingest import QueueFullError
from exporter.ingest.pipeline import Refusal
from exporter.store.queries import FindOutcomes
from exporter.transfer import sender

pytestmark = pytest.mark.dashboard
LONG_AGO = "2001-02-03T04:05:06Z"
BROKEN_GZIP = gzip.compress(b"{}", mtime=0)[:10] + b"\xff" * 20  # the header, and then no blocks


async def run(*arguments: object) -> int:
    return await asyncio.to_thread(main, [str(one) for one in arguments])


def url(service: InProcess) -> str:
    return str(service.client.make_url("")).rstrip("/")


async def exported(service: InProcess) -> list[bytes]:
    async with service.client.get("/api/export") as response:
        return (await response.read()).splitlines()


def written(path: Path, reports: list[Any]) -> Path:
    path.write_text("".join([json.dumps(report) + "\n" for report in reports]))
    return path


def reports(many: int, **more: Any) -> list[dict[str, Any]]:
    return [REPORT | {"event_id": f"e{n}", "timestamp": LONG_AGO} | more for n in range(many)]


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz", "a.csv", "a.csv.gz", "a.parquet"])
async def test_the_nastiest_reports_come_back_exactly(
    serve: Callable[..., Any],
    tmp_path: Path,
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "IN_FLIGHT", 1)  # so that the order remains
    one = await serve(timezone="Asia/Kathmandu")
    for body in NASTY.values():
        for importing in ("false", "true"):
            async with one.client.post(
                f"/api/report-error?import={importing}", data=io.BytesIO(body.replace(b'"w"', b'"%s"' % importing.encode())),
                headers={"Content-Type": "application/json"},
            ) as response:  # fmt: skip
                assert response.status == 200, (body[:99], await response.text())
    path = tmp_path / name
    assert await run("export", "--url", url(one), "--output", path) == 0
    other = await serve(db_path=str(tmp_path / "other.duckdb"), timezone="America/St_Johns")
    assert await run("import", "--url", url(other), path) == 0, capsys.readouterr().err
    many = len(await exported(one))
    assert many > 1.8 * len(NASTY)
    assert f"{many} errors stored, 0 known already, 0 refused" in capsys.readouterr().err
    for before, after in zip(await exported(one), await exported(other), strict=True):
        was, now = (json.loads(line)["error_visualization"] for line in (before, after))
        assert restored(after) == restored(before)
        same = ("timestamp", "type", "error_category", "severity", "reasons", "fingerprint", "pattern_id", "sent")
        assert {name: now[name] for name in same} == {name: was[name] for name in same}
    assert await run("import", "--url", url(other), path) == 0
    assert f"0 errors stored, {many} known already" in capsys.readouterr().err
    assert len(await exported(other)) == many


async def test_a_line_of_an_export_is_a_report(service: InProcess, serve: Callable[..., Any], tmp_path: Path) -> None:
    """Without the command."""
    await service.post({"message": "m"})
    other = await serve(db_path=str(tmp_path / "other.duckdb"))
    async with other.client.post(
        "/api/report-errors?import=true",
        data=b"\n".join(await exported(service)),
        headers={"Content-Type": "application/x-ndjson"},
    ) as response:
        assert response.status == 200
    assert restored(*await exported(other)) == restored(*await exported(service))


async def test_its_own_export_is_known_to_a_service(
    service: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also the errors that were sent without an id, one by one and in a batch."""
    await service.post({"message": "m"})
    await service.post({"message": "m", "event_id": "own"})
    async with service.client.post("/api/report-errors", json=[REPORT, REPORT]) as response:
        assert response.status == 200
    path = tmp_path / "a.ndjson"
    assert await run("export", "--url", url(service), "--output", path) == 0
    assert await run("import", "--url", url(service), path) == 0
    assert "0 errors stored, 4 known already, 0 refused" in capsys.readouterr().err
    assert len(await exported(service)) == 4


async def test_old_errors_cause_no_alert(service: InProcess, tmp_path: Path) -> None:
    path = written(tmp_path / "a.ndjson", reports(3))
    assert await run("import", "--url", url(service), path) == 0
    listed = await service.get("/api/errors/1")
    assert (listed["imported"], listed["timestamp"]) == (True, LONG_AGO.replace("Z", ".000Z"))


async def test_nothing_is_stored_twice_beyond_the_ids_in_memory(
    service: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The database is asked about a whole batch at once."""
    monkeypatch.setattr(deduplication, "MAX_KNOWN", 10)
    monkeypatch.setattr(sender, "MAX_REPORTS", 50)
    asked: list[int] = []
    read_at = service.service.store.read_at

    async def counts(query: Any, at: int) -> bytes:
        if isinstance(query, FindOutcomes):
            asked.append(len(query.events))
        return await read_at(query, at)

    monkeypatch.setattr(service.service.store, "read_at", counts)
    found = reports(200)
    for n, report in enumerate(found):
        if n % 10 == 0:
            report["timestamp"] = f"unreadable {n}"
        if n % 2:
            report["timestamp"] = f"2001-02-03T04:{n % 60:02}:06Z"
    path = written(tmp_path / "a.ndjson", found)
    assert await run("import", "--url", url(service), path) == 0
    assert "200 errors stored, 0 known already" in capsys.readouterr().err
    assert len(asked) <= 8
    asked.clear()
    assert await run("import", "--url", url(service), path) == 0
    assert len(asked) <= 8
    # A time that is not believed is that of the receipt: such a repeat is known only while its id is in memory.
    assert "0 refused" in capsys.readouterr().err
    assert len([line for line in await exported(service) if b"unreadable" not in line]) == 180


async def test_a_report_without_id_and_time_gets_both(
    service: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same ones each time; equal lines are different errors."""
    lines = [REPORT, REPORT, REPORT | {"event_id": None, "timestamp": None}]
    path = written(tmp_path / "a.jsonl", lines)
    with path.open("a") as file:
        file.write('\n{"worker_id":"w","message":"m","not":NaN}\r\n')
    for stored, known in ((4, 0), (0, 4)):
        assert await run("import", "--url", url(service), path) == 0
        assert f"{stored} errors stored, {known} known already" in capsys.readouterr().err
    found = [json.loads(line) for line in await exported(service)]
    assert len({line["event_id"] for line in found}) == 4
    assert all(line["event_id"].startswith("import-") for line in found)
    assert {line["timestamp"] for line in found} == {found[0]["timestamp"]}
    assert found[2]["error_visualization"]["sent"] == {}


async def test_refused_reports_are_named_and_kept(
    service: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.ndjson"
    lines = [json.dumps(REPORT), "{nonsense", "", '{"message":"m"}', "[]", json.dumps(REPORT), '{"worker_id":"w"}']
    path.write_text("\n".join(lines))
    rejected = tmp_path / "rejected.ndjson"
    assert await run("import", "--url", url(service), path, "--rejected", rejected) == 1
    said = capsys.readouterr().err
    assert "2 errors stored, 0 known already, 4 refused" in said
    for place, reason in ((2, "not JSON"), (4, "worker_id"), (5, "expected an object"), (7, "message")):
        assert [line for line in said.splitlines() if line.startswith(f"{path}:{place}: ") and reason in line], said
    kept = rejected.read_text().splitlines()
    assert [kept[0], kept[2]] == ["{nonsense", "[]"]
    assert json.loads(kept[1])["message"] == "m"
    assert await run("import", "--url", url(service), path, "--rejected", rejected) == 1
    assert "exists" in capsys.readouterr().err.lower()


async def test_a_service_that_is_busy_gets_the_reports_again(
    service: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when only some of a batch are to be sent again."""
    monkeypatch.setattr(sender, "MAX_REPORTS", 10)
    ingest = service.service.ingest.ingest
    count = 0

    async def busy(submissions: Any) -> Any:
        nonlocal count
        count += 1
        if count % 3 == 1:
            raise QueueFullError
        results = await ingest(submissions)
        return [Refusal("x", "", "store_failed"), *results[1:]] if count % 3 == 2 else results

    monkeypatch.setattr(service.service.ingest, "ingest", busy)
    path = written(tmp_path / "a.ndjson", reports(60))
    assert await run("import", "--url", url(service), path) == 0
    assert "60 errors stored" in capsys.readouterr().err
    assert len(await exported(service)) == 60
    assert count > 10


async def test_a_batch_that_is_too_large_is_divided(
    serve: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = await serve(queue_capacity=50, max_body_bytes=20_000)
    found = reports(400)
    found[70]["traceback"] = "x" * 30_000
    path = written(tmp_path / "a.ndjson", found)
    assert await run("import", "--url", url(service), path) == 1
    said = capsys.readouterr().err
    assert "399 errors stored, 0 known already, 1 refused" in said
    assert f"{path}:71: the body is larger than 20000 bytes" in said


async def test_a_service_that_refuses_everything_ends_it(
    service: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.ndjson", reports(30))
    assert await run("import", "--url", "http://127.0.0.1:1", path) == 1
    assert "nothing imported" in capsys.readouterr().err
    assert await run("import", "--url", url(service), tmp_path / "missing.ndjson") == 1
    assert await run("import", "--url", url(service), written(tmp_path / "a.txt", [])) == 1
    assert "--format" in capsys.readouterr().err
    monkeypatch.setattr(sender, "MAX_REPORTS", 10)
    monkeypatch.setattr(sender, "IN_FLIGHT", 1)
    count = 0

    async def forbids(_: Any) -> Any:
        nonlocal count
        count += 1
        if count > 2:
            raise web.HTTPForbidden
        return [b'{"id":%d}' % (count * 10 + n) for n in range(10)]

    monkeypatch.setattr(service.service.ingest, "ingest", forbids)
    assert await run("import", "--url", url(service), path) == 1
    said = capsys.readouterr().err
    assert "a.ndjson is imported up to line 20" in said
    assert "20 errors stored" in said


async def test_files_of_other_programs(service: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "a.csv"
    with table.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([
            ["worker_id", "message", "timestamp", "traceback", "own"],
            ["w", "a\nb", LONG_AGO, "", "1"],
            ["", "nobody", LONG_AGO, "t", "2"],
            ["v", "c", "", "t", "3"],
        ])  # fmt: skip
    assert await run("import", "--url", url(service), table) == 1
    said = capsys.readouterr().err
    assert f"{table}:4: worker_id" in said
    assert "2 errors stored, 0 known already, 1 refused" in said
    assert (await service.get("/api/errors/1"))["report"].items() >= {
        "worker_id": "w", "message": "a\nb", "timestamp": LONG_AGO, "own": "1",
    }.items()  # fmt: skip
    duckdb.sql(
        "SELECT 'p' AS worker_id, 'T' AS type, TIMESTAMPTZ '2001-02-03 04:05:06+00' AS timestamp, NULL AS message"
    ).write_parquet(str(tmp_path / "a.parquet"))
    assert await run("import", "--url", url(service), tmp_path / "a.parquet") == 0
    assert (await service.get("/api/errors/3"))["timestamp"] == LONG_AGO.replace("Z", ".000Z")


@pytest.mark.parametrize(("name", "content"), [
    ("a.csv", b'report\r\n"{}'), ("a.parquet", b"PAR1"), ("a.ndjson.gz", gzip.compress(b"{}", mtime=0)[:-4]), ("a.csv.gz", b"x"),
    ("a.ndjson.gz", BROKEN_GZIP), ("a.csv.gz", BROKEN_GZIP),
])  # fmt: skip
async def test_a_damaged_file_is_named(
    service: InProcess, tmp_path: Path, name: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert await run("import", "--url", url(service), path) == 1
    assert str(path) in capsys.readouterr().err


async def test_bytes_that_are_not_utf8_are_refused_by_their_line(
    service: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The import goes on."""
    bad = b'{"worker_id":"w","message":"m","own":"\xff"}'
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\n".join([json.dumps(REPORT).encode(), bad, json.dumps(REPORT).encode()]))
    table = tmp_path / "a.csv"
    table.write_bytes(b"worker_id,message,own\r\nw,m,1\r\nw,m,\xff\r\nw,m,2\r\n")
    for file, place in ((path, 2), (table, 3)):
        assert await run("import", "--url", url(service), file) == 1
        said = capsys.readouterr().err
        assert "2 errors stored, 0 known already, 1 refused" in said
        assert f"{file}:{place}: " in said


async def test_a_row_without_a_report_is_refused_by_its_number(
    service: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = json.dumps(REPORT)
    table = tmp_path / "a.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "report"], ["1", report], ["2", ""], ["3", " \n"], ["4", report]])
    duckdb.sql(
        "SELECT unnest([$report, NULL, '', $report]) AS report, NULL AS sent", params={"report": report}
    ).write_parquet(str(tmp_path / "a.parquet"))
    rejected = tmp_path / "rejected.ndjson"
    assert await run("import", "--url", url(service), table, "--rejected", rejected) == 1
    said = capsys.readouterr().err
    assert "2 errors stored, 0 known already, 2 refused" in said
    for place in (3, 4):
        assert f"{table}:{place}: the column report is empty" in said
    assert rejected.read_bytes() == b""
    assert await run("import", "--url", url(service), tmp_path / "a.parquet") == 1
    said = capsys.readouterr().err
    assert said.count("the column report is empty") == 2
    assert f"{tmp_path / 'a.parquet'}:2: the column report is empty" in said
    duckdb.sql("SELECT 17 AS report").write_parquet(str(tmp_path / "b.parquet"))
    assert await run("import", "--url", url(service), tmp_path / "b.parquet") == 1
    assert "b.parquet:1: expected an object" in capsys.readouterr().err


def test_ctrl_c_says_how_far_it_came(served: Callable[..., Served], tmp_path: Path) -> None:
    """Running it again stores the rest."""
    running = served()
    path = written(tmp_path / "a.ndjson", reports(20_000))
    command = [sys.executable, "-m", "exporter", "import", "--url", running.url, str(path)]
    with interruptible():
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with process:
        asyncio.run(eventually(lambda: running.metrics()["distributed_testing_log_position"] > 1_000))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "interrupted" in said
    assert f"{path} is imported up to line " in said
    again = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert again.returncode == 0, again.stderr
    assert running.metrics()["distributed_testing_log_position"] == 20_000
