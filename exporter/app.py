"""The application: which path leads where, and how it starts and stops."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiohttp import hdrs, web

from exporter.access.caller import Scope
from exporter.access.control import Access
from exporter.access.web_config import CHECK_SECONDS, WebConfig
from exporter.config import Settings
from exporter.http import (
    alerts_in,
    configuration,
    export,
    foreign_reports,
    heartbeats,
    junit,
    login,
    otlp,
    pages,
    patterns,
    reads,
    reloading,
    reports,
    runbooks,
    runs,
    sentry,
    service_state,
    states,
    storage,
    summaries,
    workers,
)
from exporter.http.access import SCOPES, SECRETS, SOCKETS, check_access, scopes_of, watch_sockets
from exporter.http.addresses import ACCESS
from exporter.http.arriving import ARRIVING, Arriving
from exporter.http.connections import allow_files
from exporter.http.headers import WEB_CONFIG, secure
from exporter.http.hosts import KnownHosts
from exporter.http.metrics_site import make_metrics_app
from exporter.http.refusals import Refusal, Refusals
from exporter.http.reloading import RELOADER, Reloader, ReloadError
from exporter.http.responses import HOSTS, REFUSALS, SERVICE, Handler, allow_origin, answer_errors, preflight
from exporter.http.runner import Runner, Site
from exporter.http.shortcut import ReportConnection, Shortcut
from exporter.ingest.rate_limits import RateLimits
from exporter.local.hold import HoldListener
from exporter.service import Service

SWITCH_SECONDS: Final = 0.0005  # GIL switch interval; the default of 5 ms adds up to 5 ms to an append under load
SHUTDOWN_SECONDS: Final = 2.0  # aiohttp waits so long for requests, and, but for plain reports, once more
HANGUP_SECONDS: Final = 0.2  # after SIGHUP, until a terminal that was closed is gone
DNS_SECONDS: Final = 2.0  # to wait at start for the name of this machine
_log = logging.getLogger(__name__)

OPEN: Final = Scope(0)  # for everybody, without a look at who it is
REPORT, READ, ADMIN = Scope.REPORT, Scope.READ, Scope.ADMIN


class Route(NamedTuple):
    """A request, its handler, and the scope that its caller needs. `secret_of` returns the token of a request that has
    it in another place than `Authorization`."""

    method: str
    path: str
    handler: Handler
    scope: Scope
    secret_of: Callable[[web.Request], Awaitable[str]] | None = None


def get(path: str, handler: Handler, scope: Scope) -> Route:
    return Route(hdrs.METH_GET, path, handler, scope)


def post(path: str, handler: Handler, scope: Scope) -> Route:
    return Route(hdrs.METH_POST, path, handler, scope)


API: Final = (
    post("/api/report-error", reports.report_error, REPORT),
    post("/api/report-errors", reports.report_errors, REPORT),
    Route(hdrs.METH_POST, "/api/{project}/envelope/", sentry.envelope, REPORT, sentry.key_of),
    Route(hdrs.METH_POST, "/api/{project}/store/", sentry.event, REPORT, sentry.key_of),
    post("/api/alerts", alerts_in.alerts, REPORT),
    post("/api/junit", junit.junit, REPORT),
    post("/v1/logs", otlp.logs, REPORT),
    post("/v1/traces", otlp.traces, REPORT),
    post("/api/reset-counts", reports.reset_counts, ADMIN),
    get("/api/errors", reads.errors, READ),
    get("/api/verdict", reads.verdict, READ),
    get("/api/errors/list", reads.error_list, READ),
    get("/api/errors/facets", reads.facets, READ),
    post("/api/errors/delete", storage.delete, ADMIN),
    get("/api/errors/deletions", storage.deletions, ADMIN),
    get("/api/errors/{id}", reads.error, READ),
    post("/api/errors/{id}/pin", storage.pin_error, ADMIN),
    post("/api/errors/{id}/unpin", storage.unpin_error, ADMIN),
    get("/api/export", export.export, READ),
    get("/api/patterns", reads.patterns, READ),
    get("/api/patterns/decisions", reads.decisions, READ),
    post("/api/patterns/decisions/{number}/undo", patterns.undo, ADMIN),
    get("/api/patterns/{id}", reads.pattern, READ),
    post("/api/patterns/{id}/merge", patterns.merge, ADMIN),
    post("/api/patterns/{id}/split", patterns.split, ADMIN),
    post("/api/patterns/{id}/pin", storage.pin_pattern, ADMIN),
    post("/api/patterns/{id}/unpin", storage.unpin_pattern, ADMIN),
    get("/api/patterns/{id}/state", states.state, READ),
    post("/api/patterns/{id}/claim", states.claim, ADMIN),
    post("/api/patterns/{id}/resolve", states.resolve, ADMIN),
    post("/api/patterns/{id}/mute", states.mute, ADMIN),
    post("/api/patterns/{id}/reopen", states.reopen, ADMIN),
    post("/api/patterns/{id}/note", states.note, ADMIN),
    post("/api/workers/{id}/drain", states.drain, ADMIN),
    post("/api/workers/{id}/undrain", states.undrain, ADMIN),
    get("/api/audit", states.audit, READ),
    post("/api/runs", runs.summary, REPORT),
    get("/api/runs", runs.run_list, READ),
    get("/api/runs/{id}", runs.run, READ),
    get("/api/rankings", runs.rankings, READ),
    get("/api/workers", workers.worker_list, READ),
    get("/api/workers/{id}", workers.worker, READ),
    post("/api/heartbeat", heartbeats.heartbeat, REPORT),
    get("/api/heartbeats", heartbeats.machines, READ),
    get("/api/storage", storage.storage, READ),
    get("/api/history", storage.history, READ),
    get("/api/service", service_state.service_state, READ),
    get("/api/config", configuration.config, ADMIN),
    get("/api/session", login.session, READ),
    get("/api/openapi.json", reads.openapi, READ),
    get("/metrics", reads.metrics, READ),
    post("/-/reload", reloading.reload, ADMIN),
    get("/-/healthy", reads.healthy, OPEN),
    get("/-/ready", reads.ready, OPEN),
)
RUNBOOKS: Final = (  # without a login: they have no data, and whoever is called needs them at once
    get("/runbooks/", runbooks.index, OPEN),
    get("/runbooks/{name}", runbooks.runbook, OPEN),
)
PAGE: Final = (
    get("/", pages.home, OPEN),
    get("/error-visualization", pages.page, READ),
    get("/ws/error-visualization", reads.websocket, READ),
    get("/login", login.login_page, OPEN),
    post("/login", login.log_in, OPEN),
    post("/logout", login.log_out, READ),
    get("/sounds/{name}", pages.sound, OPEN),
    get("/static/{name:.+}", pages.static, OPEN),
)


def make_app(
    service: Service, web_config: WebConfig | None = None, load: Callable[[], Settings] | None = None
) -> web.Application:
    """Returns the aiohttp application, which starts and stops `service` when it starts and stops itself. `load` reads
    the settings again for a reload. Raises `TokenFileError`."""
    settings, web_config = service.settings, web_config or WebConfig("")
    app = web.Application(middlewares=[answer_errors, check_access], client_max_size=settings.max_body_bytes)
    app[SERVICE] = service
    app[REFUSALS] = Refusals(service.metrics)
    app[HOSTS] = KnownHosts(settings)
    app[WEB_CONFIG] = web_config
    app[ACCESS] = Access(settings, service.path, web_config, on_failure=service.metrics.login_failed)
    app[RELOADER] = Reloader(service, web_config, app[ACCESS], load)
    app[SOCKETS] = {}
    app[foreign_reports.WAITING] = [0]
    app[ARRIVING] = Arriving(settings.body_timeout, lambda size: service.ingest.has_room_for(size))
    app[export.EXPORTS] = asyncio.Semaphore(export.MAX_EXPORTS)
    app[summaries.SUMMARIES] = summaries.Turns()
    app[heartbeats.LIMITS] = RateLimits(heartbeats.RATE, heartbeats.BURST)
    app[reads.SCRAPES] = asyncio.Semaphore(reads.MAX_SCRAPES)
    routes = [*API, *RUNBOOKS, *(PAGE if settings.error_visualization else ())]
    app.on_response_prepare.append(secure)
    if settings.allowed_origins:
        routes += [Route(hdrs.METH_OPTIONS, path, preflight, OPEN) for path in {route.path for route in API}]
        app.on_response_prepare.append(allow_origin)
    app.add_routes([web.route(route.method, route.path, route.handler) for route in routes])
    app[SCOPES] = scopes_of(app, {(route.method, route.handler): route.scope for route in routes})
    secrets = {route.handler: route.secret_of for route in routes if route.secret_of}
    app[SECRETS] = {
        route: secret_of for route in app.router.routes() if (secret_of := secrets.get(route.handler)) is not None
    }
    # `_run` first: if the service cannot start, nothing else is left running.
    app.cleanup_ctx.extend((_run, _follow_web_config, _log_refusals, watch_sockets))
    app.on_shutdown.append(_close_sockets)
    return app


async def _learn_names(app: web.Application) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.to_thread(app[HOSTS].learn_own_names), DNS_SECONDS)


async def _run(app: web.Application) -> AsyncIterator[None]:
    await _learn_names(app)
    await app[SERVICE].start()
    app[SERVICE].live.version = pages.version()
    yield
    await app[SERVICE].stop()


async def _follow_web_config(app: web.Application) -> AsyncIterator[None]:
    """Reads the web config file again when it changes."""

    async def follow() -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                app[WEB_CONFIG].refresh()
            except Exception:  # a bug; later changes are needed all the same
                _log.exception("%s could not be read again", app[WEB_CONFIG].path)

    task = asyncio.create_task(follow()) if app[WEB_CONFIG].path else None
    yield
    if task:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    app[WEB_CONFIG].close()


async def _log_refusals(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(app[REFUSALS].run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _close_sockets(app: web.Application) -> None:
    await app[SERVICE].live.close()


async def serve(settings: Settings, web_config: WebConfig, load: Callable[[], Settings]) -> bool:
    """Serves until SIGTERM or SIGINT; then accepts no more requests, answers those it accepted, and closes. On SIGHUP,
    reads the settings again with `load`. Returns False if a thread hangs, so that only `os._exit` ends the process."""
    allow_files()
    stopped = _event_of(signal.SIGTERM, signal.SIGINT)  # first of all: whoever sees the port open may stop the service
    in_terminal = _has_terminal() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN  # that is: without nohup
    hangup = _event_of(signal.SIGHUP)
    tls = web_config.ssl_context()
    service = Service(settings, scheme="https" if tls else "http")
    app = make_app(service, web_config, load)
    runner = make_runner(app)
    more = settings.of_metrics
    metrics = _runner(make_metrics_app(app, more), more) if more else None
    gc.set_threshold(20_000, 20, 20)  # objects of state and requests are rarely in reference cycles
    await runner.setup()
    if metrics:
        await metrics.setup()
        await _learn_names(metrics.app)
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    holds = HoldListener(service.path, service.store)
    reloads = asyncio.create_task(_reload_on(hangup, app[RELOADER], stopped if in_terminal else None))
    try:
        await holds.start()
        if metrics and more:
            await Site(metrics, more, tls, backlog=128).start()
        await Site(runner, settings, tls, backlog=1024).start()
        _greet(settings, runner, service.scheme)
        await stopped.wait()
        _log.info("stopping")
    finally:
        reloads.cancel()
        await holds.stop()
        if metrics:
            await metrics.cleanup()
        await runner.cleanup()
    return not service.hangs


def make_runner(app: web.Application, **options: Any) -> Runner:
    """Returns what serves the application of `make_app`. `options` are more of aiohttp's runner."""
    return _runner(app, app[SERVICE].settings, kind=partial(ReportConnection, Shortcut(app)), **options)


def _runner(app: web.Application, settings: Settings, **options: Any) -> Runner:
    return Runner(
        app, settings, lambda address, reason: app[REFUSALS].add(address, Refusal(reason)),
        access_log=None, auto_decompress=False, shutdown_timeout=SHUTDOWN_SECONDS, **options,
    )  # fmt: skip


def _event_of(*signals: int) -> asyncio.Event:
    """Returns an event that these signals set from now on."""
    event = asyncio.Event()
    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event


async def _reload_on(hangup: asyncio.Event, reloader: Reloader, stopped: asyncio.Event | None) -> None:
    """Reads the settings again on each SIGHUP. If that came because the terminal was closed in which the service runs,
    sets `stopped`, which is None for a service that goes on without its terminal."""
    while True:
        await hangup.wait()
        hangup.clear()
        if stopped:
            await asyncio.sleep(HANGUP_SECONDS)
            if not _has_terminal():
                stopped.set()
                return
        try:
            await reloader.reload()
        except ReloadError:
            pass  # it is logged
        except Exception:  # a bug; the next reload may be needed all the same
            _log.exception("the settings could not be read again")


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _greet(settings: Settings, runner: web.AppRunner, scheme: str) -> None:
    port = runner.addresses[0][1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"{scheme}://{host}:{port}"
    lines = [f"database  {Path(settings.db_path).absolute()}"]
    if settings.error_visualization:
        lines.append(f"page      {url}/error-visualization")
    lines.append(f"reports   {url}/api/report-error")
    lines.append(f"metrics   {url}/metrics")
    print("\n".join(lines), flush=True)
