"""The limits of nesting count the structure of the JSON, not the brackets in its texts."""

import json
import random
import time

import pytest

from exporter.ingest.nesting import MAX_DEPTH, MAX_NESTED, NestingError, brackets, check_nesting

pytestmark = pytest.mark.dashboard
DUMP = json.dumps([{"shape": [1, 2], "name": 'a "quoted" \\ path\\'}] * 10_000)


@pytest.mark.parametrize(
    "content",
    [
        {"traceback": DUMP},
        {"traceback": json.dumps(DUMP), "labels": ["\\", '"', "[", '\\"{', "\\\\"]},
        {DUMP: 1},
        [[[]]] * 1_000,
        [{}] * (MAX_NESTED - 1),
    ],
)
def test_brackets_in_strings_do_not_count(content: object) -> None:
    check_nesting(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested more than 64 levels deep"),
        (b'{"[":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "nested more than 64 levels deep"),
        (b'["\\"","\\\\",' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"]", "nested more than 64 levels deep"),
        (b"[" + b"{}," * MAX_NESTED + b"1]", "more than 20000 objects and arrays"),
    ],
)
def test_structure_counts(sent: bytes, words: str) -> None:
    json.loads(sent)
    with pytest.raises(NestingError, match=words):
        check_nesting(sent)


def test_at_the_limits_all_is_well() -> None:
    check_nesting(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    check_nesting(b"[" + b"{}," * (MAX_NESTED - 1) + b"1]")


def test_the_brackets_are_those_that_a_parser_sees() -> None:
    random_ = random.Random(1)

    def value(depth: int) -> object:
        kind = random_.randrange(4 if depth else 1)
        if kind == 0 or kind == 3:
            return "".join(random_.choices('\\"[]{}a,é\n', k=random_.randrange(6)))
        if kind == 1:
            return [value(depth - 1) for _ in range(random_.randrange(4))]
        return {str(value(0)): value(depth - 1) for _ in range(random_.randrange(4))}

    def seen(parsed: object) -> str:
        if isinstance(parsed, list):
            return "[" + "".join(map(seen, parsed)) + "]"
        return "{" + "".join(map(seen, parsed.values())) + "}" if isinstance(parsed, dict) else ""

    for _ in range(2_000):
        content = value(4)
        assert brackets(json.dumps(content, ensure_ascii=random_.random() < 0.5).encode()).decode() == seen(content)


@pytest.mark.parametrize("part", [b'"\\\\",', b'"[","]",', b'"",', b'"\\"[",', b'{"a":"["},'])
def test_the_cost_grows_with_the_length_alone(part: bytes) -> None:
    """The square of 8 times the length would take 64 times as long."""

    def seconds(count: int) -> float:
        sent = b"[" + part * count + b"1]"
        found = []
        for _ in range(5):
            began = time.thread_time()
            brackets(sent)
            found.append(time.thread_time() - began)
        return min(found)

    assert seconds(32_000) < 3 * 8 * seconds(4_000)
