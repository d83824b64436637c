"""Compares the service with a bare aiohttp handler that parses the same bodies and stores nothing.

    python benchmarks/ingest.py [--seconds 4] [--rounds 9] [--connections 64] [--batch 100] [--against FOLDER]

`--batch` is the number of reports per request; rates are always in reports per second. `--against` is a checkout of
another commit, which is measured, too; the ratio of this checkout's rate to its rate is printed.

All servers run on this machine, each in its own process with uvloop. They are measured in turns, with the same bodies
(the errors of the demo) over the same number of connections. The output has medians. wrk (Debian's package) generates
the load if it is installed, else an aiohttp client, which uses more CPU. The bare handler decodes with msgspec, the
fastest decoder; with `--json` it uses the standard library.
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import aiohttp
import psutil

from exporter.demo.fleet import story

HERE = Path(__file__).parent.parent
BODIES = 20_000  # so many that the service's caches do not hold all of them
JSON = {"Content-Type": "application/json"}
BARE = """
import asyncio, json, sys, msgspec, uvloop
from aiohttp import web
decode = json.loads if sys.argv[1] == "json" else msgspec.json.decode
async def report(request):
    decode(await request.read())
    return web.Response(body=b'{"status":"success"}', content_type="application/json")
async def main():
    app = web.Application(client_max_size=1 << 22)
    app.router.add_post("/api/report-error", report)
    app.router.add_post("/api/report-errors", report)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(f"reports http://127.0.0.1:{runner.addresses[0][1]}/api/report-error", flush=True)
    await asyncio.Event().wait()
uvloop.run(main())
"""
LUA = """
local bodies = {}
for line in io.lines("%s") do bodies[#bodies + 1] = line end
local n = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function() n = n %% #bodies + 1; return wrk.format(nil, nil, nil, bodies[n]) end
"""


class Round(NamedTuple):
    rate: float  # requests a second
    p50: float  # ms
    p99: float  # ms
    memory: float  # MiB, the peak of all processes together
    failed: int


class Side:
    """A server process."""

    def __init__(self, *command: str, folder: Path = HERE, batch: int = 1) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, text=True, cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder)},
        )  # fmt: skip
        assert self.process.stdout
        self.url = next(line for line in self.process.stdout if line.startswith("reports")).split()[1]
        self.url += "s" if batch > 1 else ""
        self.peak = 0.0

    def memory(self) -> float:
        own = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in (own, *own.children(recursive=True))) / 2**20

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(15)


def wrk(side: Side, script: Path, seconds: int, connections: int) -> Round:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), side.url]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while running.poll() is None:
        side.peak = max(side.peak, side.memory())
        time.sleep(0.25)
    said = running.communicate()[0]

    def milliseconds(percent: str) -> float:
        number, unit = re.findall(rf"{percent}%\s+([\d.]+)(us|ms|s)", said)[0]
        return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]

    failed = re.findall(r"Non-2xx or 3xx responses: (\d+)", said)
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    return Round(rate, milliseconds("50"), milliseconds("99"), side.peak, int(failed[0]) if failed else 0)


async def aiohttp_load(side: Side, bodies: list[bytes], seconds: int, connections: int) -> Round:
    times: list[float] = []
    failed = 0
    end = time.perf_counter() + seconds
    source = itertools.cycle(bodies)

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal failed
        while time.perf_counter() < end:
            began = time.perf_counter()
            async with session.post(
                side.url, data=next(source), headers={"Content-Type": "application/json"}
            ) as response:
                await response.read()
                failed += response.status >= 300
            times.append(1000 * (time.perf_counter() - began))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        await asyncio.gather(*(client(session) for _ in range(connections)))
    side.peak = max(side.peak, side.memory())
    cuts = statistics.quantiles(times, n=100)
    return Round(len(times) / seconds, cuts[49], cuts[98], side.peak, failed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--least", type=float, default=0.4, help="fail below this median ratio to bare (default: 0.4)")
    parser.add_argument("--batch", type=int, default=1, help="reports in one request (default: 1)")
    parser.add_argument("--against", type=Path, help="a checkout of another commit to compare with this checkout")
    parser.add_argument("--json", action="store_true", help="the bare handler decodes with the standard library")
    given = parser.parse_args()
    bodies = [json.dumps(moment.report).encode() for moment in itertools.islice(story(1), BODIES)]
    if given.batch > 1:
        parts = [bodies[start : start + given.batch] for start in range(0, len(bodies), given.batch)]
        bodies = [b"[" + b",".join(part) + b"]" for part in parts if len(part) == given.batch]
    with tempfile.TemporaryDirectory() as folder:
        lines, script = Path(folder, "bodies"), Path(folder, "post.lua")
        lines.write_bytes(b"\n".join(bodies) + b"\n")
        script.write_text(LUA % lines)
        serve = ("-m", "exporter", "serve", "--port", "0", "--db-path")
        bare = Side("-c", BARE, "json" if given.json else "msgspec", batch=given.batch)
        sides = {"bare": bare, "service": Side(*serve, str(Path(folder, "errors.duckdb")), batch=given.batch)}
        if given.against:
            other = (*serve, str(Path(folder, "against.duckdb")))
            sides["against"] = Side(*other, folder=given.against.resolve(), batch=given.batch)
        found: dict[str, list[Round]] = {name: [] for name in sides}
        try:
            for number in range(given.rounds):
                for name in sorted(sides, reverse=bool(number % 2)):
                    if shutil.which("wrk"):
                        one = wrk(sides[name], script, given.seconds, given.connections)
                    else:
                        one = asyncio.run(aiohttp_load(sides[name], bodies, given.seconds, given.connections))
                    one = one._replace(rate=one.rate * given.batch)
                    found[name].append(one)
                    print(f"{name:8} {one.rate:8.0f}/s  p50 {one.p50:6.2f} ms  p99 {one.p99:6.2f} ms", flush=True)
        finally:
            for side in sides.values():
                side.stop()
    ratio = report(found, given.connections, len(bodies), sum(map(len, bodies)) / len(bodies))
    failed = any(one.failed for rounds in found.values() for one in rounds)
    return 1 if failed or ratio < given.least else 0


def report(found: dict[str, list[Round]], connections: int, bodies: int, size: float) -> float:
    print(f"\nmedians of {len(found['bare'])} rounds, {connections} connections, {bodies} bodies of {size:.0f} bytes, "
          f"{os.cpu_count()} cores, load by {'wrk' if shutil.which('wrk') else 'aiohttp'}")  # fmt: skip
    for name, rounds in found.items():
        rate, p50, p99, memory, _ = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:8} {rate:8.0f}/s  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  peak memory {memory:5.0f} MiB")
    failed = sum(r.failed for rounds in found.values() for r in rounds)
    ratio = ratio_to(found, "bare")
    if "against" in found:
        ratio_to(found, "against")
    print(f"failed requests: {failed}")
    return ratio


def ratio_to(found: dict[str, list[Round]], other: str) -> float:
    """Prints and returns the median, over all rounds, of the service's rate divided by that of the side `other`."""
    ratios = [service.rate / o.rate for service, o in zip(found["service"], found[other], strict=True)]
    print(f"ratio to {other}: {statistics.median(ratios):.2f} (rounds: {', '.join(f'{r:.2f}' for r in ratios)})")
    return statistics.median(ratios)


if __name__ == "__main__":
    sys.exit(main())
