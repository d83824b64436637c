"""What an answer of the service means for each report that was sent: pure functions."""

from __future__ import annotations

import enum
import json
from typing import Any, NamedTuple

PATIENCE = 60.0  # seconds between attempts if a person has to do something first
MAX_PAUSE = 30.0  # seconds between attempts otherwise, unless `Retry-After` is longer
MAX_RETRY_AFTER = 300.0
TRIES = 8  # of a report that the service answers with an internal error; then it is put aside
_LATER = (408, 425, 429)
_REFUSED = (400, 413, 415, 422)


class Verdict(enum.Enum):
    """SETTLED: stored, or stored before. REFUSED: never accepted, put aside. LATER: to be sent again. HELD: to be sent
    again when a person has given a token, an address or the like. ALONE: to be sent one by one."""

    SETTLED = "settled"
    REFUSED = "refused"
    LATER = "later"
    HELD = "held"
    ALONE = "alone"


class Answer(NamedTuple):
    """An HTTP answer; `retry_after` is in seconds, None if there is none."""

    status: int
    text: str
    retry_after: float | None = None


def is_fault(answer: Answer) -> bool:
    """Returns whether the service itself says that it has a fault, which this report may have shown."""
    return answer.status == 500 and _object(answer.text).get("status") == "error"


def judge(answer: Answer, count: int, faults: int = 0, *, tries: int = TRIES, optional: bool = False) -> list[Verdict]:
    """Returns a verdict for each of the `count` reports of a request, which was answered with a fault `faults` times
    before, and is given up after `tries`. `optional`: an older service may not have the path, and what waits behind the
    request is more important."""
    said = _object(answer.text)
    if is_fault(answer):
        if count > 1:
            return [Verdict.ALONE] * count
        if faults + 1 >= tries:
            return [Verdict.REFUSED]
    if optional and answer.status in (404, 405):
        return [Verdict.REFUSED] * count
    if count > 1:
        data = said.get("data")
        results = data.get("results") if isinstance(data, dict) else None
        if isinstance(results, list) and len(results) == count:
            return [_of_item(result) for result in results]
        if answer.status in (*_REFUSED, 404, 405):
            return [Verdict.ALONE] * count
        if answer.status == 200:
            return [Verdict.HELD] * count
    return [_of_request(answer.status, said)] * count


def pause(answer: Answer, attempt: int, chance: float) -> float:
    """Returns the seconds until the next attempt; `attempt` counts from 0, `chance` is from 0 to 1."""
    own = min(0.2 * 2.0 ** min(attempt, 20) * (0.5 + chance), MAX_PAUSE)
    return max(own, min(answer.retry_after or 0.0, MAX_RETRY_AFTER))


def retry_after(value: str | None) -> float | None:
    """Returns the seconds of the header `Retry-After`; None if it is absent or a date."""
    return float(value) if value and value.isascii() and value.isdigit() else None


def _of_request(status: int, said: dict[str, Any]) -> Verdict:
    if status == 200:
        return Verdict.SETTLED if said.get("status") == "success" else Verdict.HELD  # else it is not our service
    if status == 410:  # stored, and deleted since
        return Verdict.SETTLED
    if status in _REFUSED or (status == 403 and said.get("field") == "worker_id"):
        return Verdict.REFUSED
    return Verdict.LATER if status in _LATER or status >= 500 else Verdict.HELD


def _of_item(result: Any) -> Verdict:
    if not isinstance(result, dict):
        return Verdict.LATER
    if result.get("status") == "success" or result.get("code") == 410:
        return Verdict.SETTLED
    code = result.get("code")
    return Verdict.LATER if not isinstance(code, int) or code in _LATER or code >= 500 else Verdict.REFUSED


def _object(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
