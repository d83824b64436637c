"""What a list reads of a report: the same of a large one as of a small one, and never its unknown fields."""

import json
import tracemalloc
from typing import Any

import msgspec
import pytest
from events import event
from hypothesis import example, given
from hypothesis import strategies as st
from nasty import NASTY

from exporter.events import listed as listed_module
from exporter.events.error_object import ErrorObject, error_object, of_event
from exporter.events.listed import CONTEXTS, KEPT_WHOLE, LARGE, listed
from exporter.events.stored import known, payload
from exporter.ingest.parse import ReportError, parse_report

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
    read, too_long = values(json.dumps(sent))
    assert values(large) == (read, too_long)
    assert read == {name: None if name in too_long else value for name, value in read_again(large).items()}


def object_of(items: list[tuple[str, str]]) -> str:
    return "{" + " , ".join(f'"{name}": {value}' for name, value in items) + "}"


# What stays as it was sent has to mean the same as what was read and written again.
NUMBERS = st.sampled_from([
    "2", "8.0", "-0.0", "1e99", "1e-400", "1e400", "-1E+0400", "18446744073709551616", "9" * 250 + "e99", "9" * 400,
    "0." + "1" * 400 + "e2",
])  # fmt: skip
TEXTS = st.sampled_from([
    '"93 %"', '"a 1e400"', r'"\ud83d\ude00 \u001b[1m"', "null", "true", "[]", "{}", '"4711"', "[null]",
])  # fmt: skip
FIELDS = (
    "message", "traceback", "worker_id", "hostname", "metrics", "cpu", "percent", "count", "hardware_types",
    "hardware_status", "overheating", "recurring", "same_type", "last_1h", "id", "attempt", "duration", "index", "own",
)  # fmt: skip
VALUES = st.recursive(
    NUMBERS | TEXTS,
    lambda items: (
        st.lists(items, max_size=2).map(lambda found: "[ " + ",".join(found) + "\n]")
        | st.lists(st.tuples(st.sampled_from(FIELDS), items), max_size=3).map(object_of)
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.sampled_from(FIELDS + CONTEXTS), VALUES), max_size=5).map(object_of))
@example('{"system_context": {"a": 1, "a": [1e3, 2 ]}, "run": {"id": "7"}, "run": null}')
@example('{"system_context": {"a": 1e400}, "devices": [{"own": -1E+0400}]}')
@example('{"system_context": {"a": %s.5}}' % ("9" * 400))
@example('{"system_context": {"a":%se99}}' % ("9" * 211))
@example('{"worker_id": 5, "test": {"attempt": 99999999999999999999999}}')
@example(r'{"system_cont\u0065xt": {"b": "\ud800"}, "test": {"attempt": 2.0}}')
def test_contexts_mean_what_was_sent(body: str) -> None:
    assert values(body) == (read_again(body), [])


@pytest.mark.parametrize("name", NASTY)
def test_of_a_nasty_report(name: str) -> None:
    try:
        body = parse_report(NASTY[name])[1]
    except ReportError:
        pytest.skip("it is refused")
    assert values(body)[0] == read_again(body)


def test_contexts_that_stay_as_they_were_sent() -> None:
    shown, _ = listed('{"message":"m","system_context":{ "hostname":"h",\n"exact": 1.10 }}')
    assert bytes(shown.system_context) == b'{ "hostname":"h",\n"exact": 1.10 }'
    assert bytes(shown.run) == b"null"


def test_hashes_are_no_numbers() -> None:
    commit = "5e123" + "0" * 35
    run = '{ "commit":"' + commit + '","id":"-5E999"}'
    shown, _ = listed('{"message":"m","run":' + run + "}")
    assert bytes(shown.run) == run.encode()


def test_contexts_of_a_large_report_do_not_keep_it_in_memory() -> None:
    body = '{"message":"m","run":{"id":"1"},"own":"%s"}' % ("x" * 2 * KEPT_WHOLE)
    tracemalloc.start()
    kept = [listed(body) for _ in range(100)]
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(kept) == 100
    assert size < 100 * KEPT_WHOLE


def test_an_event_and_its_row_have_the_same_object() -> None:
    body = '{"message":"m","traceback":"t","system_context":{"hostname":"h"},"devices":[{"index":1}]}'
    one = event(7, body=body, message="\x1b[1mm", severity="critical", category="NETWORK_ERROR", devices=("gpu 1",))
    names = {"error_category": "category", "is_hardware_error": "hardware_error", "device_names": "devices"}
    columns = {
        name: getattr(one, names.get(name, name))
        for name in ErrorObject.__struct_fields__
        if hasattr(one, names.get(name, name)) and name not in CONTEXTS
    }
    for name in ("reasons", "warnings", "device_names"):
        columns[name] = list(columns[name])
    assert msgspec.json.encode(error_object(columns, body)) == msgspec.json.encode(of_event(one))


def read_again(body: str) -> dict[str, Any]:
    """Texts and contexts of a report that is decoded to Python objects."""
    sent = known(payload(body))
    return {name: sent.get(name) for name in (*listed_module.TEXTS, *CONTEXTS)}


def values(body: str) -> tuple[dict[str, Any], list[str]]:
    """What `listed` returns, decoded."""
    shown, too_long = listed(body)
    contexts = {name: json.loads(bytes(getattr(shown, name))) for name in CONTEXTS}
    return {"message": shown.message, "traceback": shown.traceback, **contexts}, too_long


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
    assert values(body)[0]["message"] == "m"
    assert values(body) == values(body.replace("y" * LARGE, ""))
