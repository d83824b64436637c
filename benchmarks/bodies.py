"""The reports that benchmarks send: those of the demo, from as many workers as wanted."""

import itertools
import json
from functools import lru_cache
from typing import Any

from exporter.demo.fleet import story


def sample(many: int, workers: int | None = None) -> list[dict[str, Any]]:
    """Returns reports of the demo without time and id. They come from the 24 workers of the demo, or from `workers`
    that take turns."""
    reports = _story(many)
    if workers is None:
        return reports
    return [report | {"worker_id": f"worker-{number % workers:05d}"} for number, report in enumerate(reports)]


@lru_cache(maxsize=2)
def _story(many: int) -> list[dict[str, Any]]:
    return [moment.report for moment in itertools.islice(story(1), many)]


def encoded(reports: list[dict[str, Any]], batch: int = 1) -> list[bytes]:
    """Returns the bodies of requests with `batch` reports each; reports that do not fill the last one are left out."""
    bodies = [json.dumps(report).encode() for report in reports]
    if batch == 1:
        return bodies
    whole = range(0, len(bodies) - batch + 1, batch)
    return [b"[" + b",".join(bodies[start : start + batch]) + b"]" for start in whole]
