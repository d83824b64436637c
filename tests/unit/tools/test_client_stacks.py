"""The stack traces that the client finds in what programs print."""

import pytest
from conftest import ROOT
from error_visualization.stacks import Joiner, Stack, find_all
from error_visualization.stacks.joiner import MAX_LINES

pytestmark = pytest.mark.dashboard
FIXTURES = ROOT / "tests" / "fixtures" / "stacks"

RECORDED = [
    ("cause_of_libraries", "python", "requests.exceptions.ConnectionError", "x"),
    ("direct_cause", "python", "RuntimeError", "Failed to convert file"),
    ("exception_group", "python", "ExceptionGroup", "unhandled errors in a TaskGroup (2 sub-exceptions)"),
    ("nested_group", "python", "ExceptionGroup", "eg (2 sub-exceptions)"),
    ("faulthandler", "python", "Fatal Python error", "Segmentation fault"),
    ("syntax_error", "python", "SyntaxError", "invalid syntax"),
    ("unittest", "python", "AssertionError", "1 != 2"),
    ("remote", "python", "ValueError", "x"),
    ("windows", "python", "json.decoder.JSONDecodeError", "Expecting value"),
    ("go", "go", "panic", "runtime error: invalid memory address or nil pointer dereference"),
    ("go_only_libraries", "go", "panic", "send on closed channel"),
    ("go_panic_while_panicking", "go", "panic", "x"),
    ("java", "java", "java.lang.RuntimeException", "wrapped"),
    ("kotlin", "java", "java.lang.IllegalStateException", "no shop"),
    ("node", "node", "TypeError", "Cannot read properties of undefined (reading 'id')"),
    ("node_cause", "node", "Error", "wrapper"),
    ("node_aggregate", "node", "AggregateError", "All promises were rejected"),
    ("rust_without_backtrace", "rust", "panic", "index out of bounds"),
    ("rust_without_places", "rust", "panic", "oops"),
    ("sanitizer", "c++", "AddressSanitizer: heap-use-after-free", "heap-use-after-free on address 0x6 at pc 0x55 bp 0x7f sp 0x7f"),
]  # fmt: skip
WRITTEN = [
    ("terminate called after throwing an instance of 'std::runtime_error'\n  what():  boom\nAborted (core dumped)",
     "std::runtime_error", "boom"),
    ("libc++abi: terminating due to uncaught exception of type std::out_of_range: vector", "std::out_of_range", "vector"),
    ("fail: fail.c:2: main: Assertion `n == 7' failed.", "Assertion failed", "n == 7"),
    ("*** stack smashing detected ***: terminated", "abort", "*** stack smashing detected ***: terminated"),
    ("a.c:5:3: runtime error: signed integer overflow: 2147483647 + 1 cannot be represented in type 'int'",
     "UndefinedBehaviorSanitizer", "signed integer overflow: 2147483647 + 1 cannot be represented in type 'int'"),
    ("thread 'main' panicked at 'explicit panic', src/main.rs:2:5\nnote: run with `RUST_BACKTRACE=1`", "panic", "explicit panic"),
    ("thread 'main' (41) panicked at src/main.rs:4:5:\nassertion `left == right` failed\n  left: 1\n right: 2\nnote: run",
     "panic", "assertion `left == right` failed\n  left: 1\n right: 2"),
    ("fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\nmain.main()\n\t/x/main.go:5 +0x1d",
     "fatal error", "all goroutines are asleep - deadlock!"),
    ("#\n# A fatal error has been detected by the Java Runtime Environment:\n#\n#  SIGSEGV (0xb) at pc=0x7f, pid=1, tid=2\n#",
     "JVM SIGSEGV", "SIGSEGV (0xb) at pc=0x7f, pid=1, tid=2"),
    ("<--- Last few GCs --->\n\n[1:0x5]  100 ms: Mark-sweep\n\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript "
     "heap out of memory\n 1: 0xb090e0 node::Abort()", "FATAL ERROR", "Reached heap limit Allocation failed - JavaScript heap out of memory"),
    ("\x1b[31mTypeError [ERR_X]: boom\x1b[0m\n    at f (/srv/a.js:1:7) {\n  code: 'ERR_X'\n}", "TypeError", "boom"),
    ('Exception in thread "main" a.b.Failed: first line\nsecond line\n\tat a.b.C.d(C.java:1)', "a.b.Failed", "first line\nsecond line"),
]  # fmt: skip
NONE = [
    "Error: cannot open the file",
    "java.lang.String is a class",
    "panic: do not, all is well",
    "The words Traceback (most recent call last): in prose",
    "goroutine 7 [running]: said alone",
    "  File \"a.py\", line 3\nis a place",
]  # fmt: skip


@pytest.mark.parametrize(("name", "language", "type_", "message"), RECORDED, ids=[row[0] for row in RECORDED])
def test_recorded_stacks(name: str, language: str, type_: str, message: str) -> None:
    text = (FIXTURES / f"{name}.txt").read_text()
    end = "\n==123==ABORTING" if name == "sanitizer" else ""  # which ends it
    text = text.rstrip("\n") + end
    found = find_all("something before\n" + text + "\nsomething after")[-1]
    assert (found.language, found.type, found.message) == (language, type_, message)
    assert found.text in text
    if name not in ("remote", "node", "unittest"):  # those have more around the stack
        assert found.text == text


@pytest.mark.parametrize(("text", "type_", "message"), WRITTEN)
def test_other_stacks(text: str, type_: str, message: str) -> None:
    found = find_all(text + "\nsomething after")[0]
    assert (found.type, found.message) == (type_, message)


@pytest.mark.parametrize("text", NONE)
def test_no_stack(text: str) -> None:
    assert find_all(text) == []


def test_each_line_is_given_back_once_and_in_order() -> None:
    files = sorted(FIXTURES.glob("*.txt"))
    lines = [line for file in files for line in [*file.read_text().split("\n"), f"between {file.name}"]]
    joiner = Joiner()
    items = [item for line in lines for item in joiner.push(line)] + joiner.flush()
    back = [line for item in items for line in (item.text.split("\n") if isinstance(item, Stack) else [item])]
    assert back == [line.rstrip("\r") for line in lines]


def test_a_stack_is_bounded() -> None:
    joiner = Joiner()
    items = joiner.push("Traceback (most recent call last):")
    for number in range(MAX_LINES * 3):
        items += joiner.push(f'  File "a.py", line {number}, in f')
    assert len(items) >= MAX_LINES


def test_a_long_text_that_nearly_matches_takes_little_time() -> None:
    import time

    begun = time.monotonic()
    for text in (
        "Error: x\n" * 20_000,
        "panic: x\n" * 20_000,
        "a.b.C: x\n" * 20_000,
        "x: " * 100_000,
        "a.b." * 100_000,
    ):
        find_all(text)
    assert time.monotonic() - begun < 6
