"""What to look at first: addresses of the page and of the API."""

from urllib.parse import quote

from exporter.judgement.result import Look, Rule
from exporter.judgement.situation import Silent, Situation, Where
from exporter.judgement.words import name, quoted


def look_first(situation: Situation, rule: Rule, where: Where | None, silent: tuple[Silent, ...]) -> list[Look]:
    """Returns the pattern with most of the errors, the error that it began with, the newest critical error, and the
    worker with most errors or the one that is silent for longest; what there is of these."""
    looks: list[Look] = []
    if where:
        pattern = where.pattern
        looks.append(_at(f"pattern {quoted(pattern.text)}", "pattern", pattern.pattern_id, "/api/patterns/"))
        looks.append(_error(f"its first error, on {name(pattern.worker_id)}", pattern.error_id))
    episode = situation.episode
    if episode and where is episode.where and episode.newest_id != where.pattern.error_id:
        looks.append(_error("the newest critical error", episode.newest_id))
    if where and where.workers > 1:
        worker = where.worker.name
        looks.append(_worker(f"{name(worker)}, which has most of them", worker))
    if silent:
        worker = silent[0].worker_id
        looks.append(_worker(f"{name(worker)}, silent for longest", worker))
    if rule == "quiet":
        looks.append(Look("whether the service accepts reports", "/error-visualization", "/-/ready"))
    return looks


def _at(text: str, parameter: str, id_: str, api: str) -> Look:
    value = quote(id_, safe="")
    return Look(text, f"/error-visualization?{parameter}={value}", f"{api}{value}")


def _error(text: str, id_: int) -> Look:
    return _at(text, "error", str(id_), "/api/errors/")


def _worker(text: str, worker: str) -> Look:
    return _at(text, "worker", worker, "/api/errors/list?worker=")
