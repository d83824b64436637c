"""`backup` and `restore`, through the command line."""

import asyncio
import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from commands import errors, ok
from conftest import Served, eventually, stored
from events import event
from exact import assert_stored
from here import Here, ok_here, run_here, starting
from projected import Projected
from senders import Ledger, Load
from upgrade import old_database

from exporter.local import backup as module
from exporter.local import manifest
from exporter.local.backup import backup
from exporter.local.copying import copy
from exporter.local.hold import HoldListener, socket_path
from exporter.local.progress import Progress
from exporter.log import LogError
from exporter.store import StoreError, offline
from exporter.store.sql import named

pytestmark = pytest.mark.dashboard
Start = Callable[..., Served]
StartHere = Callable[..., Here]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[StartHere]:
    yield from starting(tmp_path / "errors.duckdb")


@pytest.fixture
def elsewhere(here: StartHere, tmp_path: Path) -> Callable[[Path], Here]:
    """Returns a function that restores a backup under another name and starts a service on it."""

    def start(folder: Path) -> Here:
        database = tmp_path / "elsewhere" / f"{folder.name}.duckdb"
        ok("restore", folder, "--db-path", database)
        return here(db=database)

    return start


def described(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return content


def folders(parent: Path) -> list[str]:
    return sorted(path.name for path in parent.iterdir() if path.is_dir())


async def test_a_backup_under_load_has_exactly_the_errors_up_to_its_position(
    served: Start, elsewhere: Callable[[Path], Here], tmp_path: Path
) -> None:
    rng = random.Random(5)
    service = await asyncio.to_thread(served)
    ledger = Ledger(rng)
    folders = [tmp_path / "first", tmp_path / "second"]
    async with Load(service.url, ledger, rng) as load:
        load.pause = 0.005
        for folder in folders:
            before = len(ledger.acknowledged)
            await eventually(lambda before=before: len(ledger.acknowledged) > before + 150)
            sent = max(answer["id"] for answer in ledger.acknowledged.values())
            said = await asyncio.to_thread(ok, "backup", folder, "--parquet", "--db-path", service.db)
            position = described(folder)["position"]
            assert f"{folder} has {position} errors, up to log position {position}\n" in said
            assert sent <= position < max(answer["id"] for answer in ledger.acknowledged.values())
    assert not load.problems()
    copies = [await asyncio.to_thread(elsewhere, folder) for folder in folders]
    for folder, restored in zip(folders, copies, strict=True):
        position = described(folder)["position"]
        expected = [id_ for id_, answer in ledger.acknowledged.items() if answer["id"] <= position]
        found = await asyncio.to_thread(stored, restored)
        assert sorted(found) == sorted(expected)
        assert (await asyncio.to_thread(restored.post, {}))["id"] == position + 1
        restored.stop()
    service.stop()
    for folder, restored in zip(folders, copies, strict=True):
        position = described(folder)["position"]
        original = errors(service.db, position)
        assert errors(restored.db, position) == original
        assert offline.check(restored.db) == []
        rows, names, reports = original
        sent_reports = [ledger.sent[row[1]] for row in names]
        assert [json.loads(reports[row[0]]) for row in rows] == sent_reports
        assert parquet(folder) == [
            (*row[:9], json.loads(row[9]), *row[10:12], json.loads(row[12]), *row[13:], reports[row[0]])
            for row in names
        ]


def parquet(folder: Path) -> list[Any]:
    """Returns the rows of the Parquet file with the columns of `named_errors` and the report."""
    return duckdb.sql(
        f"SELECT * EXCLUDE (pattern_id, cpu_percent, memory_percent, disk_percent, gpu_celsius, conditions) "
        f"FROM '{folder}/errors.parquet'"
    ).fetchall()


def test_parquet_has_the_measurements_the_conditions_and_the_pattern_id(here: StartHere, tmp_path: Path) -> None:
    service = here()
    metrics = {"cpu": {"percent": 93.5}, "memory": {"used_percent": 50.0}, "disk": {"used_percent": 20.0}}
    status = {"overheating": True, "memory_pressure": False, "throttling": True}
    sent = {
        "hardware_context": {"hardware_type": "cuda", "hardware_status": status},
        "system_context": {"metrics": metrics},
    }
    for number in range(70):
        one = service.post({"event_id": f"e{number}"} | (sent if number == 66 else {}))
    ok_here("backup", tmp_path / "b", "--parquet", "--db-path", service.db)
    found = duckdb.sql(
        "SELECT id, pattern_id, cpu_percent, memory_percent, disk_percent, conditions, hardware_type "
        f"FROM '{tmp_path}/b/errors.parquet'"
    ).fetchall()
    assert [row[0] for row in found] == list(range(1, 71))
    assert found[66] == (67, one["pattern_id"], 93.5, 50.0, 20.0, ["overheating", "throttling"], "cuda")
    assert found[65][2:] == (None, None, None, [], None)


async def test_a_copy_during_which_the_file_was_written_is_made_again(
    serve: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await serve(process=True)
    store = service.service.store
    loop = asyncio.get_running_loop()
    listener = HoldListener(service.service.path, store)
    await listener.start()
    await service.post()
    copies: list[Path] = []

    async def checkpoint() -> None:
        await service.post()
        await store.hold()

    def copy_slowly(source: Path, target: Path, step: Any) -> None:
        copy(source, target, step)
        copies.append(target)
        if len(copies) < 3:
            asyncio.run_coroutine_threadsafe(checkpoint(), loop).result(20)

    monkeypatch.setattr(module, "copy", copy_slowly)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    made = await asyncio.to_thread(backup, service.service.path, tmp_path / "b", Progress())
    assert (made.errors, made.position, len(copies)) == (3, 3, 3)
    copies.clear()
    monkeypatch.setattr(module, "TRIES", 1)
    with pytest.raises(StoreError, match="was written to during each of 1 attempts"):
        await asyncio.to_thread(backup, service.service.path, tmp_path / "c", Progress())
    assert folders(tmp_path) == ["b"]
    await listener.stop()


def test_a_service_can_start_while_its_files_are_copied(
    served: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = served()
    service.post({"event_id": "a"})
    service.get("/api/errors")
    service.kill()
    started: list[Served] = []

    def start_too(source: Path, target: Path, step: Any) -> None:
        if not started:
            started.append(served())
            started[0].post({"event_id": "b"})
        copy(source, target, step)

    monkeypatch.setattr(module, "copy", start_too)
    made = backup(service.db, tmp_path / "b", Progress())
    assert (len(started), made.position) == (1, 2)
    assert stored(started[0]) == ["b", "a"]


def test_a_service_that_does_not_listen_is_waited_for_and_then_left_alone(
    here: StartHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = here()
    socket_path(service.db).unlink()
    monkeypatch.setattr(module, "START_SECONDS", 0.1)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)
    with pytest.raises(StoreError, match=r"another service is running on this database .* but it does not listen on"):
        backup(service.db, tmp_path / "b", Progress())
    assert not (tmp_path / "b").exists()


def test_a_stopped_service_is_copied_with_what_only_its_log_has(tmp_path: Path) -> None:
    db = tmp_path / "errors.duckdb"
    store = Projected(db)
    sent = store.append([event(number) for number in range(1, 40)])
    store.database.transact(
        lambda: store.database.db.execute(named("write.sql")["bind"], {"identity": store.log.identity})
    )
    store.catch_up(20)
    sent += store.append([event(number) for number in range(40, 140)])
    store.close()
    files = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in (db, db.with_name("errors.duckdb.wal"))}
    said = ok_here("backup", tmp_path / "b", "--db-path", db)
    assert f"{tmp_path}/b has 139 errors, up to log position 139\n" in said
    assert files == {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}, "it only reads them"
    ok_here("restore", tmp_path / "b", "--db-path", tmp_path / "r.duckdb")
    store = Projected(tmp_path / "r.duckdb")
    store.log.initialise("x", 139)
    assert_stored(store, sent)
    store.close()


def test_a_database_of_an_earlier_schema_is_copied_as_it_is(tmp_path: Path) -> None:
    """So that a backup which is made before an upgrade can be used by the earlier release."""
    db = tmp_path / "errors.duckdb"
    old_database(db, 6, [event(number) for number in range(1, 11)])
    ok_here("backup", tmp_path / "b", "--db-path", db)
    assert (described(tmp_path / "b")["schema_version"], described(tmp_path / "b")["errors"]) == (6, 10)


def test_a_stopped_service_without_its_log_is_refused(here: StartHere, tmp_path: Path) -> None:
    service = here()
    service.post({})
    service.get("/api/errors")
    service.kill()
    (tmp_path / "errors.duckdb.log").unlink()
    status, said = run_here("backup", tmp_path / "b", "--db-path", service.db)
    assert (status, "log beside the database is missing or empty" in said) == (1, True), said
    assert not (tmp_path / "b").exists()


def test_a_damaged_database_gives_no_backup(here: StartHere, tmp_path: Path) -> None:
    service = here()
    for number in range(200):
        service.post({"event_id": f"e{number}", "message": f"needle {number}"})
    service.stop()
    content = service.db.read_bytes()
    place = content.index(b"needle")
    service.db.write_bytes(content[:place] + b"noodle" + content[place + 6 :])
    status, said = run_here("backup", tmp_path / "b", "--db-path", service.db)
    assert status == 1
    assert "checksum" in said.lower()
    assert folders(tmp_path) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: (folder.mkdir(), (folder / "x").touch()), "is not empty: give a new folder for each backup"),
        (lambda folder: folder.touch(), "is no folder"),
        (lambda folder: folder.parent.rmdir(), "does not exist"),
    ],
)
def test_a_folder_that_cannot_be_a_backup_is_refused(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    db = tmp_path / "errors.duckdb"
    Projected(db).close()
    folder = tmp_path / "backups" / "b"
    folder.parent.mkdir()
    make(folder)
    status, said = run_here("backup", folder, "--db-path", db)
    assert (status, words in said) == (1, True), said


def test_an_empty_folder_becomes_a_backup_and_what_a_killed_command_left_is_removed(
    here: StartHere, tmp_path: Path
) -> None:
    service = here()
    service.post({})
    left = tmp_path / "old.unfinished-backup"
    left.mkdir()
    (left / "errors.duckdb").write_bytes(b"x")
    (tmp_path / "b").mkdir()
    ok_here("backup", tmp_path / "b", "--db-path", service.db)
    assert not left.exists()
    assert sorted(file.name for file in (tmp_path / "b").iterdir()) == ["errors.duckdb", "manifest.json"]
    modes = {oct(file.stat().st_mode & 0o777) for file in (tmp_path / "b").iterdir()}
    assert (modes, oct((tmp_path / "b").stat().st_mode & 0o777)) == ({"0o600"}, "0o700")


@pytest.fixture
def made(here: StartHere, tmp_path: Path) -> Path:
    """A backup of two errors; the service is stopped."""
    service = here()
    service.post({"event_id": "a"})
    service.post({"event_id": "b"})
    ok_here("backup", tmp_path / "made", "--db-path", service.db)
    service.stop()
    return tmp_path / "made"


def test_a_broken_backup_is_refused(made: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "errors.duckdb"
    content = (made / "errors.duckdb").read_bytes()
    text = (made / "manifest.json").read_text()
    broken: list[tuple[str, bytes | str, str]] = [
        ("errors.duckdb", content[:20_000] + b"\xff" + content[20_001:], "is damaged: its SHA-256 is"),
        ("errors.duckdb", content[:-1], "is damaged: its SHA-256 is"),
        ("manifest.json", text[:-10], "manifest.json is damaged"),
        ("manifest.json", text.replace('"format": 1', '"format": 2'), "has format 2, this release reads 1"),
        ("manifest.json", text.replace('"schema_version": ', '"schema_version": 9'), "use a newer release"),
        ("manifest.json", text.replace('"errors.duckdb"', '"other.duckdb"'), "has no errors.duckdb"),
    ]
    for name, new, words in broken:
        whole = (made / name).read_bytes()
        (made / name).write_bytes(new if isinstance(new, bytes) else new.encode())
        status, said = run_here("restore", made, "--db-path", target)
        assert (status, words in said) == (1, True), said
        assert not target.exists()
        (made / name).write_bytes(whole)
    (made / "errors.duckdb").rename(made / "x")
    assert run_here("restore", made, "--db-path", target)[0] == 1
    (made / "x").rename(made / "errors.duckdb")
    (made / "manifest.json").unlink()
    status, said = run_here("restore", made, "--db-path", target)
    assert (status, "is no backup: it has no manifest.json" in said) == (1, True), said
    assert not list(target.parent.glob("*restoring"))


def test_files_that_are_there_are_put_aside_only_by_force(made: Path, here: StartHere, tmp_path: Path) -> None:
    service = here()
    assert service.post({"event_id": "c"})["id"] == 3
    service.get("/api/errors")
    service.kill()
    db = service.db
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    status, said = run_here("restore", made, "--db-path", db)
    assert (status, f"{db} exists: use --force to put it aside" in said) == (1, True), said
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before
    said = ok_here("restore", made, "--force", "--db-path", db)
    stays = ("-lock", ".sock", ".presence")  # when the service ran is true of any database
    kept = {name: content for name, content in before.items() if not name.endswith(stays)}
    assert sorted(kept) == ["errors.duckdb", "errors.duckdb.log", "errors.duckdb.wal"]
    for name, content in kept.items():
        (aside,) = tmp_path.glob(f"{name}.aside-*")
        assert (aside.read_bytes(), f"{aside} was put aside\n" in said) == (content, True)
    service = here()
    assert stored(service) == ["b", "a"]
    assert service.post({"event_id": "d"})["id"] == 3


def test_nothing_is_restored_under_a_running_service(made: Path, here: StartHere, tmp_path: Path) -> None:
    service = here()
    for flags in ([], ["--force"]):
        status, said = run_here("restore", made, *flags, "--db-path", service.db)
        assert status == 1
        assert "another service is running" in said or "exists" in said
    status, said = run_here("restore", made, "--force", "--db-path", service.db)
    assert "another service is running" in said
    service.post({"event_id": "c"})
    assert stored(service) == ["c", "b", "a"]


def test_no_service_starts_while_a_restore_has_not_ended(
    made: Path, here: StartHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash between two renames."""
    db = tmp_path / "errors.duckdb"
    rename = Path.rename
    names: list[str] = []

    def crash(self: Path, target: Path) -> Path:
        names.append(self.name)
        if self.name == "errors.duckdb.restoring":
            raise KeyboardInterrupt
        return rename(self, target)

    from exporter.local.restore import restore

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", crash)
        with pytest.raises(KeyboardInterrupt):
            restore(made, db, Progress(), force=True)
    assert names == ["errors.duckdb", "errors.duckdb.restoring"]
    with pytest.raises(LogError, match="cannot be opened as a log"):
        here()
    ok_here("restore", made, "--force", "--db-path", db)
    assert stored(here()) == ["b", "a"]


def test_the_manifest_describes_the_files(made: Path) -> None:
    found = manifest.read(made)
    content = (made / "errors.duckdb").read_bytes()
    assert found.files == {"errors.duckdb": manifest.File(len(content), hashlib.sha256(content).hexdigest())}
    assert (found.position, found.errors, found.format) == (2, 2, 1)
    assert len(found.log_identity) == 32


def test_parquet_is_on_disk_before_the_backup_gets_its_name(
    here: StartHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = here()
    service.post({})
    flush = os.fsync
    flushed: list[str] = []

    def notes(descriptor: int) -> None:
        if not (tmp_path / "b").exists():
            flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", notes)
    backup(service.db, tmp_path / "b", Progress(), parquet=True)
    assert flushed.count("errors.parquet") == 1
