"""Which errors are one pattern and which are two, by their stacks, tests and chains."""

import pytest
from conftest import ROOT

from exporter.patterns.failed_test import failed_test
from exporter.patterns.fingerprint import fingerprint
from exporter.patterns.frames import MAX_SEARCHED, find_place

pytestmark = pytest.mark.dashboard
Report = tuple[str, str, str | None]  # type, message, traceback


def python(*frames: str, error: str = "RuntimeError: x") -> str:
    """A traceback with these frames as `path function`, outermost first."""
    calls = [frame.partition(" ") for frame in frames]
    called = [f'  File "{path}", line 7, in {name}\n    go()\n' for path, _, name in calls]
    return "Traceback (most recent call last):\n" + "".join(called) + error + "\n"


def stack(name: str) -> str:
    return (ROOT / f"tests/fixtures/stacks/{name}.txt").read_text("utf-8")


CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
WHILE = "\nDuring handling of the above exception, another exception occurred:\n\n"
READ, PARSE = python("/srv/a/job.py read", error="ValueError: a"), python("/srv/a/job.py parse", error="ValueError: b")
OUTER, RETRY = python("/srv/a/job.py convert"), python("/srv/a/retry.py call")
LONG = """\
{title}
    def {test}(browser):
>       assert client.ready()
E       assert False

{path}:{line}: AssertionError
"""
LINE_OF_LONG = "_" * 20 + " test_ok " + "_" * 20
GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "/srv/a/main.py", line 9, in main
  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
"""


def group(*functions: str) -> str:
    levels = ["  +-+---------------- 1 ----------------\n"]
    levels += [f"    +---------------- {number} ----------------\n" for number in range(2, len(functions) + 1)]
    leaves = [
        f'    | Traceback (most recent call last):\n    |   File "/srv/a/work.py", line 5, in {name}\n    | OSError: x\n'
        for name in functions
    ]
    return GROUP + "".join(a + b for a, b in zip(levels, leaves, strict=True)) + "    +-" + "-" * 34 + "\n"


def go(function: str, file: str, line: int = 31, number: int = 42) -> str:
    return (
        f"goroutine {number} [running]:\nmain.{function}(0xc00001{number})\n\t/src/app/{file}:{line} +0x1d\n"
        "main.main()\n\t/src/app/main.go:9 +0x20\n"
    )


ONE: dict[str, tuple[Report, Report]] = {
    "lines moved": (
        ("E", "x", python("/srv/a/api/x.py f")),
        ("E", "x", python("/srv/a/api/x.py f").replace("line 7", "line 99")),
    ),
    "marker lines and repeated lines": (
        ("E", "x", python("/srv/a/api/x.py f")),
        ("E", "x", python("/srv/a/api/x.py f").replace("go()\n", "go()\n    ~~^^\n  [Previous line repeated 9 more times]\n")),
    ),
    "two checkouts": (
        ("E", "x", python("/home/ci-17/job/3/api/x.py f")),
        ("E", "x", python("/builds/x/api/x.py f")),
    ),
    "Windows and Linux": (
        ("E", "x", python(r"C:\ci\suite\api\x.py f", r"C:\Python311\Lib\json\decoder.py decode")),
        ("E", "x", python("/srv/suite/api/x.py f", "/usr/lib/python3.12/json/decoder.py decode")),
    ),
    "generated code": (
        ("E", "x", python("/srv/a/api/x.py f", "<eval_with_key>.12 forward")),
        ("E", "x", python("/srv/a/api/x.py f", "/tmp/torchinductor_ci/ov/covnr5t2kkd.py call")),
    ),
    "only generated code": (
        ("E", "x", python("<eval_with_key>.12 forward")),
        ("E", "x", python("<eval_with_key>.57 forward")),
    ),
    "generated names": (
        ("E", "x", python("/srv/a/api/x.py call_3f2a9c1b")),
        ("E", "x", python("/srv/a/api/x.py call_77b10c2d")),
    ),
    "resumed at another line": (
        ("E", "x", python("/srv/a/api/x.py torch_dynamo_resume_in_forward_at_12")),
        ("E", "x", python("/srv/a/api/x.py torch_dynamo_resume_in_forward_at_13")),
    ),
    "one cause in two wrappers": (("E", "x", READ + CAUSE + OUTER), ("E", "x", READ + CAUSE + RETRY)),
    "a cause of a cause": (("E", "x", READ + CAUSE + OUTER + CAUSE + RETRY), ("E", "x", READ + CAUSE + RETRY)),
    "groups in another order": (
        ("ExceptionGroup", "two failed", group("first", "second")),
        ("ExceptionGroup", "two failed", group("second", "first")),
    ),
    "a group of one and of three alike": (
        ("ExceptionGroup", "failed", group("first")),
        ("ExceptionGroup", "failed", group("first", "first", "first")),
    ),
    "pytest's forms long, short and native": (
        ("AssertionError", "assert False", LONG.format(title=LINE_OF_LONG, test="test_ok", path="tests/test_x.py", line=5)),
        ("AssertionError", "assert False", "tests/test_x.py:9: in test_ok\n    assert False\nE   assert False\n"),
    ),
    "pytest's form short and native": (
        ("AssertionError", "assert False", "tests/test_x.py:9: in test_ok\n    assert False\nE   assert False\n"),
        ("AssertionError", "assert False", python("/builds/x/tests/test_x.py test_ok", error="AssertionError")),
    ),
    "pytest's form line": (
        ("E", "tests/test_x.py:9: AssertionError: assert False", None),
        ("E", "/builds/x/tests/test_x.py:12: AssertionError: assert False", None),
    ),
    "a crash while a test runs on two workers": (
        ("WorkerCrashed", "worker 'gw2' crashed while running 'tests/ui/test_a.py::test_search[chrome]'", None),
        ("WorkerCrashed", "worker 'gw13' crashed while running 'tests/ui/test_a.py::test_search[firefox-2]'", None),
    ),
    "threads of a crash": (
        ("Segfault", "x", stack("faulthandler")),
        ("Segfault", "x", stack("faulthandler").replace("0x00007fb8", "0x00007ff1").replace("line 44", "line 47")),
    ),
    "a stack in the message or in the traceback": (
        ("E", "step failed\n" + python("/srv/a/api/x.py f"), None),
        ("E", "step failed", python("/srv/a/api/x.py f")),
    ),
    "a traceback after words in one line": (
        ("E", "step failed: " + python("/srv/a/api/x.py f"), None),
        ("E", "step failed:", python("/srv/a/api/x.py f")),
    ),
    "goroutines": (
        ("panic", "nil", go("parse", "shard.go")),
        ("panic", "nil", go("parse", "shard.go", line=77, number=7)),
    ),
    "lambdas of a JVM": (
        ("E", "x", "E: x\n\tat a.B.lambda$run$3(B.java:4)\n\tat a.B$$Lambda$14/0x0008.run(Unknown Source)\n"),
        ("E", "x", "E: x\n\tat a.B.lambda$run$5(B.java:9)\n\tat a.B$$Lambda$99/0x0009.run(Unknown Source)\n"),
    ),
    "a bundle's hash": (
        ("E", "x", "E: x\n    at f (https://h/js/main.3f2a9c1b.js:1:2)"),
        ("E", "x", "E: x\n    at f (https://h/js/main.77b10c2d.js:1:9)"),
    ),
    "a panic moved": (
        ("panic", "thread 'main' panicked at src/net.rs:42:13:\nindex out of bounds: the len is 3", None),
        ("panic", "thread 'worker-7' panicked at src/net.rs:57:9:\nindex out of bounds: the len is 8", None),
    ),
    "depth of a stack without names": (
        ("E", "Chrome failed\nStacktrace:\n#0 0x561ac95da6b3 <unknown>\n", None),
        ("E", "Chrome failed\nStacktrace:\n#0 0x55d8b0f4d4a3 <unknown>\n#1 0x55d8b0c6b327 <unknown>\n", None),
    ),
}  # fmt: skip
TWO: dict[str, tuple[Report, Report]] = {
    "functions": (("E", "x", python("/srv/a/api/x.py f")), ("E", "x", python("/srv/a/api/x.py g"))),
    "numbered functions": (("E", "x", python("/srv/a/x.py test_1")), ("E", "x", python("/srv/a/x.py test_2"))),
    "folders": (("E", "x", python("/srv/a/api/x.py f")), ("E", "x", python("/srv/a/billing/x.py f"))),
    "folders above tests": (
        ("E", "x", python("/srv/a/api/tests/test_x.py test_f")),
        ("E", "x", python("/srv/a/billing/tests/test_x.py test_f")),
    ),
    "types": (("E", "x", None), ("F", "x", None)),
    "one wrapper, two causes": (("E", "x", READ + CAUSE + OUTER), ("E", "x", PARSE + CAUSE + OUTER)),
    "one place, two types of causes": (
        ("E", "x", READ + CAUSE + OUTER),
        ("E", "x", READ.replace("ValueError", "OSError") + CAUSE + OUTER),
    ),
    "two failures while one is handled": (("E", "x", READ + WHILE + OUTER), ("E", "x", READ + WHILE + RETRY)),
    "one failure while two are handled": (("E", "x", READ + WHILE + OUTER), ("E", "x", PARSE + WHILE + OUTER)),
    "leaves of groups": (("G", "x", group("first")), ("G", "x", group("second"))),
    "tests in pytest's form long": (
        ("E", "x", LONG.format(title="", test="test_a", path="tests/test_x.py", line=5)),
        ("E", "x", LONG.format(title="", test="test_b", path="tests/test_x.py", line=5)),
    ),
    "tests in pytest's form short": (
        ("E", "x", "tests/test_x.py:5: in test_a\n    ok()\nE   assert False\n"),
        ("E", "x", "tests/test_x.py:5: in test_b\n    ok()\nE   assert False\n"),
    ),
    "tests that fail in one helper": (
        ("E", "x", "_____ test_a _____\n\ntests/test_x.py:5: in test_a\n    ok()\nhelpers/h.py:1: in ok\nE   boom\n"),
        ("E", "x", "_____ test_b _____\n\ntests/test_x.py:9: in test_b\n    ok()\nhelpers/h.py:1: in ok\nE   boom\n"),
    ),
    "files in pytest's form line": (
        ("E", "tests/test_x.py:9: assert False", None),
        ("E", "tests/test_y.py:9: assert False", None),
    ),
    "tests of crashes": (
        ("WorkerCrashed", "worker 'gw2' crashed while running 'tests/test_a.py::test_search'", None),
        ("WorkerCrashed", "worker 'gw2' crashed while running 'tests/test_a.py::test_order'", None),
    ),
    "tests of classes": (
        ("E", "FAILED tests/test_a.py::TestA::test_x - assert 1", None),
        ("E", "FAILED tests/test_a.py::TestB::test_x - assert 1", None),
    ),
    "tests of unittest": (
        ("E", "ERROR: test_x (shop.tests.CartTest)", None),
        ("E", "ERROR: test_x (shop.tests.OrderTest)", None),
    ),
    "crashes": (
        ("Segfault", "x", stack("faulthandler")),
        ("Segfault", "x", stack("faulthandler").replace("test_img", "test_net").replace("decode", "send")),
    ),
    "goroutines": (("panic", "nil", go("parse", "shard.go")), ("panic", "nil", go("close", "index.go"))),
    "frames of Node": (
        ("TypeError", "x is undefined", "TypeError: x\n    at render (/srv/app/table.js:8:15)\n    at node:internal/x:1:1\n"),
        ("TypeError", "x is undefined", "TypeError: x\n    at save (/srv/app/jobs.js:8:15)\n    at node:internal/x:1:1\n"),
    ),
    "causes in Java": (
        ("E", "x", stack("java")),
        ("E", "x", stack("java").replace("IOException", "SecurityException")),
    ),
    "panics in two files": (
        ("panic", "thread 'a' panicked at src/net.rs:42:13:\ncalled `unwrap()` on `None`", None),
        ("panic", "thread 'a' panicked at src/db.rs:42:13:\ncalled `unwrap()` on `None`", None),
    ),
    "backtraces of Rust": (("panic", "x", stack("rust")), ("panic", "x", stack("rust").replace("net", "db"))),
    "causes in a message without a stack": (
        ("E", "load failed\nCaused by: disk full", None),
        ("E", "load failed\nCaused by: no such file", None),
    ),
    "sections of a message without a stack": (
        ("E", "build failed\n===== Errors =====\nundefined symbol", None),
        ("E", "build failed\n===== Errors =====\nmissing semicolon", None),
    ),
    "quotes in a message without a stack": (
        ("E", "step failed\n>   click save", None),
        ("E", "step failed\n>   click cancel", None),
    ),
    "numbered lines of a message": (
        ("E", "two problems\n#1 disk full", None),
        ("E", "two problems\n#1 no answer", None),
    ),
    "texts with one stack": (("E", "codec not found", READ), ("E", "device offline", READ)),
}  # fmt: skip


@pytest.mark.parametrize("kind", ONE)
def test_one_pattern(kind: str) -> None:
    one, other = ONE[kind]
    assert fingerprint(*one) == fingerprint(*other)


@pytest.mark.parametrize("kind", TWO)
def test_two_patterns(kind: str) -> None:
    one, other = (fingerprint(*report) for report in TWO[kind])
    assert one.fingerprint != other.fingerprint


NAMED = [
    ("FAILED tests/a.py::TestA::test_b[x-1] - assert", "tests/a.py::TestA::test_b"),
    ("crashed while running 'tests/ui/test_a.py::test_search[a::b]'", "ui/test_a.py::test_search"),
    ("ERROR: test_save (shop.tests.CartTest.test_save) [n=3]", "shop.tests.CartTest.test_save"),
    ("ERROR: test_save (shop.tests.CartTest)", "shop.tests.CartTest.test_save"),
    ("______ ERROR at setup of TestA.test_b[chrome 1] ______", "TestA::test_b"),
    ("tests failed (see test.log)", ""),
    ("std::string is no test (a.b)", ""),
]


@pytest.mark.parametrize(("text", "test"), NAMED)
def test_the_test_that_failed(text: str, test: str) -> None:
    assert failed_test(text) == test


def test_a_parameter_is_no_part_of_the_pattern() -> None:
    assert fingerprint("E", "tests/test_a.py::test_x[1] broke", None).text == "<test> broke"


def test_a_scope_is_the_type_and_the_place() -> None:
    scopes = {fingerprint("E", text, READ).scope for text in ("a b", "a c", "", "77")}
    assert len(scopes) == 1
    others = [fingerprint("F", "a b", READ), fingerprint("E", "a b", PARSE), fingerprint("E", "a b", None)]
    assert len({pattern.scope for pattern in others} | scopes) == 4


def test_both_ends_of_a_long_stack_are_searched() -> None:
    filler = "    x\n" * MAX_SEARCHED
    inner = python("/srv/a/api/x.py f")
    assert find_place(filler + inner) == find_place(inner)
    assert find_place(READ + CAUSE + filler + RETRY) == find_place(READ + CAUSE + RETRY)
