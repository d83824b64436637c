"""What runs on the texts of a report takes linear time: no text, however it is made, stops the event loop.

Texts that are costly for a pattern repeat what the pattern itself looks for. So the parts of all patterns of the package
are collected from the patterns themselves, and a report is made of each part.
"""

import contextlib
import datetime as dt
import importlib
import json
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import exporter
from exporter.events.values import flag, number
from exporter.ingest.past import Past
from exporter.ingest.pipeline import Batch, Pipeline, Submission
from exporter.ingest.severity import Thresholds
from exporter.ingest.times import read_time
from exporter.redaction.redact import Redaction

pytestmark = pytest.mark.dashboard

NOW = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
SHORT, LONG = 20_000, 4_000_000  # characters; the fingerprint reads fewer than `SHORT`
SLOW, FREEZE = 1.0, 2.0  # seconds for `SHORT` and for `LONG`; what is linear takes a tenth of it
NOISE = 0.05  # seconds; below, noise is as large as what is measured
PACKAGES = ("config", "events", "http", "ingest", "patterns", "redaction")
MORE = (
    "\n", " ", "\n ", " \n", "\t", "\r\n", "a", "A", "1", "é", "\x00", "\x1b[", "\x1b]", "/a", "a/1", "a.", "a1", "a:",
    "a=", "a= ", '"', "'", "[", "{", "(", "<", "-", "_", ".", ":", "::", "@", "\\", "|", "#", "a@b.", "://a:b",
    'File "a", line 1, in f\n', "E   ", "> ", "password=", "token", "-----BEGIN PRIVATE KEY-----", "4111 ",
    "Traceback (most recent call last)\n",
)  # fmt: skip
LONG_PARTS = (
    "\n",
    " a",
    " \n",
    "\x1b[",
    "\x00",
    "a:",
    "a=1 ",
    "password=",
    "token",
    "-----BEGIN PRIVATE KEY-----",
    "4111 ",
    "é",
)


def patterns() -> list[re.Pattern[Any]]:
    """Returns the patterns of the modules that read what comes from outside: module constants, also in collections."""
    found: list[re.Pattern[Any]] = []

    def collect(value: Any, depth: int = 0) -> None:
        if isinstance(value, re.Pattern):
            found.append(value)
        elif isinstance(value, dict) and depth < 3:
            collect(list(value.values()), depth)
        elif isinstance(value, list | tuple | frozenset) and depth < 3:
            for item in value:
                collect(item, depth + 1)

    for module in pkgutil.walk_packages(exporter.__path__, "exporter."):
        if module.name.split(".")[1] in PACKAGES:
            for value in vars(importlib.import_module(module.name)).values():
                collect(value)
    return list(dict.fromkeys(found))


def literals(pattern: re.Pattern[Any]) -> Iterator[str]:
    """Yields the texts of three characters or more that a pattern looks for, as they stand in its source."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    plain = re.sub(r"\(\?P?<?[\w!=:]*>?|\[[^\]]*\]", "|", source).replace(r"\.", ".").replace("\\ ", " ")
    yield from re.findall(r"[A-Za-z][A-Za-z .:_-]{2,30}", plain)


def parts() -> list[str]:
    found = patterns()
    assert len(found) > 90
    words = dict.fromkeys(word for pattern in found for word in literals(pattern))
    assert len(words) > 300
    return [*MORE, *words]


def prepared(message: str, traceback: str, type_: str = "Error") -> object:
    pipeline = Pipeline(Past(old_patterns=["0" * 16]), thresholds=Thresholds(), zone=dt.UTC, redaction=REDACTION)
    body = json.dumps({"worker_id": "w", "type": type_, "message": message, "traceback": traceback}).encode()
    return pipeline.prepare(Submission(body, NOW, None), Batch())


REDACTION = Redaction(emails=True, ip_addresses=True)


def seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def test_no_text_that_repeats_a_part_of_a_pattern_takes_long() -> None:
    slow = []
    for place, part in enumerate(parts()):
        part, end = (part, "!") if place % 2 else (f"{part} ", "\n")
        text = part * (SHORT // len(part)) + end
        for texts in ((text, "t", text), ("m", text)):
            if all(seconds(partial(prepared, *texts)) > SLOW for _ in range(2)):
                slow.append(part)
    assert slow == []


@pytest.mark.parametrize("place", ["message", "traceback", "type_"])
@pytest.mark.parametrize("part", LONG_PARTS)
def test_a_report_of_4_mb_takes_at_most_twice_the_time_of_half_of_it(part: str, place: str) -> None:
    many = LONG // len(part)

    def of(size: int) -> float:
        return seconds(partial(prepared, **{"message": "m", "traceback": "t", place: part * size}))

    for _ in range(3):
        whole = of(many)
        half = NOISE if whole <= 3 * NOISE else max(of(many // 2), NOISE)  # no half makes such a ratio larger than 3
        if whole / half <= 3:
            break
    assert whole / half <= 3, (half, whole)
    assert whole < FREEZE


@pytest.mark.parametrize("part", LONG_PARTS)
def test_an_unknown_field_of_4_mb_does_not_take_long_either(part: str) -> None:
    for value in (part * (LONG // len(part)), [part] * (LONG // 16)):
        body = json.dumps({"worker_id": "w", "message": "m", "value": value}).encode()
        assert seconds(partial(REDACTION.redact, body)) < FREEZE


@pytest.mark.parametrize("part", ["\n", " ", "1", "a", "1e", "- ", "+", "12:"])
def test_single_values_are_read_in_linear_time(part: str) -> None:
    text = part * (LONG // len(part))
    for read in (flag, partial(number, name="percent"), partial(read_time, received_at=NOW, zone=dt.UTC)):
        began = time.process_time()
        with contextlib.suppress(ValueError):
            read(text)
        assert time.process_time() - began < FREEZE
