"""GET /api/export and `error-visualization export`: whole or broken, never incomplete without saying so."""

import asyncio
import contextlib
import gzip
import itertools
import json
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import duckdb
import pytest
from conftest import REPORT, InProcess, Served, eventually, store_processes

from exporter.cli import main
from exporter.http import export as handler
from exporter.http import taken
from exporter.store import StoreError, read_export
from exporter.store.queries import ExportErrors

pytestmark = pytest.mark.dashboard
FORMATS = ["ndjson", "csv", "parquet"]


async def lines(service: InProcess, **query: Any) -> list[dict[str, Any]]:
    async with service.client.get("/api/export", params=query) as response:
        assert response.status == 200
        return [json.loads(line) for line in (await response.read()).splitlines()]


async def ids(service: InProcess, **query: Any) -> list[int]:
    return [line["error_visualization"]["id"] for line in await lines(service, **query)]


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(main, arguments)


def names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def url(service: InProcess) -> str:
    return str(service.client.make_url("")).rstrip("/")


async def test_every_error_is_exported_in_the_order_of_its_id(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_export, "MAX_ERRORS", 7)
    sent = [REPORT | {"event_id": f"e{n}", "timestamp": f"202{n % 6}-01-01T00:00:00Z"} for n in range(40)]
    async with service.client.post("/api/report-errors?import=true", json=sent) as response:
        assert response.status == 200
    found = await lines(service)
    assert [line["error_visualization"]["id"] for line in found] == list(range(1, 41))
    for line, report in zip(found, sent, strict=True):
        details = await service.get(f"/api/errors/{line['error_visualization']['id']}")
        derived = line.pop("error_visualization")
        assert line == report == details["report"]
        for name in ("severity", "reasons", "fingerprint", "pattern_id", "warnings", "imported", "error_category"):
            assert derived[name] == details[name]
        assert derived["timestamp"] == report["timestamp"].replace("Z", ".000000Z")


async def test_the_filters_are_those_of_the_list(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_export, "MAX_ERRORS", 3)
    monkeypatch.setattr(read_export, "MAX_IDS", 5)
    for n in range(20):
        await service.post({
            "worker_id": f"w{n % 3}", "message": f"disk {n} is full" if n % 4 else "m", "type": f"T{n % 2}",
            "error_category": ("TEST_X", "RESOURCE_Y")[n % 2], "traceback": "at the place" if n % 5 == 0 else None,
            "hardware_context": {"hardware_type": "cuda" if n % 2 else "mps"},
        })  # fmt: skip
    first = (await service.get("/api/errors/1"))["fingerprint"]
    tried = 0
    for query in (
        {"worker": "w1"}, {"type": "T1", "hardware": "cuda"}, {"severity": "info"}, {"category": "TEST_X"}, {"q": "DISK 1"},
        {"q": "place"}, {"q": "w2"}, {"q": "nothing"}, {"group": "resource"}, {"fingerprint": first}, {"pattern": first}, {},
    ):  # fmt: skip
        listed = (await service.get("/api/errors/list", limit=1000, **query))["errors"]
        assert await ids(service, **query) == sorted(error["id"] for error in listed), query
        tried += bool(listed)
    assert tried == 11
    assert await ids(service, worker=["w0", "w1"]) == [n for n in range(1, 21) if n % 3 != 0]


async def test_a_time_range_is_optional(service: InProcess) -> None:
    old = REPORT | {"timestamp": "1999-01-01T00:00:00Z"}
    async with service.client.post("/api/report-errors?import=true", json=[old, REPORT]) as response:
        assert response.status == 200
    assert await ids(service) == [1, 2]
    assert await ids(service, time_range="1") == [2]
    assert (await service.get("/api/export", 400, time_range="0"))["field"] == "time_range"
    assert (await service.get("/api/export", 400, format="xls"))["field"] == "format"
    assert (await service.get("/api/export", 400, wroker="w"))["field"] == "wroker"


@pytest.mark.parametrize("format_", FORMATS)
async def test_the_answer_is_a_file(service: InProcess, format_: str) -> None:
    await service.post()
    async with service.client.get("/api/export", params={"format": format_}) as response:
        assert response.content_type in (
            "application/x-ndjson", "text/csv", "application/vnd.apache.parquet",
        )  # fmt: skip
        disposition = response.content_disposition
        assert disposition
        assert disposition.type == "attachment"
        assert disposition.filename
        assert disposition.filename.endswith(f".{format_}")
        assert await response.read()
    async with service.client.head("/api/export", params={"format": format_}) as response:
        assert (response.status, await response.read()) == (200, b"")
    await service.post()  # the connection is in order


async def test_errors_that_come_meanwhile_are_not_part_of_it(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_export, "MAX_ERRORS", 2)
    for _ in range(9):
        await service.post()
    read = service.service.store.export

    async def more(query: ExportErrors) -> Any:
        await service.post()
        return await read(query)

    monkeypatch.setattr(service.service.store, "export", more)
    assert await ids(service) == list(range(1, 10))
    assert len(await ids(service)) > 10


async def test_deleted_errors_are_left_out(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they are deleted between two parts."""
    monkeypatch.setattr(read_export, "MAX_ERRORS", 2)
    for _ in range(9):
        await service.post()
    read = service.service.store.export

    async def fewer(query: ExportErrors) -> Any:
        part = await read(query)
        if part.position == 4:
            database = next(store for store in (database_of(service),))
            with database.writing:
                database.transact(lambda: database.db.execute("DELETE FROM errors WHERE id IN (2, 5, 6, 9)"))
        return part

    monkeypatch.setattr(service.service.store, "export", fewer)
    assert await ids(service) == [1, 2, 3, 4, 7, 8]


def database_of(service: InProcess) -> Any:
    (thread,) = [one for one in threading.enumerate() if one.name == "store" and one.is_alive()]
    return thread._args[0]._database  # type: ignore[attr-defined]


def fail_after(parts: int, service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the database fail after some parts of two errors."""
    monkeypatch.setattr(read_export, "MAX_ERRORS", 2)
    read = service.service.store.export
    count = 0

    async def fails(query: ExportErrors) -> Any:
        nonlocal count
        count += 1
        if count > parts:
            raise StoreError("the database broke")
        return await read(query)

    monkeypatch.setattr(service.service.store, "export", fails)


@pytest.mark.parametrize("format_", FORMATS)
async def test_an_export_that_fails_does_not_look_complete(
    service: InProcess,
    monkeypatch: pytest.MonkeyPatch,
    format_: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(9):
        await service.post()
    fail_after(2, service, monkeypatch)
    with pytest.raises(aiohttp.ClientPayloadError):
        async with service.client.get("/api/export", params={"format": format_}) as response:
            assert response.status == 200
            await response.read()
    fail_after(2, service, monkeypatch)
    path = tmp_path / f"out.{format_}"
    assert await run("export", "--url", url(service), "--output", str(path)) == 1
    assert "not complete" in capsys.readouterr().err
    assert names(tmp_path, "out*") == []
    await service.post()


async def test_an_export_that_cannot_begin_is_an_error(
    service: InProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_after(0, service, monkeypatch)
    assert "the database broke" in (await service.get("/api/export", 503))["message"]
    assert await run("export", "--url", url(service)) == 1
    assert "the database broke" in capsys.readouterr().err


async def test_it_ends_when_the_client_goes(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_export, "MAX_ERRORS", 1)
    for n in range(30):
        await service.post({"traceback": f"{n % 10}" * 900_000})
    read = service.service.store.export
    asked: list[int] = []

    async def counts(query: ExportErrors) -> Any:
        asked.append(query.after)
        return await read(query)

    ended = asyncio.Event()
    send = handler._send

    async def notes(*given: Any) -> None:
        try:
            await send(*given)
        finally:
            ended.set()

    monkeypatch.setattr(service.service.store, "export", counts)
    monkeypatch.setattr(handler, "_send", notes)
    async with service.client.get("/api/export") as response:
        await response.content.read(1000)
        response.close()
    await asyncio.wait_for(ended.wait(), 10)
    assert len(asked) < 30
    monkeypatch.undo()
    assert len(await ids(service)) == 30


def test_it_breaks_off_when_the_process_of_the_database_dies(served: Callable[..., Served]) -> None:
    """And errors are accepted meanwhile. A client that reads slowly holds the response back."""
    running = served()
    for n in range(24):
        running.post({"traceback": f"{n % 10}" * 2_000_000, "event_id": f"e{n}"})
    (process,) = store_processes(running)

    async def read() -> None:
        async with aiohttp.ClientSession(read_bufsize=2**16) as session:
            async with session.get(f"{running.url}/api/export") as response:
                assert response.status == 200
                await response.content.readexactly(1000)
                process.kill()
                await asyncio.to_thread(running.post, {"event_id": "later"})
                with pytest.raises(aiohttp.ClientPayloadError):
                    await response.read()

            async def whole() -> int:
                async with session.get(f"{running.url}/api/export") as response:
                    return (await response.read()).count(b"\n") if response.status == 200 else 0

            assert await eventually(whole, 30) == 25

    asyncio.run(read())


async def test_the_command_writes_each_format(service: InProcess, tmp_path: Path) -> None:
    for n in range(5):
        await service.post({"message": f'"{n}",\nnext', "worker_id": f"w{n % 2}"})
    for name in ("a.ndjson", "a.csv", "a.parquet", "a.ndjson.gz", "a.csv.gz"):
        assert await run("export", "--url", url(service), "--output", str(tmp_path / name), "--worker", "w0") == 0
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert len((tmp_path / "a.ndjson").read_bytes().splitlines()) == 3
    assert gzip.decompress((tmp_path / "a.ndjson.gz").read_bytes()) == (tmp_path / "a.ndjson").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == (tmp_path / "a.csv").read_bytes()
    assert duckdb.sql(f"SELECT worker_id FROM '{tmp_path}/a.parquet'").fetchall() == [("w0",)] * 3
    assert names(tmp_path, "a.*") == ["a.csv", "a.csv.gz", "a.ndjson", "a.ndjson.gz", "a.parquet"]


async def test_the_command_refuses_to_compress_parquet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.parquet.gz"
    assert await run("export", "--url", "http://127.0.0.1:1", "--output", str(path)) == 2
    assert f"{path}: Parquet is compressed itself; give a name without .gz" in capsys.readouterr().err
    assert names(tmp_path, "a.*") == []


async def test_the_command_counts_what_it_wrote(
    service: InProcess, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for n in range(5):
        await service.post({"message": f'"{n}",\nnext\r\n"', "worker_id": f"w{n % 2}"})
    for name in ("a.ndjson", "a.csv"):
        assert await run("export", "--url", url(service), "--output", str(tmp_path / name), "--time-range", "1") == 0
        assert "5 errors" in capfd.readouterr().err
    assert await run("export", "--url", url(service), "--severity", "info", "--q", "x") == 0
    assert capfd.readouterr().out == ""
    assert await run("export", "--url", url(service)) == 0
    assert len(capfd.readouterr().out.splitlines()) == 5


async def test_the_command_replaces_a_file_only_by_force(service: InProcess, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text("precious")
    assert await run("export", "--url", url(service), "--output", str(path)) == 2
    assert await run("export", "--url", "http://127.0.0.1:1", "--output", str(path), "--force") == 1
    assert path.read_text() == "precious"
    assert await run("export", "--url", url(service), "--output", str(path), "--force") == 0
    assert path.read_text() == ""
    assert await run("export", "--url", url(service), "--severity", "bad") == 1


async def test_two_exports_to_one_file_do_not_disturb_each_other(service: InProcess, tmp_path: Path) -> None:
    for _ in range(5):
        await service.post()
    path = tmp_path / "a.ndjson"
    other = tmp_path / "a.ndjson.part"
    other.write_text("of another process")
    command = ("export", "--url", url(service), "--output", str(path), "--force")
    assert await asyncio.gather(*(run(*command) for _ in range(3))) == [0, 0, 0]
    assert len(path.read_bytes().splitlines()) == 5
    assert other.read_text() == "of another process"
    assert names(tmp_path, "a*") == ["a.ndjson", "a.ndjson.part"]


async def test_what_a_killed_export_left_is_removed_by_the_next_one_to_the_same_file(
    service: InProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """But not what a running one writes, nor other files."""
    monkeypatch.setattr(read_export, "MAX_ERRORS", 2)
    for _ in range(5):
        await service.post()
    read = service.service.store.export
    begun = asyncio.Event()

    async def stops(query: ExportErrors) -> Any:
        if query.after:
            begun.set()
            await asyncio.Event().wait()
        return await read(query)

    folder = tmp_path / "exports"
    folder.mkdir()
    path = folder / "a.ndjson"
    others = ["a.ndjson.part", "a.ndjson.0123abcg.part", "a.ndjson.0123.part", "b.ndjson.01234567.part"]
    for name in others:
        (folder / name).write_text("another")
    command = ("export", "--url", url(service), "--output", str(path))
    with monkeypatch.context() as patch:
        patch.setattr(service.service.store, "export", stops)
        killed = await asyncio.create_subprocess_exec(sys.executable, "-m", "exporter", *command)
        await asyncio.wait_for(begun.wait(), 15)
    (left,) = set(names(folder, "*")) - set(others)
    assert await run(*command) == 0
    assert names(folder, "*") == sorted([*others, left, path.name]), "it still writes"
    killed.kill()
    await killed.wait()
    assert await run(*command, "--force") == 0
    assert names(folder, "*") == sorted([*others, path.name])
    assert len(path.read_bytes().splitlines()) == 5


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_http_1_0_cannot_say_that_an_export_is_complete(
    service: InProcess, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    fail_after(0, service, monkeypatch)  # nothing is read
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    writer.write(f"{method} /api/export HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b" 505 " in answer.splitlines()[0]
    assert (b"expected HTTP/1.1" in answer) is (method == "GET")


async def test_exports_at_one_time_are_bounded(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """And each makes room when it ends, also when it fails."""
    await service.post()
    read = service.service.store.export
    begun = 0
    go_on = asyncio.Event()

    async def waits(query: ExportErrors) -> Any:
        nonlocal begun
        begun += 1
        await go_on.wait()
        return await read(query)

    monkeypatch.setattr(service.service.store, "export", waits)
    exports = [asyncio.create_task(ids(service)) for _ in range(handler.MAX_EXPORTS)]
    await eventually(lambda: begun == handler.MAX_EXPORTS)
    async with service.client.get("/api/export", timeout=aiohttp.ClientTimeout(5)) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert "exports are running" in (await response.json())["message"]
    go_on.set()
    assert await asyncio.gather(*exports) == [[1]] * handler.MAX_EXPORTS
    for _ in range(handler.MAX_EXPORTS + 1):
        fail_after(0, service, monkeypatch)
        await service.get("/api/export", 503)
    monkeypatch.undo()
    assert await ids(service) == [1]


async def stalled(service: InProcess) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Asks for an export, and reads nothing of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port, limit=1024)
    writer.write(b"GET /api/export HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert b" 200 " in await reader.readline()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return reader, writer


async def large(service: InProcess) -> None:
    """Reports more than the buffers of a connection hold."""
    for n in range(30):
        await service.post({"traceback": f"{n % 10}" * 900_000})


async def test_clients_that_take_nothing_are_cut_off(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that others can export. The answer does not look complete to them."""
    monkeypatch.setattr(taken, "STALLED_SECONDS", 0.4)
    await large(service)
    slots = service.client.app[handler.EXPORTS]
    clients = [await stalled(service) for _ in range(handler.MAX_EXPORTS)]
    await eventually(lambda: slots._value == handler.MAX_EXPORTS)  # one that is not cut off yet would be served now
    assert len(await ids(service)) == 30
    for reader, writer in clients:
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        received = b""
        with contextlib.suppress(ConnectionError):
            received = await asyncio.wait_for(reader.read(), 10)
        assert not received.endswith(b"\r\n0\r\n\r\n")
        writer.close()


async def test_a_slow_client_is_not_cut_off(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """But only when it takes nothing any more."""
    monkeypatch.setattr(taken, "STALLED_SECONDS", 0.04)
    await large(service)
    left = 100

    def slowly(_: object) -> int:
        nonlocal left
        left -= 1
        return max(left, 0) // 2

    monkeypatch.setattr(taken, "untaken", slowly)
    clock = itertools.count(1)  # each look is as late as it should be, also on a machine that is busy
    monkeypatch.setattr(taken, "time", SimpleNamespace(monotonic=lambda: next(clock) * 0.01))
    slots = service.client.app[handler.EXPORTS]
    _, writer = await stalled(service)
    assert slots._value == handler.MAX_EXPORTS - 1
    await eventually(lambda: slots._value == handler.MAX_EXPORTS)
    assert left < 0
    writer.close()


async def test_what_a_client_has_not_taken_is_counted() -> None:
    """Also what waits in the kernel."""
    connected: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(lambda *ends: connected.put_nowait(ends), "127.0.0.1", 0)
    reader, client = await asyncio.open_connection(*server.sockets[0].getsockname())
    _, writer = await connected.get()
    client.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(bytes(2**25))
    await eventually(lambda: taken.untaken(writer.transport) > writer.transport.get_write_buffer_size() > 0)
    client.transport.resume_reading()  # type: ignore[attr-defined]
    await reader.readexactly(2**25)
    await eventually(lambda: taken.untaken(writer.transport) == 0)
    writer.close()
    client.close()
    server.close()
    assert taken.untaken(None) == 0
