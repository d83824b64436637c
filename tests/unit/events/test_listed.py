"""What a list reads of a report: the same of a large one as of a small one, and never its unknown fields."""

import json
from typing import Any

import msgspec
import pytest
from events import event

from exporter.events import listed as listed_module
from exporter.events.error_object import of_event
from exporter.events.listed import LARGE, listed
from exporter.events.stored import known, payload

pytestmark = pytest.mark.dashboard
REPORTS: tuple[dict[str, Any], ...] = (
    {"message": "m"},
    {"message": "m", "traceback": None, "system_context": {"hostname": "h"}},
    {"message": ["a", "b"], "traceback": ["x", "y"], "hardware_context": {"hardware_types": "cuda,cpu"}},
    {"message": "m" * 20_000, "traceback": "t" * 100_000, "error_frequency": {"recurring": "yes"}},
    {"system_context": {"metrics": {"cpu": {"percent": "93 %"}}}, "hardware_context": {"x": "y" * 40_000}},
    {"system_context": [1, 2], "error_frequency": 7, "message": {"a": 1}},
)


@pytest.mark.parametrize("report", REPORTS)
def test_the_same_of_a_large_report(report: dict[str, Any]) -> None:
    sent = {"worker_id": "w"} | report
    large = json.dumps({"blob": "x" * LARGE} | sent)
    read, too_long = listed(json.dumps(sent))
    assert listed(large) == (read, too_long)
    whole = known(payload(large))
    assert read == {name: None if name in too_long else whole.get(name) for name in read}


def test_an_unknown_field_is_never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []

    def counting(text: str) -> Any:
        decoded.append(len(text))
        return payload(text)

    monkeypatch.setattr(listed_module, "payload", counting)
    blob = {f"key{number}": [number] for number in range(100_000)}
    body = json.dumps(
        {"worker_id": "w", "message": "m", "blob": blob, "system_context": blob, "traceback": ["x"] * 10**6}
    )
    object_ = of_event(event(1, body=body, message="m"))
    assert sum(decoded) < 100
    assert object_.truncated == ["system_context", "traceback"] or set(object_.truncated or ()) == {
        "system_context", "traceback",
    }  # fmt: skip
    assert len(msgspec.json.encode(object_)) < 5_000


def test_numbers_that_msgspec_cannot_read() -> None:
    body = '{"worker_id":"w","message":"m","system_context":{"metrics":{"cpu":{"percent":1e400}}},"x":"%s"}' % (
        "y" * LARGE
    )
    assert listed(body)[0]["message"] == "m"
    assert listed(body) == listed(body.replace("y" * LARGE, ""))
