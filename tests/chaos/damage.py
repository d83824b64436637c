"""A round with damaged files: bytes flipped, a page zeroed or the end cut, in the database, its write-ahead log or the log,
at run time or between two starts. It ends in the right data, or in one sentence and a way on that works; what is lost is
said."""

import asyncio
import contextlib
import json
import random
import re
import urllib.request
from pathlib import Path
from typing import Any

from chaos.rounds import Round, Services, found_in, measured, services
from commands import run
from conftest import Served
from disk_answers import answer

FILES = ("", "", ".wal", ".log", ".log")  # behind the name of the database
PAGE = 4096
SAID = (
    re.compile(r"(\d+) are lost"),
    re.compile(r"(\d+) of the errors before the last moved one could not be read"),
    re.compile(r"errors 1 to (\d+) were only in the damaged database"),
)
UNKNOWN = ("that only the log had are lost", "the errors of the database could not be read", "makes an empty database")
WAY_ON = ("error-visualization repair", "error-visualization check", "restore")


async def damage_round(seed: int, folder: Path) -> Round:
    one, rng = Round("damage", seed), random.Random(seed)
    flags = ("--log-keep-events", str(rng.choice((0, 100, 20_000))))
    with measured(one), services(folder / "errors.duckdb") as running:
        acknowledged = await asyncio.to_thread(fill, running, rng, flags)
        at_run_time = rng.random() < 0.4
        if at_run_time:
            service = running.start(*flags)
            acknowledged |= await asyncio.to_thread(send, service, rng, "run", 100)
            hurt(one, rng, running.db)
            one.where.append("at run time")
            acknowledged |= await asyncio.to_thread(use, one, service, rng)
            await asyncio.to_thread(service.kill if rng.random() < 0.5 else service.stop)
        else:
            hurt(one, rng, running.db)
        found = await start_or_repair(one, running, flags)
        one.compare(acknowledged, [id_ for id_ in found if not id_.startswith("after")])
        one.problems += running.tracebacks()
    return one


def fill(running: Services, rng: random.Random, flags: tuple[str, ...]) -> set[str]:
    """Makes a database of a few MB, closed by a stop or a kill."""
    acknowledged: set[str] = set()
    for part in range(rng.choice((1, 2))):
        service = running.start(*flags)
        acknowledged |= send(service, rng, f"part{part}", rng.choice((50, 400, 1_200)))
        service.get("/api/errors")
        if rng.random() < 0.5:
            service.kill()
        else:
            service.stop()
    return acknowledged


def send(service: Served, rng: random.Random, prefix: str, count: int) -> set[str]:
    """Sends batches of reports; returns the event_ids of those that were acknowledged."""
    acknowledged = set()
    for first in range(0, count, 50):
        reports = [report(rng, f"{prefix}-{number}") for number in range(first, min(count, first + 50))]
        status, _, body = answer(service, "/api/report-errors", reports)
        results = body.get("data", {}).get("results", []) if status == 200 else []
        acknowledged |= {one["data"]["event_id"] for one in results if one["status"] == "success"}
    return acknowledged


def report(rng: random.Random, event_id: str) -> dict[str, Any]:
    return {
        "event_id": event_id, "worker_id": f"w{rng.randrange(20)}", "type": f"T{rng.randrange(9)}",
        "message": f"it failed after {rng.random()} s", "traceback": rng.randbytes(rng.randrange(2_000)).hex(),
    }  # fmt: skip


def hurt(one: Round, rng: random.Random, db: Path) -> None:
    """Damages one of the files that there are."""
    name = rng.choice([name for name in FILES if db.with_name(db.name + name).exists()])
    file = db.with_name(db.name + name)
    content = bytearray(file.read_bytes())
    how = rng.choice(("flip", "flip", "zero", "cut"))
    if not content:
        how = "nothing"
    elif how == "flip":
        for _ in range(rng.choice((1, 8))):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif how == "zero":
        page = rng.randrange(0, len(content), PAGE)
        content[page : page + PAGE] = bytes(len(content[page : page + PAGE]))
    else:
        del content[rng.randrange(len(content)) :]
    with file.open("r+b") as opened:  # in place: the service has it open
        opened.write(content)
        opened.truncate(len(content))
    one.where.append(f"{how} {name or 'database'}")


def use(one: Round, service: Served, rng: random.Random) -> set[str]:
    """Reads and sends for a while; no answer is 500. Returns what was acknowledged."""
    acknowledged: set[str] = set()
    with contextlib.suppress(OSError):  # LMDB may end the process that reads a damaged page
        for number in range(8):
            acknowledged |= send(service, rng, f"use{number}", 10)
            for path in (
                "/api/errors?time_range=1",
                "/api/errors/list?limit=1000",
                "/api/patterns",
                "/-/ready",
                "/api/errors/facets",
            ):
                status, _, body = answer(service, path)
                if status not in (200, 503):
                    one.problems.append(f"{path} was answered {status}: {body}")
            with urllib.request.urlopen(service.url + "/metrics", timeout=10) as response:
                response.read()
    if service.process.poll() is not None:
        one.where.append(f"the service ended with {service.process.poll()}")
    return acknowledged


async def start_or_repair(one: Round, running: Services, flags: tuple[str, ...]) -> list[str]:
    """Returns the errors that a start finds, after `repair` if it is needed."""
    status, said = await asyncio.to_thread(run, "check", "--db-path", running.db)
    if "Traceback" in said or status not in (0, 1) or not said.strip():
        one.problems.append(f"check ended with {status}: {said}")
    whole = status == 0
    service = await asyncio.to_thread(start, one, running, flags)
    if service is not None and whole:
        return await check_use(one, service)
    if service is not None:
        service.stop()
    status, said = await asyncio.to_thread(run, "repair", "--db-path", running.db)
    one.where.append("repaired")
    if "Traceback" in said or status != 0:
        one.problems.append(f"repair ended with {status}: {said}")
    numbers = [int(found) for pattern in SAID for found in pattern.findall(said)]
    one.said_lost = -1 if any(words in said for words in UNKNOWN) else sum(numbers)
    service = await asyncio.to_thread(start, one, running, flags)
    if service is None:
        raise AssertionError(f"the service does not start after repair, which said: {said}")
    return await check_use(one, service)


def start(one: Round, running: Services, flags: tuple[str, ...]) -> Served | None:
    """Starts the service; None if it refuses to, with one sentence that names a way on."""
    try:
        return running.start(*flags)
    except AssertionError as refused:
        said = str(refused)
        lines = [line for line in said.splitlines() if "level=error" in line]
        if len(lines) != 1 or "raceback" in said or not any(words in said for words in WAY_ON):
            one.problems.append(f"the start was refused with: {said}")
        return None


async def check_use(one: Round, service: Served) -> list[str]:
    """The service works: it takes a report and answers every kind of read."""
    status, _, body = await asyncio.to_thread(answer, service, "/api/report-error", report(random.Random(1), "after"))
    if status != 200:
        one.problems.append(f"a report was answered {status}: {json.dumps(body)}")
    found = await found_in(service)
    for path in ("/api/errors?time_range=24", "/api/patterns", "/api/errors/facets", "/api/storage", "/api/history"):
        status, _, body = await asyncio.to_thread(answer, service, path)
        if status != 200:
            one.problems.append(f"{path} was answered {status}: {json.dumps(body)}")
    return found
