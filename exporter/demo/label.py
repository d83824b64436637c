"""The errors of demos in a service: how they are told from others, and how they are deleted."""

from collections.abc import Mapping
from typing import Final

import aiohttp

from exporter.access.secrets import without_secrets
from exporter.demo.asking import DeniedError, ask

LABEL: Final = "demo-fleet/"  # begins the `worker_id` of each report of a demo
ALL_TIMES: Final = "87600"  # hours, the longest range
MOST_WORKERS: Final = 100  # in one answer: those with most errors
WORKERS_PER_PAGE: Final = 500
MAX_PAGES: Final = 200
MAX_ROUNDS: Final = 100  # of deletions


async def refuse_others(session: aiohttp.ClientSession, url: str) -> None:
    """Raises `DeniedError` if the service has errors that are not of a demo, or does not let the caller see that."""
    overview = await ask(session, "GET", f"{url}/api/errors", query={"time_range": ALL_TIMES})
    others = overview["data"]["summary"]["total_errors"] - await _errors_of_demos(session, url)
    if others > 0:  # demos may be sending
        raise DeniedError(
            f"{without_secrets(url)} has {others} errors of other workers, and the demo would mix its own with them. "
            "`make run DEMO=1` starts a service of its own; --force sends them anyway, demo --remove deletes them"
        )


async def remove(url: str, headers: Mapping[str, str]) -> str:
    """Deletes all errors of demos. Returns a sentence that says how many. Raises `DeniedError`."""
    url, deleted, pinned = url.rstrip("/"), 0, 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60), headers=headers) as session:
        for _ in range(MAX_ROUNDS):
            workers = await _demo_workers(session, url)
            if not workers:
                break
            wanted = {"worker": workers, "dry_run": False}
            answer = await ask(session, "POST", f"{url}/api/errors/delete", wanted)
            if answer["status"] != "success":
                raise DeniedError(f"{without_secrets(url)}: {answer['message']}")
            deleted += answer["data"]["errors"]
            pinned = answer["data"]["pinned"]
            if not answer["data"]["errors"] or len(workers) < MOST_WORKERS:
                break
    return f"{deleted} errors of demos deleted" + (f"; {pinned} are pinned and stay" if pinned else "")


async def _errors_of_demos(session: aiohttp.ClientSession, url: str) -> int:
    """Returns how many errors all workers of demos have. Raises `DeniedError`."""
    errors, query = 0, {"time_range": ALL_TIMES, "limit": str(WORKERS_PER_PAGE), "sort": "worker"}
    for _ in range(MAX_PAGES):
        answer = await ask(session, "GET", f"{url}/api/workers", query=query)
        if answer["status"] != "success":
            raise DeniedError(f"{without_secrets(url)}: {answer['message']}")
        page = answer["data"]
        errors += sum(one["errors"] for one in page["workers"] if one["worker_id"].startswith(LABEL))
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    return errors


async def _demo_workers(session: aiohttp.ClientSession, url: str) -> list[str]:
    """Returns the workers of demos with most errors, at most 100."""
    query = {"facet": "worker", "contains": LABEL, "time_range": ALL_TIMES}
    facets = await ask(session, "GET", f"{url}/api/errors/facets", query=query)
    return [one["value"] for one in facets["data"]["worker"] if one["value"].startswith(LABEL)]
