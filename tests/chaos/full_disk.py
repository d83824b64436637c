"""A round with a small disk that fills up under load, stays full for a moment, and has room again. Some rounds stop or kill
the service while the disk is full, and start it again on the full disk."""

import asyncio
import contextlib
import random
import urllib.error
from pathlib import Path

from chaos.rounds import Round, found_in, measured, services
from conftest import Served, eventually, free_port, store_processes
from disk_answers import answer
from senders import Ledger, Load
from small_disk import SmallDisk, small_disk

FULL_SECONDS = 1.5
RECOVERY_SECONDS = 10.0
WHAT = ("goes on", "goes on", "store killed", "killed, started", "stopped, started")


async def full_disk_round(seed: int, folder: Path) -> Round:
    one, rng = Round("full disk", seed), random.Random(seed)
    with measured(one), small_disk(folder / "disk") as disk, services(disk.path / "errors.duckdb") as running:
        port = free_port()
        ledger = Ledger(rng)
        service = await asyncio.to_thread(running.start, port=port)
        async with Load(service.url, ledger, rng, 0.1) as load:
            load.pause = 0.02
            await asyncio.sleep(rng.uniform(0.2, 1.0))
            what = rng.choice(WHAT)
            left = rng.choice((0, 0, rng.randrange(100_000), rng.randrange(1_000_000)))
            one.where = [what, f"{left} bytes left"]
            disk.fill(left)
            await eventually(lambda: any("the disk is full" in failure for failure in load.failures) or grow(disk), 20)
            if "started" in what:
                await asyncio.to_thread(service.kill if what.startswith("killed") else service.stop)
                disk.fill()
                service = await asyncio.to_thread(running.start, port=port)
            elif what == "store killed":
                for child in store_processes(service):
                    child.kill()
            await eventually(lambda: is_read(service), RECOVERY_SECONDS)
            await asyncio.sleep(rng.uniform(0, FULL_SECONDS))
            await unready(one, service)
            disk.empty()
            before = len(ledger.acknowledged)
            await eventually(lambda: len(ledger.acknowledged) > before, RECOVERY_SECONDS)
            await eventually(lambda: answer(service, "/-/ready")[0] == 200, RECOVERY_SECONDS)
        one.compare(set(ledger.acknowledged), await found_in(service))
        one.problems += ledger.contradictions + running.tracebacks()
        await asyncio.to_thread(service.kill)
        service = await asyncio.to_thread(running.start)
        one.compare(set(ledger.acknowledged), await found_in(service))
    return one


def grow(disk: SmallDisk) -> bool:
    """Fills the rest: what the service wrote may have freed pages."""
    disk.fill()
    return False


async def unready(one: Round, service: Served) -> None:
    with contextlib.suppress(OSError):
        status, _, body = await asyncio.to_thread(answer, service, "/-/ready")
        if status == 200:
            one.problems.append(f"the disk is full, and /-/ready is {body}")


async def is_read(service: Served) -> bool:
    with contextlib.suppress(urllib.error.URLError, OSError):
        return (await asyncio.to_thread(answer, service, "/api/errors?time_range=1"))[0] == 200
    return False
