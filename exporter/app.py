"""The application: which path leads where, and how it starts and stops."""

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from aiohttp import web

from exporter.config import Settings
from exporter.http import export, pages, patterns, reads, reports, storage
from exporter.http.arriving import ARRIVING, Arriving
from exporter.http.connections import Runner, allow_files
from exporter.http.hosts import KnownHosts
from exporter.http.responses import HOSTS, SERVICE, allow_origin, answer_errors, preflight
from exporter.local.hold import HoldListener
from exporter.service import Service

SWITCH_SECONDS: Final = 0.0005  # GIL switch interval; the default of 5 ms adds up to 5 ms to an append under load
SHUTDOWN_SECONDS: Final = 2.0  # aiohttp waits this long for requests, and once more after cancelling them
DNS_SECONDS: Final = 2.0  # to wait at start for the name of this machine
_log = logging.getLogger(__name__)

API: Final = (
    web.post("/api/report-error", reports.report_error),
    web.post("/api/report-errors", reports.report_errors),
    web.post("/api/reset-counts", reports.reset_counts),
    web.get("/api/errors", reads.errors),
    web.get("/api/errors/list", reads.error_list),
    web.get("/api/errors/facets", reads.facets),
    web.post("/api/errors/delete", storage.delete),
    web.get("/api/errors/deletions", storage.deletions),
    web.get("/api/errors/{id}", reads.error),
    web.post("/api/errors/{id}/pin", storage.pin_error),
    web.post("/api/errors/{id}/unpin", storage.unpin_error),
    web.get("/api/export", export.export),
    web.get("/api/patterns", reads.patterns),
    web.get("/api/patterns/decisions", reads.decisions),
    web.post("/api/patterns/decisions/{number}/undo", patterns.undo),
    web.get("/api/patterns/{id}", reads.pattern),
    web.post("/api/patterns/{id}/merge", patterns.merge),
    web.post("/api/patterns/{id}/split", patterns.split),
    web.post("/api/patterns/{id}/pin", storage.pin_pattern),
    web.post("/api/patterns/{id}/unpin", storage.unpin_pattern),
    web.get("/api/storage", storage.storage),
    web.get("/api/history", storage.history),
    web.get("/api/openapi.json", reads.openapi),
    web.get("/metrics", reads.metrics),
    web.get("/-/healthy", reads.healthy),
    web.get("/-/ready", reads.ready),
)
PAGE: Final = (
    web.get("/", pages.home),
    web.get("/error-visualization", pages.page),
    web.get("/ws/error-visualization", reads.websocket),
    web.get("/sounds/{name}", pages.sound),
    web.get("/static/{name:.+}", pages.static),
)


def make_app(service: Service) -> web.Application:
    """Returns the aiohttp application, which starts and stops `service` when it starts and stops itself."""
    app = web.Application(middlewares=[answer_errors], client_max_size=service.settings.max_body_bytes)
    app[SERVICE] = service
    app[HOSTS] = KnownHosts(service.settings)
    app[ARRIVING] = Arriving(service.settings.body_timeout, lambda size: service.ingest.has_room_for(size))
    app[export.EXPORTS] = asyncio.Semaphore(export.MAX_EXPORTS)
    app[reads.SCRAPES] = asyncio.Semaphore(reads.MAX_SCRAPES)
    app.add_routes(API)
    if service.settings.error_visualization:
        app.add_routes(PAGE)
    app.cleanup_ctx.append(_run)
    if service.settings.allowed_origins:
        app.add_routes(web.options(path, preflight) for path in {route.path for route in API})
        app.on_response_prepare.append(allow_origin)
    app.on_shutdown.append(_close_sockets)
    return app


async def _run(app: web.Application) -> AsyncIterator[None]:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.to_thread(app[HOSTS].learn_own_names), DNS_SECONDS)
    await app[SERVICE].start()
    yield
    await app[SERVICE].stop()


async def _close_sockets(app: web.Application) -> None:
    await app[SERVICE].live.close()


async def serve(settings: Settings) -> bool:
    """Serves until SIGTERM or SIGINT; then accepts no more requests, answers those it accepted, and closes. Returns
    False if a thread hangs, so that only `os._exit` ends the process."""
    allow_files()
    stopped = _stop_signal()  # first of all: whoever sees the port open may stop the service
    service = Service(settings)
    app = make_app(service)
    runner = Runner(
        app, settings, lambda reason: service.metrics.rejected.labels(reason).inc(),
        access_log=None, auto_decompress=False, shutdown_timeout=SHUTDOWN_SECONDS,
    )  # fmt: skip
    gc.set_threshold(20_000, 20, 20)  # objects of state and requests are rarely in reference cycles
    await runner.setup()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    holds = HoldListener(service.path, service.store)
    try:
        await holds.start()
        site = web.TCPSite(runner, settings.host, settings.port, backlog=1024)
        await site.start()
        _greet(settings, runner)
        await stopped.wait()
        _log.info("stopping")
    finally:
        await holds.stop()
        await runner.cleanup()
    return not service.hangs


def _stop_signal() -> asyncio.Event:
    """Returns an event that SIGTERM and SIGINT set from now on."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped


def _greet(settings: Settings, runner: web.AppRunner) -> None:
    port = runner.addresses[0][1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lines = [f"database  {Path(settings.db_path).absolute()}"]
    if settings.error_visualization:
        lines.append(f"page      http://{host}:{port}/error-visualization")
    lines.append(f"reports   http://{host}:{port}/api/report-error")
    lines.append(f"metrics   http://{host}:{port}/metrics")
    print("\n".join(lines), flush=True)
