"""Compares the answers of every read with those that an earlier release recorded in `answers.json`. Fields may be added,
but none may change, move or disappear.

`answers.json` holds the reports that were sent and, for each address, the status and the body that came back."""

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pytest
from conftest import InProcess

from exporter.http import reads, reports
from exporter.ingest.severity import Thresholds

pytestmark = pytest.mark.dashboard
RECORDED = json.loads((Path(__file__).parent / "answers.json").read_text("utf-8"))
NOW = dt.datetime(2026, 11, 20, 12, 0, 30, 123456, tzinfo=dt.UTC)
JSON = {"Content-Type": "application/json"}


def difference(recorded: Any, answer: Any, place: str = "$") -> str:
    """Describes the first place where `answer` differs from `recorded`, apart from added fields; "" if there is none."""
    if isinstance(recorded, dict) and isinstance(answer, dict):
        for name, value in recorded.items():
            if name not in answer:
                return f"{place}.{name} is missing"
            if found := difference(value, answer[name], f"{place}.{name}"):
                return found
        return ""
    if isinstance(recorded, list) and isinstance(answer, list) and len(recorded) == len(answer):
        pairs = enumerate(zip(recorded, answer, strict=True))
        return next((found for n, pair in pairs if (found := difference(*pair, f"{place}[{n}]"))), "")
    same = type(recorded) is type(answer) and recorded == answer
    if isinstance(recorded, float) and isinstance(answer, float):  # the order of a sum decides about the last digit
        same = math.isclose(recorded, answer, rel_tol=1e-9)
    return "" if same else f"{place} was {recorded!r}, is {answer!r}"


async def fill(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends the recorded reports with the clocks stopped at `NOW`."""
    monkeypatch.setattr(reads, "now", lambda: NOW)
    monkeypatch.setattr(reports, "now", lambda: NOW)
    for body in RECORDED["reports"]:
        async with service.client.post("/api/report-error", data=body.encode(), headers=JSON) as response:
            assert response.status == 200, await response.text()


async def test_no_answer_has_lost_or_changed_a_field(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that the earlier release did not have is turned off."""
    service = await serve(thresholds=Thresholds(warning_disk_free_percent=0))
    await fill(service, monkeypatch)
    wrong = []
    for address, (status, recorded) in RECORDED["answers"].items():
        async with service.client.get(address) as response:
            answer = await response.json()
        found = difference([status, recorded], [response.status, answer])
        if found:
            wrong.append(f"{address}: {found}")
    assert wrong == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [({"a": 1, "b": [{"c": None}], "d": 2}, ""), ({"b": [{"c": None}]}, "$.a is missing"),
     ({"a": 1.0, "b": [{"c": None}]}, "$.a was 1, is 1.0"), ({"a": 1, "b": []}, "$.b was [{'c': None}], is []"),
     ({"a": 1, "b": [{"c": 0}]}, "$.b[0].c was None, is 0"),
     ({"a": 1, "b": [{"c": None}], "e": 0.30000000000000004}, ""),
     ({"a": 1, "b": [{"c": None}], "e": 0.300000001}, "$.e was 0.3, is 0.300000001")],
)  # fmt: skip
def test_a_difference_is_found(answer: Any, expected: str) -> None:
    recorded = {"a": 1, "b": [{"c": None}]} | ({"e": 0.3} if "e" in answer else {})
    assert difference(recorded, answer) == expected
