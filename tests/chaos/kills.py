"""A round of kills: the HTTP process, the store's process or both, at random moments under load. Meanwhile retention
deletes old errors, backups are made, a WebSocket client follows, and a real Prometheus scrapes."""

import asyncio
import contextlib
import datetime as dt
import random
from collections import Counter
from pathlib import Path

import duckdb
from chaos.rounds import Round, measured, services
from commands import command
from conftest import ROOT, eventually
from crash import Site, listed, site
from events import event
from projected import Projected
from senders import Load

from exporter.local import manifest
from exporter.store import offline

KILLS = 10  # of a round
LATEST = 0.4  # seconds of full load before a kill
DAYS, OLD = 20, 5  # for each kill: days with so many old errors, which retention deletes, a day in a step
REPEATS = 0.1


async def kill_round(seed: int, folder: Path, kills: int = KILLS) -> Round:
    one = Round("kills", seed)
    with measured(one), services(folder / "errors.duckdb") as running:
        fill(running.db, kills * DAYS)
        (folder / "backups").mkdir()
        async with site(running.start, folder, seed, "--retention", "1h", before=kills * DAYS * OLD) as watched:
            await strike(one, watched, folder / "backups", kills)
        watched.service.stop()
        one.problems += offline.check(running.db)
        one.problems += running.tracebacks()
    return one


def fill(db: Path, days: int) -> None:
    """Makes the database of a service that stood still for three days."""
    now = dt.datetime.now(dt.UTC)
    store = Projected(db)
    for day in range(days):
        then = now - dt.timedelta(days=3 + days - day)
        store.append(
            [
                event(
                    timestamp=then, received_at=then, worker_id="old", event_id=f"old-{day}-{number}", severity="info"
                )
                for number in range(OLD)
            ]
        )
    store.catch_up()
    store.database.db.execute("UPDATE log_position SET identity = $1", [store.log.identity])
    store.close()


async def strike(one: Round, watched: Site, backups: Path, kills: int) -> None:
    struck: Counter[str] = Counter()
    whole: list[Path] = []
    making = asyncio.create_task(back_up(one, watched, backups, whole))
    faults = {"http": watched.kill_http, "store": watched.kill_store, "both": watched.kill_both}
    async with Load(watched.service.url, watched.ledger, watched.rng, REPEATS) as load:
        for _ in range(kills):
            name = watched.rng.choice(sorted(faults))
            struck[name] += 1
            load.pause = 0.0
            await asyncio.sleep(watched.rng.uniform(0, LATEST))
            load.pause = 0.1
            await faults[name]()
            acknowledged = len(watched.ledger.acknowledged)
            await eventually(lambda before=acknowledged: len(watched.ledger.acknowledged) > before, 30)
    making.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await making
    one.where = [f"{count} × {name}" for name, count in sorted(struck.items())] + [f"{len(whole)} backups"]
    one.problems += await watched.problems()
    errors = await asyncio.to_thread(listed, watched.service)
    one.compare(set(watched.ledger.acknowledged), [error["event_id"] for error in errors])
    one.problems += [problem for backup in whole[-1:] if (problem := incomplete(backup, watched.before))]


async def back_up(one: Round, watched: Site, folder: Path, whole: list[Path]) -> None:
    """Makes one backup after the other, until it is cancelled."""
    number = 0
    while True:
        number += 1
        target = folder / str(number)
        process = await asyncio.create_subprocess_exec(
            *command("backup", target, "--db-path", watched.service.db), cwd=ROOT,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if target.exists() is not (process.returncode == 0) or b"Traceback" in said:
            one.problems.append(f"a backup ended with {process.returncode}: {said.decode()}")
        if target.exists():
            whole.append(target)
        await asyncio.sleep(random.uniform(0.1, 0.5))


def incomplete(backup: Path, before: int) -> str:
    """Returns what a backup lacks, "" if it has every error up to its position."""
    position = manifest.read(backup).position
    with duckdb.connect(str(backup / "errors.duckdb"), read_only=True) as db:
        ((count,),) = db.execute("SELECT count(*) FROM errors WHERE id > ?", [before]).fetchall()
    return "" if count == position - before else f"the backup {backup} has {count} errors, its position is {position}"
