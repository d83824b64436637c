"""What an explanation of a pattern says, and of two patterns that are not one."""

import pytest

from exporter.patterns.explain import differences, explain
from exporter.patterns.fingerprint import VERSION, fingerprint

pytestmark = pytest.mark.dashboard
CHAINED = """Traceback (most recent call last):
  File "/srv/suite/app/convert.py", line 3, in {function}
    raise ValueError('no')
  File "/usr/lib/python3.11/json/decoder.py", line 337, in decode
ValueError: no

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/suite/app/main.py", line 90, in convert
RuntimeError: failed
"""


def test_an_explanation_says_what_the_fingerprint_is_made_of() -> None:
    told = explain("RuntimeError", "exit code 137 after 5 s", CHAINED.format(function="read"))
    pattern = fingerprint("RuntimeError", "exit code 137 after 5 s", CHAINED.format(function="read"))
    assert (told.version, told.fingerprint, told.scope) == (VERSION, pattern.fingerprint, pattern.scope)
    assert (told.type, told.template, told.kept) == ("RuntimeError", pattern.text, ("exit code 137",))
    assert (told.frame, told.test, told.root_cause) == ("ValueError@app/convert.py:read", "", "ValueError")
    assert told.frames == (
        ("json/decoder.py:decode", "ValueError", False, False),
        ("app/convert.py:read", "ValueError", True, True),
        ("app/main.py:convert", "RuntimeError", True, False),
    )


def test_a_stack_in_the_message_is_explained_like_one_in_the_traceback() -> None:
    stack = CHAINED.format(function="read")
    assert explain("E", f"step failed\n{stack}", None) == explain("E", "step failed", stack)


def test_an_explanation_names_the_test() -> None:
    told = explain("E", "worker 'gw3' crashed while running 'tests/test_a.py::test_b[x]'", None)
    assert (told.test, told.frame, told.frames) == ("tests/test_a.py::test_b", "", ())


READ, PARSE = CHAINED.format(function="read"), CHAINED.format(function="parse")
DIFFERENT = [
    (("E", "x", None), ("E", "x", None), []),
    (("E", "x 5", READ), ("E", "x 7", READ), []),
    (("E", "x", None), ("F", "x", None), ["Their types differ: “E” and “F”."]),
    (
        ("E", "x", READ),
        ("E", "x", PARSE),
        ["They began in different places: “ValueError@app/convert.py:read” and “ValueError@app/convert.py:parse”."],
    ),
    (
        ("E", "x", READ),
        ("E", "x", None),
        ["They began in different places: “ValueError@app/convert.py:read” and none."],
    ),
    (
        ("E", "tests/test_a.py::test_b", None),
        ("E", "tests/test_a.py::test_c", None),
        ["They failed in different tests: “tests/test_a.py::test_b” and “tests/test_a.py::test_c”."],
    ),
    (
        ("E", "step failed with exit code 137", None),
        ("E", "step failed with exit code 139", None),
        [
            "Their codes differ: “exit code 137” and “exit code 139”.",
            "Their texts differ, first at “exit code 137” and “exit code 139”.",
        ],
    ),
    (
        ("E", "cannot open the door now", None),
        ("E", "cannot open the window now or later", None),
        ["Their texts differ, first at “open the door now” and “open the window now or”."],
    ),
    (("E", "went away", None), ("E", "went away again", None), ["Their texts differ, first at “went away” and “went away again”."]),
    (("E", "a " * 600 + "b", None), ("E", "a " * 600 + "c", None), ["Their texts differ after the first 500 characters."]),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "sentences"), DIFFERENT)
def test_why_two_errors_are_not_one(
    one: tuple[str, str, str | None], other: tuple[str, str, str | None], sentences: list[str]
) -> None:
    assert differences(explain(*one), explain(*other)) == sentences


@pytest.mark.parametrize("text", ["", "\0", "\ud800", "Traceback (most recent call last)", "\n" * 9000, "panicked at"])
def test_anything_can_be_explained(text: str) -> None:
    assert explain(text, text, text).fingerprint == fingerprint(text, text, text).fingerprint
