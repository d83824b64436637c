"""Observers of the service in the crash tests: a resuming WebSocket client, a stub Alertmanager, a real Prometheus."""

import asyncio
import contextlib
import json
import urllib.parse
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from conftest import free_port
from stack import PROMETHEUS, Program, get, wait

RECONNECT_SECONDS = 0.02
SCRAPE_INTERVAL = "250ms"


class Follower:
    """A WebSocket client that reconnects and resumes after the last seq that it received. `faults` has a line for each
    missed, repeated or misordered error."""

    def __init__(self, url: str, seq: int = 0) -> None:
        self.seq = seq
        self.received: dict[int, str] = {}  # event_id by seq
        self.connections = 0
        self.faults: list[str] = []
        self._url = f"{url}/ws/error-visualization"
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with session.ws_connect(self._url) as socket:
                        await self._follow(socket)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.connections += 1
        batch = self.connections % 2 == 0
        await socket.send_json(
            {"type": "error_visualization_init", "time_range": 24, "since": self.seq, "batch": batch}
        )
        async for message in socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                return
            update = message.json()
            if update["type"] == "error_visualization_update":
                data = update["data"]
                self._note(data["errors"] if batch else [data["error"]], update["seq"])
            elif update.get("resync") is not False:
                self.faults.append(f"since {self.seq} was answered {update}")
                self.seq = update.get("seq", self.seq)

    def _note(self, errors: list[dict[str, Any]], last: int) -> None:
        for seq, error in enumerate(errors, last - len(errors) + 1):
            if seq != self.seq + 1:
                self.faults.append(f"seq {seq} came after {self.seq}")
            if error["id"] != seq:
                self.faults.append(f"seq {seq} is the error with the id {error['id']}")
            self.seq = seq
            self.received[seq] = error["event_id"]


class AlertmanagerStub:
    """Accepts alerts as Alertmanager's API v2 does. `alerts` has, by type, the numbers of errors and workers that were
    told last."""

    def __init__(self) -> None:
        self.alerts: dict[str, tuple[int, int]] = {}
        self.url = ""
        app = web.Application()
        app.add_routes([web.post("/api/v2/alerts", self._take)])
        self._runner = web.AppRunner(app)

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        for alert in await request.json():
            said = alert["annotations"]
            self.alerts[alert["labels"]["type"]] = (int(said["count"]), int(said["workers"]))
        return web.json_response({})


class Prometheus:
    """A real Prometheus that scrapes one service every 250 ms."""

    def __init__(self, folder: Path, target: str) -> None:
        assert PROMETHEUS
        config = folder / "prometheus.yml"
        job = {"job_name": "service", "static_configs": [{"targets": [target]}]}
        scraping = {"scrape_interval": SCRAPE_INTERVAL, "scrape_timeout": SCRAPE_INTERVAL}
        config.write_text(json.dumps({"global": scraping, "scrape_configs": [job]}))  # JSON is YAML
        port = free_port()
        self._program = Program(
            [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={folder}/prometheus",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
            folder / "prometheus.log",
        )  # fmt: skip
        self._url = f"http://127.0.0.1:{port}/api/v1"
        wait(lambda: get(f"{self._url}/status/runtimeinfo"))

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Runs an instant query. Returns the labels and the value of each series in the result."""
        answer = get(f"{self._url}/query?{urllib.parse.urlencode({'query': query})}")
        return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]

    def stop(self) -> None:
        self._program.stop()
