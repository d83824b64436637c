"""The functions of the package: one reporter for the process, and those for other addresses."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from error_visualization.context import timestamp
from error_visualization.context import worker_id as worker_of
from error_visualization.reporter import Reporter, warn

_current: Reporter | None = None
_by_url: dict[str, Reporter] = {}
GPU_SECONDS = 2.5
_MARK = "__error_visualization_reported__"


def init(
    url: str | None = None,
    worker_id: str | None = None,
    *,
    token: str | None = None,
    token_file: str | None = None,
    spool: str | os.PathLike[str] | None = None,
    block: float = 0.05,
    hooks: bool = True,
) -> Reporter:
    """Makes the reporter that `capture_exception` and the others use, and returns it. It raises nothing: without a
    valid address it logs a warning, and nothing is reported. `url` is the service (default: ERROR_VISUALIZATION_URL),
    `block` the seconds for which a call waits at most for the disk. With `hooks`, exceptions that nothing catches are
    reported: in the main program, in threads, in asyncio, and those that Python can only print. More: `Reporter`."""
    global _current
    address = url if url is not None else os.environ.get("ERROR_VISUALIZATION_URL", "")
    reporter = Reporter(address, worker_id=worker_id, token=token, token_file=token_file, spool=spool, block=block)
    previous, _current = _current, reporter
    if previous is not None:
        previous.close(0.5)
    _by_url.pop(reporter.url, None)
    if reporter.problem:
        return reporter
    with contextlib.suppress(Exception):
        from error_visualization.machine import prepare

        prepare()
        if hooks:
            from error_visualization.hooks import install

            install()
    return reporter


def current() -> Reporter | None:
    """Returns the reporter of `init`, or one for ERROR_VISUALIZATION_URL; None if there is neither."""
    global _current
    if _current is None and os.environ.get("ERROR_VISUALIZATION_URL"):
        _current = Reporter(os.environ["ERROR_VISUALIZATION_URL"])
    return _current


def report_error_sync(dashboard_url: str, error_data: Mapping[str, Any]) -> bool:
    """Reports an error to the service at `dashboard_url` ("http://localhost:8080"). Returns whether it is safe: on
    disk, from where it is delivered in the background, also by a later process, or stored. Blocks at most 50 ms."""
    try:
        return _reporter_of(dashboard_url).report(error_data)
    except Exception:
        warn("an error could not be reported", exc_info=True)
        return False


async def report_error(dashboard_url: str, error_data: Mapping[str, Any]) -> bool:
    """`report_error_sync` for code on an event loop, which goes on meanwhile."""
    try:
        return await _reporter_of(dashboard_url).report_async(error_data)
    except Exception:
        warn("an error could not be reported", exc_info=True)
        return False


def capture_exception(error: BaseException | None = None, **fields: Any) -> bool:
    """Reports `error`, by default the exception that is being handled, once. `fields` override those of the report.
    Returns whether it is safe, as `report_error_sync`; False if there is no exception or no service."""
    try:
        reporter = current()
        found = error if error is not None else sys.exc_info()[1]
        if reporter is None or found is None or reporter.problem:
            return False
        if is_reported(found):
            return True
        mark_reported(found)
        return reporter.report(_report_of(found, 0.0, {"worker_id": reporter.worker_id, **fields}))
    except Exception:
        warn("an exception could not be reported", exc_info=True)
        return False


def error_report(
    error: BaseException, *, worker_id: str | None = None, error_category: str | None = None, **fields: Any
) -> dict[str, Any]:
    """Returns a report of `error` in the guide's schema, with the state of this machine. `fields` override its keys.
    The first call may wait for the GPUs, for 2.5 s."""
    own = {"worker_id": worker_id or worker_of(os.environ), "error_category": error_category}
    return _report_of(error, GPU_SECONDS, {**own, **fields})


def _report_of(error: BaseException, wait: float, fields: Mapping[str, Any]) -> dict[str, Any]:
    from error_visualization.exceptions import described
    from error_visualization.machine import contexts

    return {"timestamp": timestamp(), **described(error), **contexts(wait), **fields}


def flush(timeout: float = 2.0) -> bool:
    """Waits until everything of every reporter is delivered, at most `timeout` seconds. Returns whether it is."""
    import time

    deadline = time.monotonic() + timeout
    done = [reporter.flush(max(deadline - time.monotonic(), 0.0)) for reporter in _reporters()]
    return all(done)


def close(timeout: float = 2.0) -> None:
    """Delivers what it can in `timeout` seconds; the rest stays in the spool. Python calls it at the end by itself."""
    for reporter in _reporters():
        reporter.close(timeout)


def is_reported(error: BaseException) -> bool:
    try:
        return bool(getattr(error, _MARK, False))
    except Exception:
        return False


def mark_reported(error: BaseException) -> None:
    with contextlib.suppress(Exception):  # an exception with slots, or with a __setattr__ of its own
        setattr(error, _MARK, True)


def _reporter_of(url: str) -> Reporter:
    address = str(url).rstrip("/")
    if _current is not None and _current.url == address:
        return _current
    reporter = _by_url.get(address)
    if reporter is None:
        if len(_by_url) >= 100:
            raise ValueError("reports go to more than 100 addresses")
        reporter = _by_url.setdefault(address, Reporter(address))
    return reporter


def _reporters() -> list[Reporter]:
    return [*([_current] if _current is not None else []), *list(_by_url.values())]
