"""Files that are deleted, replaced or cut while the service runs: from then on nothing is acknowledged that the next start
would not find, and what the open files still have can be copied."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import Served, eventually, store_processes, stored
from disk_answers import answer, report, send
from here import Here, starting

pytestmark = pytest.mark.dashboard
Start = Callable[..., Served]
StartHere = Callable[..., Here]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[StartHere]:
    yield from starting(tmp_path / "errors.duckdb")


def lose(path: Path, how: str) -> None:
    if how == "delete":
        path.unlink()
    elif how == "replace":
        copy = path.with_name("copy")
        shutil.copy(path, copy)
        copy.replace(path)
    elif how == "cut":
        os.truncate(path, 4096)
    elif how == "empty":
        os.truncate(path, 0)


async def refused(service: Served | Here, words: str) -> None:
    """The service refuses reports from now on, and says why: to senders, to probes, and once in its log."""
    for number in range(3):
        status, headers, body = report(service, f"lost{number}")
        assert (status, int(headers["Retry-After"]) > 0) == (503, True), body
        assert words in body["message"]
        assert str(service.db.parent) not in body["message"]
    status, _, body = answer(service, "/-/ready")
    assert (status, words in json.dumps(body)) == (503, True), body
    await eventually(lambda: [line for line in service.log if words in line and "Reports are refused" in line])
    assert len([line for line in service.log if "Reports are refused" in line]) == 1
    assert not [line for line in service.log if "traceback=" in line]


@pytest.mark.parametrize(
    ("name", "how", "words"),
    [
        (".log", "delete", "the log was deleted or moved"),
        (".log", "replace", "the log was replaced by another file"),
        (".log", "cut", "the log was cut"),
        (".log", "empty", "the log was cut"),
        (".log-lock", "delete", "the lock file of the log was deleted or moved"),
        ("", "delete", "the database was deleted or moved"),
        ("", "replace", "the database was replaced by another file"),
    ],
)
async def test_nothing_is_acknowledged_that_would_not_be_found(
    served: Start, here: StartHere, name: str, how: str, words: str
) -> None:
    service = served() if how in ("cut", "empty") else here()  # a read of what was cut off may end the process
    accepted = send(service, "e", 30)
    service.get("/api/errors")
    lose(Path(f"{service.db}{name}"), how)
    await refused(service, words)
    if how in ("delete", "replace"):
        assert sorted(stored(service)) == sorted(accepted)  # from the files that are still open


async def test_a_folder_that_was_renamed_and_comes_back(served: Start, tmp_path: Path) -> None:
    """Nothing is made under the old name meanwhile, also when the store's process has to be started again."""
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "errors.duckdb").symlink_to(folder / "errors.duckdb")
    service = served()
    accepted = send(service, "e", 30)
    service.get("/api/errors")
    moved = folder.rename(tmp_path / "moved")
    await refused(service, "was deleted or moved")
    for path in (
        "/api/errors",
        "/api/errors/list",
        "/api/patterns",
        "/api/storage",
        "/api/history",
        "/api/errors/facets",
    ):
        status, _, body = answer(service, path)
        assert status in (200, 503), (path, body)
    assert service.metrics()
    store_processes(service)[0].kill()
    await eventually(lambda: any("does not start" in line for line in service.log))
    assert not folder.exists()
    moved.rename(folder)
    await eventually(lambda: report(service, "again")[0] == 200, 20)
    await eventually(lambda: answer(service, "/api/errors")[0] == 200, 30)
    assert sorted(stored(service)) == sorted([*accepted, "again"])
    service.kill()
    assert sorted(stored(served())) == sorted([*accepted, "again"])


async def test_a_link_that_leads_elsewhere_now(here: StartHere, tmp_path: Path) -> None:
    """The next start would open another database."""
    link = tmp_path / "errors.duckdb"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    link.symlink_to(tmp_path / "one/errors.duckdb")
    service = here()
    send(service, "e", 3)
    link.unlink()
    link.symlink_to(tmp_path / "two/errors.duckdb")
    await refused(service, "the database was deleted or moved")


@pytest.mark.parametrize("how", ["delete", "empty"])
async def test_a_lost_write_ahead_log_is_written_to_the_main_file(served: Start, how: str) -> None:
    service = served("--log-keep-events", "0")
    accepted = send(service, "e", 50)
    service.get("/api/errors")
    wal = service.db.with_name(service.db.name + ".wal")
    await eventually(wal.exists)
    await eventually(lambda: service.metrics()['distributed_testing_reader_lag_events{reader="database"}'] == 0)
    await eventually(lambda: not os.system("sleep 1.2"))  # the service has looked at it
    lose(wal, how)
    await eventually(lambda: any("was deleted or cut" in line for line in service.log))
    accepted += send(service, "f", 10)
    service.kill()
    assert sorted(stored(served())) == sorted(accepted)


def open_file(process: psutil.Process, name: str) -> Path:
    """Returns the path of an open file that was deleted, as docs/operation.md describes."""
    folder = Path(f"/proc/{process.pid}/fd")
    (found, *_) = [one for one in folder.iterdir() if str(one.readlink()).endswith(f"{name} (deleted)")]
    return found


async def test_deleted_files_can_be_copied_from_the_open_ones(served: Start, tmp_path: Path) -> None:
    """The way on that docs/operation.md describes, after `rm errors.duckdb*`."""
    service = served()
    accepted = send(service, "e", 200)
    service.get("/api/errors")
    accepted += send(service, "f", 20)
    for file in service.db.parent.glob("errors.duckdb*"):
        file.unlink()
    await refused(service, "was deleted or moved")
    saved = tmp_path / "saved"
    saved.mkdir()
    http, (store,) = psutil.Process(service.process.pid), store_processes(service)
    shutil.copy(open_file(http, "errors.duckdb.log"), saved / "errors.duckdb.log")
    for name in ("errors.duckdb", "errors.duckdb.wal"):
        try:
            shutil.copy(open_file(store, name), saved / name)
        except ValueError:
            assert name.endswith(".wal")  # gone since the last checkpoint
    service.stop()
    for file in saved.iterdir():
        shutil.move(file, tmp_path / file.name)
    assert sorted(stored(served())) == sorted(accepted)


async def test_a_report_that_was_written_to_a_deleted_file_is_not_acknowledged(tmp_path: Path) -> None:
    """The file is deleted between the look before the write and its end."""
    from exporter.log import LogError
    from exporter.log.embedded import EmbeddedLog

    log = EmbeddedLog(tmp_path / "a.log")
    log.initialise("a" * 32, 0)
    real = log.watched.lost
    looks: list[Any] = []

    def lost() -> Any:
        looks.append(1)
        if len(looks) == 2:
            log.path.unlink()
        return real()

    log.watched.lost = lost  # type: ignore[method-assign]
    with pytest.raises(LogError, match="during a write"):
        log.append(b"x", 1)
    with pytest.raises(LogError, match="has to be started again"):
        log.append(b"x", 1)
    log.close()
