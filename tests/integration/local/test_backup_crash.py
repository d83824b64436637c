"""SIGKILL of the command and of the service while a backup, a restore or a compaction runs."""

import asyncio
import contextlib
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from bounded import bounded
from commands import command, errors, ok
from conftest import ROOT, Served, stored
from senders import Ledger, Load

from exporter.cli import main
from exporter.local import manifest
from exporter.local.unfinished import SUFFIX
from exporter.store.verify import check_sums

pytestmark = pytest.mark.dashboard
ROUNDS = bounded(20, 6)
EARLIEST, LONGEST = 0.2, 1.2  # seconds from the start of a command to its kill; a whole one takes about 0.8


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command(*arguments), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def restore(backup: Path, database: Path) -> None:
    """Restores a backup in this process: nothing is killed meanwhile."""
    assert main(["restore", "--force", str(backup), "--db-path", str(database)]) == 0


async def ended(process: subprocess.Popen[bytes]) -> int:
    return await asyncio.to_thread(process.wait, 30)


async def test_a_kill_at_any_moment_leaves_a_whole_backup_or_none(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    """Each round kills the command, every third the service, while reports are sent."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    rng = random.Random(seed)
    ledger = Ledger(rng)
    backups = tmp_path / "backups"
    backups.mkdir()
    service = await asyncio.to_thread(served)
    port = int(service.url.rpartition(":")[2])
    whole: list[Path] = []
    async with Load(service.url, ledger, rng) as load:
        load.pause = 0.1
        for round_ in range(ROUNDS):
            folder = backups / f"{round_}"
            process = start("backup", folder, "--db-path", service.db)
            await asyncio.sleep(rng.uniform(EARLIEST, LONGEST))
            if round_ % 3 == 2:
                await asyncio.to_thread(service.kill)
                service = await asyncio.to_thread(served, port=port)
                status = await ended(process)
                assert folder.exists() is (status == 0)
            else:
                process.kill()
                await ended(process)
            if folder.exists():
                whole.append(folder)
                manifest.read(folder)
        last = backups / "last"
        await asyncio.to_thread(ok, "backup", last, "--db-path", service.db)
    assert not list(backups.glob(f"*{SUFFIX}")), "the last backup has removed what killed ones left"
    assert len(ledger.acknowledged) == len(ledger.sent)
    assert sorted(await asyncio.to_thread(stored, service)) == sorted(ledger.sent)
    service.stop()
    assert check_sums(service.db) == []
    for folder in [*whole[-1:], last]:  # every whole one would take long
        restored = tmp_path / f"{folder.name}.duckdb"
        restore(folder, restored)
        position = manifest.read(folder).position
        assert errors(restored) == errors(service.db, position)


def killed(rng: random.Random, *arguments: object) -> bool:
    """Starts a command, kills it at a random moment, and returns whether it had ended before."""
    process = start(*arguments)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(rng.uniform(EARLIEST, LONGEST))
    process.kill()
    return process.wait(10) == 0


def test_a_killed_compaction_leaves_the_old_or_the_new_file(served: Callable[..., Served]) -> None:
    rng = random.Random()
    service = served()
    for number in range(100):
        service.post({"event_id": f"e{number}", "message": f"{rng.random()}"})
    service.stop()
    rows = errors(service.db)
    done = [killed(rng, "compact", "--db-path", service.db) for _ in range(bounded(9, 6))]
    print(done)
    assert errors(service.db) == rows
    assert main(["compact", "--db-path", str(service.db)]) == 0
    assert errors(service.db) == rows
    assert not list(service.db.parent.glob("*compacting*"))
    assert len(stored(served())) == 100


def test_a_killed_restore_leaves_the_old_files_or_the_new_database(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    """A service that starts afterwards has the errors of one or the other, or refuses to start."""
    rng = random.Random()
    service = served()
    service.post({"event_id": "old"})
    assert main(["backup", str(tmp_path / "b"), "--db-path", str(service.db)]) == 0
    service.post({"event_id": "new"})
    service.stop()
    files = tmp_path / "files"
    files.mkdir()
    for file in tmp_path.glob("errors.*"):
        shutil.copy(file, files)
    for _ in range(bounded(6)):
        for file in tmp_path.glob("errors.*"):
            file.unlink()
        for file in files.iterdir():
            shutil.copy(file, tmp_path)
        killed(rng, "restore", "--force", tmp_path / "b", "--db-path", service.db)
        try:
            service = served()
        except AssertionError as refused:
            assert "cannot be opened as a log" in str(refused)
        else:
            assert stored(service) in (["old"], ["new", "old"])
            service.stop()
        restore(tmp_path / "b", service.db)
        assert check_sums(service.db) == []
        with duckdb.connect(str(service.db), read_only=True) as db:
            assert db.execute("SELECT event_id FROM errors").fetchall() == [("old",)]
    assert stored(served()) == ["old"]
