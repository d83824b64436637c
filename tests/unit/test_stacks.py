"""What is read of the stacks that programs write, of which `tests/fixtures/stacks` holds one a file."""

import random
import re

import pytest
from conftest import ROOT

from exporter.patterns.frames import chains, find_place, split
from exporter.patterns.stack_python import innermost

pytestmark = pytest.mark.dashboard
STACKS = {file.stem: file.read_text("utf-8") for file in sorted((ROOT / "tests/fixtures/stacks").glob("*.txt"))}
# What identifies the place of each, and what is left of a message that is the stack alone.
EXPECTED = {
    "plain": ("api/orders.py:make", "requests.exceptions.ConnectionError: refused"),
    "windows": ("tests/test_api.py:test_health", "json.decoder.JSONDecodeError: Expecting value"),
    "generated": ("tests/test_compile.py:test_fused", "RuntimeError: CUDA error"),
    "only_libraries": ("data/_utils/pin_memory.py:do_one_step", "RuntimeError: Pin memory thread exited unexpectedly"),
    "syntax_error": ("app/x.py", "SyntaxError: invalid syntax"),
    "direct_cause": ("ValueError@suite/convert.py:read", "RuntimeError: Failed to convert file"),
    "while_handled": ("KeyError@suite/cache.py:get > suite/db.py:load", "TimeoutError: x"),
    "cause_of_libraries": (
        "ConnectionRefusedError@api/client.py:fetch",
        "requests.exceptions.ConnectionError: x",
    ),
    "remote": ("ValueError@app/work.py:f", 'multiprocessing.pool.RemoteTraceback: \n"""'),
    "exception_group": (
        "KeyError@app/work.py:second; ValueError@app/work.py:first",
        "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)",
    ),
    "nested_group": (
        "KeyError@app/main.py:gather; TypeError@app/main.py:gather; ValueError@app/main.py:gather",
        "ExceptionGroup: eg (2 sub-exceptions)",
    ),
    "faulthandler": ("tests/test_img.py:decode", "Fatal Python error: Segmentation fault"),
    "pytest_short": (
        "helpers/client.py:ready",
        "requests.exceptions.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
    ),
    "pytest_long": ("helpers/login.py:login", "JSONDecodeError"),
    "pytest_line": ("tests/test_login.py", "AssertionError: assert False"),
    "pytest_chained": ("KeyError@app/fetch.py:fetch > app/load.py:load", "TimeoutError: no answer"),
    "unittest": ("shop/tests.py:test_save", "AssertionError: 1 != 2"),
    "java": ("IOException@com.acme.io.Disk:write", "java.lang.RuntimeException: wrapped"),
    "java_cause_of_libraries": (
        "ConnectException@com.acme.billing.Job:run",
        'Exception in thread "main" java.lang.RuntimeException: wrapped',
    ),
    "kotlin": ("shop.CartTest$adds$:invokeSuspend", "java.lang.IllegalStateException: no shop"),
    "node": (
        "app/table.js:renderRow",
        "/srv/app/table.js:8\n    x.id\n      ^\n\nTypeError: Cannot read properties of undefined (reading 'id')",
    ),
    "node_library_first": ("src/foo.mjs:Foo", "TypeError: x"),
    "node_module_first": ("src/setup.mjs:<anonymous>", "ReferenceError: config is not defined"),
    "node_cause": ("RangeError@app/y.js:g", "Error: wrapper"),
    "node_aggregate": ("Error@app/a.js:a; TypeError@app/b.js:b", "AggregateError: All promises were rejected"),
    "firefox": ("static/app.js:render", ""),
    "dotnet": (
        "Acme/Disk.cs:Acme.Disk.Read",
        "System.AggregateException: One or more errors occurred. (no) ---> System.IO.IOException: no",
    ),
    "dotnet_without_places": ("Acme.Disk:Read", ""),
    "go": (
        "shard/shard.go:shard.(*Shard).Parse",
        "panic: runtime error: invalid memory address or nil pointer dereference\n"
        "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x47]",
    ),
    "go_only_libraries": ("app/server.go:server.(*Server).Start", "panic: send on closed channel"),
    "go_panic_while_panicking": ("store/db.go:store.(*DB).Get", "panic: x [recovered]\n\tpanic: x"),
    "rust": ("src/net.rs:app::net::poll::{{closure}}", ""),
    "rust_without_places": ("app::db::open", "oops"),
    "rust_without_backtrace": ("src/net.rs", "index out of bounds"),
    "rust_anyhow": (
        "src/config.rs:app::config::load::{closure}",
        "Error: load failed\n\nCaused by:\n    0: no such file",
    ),
    "gdb": ("src/disk.cc:Disk::read", ""),
    "sanitizer": (
        "src/parse.cc:{}::parse",
        "==123==ERROR: AddressSanitizer: heap-use-after-free on address 0x6 at pc 0x55 bp 0x7f sp 0x7f\n"
        "READ of size 4 at 0x602 thread T0",
    ),
    "pytorch": ("build/my_ext.cpython-310.so:my_kernel", ""),
    "pytorch_only_libraries": ("torch/lib/libc10.so:c10::Error::Error", ""),
    "glog": ("app::Disk::read", "*** SIGSEGV (@0x0) received by PID 1 (TID 0x7f) from PID 0; stack trace: ***"),
    "chromedriver": ("", "Message: session not created: Chrome failed to start: exited normally."),
}
TESTS = {"pytest_long": "TestA::test_login_ok", "unittest": "shop.tests.CartTest.test_save"}


def test_every_stack_has_an_expectation() -> None:
    assert EXPECTED.keys() == STACKS.keys()


@pytest.mark.parametrize("name", STACKS)
def test_the_place_of_a_stack(name: str) -> None:
    assert find_place(STACKS[name]) == (EXPECTED[name][0], TESTS.get(name, ""))


@pytest.mark.parametrize("name", STACKS)
def test_the_text_of_a_message_with_a_stack(name: str) -> None:
    alone = split(STACKS[name], 4_000)
    assert alone.text == EXPECTED[name][1]
    assert find_place(alone.stack)[0] == EXPECTED[name][0]
    after = split(f"step failed\n{STACKS[name]}", 4_000)
    assert after.text.startswith("step failed")
    assert find_place(after.stack)[0] == EXPECTED[name][0]


@pytest.mark.parametrize("name", STACKS)
def test_lines_and_addresses_do_not_matter(name: str) -> None:
    chance = random.Random(5)

    def other(found: re.Match[str]) -> str:
        return found[1] + "".join(chance.choice("123456789") for _ in found[2])

    moved = re.sub(r"(\.\w+:|:\d+:|, line |:line |\(\w+\.java:|0x)([0-9a-f]+)\b", other, STACKS[name])
    assert find_place(moved) == find_place(STACKS[name])


@pytest.mark.parametrize("name", STACKS)
def test_a_plain_traceback_is_read_alike_from_its_end_and_from_its_beginning(name: str) -> None:
    found = innermost(STACKS[name])
    if found is not None:
        frames = [frame for raised in chains(STACKS[name])[0] for frame in raised.frames]
        assert found == next((frame for frame in frames if frame.own), frames[0])


@pytest.mark.parametrize("name", STACKS)
def test_line_ends_of_windows_do_not_matter(name: str) -> None:
    on_windows = STACKS[name].replace("\n", "\r\n")
    assert find_place(on_windows) == find_place(STACKS[name])
    told = split(on_windows, 4_000)
    assert (told.text, find_place(told.stack)[0]) == (EXPECTED[name][1], EXPECTED[name][0])
