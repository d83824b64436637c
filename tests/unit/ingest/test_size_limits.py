"""Large and deeply nested reports: what is kept, what is marked, and that none is refused for its size."""

import json
import random
from typing import Any

import pytest

from exporter.ingest.nesting import MAX_DEPTH, MAX_NESTED
from exporter.ingest.parse import ReportError, TooNestedError, parse_within
from exporter.ingest.size_limits import MAX_FIELDS, MAX_KEYS, MAX_REPORT_BYTES, SizeLimits, cut_container

pytestmark = pytest.mark.severity
LIMITS = SizeLimits.of(MAX_REPORT_BYTES)
FIELD = LIMITS.field


def cut(**fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns what is stored of a report, and the warnings."""
    return cut_raw(json.dumps({"worker_id": "w", "message": "m"} | fields).encode())


def cut_raw(body: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    report, text, _, warnings = parse_within(body, LIMITS)
    assert len(text.encode()) <= 2 * LIMITS.report
    kept = json.loads(text)
    assert report.worker_id == "w"
    return kept, warnings


@pytest.mark.parametrize("length", [1, 1_000, FIELD - 100, FIELD])
def test_what_is_within_the_limits_is_as_it_was_sent(length: int) -> None:
    body = json.dumps({"x": "y" * length, "worker_id": "w", "message": "m", "n": [1, {"a": None}]}).encode()
    assert parse_within(body, LIMITS)[1:] == (body.decode(), (), ()) or length == FIELD
    assert cut_raw(body)[0]["x"].startswith("y" * min(length, FIELD - 100))


def test_a_long_text_keeps_its_beginning() -> None:
    kept, warnings = cut(note="ab" * 2_000_000, test_name="test_x")
    assert kept["note"].startswith("abab")
    assert kept["note"].endswith(f"…[cut: {4_000_000 - len(kept['note'].partition('…')[0]):,} characters]")
    assert FIELD - 100 <= len(kept["note"].partition("…")[0]) <= FIELD
    assert kept["test_name"] == "test_x"
    assert [warning.partition(":")[0] for warning in warnings] == ["note"]


def test_a_long_traceback_keeps_its_beginning_and_most_of_its_end() -> None:
    lines = [f"  File x.py, line {number}" for number in range(100_000)]
    kept, warnings = cut(traceback="\n".join(["Traceback", *lines, "ValueError: the end"]))
    assert kept["traceback"].startswith("Traceback\n  File x.py, line 0\n")
    assert kept["traceback"].endswith("line 99999\nValueError: the end")
    head, _, tail = kept["traceback"].partition("…[cut: ")
    assert 2.5 < len(tail) / len(head) < 3.5
    assert len(head) + len(tail) > LIMITS.traceback * 0.95
    assert len(warnings) == 1


def test_a_traceback_of_lines_keeps_its_end() -> None:
    kept, _ = cut(traceback=["Traceback", *(f"  line {number}" for number in range(100_000)), "ValueError: the end"])
    assert kept["traceback"].endswith("  line 99999\nValueError: the end")


def test_a_long_message_keeps_both_ends() -> None:
    kept, _ = cut(message="begin" + "x" * 1_000_000 + "end")
    assert kept["message"].startswith("begin")
    assert kept["message"].endswith("end")
    assert len(kept["message"]) < FIELD + 100


@pytest.mark.parametrize(
    "value",
    [list(range(500_000)), {f"k{number}": number for number in range(40_000)}, [{}] * 100_000, [[1, 2]] * 300_000],
)
def test_a_long_container_keeps_its_first_items(value: Any) -> None:
    kept, warnings = cut(big=value, small=[1, 2])
    assert kept["small"] == [1, 2]
    items = list(kept["big"].items())[:-1] if isinstance(value, dict) else kept["big"][:-1]
    assert items == list(value.items() if isinstance(value, dict) else value)[: len(items)]
    assert len(items) > 1_000
    mark = kept["big"]["[cut]"] if isinstance(value, dict) else kept["big"][-1]
    assert "bytes" in mark
    assert [warning.partition(":")[0] for warning in warnings] == ["big"]


def test_a_known_context_is_cut_as_the_others() -> None:
    kept, warnings = cut(system_context={"hostname": "h", "gpu_metrics": {"devices": [{"index": 1}] * 50_000}})
    assert kept["system_context"]["hostname"] == "h"
    assert 1_000 < len(kept["system_context"]["gpu_metrics"]["devices"]) < 50_000
    assert len(warnings) == 1


def test_more_fields_than_there_is_room_for() -> None:
    kept, warnings = cut(**{f"field{number}": "x" * 100 for number in range(20_000)})
    assert kept["message"] == "m"
    assert len(kept) == MAX_FIELDS + 1
    assert kept["[cut]"] == f"{20_002 - MAX_FIELDS:,} unknown fields"
    assert len(warnings) == 1


def test_many_large_fields_together_are_within_the_whole() -> None:
    kept, warnings = cut(**{f"field{number}": "x" * 100_000 for number in range(40)})
    assert len(json.dumps(kept)) < 1.2 * LIMITS.report
    assert kept["field0"] == "x" * 100_000
    assert "[cut]" in kept
    assert warnings


def test_a_million_keys() -> None:
    kept, warnings = cut_raw(
        b'{"worker_id":"w",' + b",".join(b'"k%d":1' % number for number in range(MAX_KEYS + 1)) + b',"message":"m"}'
    )
    assert kept == {"worker_id": "w", "message": "m", "[cut]": "all unknown fields"}
    assert len(warnings) == 1


@pytest.mark.parametrize("depth", [MAX_DEPTH, 500, 50_000])
def test_what_is_nested_too_deeply_is_left_out(depth: int) -> None:
    body = b'{"deep":{"x":' + b"[" * depth + b"1" + b"]" * depth + b',"y":2},"worker_id":"w","message":"m"}'
    kept, warnings = cut_raw(body)
    assert kept["deep"]["y"] == 2
    assert kept["message"] == "m"
    value, levels = kept["deep"]["x"], 0
    while isinstance(value, list):
        (value,), levels = value, levels + 1
    assert value == "[cut]"
    assert levels == MAX_DEPTH - 2
    assert warnings


def test_a_report_at_the_greatest_depth_is_not_cut() -> None:
    depth = MAX_DEPTH - 1
    body = b'{"deep":' + b"[" * depth + b"1" + b"]" * depth + b',"worker_id":"w","message":"m"}'
    assert parse_within(body, LIMITS)[1:] == (body.decode(), (), ())


def test_too_many_objects_in_a_report_that_is_not_large() -> None:
    kept, warnings = cut(a=[{}] * (MAX_NESTED + 5), b=[{}] * 50, c="text")
    assert len(kept["a"]) > 10_000
    assert kept["c"] == "text"
    assert warnings


def test_what_only_pythons_json_reads_is_cut_too() -> None:
    kept, warnings = cut_raw(b'{"worker_id":"w","message":"m","n":NaN,"x":"' + b"y" * 3_000_000 + b'"}')
    assert kept["n"] is None
    assert len(kept["x"]) < FIELD + 100
    assert len(warnings) == 1


def test_texts_with_escapes_and_other_scripts() -> None:
    kept, _ = cut(a="\x01" * 500_000, b="😀" * 500_000, c='"' * 500_000, d="\\" * 500_000)
    assert all(len(json.dumps(kept[name], ensure_ascii=False).encode()) < 1.1 * FIELD for name in "abcd")


def test_a_worker_and_an_event_id_that_are_far_too_long() -> None:
    assert (
        len(
            json.loads(parse_within(json.dumps({"worker_id": "w" * 10**6, "message": "m"}).encode(), LIMITS)[1])[
                "worker_id"
            ]
        )
        < FIELD + 100
    )
    with pytest.raises(ReportError, match="event_id"):
        cut(event_id="e" * 10**6)


def test_what_cannot_be_divided_in_a_short_time_is_refused() -> None:
    body = b'{"worker_id":"w","message":"m","x":' + b"[" * 500_000 + b"]" * 500_000 + b"}"
    with pytest.raises(TooNestedError):
        parse_within(body, LIMITS)


def test_white_space_is_not_stored() -> None:
    kept, warnings = cut_raw(b'{"worker_id":"w",' + b" " * 3_000_000 + b'"message":"m"}')
    assert kept == {"worker_id": "w", "message": "m"}
    assert warnings == ()


def anything(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(7 if depth < 8 else 5)
    if kind == 5:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(6))]
    if kind == 6:
        return {f'k{rng.randrange(99)}"{{[': anything(rng, depth + 1) for _ in range(rng.randrange(6))}
    return [None, rng.random(), rng.choice(['a"b', "[]{},", "\\", '\\"', "é😀", ""]), True, -7][kind]


def test_every_cut_is_json() -> None:
    rng = random.Random(7)
    for _ in range(300):
        value = {"a": [anything(rng) for _ in range(10)], "b": anything(rng)}
        raw = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 1])).encode()
        for most in (1, 2, rng.randrange(1, len(raw)), len(raw)):
            cut_to = cut_container(raw, most, rng.choice([1, 3, 10**6]))
            json.loads(cut_to)
            assert len(cut_to) <= max(most, 10) + 120
        assert cut_container(raw, len(raw), 10**6) is raw
