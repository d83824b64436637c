"""The texts of alerts: annotations about an error, and sentences about how far it has spread and that it is quiet.

Texts are cut (tracebacks at the start), and control characters are replaced.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from exporter.alerting.alert import Push
from exporter.events.event import ErrorEvent, isoformat
from exporter.events.one_line import cut, one_line
from exporter.events.plain_text import plain_text
from exporter.events.stored import decoder

MAX_ALERT_LABEL: Final = 200  # characters of a label of an alert
MAX_ALERT_MESSAGE: Final = 4_000  # characters of the annotation `message`
MAX_ALERT_TRACEBACK: Final = 4_000  # characters of the annotation `traceback`
MAX_TRACEBACK_END: Final = 500  # characters of the annotation `traceback_end`, for chats
MAX_SUMMARY: Final = 200  # characters of the annotation `summary`
MAX_NAMES: Final = 10  # workers that a text names
MAX_NAME: Final = 60  # characters of a worker's name in a list, and of each part of the annotation `run`
MAX_COMMIT: Final = 13  # characters of a commit: 12 digits of a hash tell commits apart, and an ellipsis
DELETED: Final = "this error was deleted on request"
_TEXTS: Final = ("summary", "message", "traceback", "traceback_end", "run", "run_link")


def error_words(event: ErrorEvent, push: Push, *, is_return: bool = False) -> dict[str, str]:
    """Returns the annotations about the first error of a pattern, without empty ones."""
    traceback = _traceback(event)
    message = event.message or event.pattern
    worker = one_line(event.worker_id, MAX_ALERT_LABEL)
    alertname = push.alertname(event, is_return=is_return)
    page = f"{push.page_url}/error-visualization"
    annotations = {
        "summary": one_line(f"{event.category} in {worker}: {message}", MAX_SUMMARY),
        "message": cut(message, MAX_ALERT_MESSAGE),
        "traceback": cut(traceback, MAX_ALERT_TRACEBACK, end=True),
        "traceback_end": cut(traceback, MAX_TRACEBACK_END, end=True),
        "time": isoformat(event.timestamp),
        "worker": worker,
        "reasons": one_line("; ".join(event.reasons), 500),
        "run": run_name(event),
        "error_id": str(event.id),
        "error_fingerprint": event.fingerprint,
        "permalink": f"{page}?error={event.id}",
        "pattern_link": f"{page}?pattern={event.pattern_id or event.fingerprint}",
        "run_link": f"{page}?view={quote(f'run:{event.run}', safe='')}" if event.run else "",
        "runbook_url": f"{push.runbook_url}/{alertname}{push.runbook_suffix}" if push.runbook_url else "",
    }
    return {name: text for name, text in annotations.items() if text}


def without_texts(annotations: Mapping[str, str]) -> dict[str, str]:
    """Returns the annotations about an error that was deleted: without what it said."""
    kept = {name: text for name, text in annotations.items() if name not in _TEXTS}
    return kept | {"summary": one_line(f"{annotations.get('worker', '')}: {DELETED}", MAX_SUMMARY), "message": DELETED}


def run_name(event: ErrorEvent) -> str:
    """Returns in one line what is known of the run of an error, such as `4711 (nightly, suite train, commit 4f2a91c on
    main)`; "" if nothing is."""
    commit, branch = one_line(event.commit or "", MAX_COMMIT), one_line(event.branch or "", MAX_NAME)
    code = f"commit {commit} on {branch}" if commit and branch else commit and f"commit {commit}"
    id_, job, suite = (one_line(text or "", MAX_NAME) for text in (event.run, event.job, event.suite))
    of = ", ".join(part for part in (job, suite and f"suite {suite}", code or (branch and f"branch {branch}")) if part)
    return f"{id_} ({of})" if id_ and of else id_ or of


def where(workers: Sequence[str]) -> str:
    """Returns the place of an error in words: the name of its worker, or the number of workers."""
    return one_line(workers[0], MAX_ALERT_LABEL) if len(workers) == 1 else f"{len(workers)} workers"


def names(workers: Sequence[str]) -> str:
    """Returns the first of `workers`, and how many more there are."""
    shown = ", ".join(one_line(worker, MAX_NAME) for worker in workers[:MAX_NAMES])
    more = len(workers) - MAX_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def news(workers: Sequence[str], before: int) -> str:
    """Returns that a pattern, which `before` workers had, has come to more. The new workers are the last of
    `workers`."""
    new = workers[before:]
    return f"Now on {len(workers)} workers, {before} before. New: {names(new)}."


def quiet(seconds: float, errors: int, workers: Sequence[str], silent: Sequence[str]) -> str:
    """Returns that a pattern is quiet. It never says that something was repaired: nobody knows. `silent` are those of
    `workers` that have reported nothing since their last error of the pattern."""
    number = "1 error" if errors == 1 else f"{errors} errors"
    said = f"Quiet for {duration(seconds)} after {number} on {where(workers)}."
    if not silent:
        return f"{said} Other reports came from {'it' if len(workers) == 1 else 'all of them'} since."
    if len(workers) == 1:
        return f"{said} It has reported nothing since."
    return f"{said} Without any report since: {names(silent)}."


def resolved(by: str) -> str:
    """Returns that somebody resolved a pattern."""
    return f"Resolved by {one_line(by, MAX_NAME)}. If it comes back, there is a new alert."


def back(words: Mapping[str, str], by: str) -> dict[str, str]:
    """Returns the annotations about an error of a pattern that somebody had resolved."""
    said = f"Came back after {one_line(by, MAX_NAME)} had resolved it."
    return dict(words) | {"regression": said, "summary": one_line(f"Came back: {words['summary']}", MAX_SUMMARY)}


def no_longer_new(seconds: float) -> str:
    """Returns that a pattern is not new any more. Only its first error was counted, so it may still occur."""
    said = "Later errors of this pattern make no message; its page shows whether there are any."
    return f"New {duration(seconds)} ago. {said}"


def duration(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


class _Sent(msgspec.Struct):
    traceback: str | None = None


_decode = decoder(_Sent)


def _traceback(event: ErrorEvent) -> str:
    return plain_text(_decode(event.body).traceback or "") if event.body else ""
