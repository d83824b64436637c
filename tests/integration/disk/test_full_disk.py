"""A disk that is full and has room again, under a real service: nothing that was acknowledged is lost, reads are answered,
and the service goes on by itself."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import run
from conftest import Served, eventually, stored
from disk_answers import answer, report, send
from events import event
from projected import Projected
from small_disk import SmallDisk, needs_small_disk, small_disk

from exporter.config import Settings
from exporter.log.embedded import EmbeddedLog
from exporter.service import Service
from exporter.store import database as database_module

pytestmark = [pytest.mark.dashboard, needs_small_disk]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as one:
        yield one


@pytest.fixture
def start(disk: SmallDisk) -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def start(*flags: str) -> Served:
        running.append(Served(disk.path / "errors.duckdb", *flags))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.stop()
        print("log:", *one.log, sep="\n")


def refuses(service: Served) -> bool:
    """Returns whether a large report is refused because the disk is full."""
    status, headers, body = report(service, "refused", 100_000)
    if status == 200:
        return False
    assert (status, int(headers["Retry-After"]) > 0) == (503, True)
    assert "the disk is full" in body["message"]
    assert str(service.db.parent) not in body["message"]
    status, _, body = answer(service, "/-/ready")
    assert status == 503
    assert "the disk is full" in json.dumps(body)
    return True


async def accepts(service: Served, event_id: str) -> None:
    await eventually(lambda: report(service, event_id)[0] == 200, 10)


async def test_a_full_disk_refuses_reports_and_is_well_again_by_itself(start: Any, disk: SmallDisk) -> None:
    service = start()
    accepted = send(service, "before", 50)
    for round_ in range(3):
        disk.fill()
        accepted += send(service, f"full{round_}-", 500, 20_000)
        assert refuses(service)
        assert answer(service, "/api/errors?time_range=1")[0] == 200
        assert answer(service, "/api/errors/list?limit=10")[0] == 200
        assert service.metrics()["distributed_testing_database_up"] == 0
        disk.empty()
        await accepts(service, f"after{round_}")
        accepted.append(f"after{round_}")
        await eventually(lambda: answer(service, "/-/ready")[2].get("data", {}).get("behind") == [], 10)
        assert sorted(stored(service)) == sorted(accepted)
    assert not [line for line in service.log if "traceback" in line.lower()]
    assert service.stop() == 0
    service = start()
    assert sorted(stored(service)) == sorted(accepted)


@pytest.mark.parametrize("clean", [True, False])
async def test_it_starts_on_a_full_disk_and_serves_reads(start: Any, disk: SmallDisk, clean: bool) -> None:
    """After a kill, the log has errors that the database could not take."""
    service = start()
    accepted = send(service, "before", 50)
    service.get("/api/errors")
    disk.fill(leave=200_000)
    accepted += send(service, "late", 500, 5_000)
    disk.fill()
    total = service.metrics()
    if clean:
        service.stop()
    else:
        service.kill()
    disk.fill()
    service = start()
    found = stored(service)
    assert set(found) <= set(accepted)
    assert set(accepted[:50]) <= set(found)
    assert refuses(service)
    assert answer(service, "/api/errors?time_range=1")[0] == 200
    errors = 'distributed_testing_errors_by_severity_total{severity="critical"}'
    assert service.metrics()[errors] == total[errors] == len(accepted)  # no counter goes down
    disk.empty()
    await accepts(service, "after")
    status, _, _ = report(service, accepted[-1])  # a repeat is still known
    assert status == 200
    accepted.append("after")
    await eventually(lambda: len(stored(service)) == len(accepted), 10)
    assert sorted(stored(service)) == sorted(accepted)
    assert service.metrics()[errors] == len(accepted)
    await eventually(lambda: answer(service, "/-/ready")[2].get("data") == {"ready": True, "behind": []}, 10)


async def test_the_first_scrape_after_a_start_on_a_full_disk_has_every_error(start: Any, disk: SmallDisk) -> None:
    """The metrics have read the log before anybody can scrape them."""
    killed = start()
    accepted = send(killed, "before", 5)
    killed.get("/api/errors")
    disk.fill(leave=100_000)
    accepted += send(killed, "late", 500, 5_000)
    killed.kill()
    disk.fill()
    service = Service(Settings(db_path=str(killed.db), min_free_bytes=0))
    await service.start()
    try:
        assert service.log.refused() == "the disk is full"
        assert service.errors.position == service.log.last >= len(accepted)
    finally:
        await service.stop()


def test_commands_on_a_full_disk_leave_everything_as_it_was(start: Any, disk: SmallDisk, tmp_path: Path) -> None:
    service = start()
    accepted = send(service, "before", 300, 3_000)
    service.stop()
    db = service.db
    backup = tmp_path / "backup"
    assert run("backup", backup, "--db-path", db)[0] == 0
    disk.fill()
    files = (db, db.with_name(db.name + ".log"))
    before = [file.read_bytes() for file in files]
    for arguments in (
        ("backup", disk.path / "backup", "--db-path", db),
        ("compact", "--db-path", db),
        ("restore", backup, "--force", "--db-path", db),
    ):
        status, said = run(*arguments)
        assert status == 1
        assert "Traceback" not in said
        assert "full" in said or "No space left" in said
    assert run("check", "--db-path", db)[0] == 0
    assert [file.read_bytes() for file in files] == before
    assert {file.name for file in disk.path.iterdir()} == {
        "ballast",
        db.name,
        f"{db.name}.presence",
        *(f"{db.name}.log{end}" for end in ("", "-lock")),
    }
    disk.empty()
    assert sorted(stored(start())) == sorted(accepted)


def test_a_checkpoint_without_room_breaks_the_instance_but_not_the_database(
    disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB commits, then finds no room for the checkpoint, and invalidates itself."""
    monkeypatch.setattr(database_module, "CHECKPOINT_SECONDS", 0.0)
    log = EmbeddedLog(tmp_path / "errors.duckdb.log")
    store = Projected(disk.path / "errors.duckdb", log)
    generations = {store.database._generation}

    def insert(size: int) -> None:
        store.append([event(message=os.urandom(size).hex())])
        store.catch_up()
        generations.add(store.database._generation)

    def threshold() -> str:
        return store.database.db.execute("SELECT current_setting('checkpoint_threshold')").fetchall()[0][0]

    insert(100)
    normal = threshold()
    store.database.db.execute("SET checkpoint_threshold = '20KB'")
    disk.fill(leave=150_000)
    insert(20_000)
    assert len(generations) == 2, "it was opened again"
    assert (store.database.position, store.count()) == (2, 2)
    disk.empty()
    disk.fill(leave=60_000)  # for a commit
    insert(1_000)
    assert len(generations) == 2, "the next commit does not try another checkpoint"
    store.database.resume_checkpoints()
    assert threshold() != normal, "there is no room yet"
    disk.empty()
    store.database.resume_checkpoints()
    assert threshold() == normal
    insert(100)
    assert store.count() == 4
    store.close()
