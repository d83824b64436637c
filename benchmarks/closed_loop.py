"""Closed-loop load by wrk: each connection sends its next request when it has the answer, so it measures the highest
rate.

It needs wrk (Debian's package), which `make .venv/real-parts` installs. `BARE` is a server to compare with: an aiohttp
handler that parses the same bodies and stores nothing.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import psutil
from serving import ROOT, unlimited

TIMEOUT: Final = 30.0  # seconds for wrk beyond its duration
BARE: Final = """
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
LUA: Final = """
local bodies = {}
for line in io.lines("%s") do bodies[#bodies + 1] = line end
local n = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function() n = n %% #bodies + 1; return wrk.format(nil, nil, nil, bodies[n]) end
"""


class Round(NamedTuple):
    rate: float  # reports a second
    p50: float  # ms
    p99: float  # ms
    memory: float  # MiB, the peak of all processes together
    failed: int
    cpu: float  # microseconds of CPU time a report, of the server's first process


class Side:
    """A server process. `url` is where it takes single reports."""

    def __init__(self, *command: str, folder: Path = ROOT) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, text=True, cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder)},
        )  # fmt: skip
        assert self.process.stdout
        self.url = next(line for line in self.process.stdout if line.startswith("reports")).split()[1]
        self.peak = 0.0

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(15)

    def cpu(self) -> float:
        """Returns the seconds of CPU time of the first process, which takes the requests."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def memory(self) -> float:
        own = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in (own, *own.children(recursive=True))) / 2**20


def bare(decoder: str = "msgspec") -> Side:
    return Side("-c", BARE, decoder)


def service(path: Path, folder: Path = ROOT) -> Side:
    """Starts the service of the checkout `folder`, with the database `path`."""
    options = ("--port", "0", "--log-level", "error", "--db-path", str(path), *unlimited(folder))
    return Side("-m", "exporter", "serve", *options, folder=folder)


def script(folder: Path, name: str, bodies: Sequence[bytes]) -> Path:
    """Writes a script for wrk that sends these bodies in turn."""
    lines, file = folder / f"{name}.bodies", folder / f"{name}.lua"
    lines.write_bytes(b"\n".join(bodies) + b"\n")
    file.write_text(LUA % lines)
    return file


def wrk(side: Side, file: Path, seconds: int, connections: int, *, batch: int = 1) -> Round:
    """Measures a server with the script `file`, whose requests have `batch` reports each. The rate is in reports a
    second. Raises `FileNotFoundError` if wrk is not installed, `RuntimeError` if no request was answered."""
    if not shutil.which("wrk"):
        raise FileNotFoundError("wrk is not installed (Debian: wrk; `make .venv/real-parts` installs it as root)")
    url = side.url + ("s" if batch > 1 else "")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(file), url]
    before = side.cpu()
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    limit = time.monotonic() + seconds + TIMEOUT
    while running.poll() is None:
        if time.monotonic() > limit:
            running.kill()
        side.peak = max(side.peak, side.memory())
        time.sleep(0.25)
    said = running.communicate()[0]

    def milliseconds(percent: str) -> float:
        number, unit = re.findall(rf"{percent}%\s+([\d.]+)(us|ms|s)", said)[0]
        return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]

    failed = re.findall(r"Non-2xx or 3xx responses: (\d+)", said)
    rate = batch * float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    reports = batch * int(re.findall(r"(\d+) requests in", said)[0])
    if not reports:
        raise RuntimeError(f"no request was answered in {seconds} s:\n{said}")
    cpu = 1e6 * (side.cpu() - before) / reports
    return Round(rate, milliseconds("50"), milliseconds("99"), side.peak, int(failed[0]) if failed else 0, cpu)
