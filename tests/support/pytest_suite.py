"""A suite of 500 tests that fail in every way there is, and what a service should hear of it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

TESTS: Final = 500
FAILURES: Final = 50
PLAIN: Final = """
import os
import time
import pytest

@pytest.mark.parametrize("n", range({passing}))
def test_passes(n):
    pass

@pytest.mark.parametrize("n", range(30))
def test_fails(n):
    print("the output of", n, "on", os.environ.get("PYTEST_XDIST_WORKER"))
    assert n == -1, f"it is {{n}}"

@pytest.fixture
def broken():
    raise RuntimeError("the fixture is broken")

@pytest.mark.parametrize("n", range(8))
def test_setup(n, broken):
    pass

@pytest.fixture
def breaks_later():
    yield
    raise OSError("the teardown is broken")

@pytest.mark.gpu
@pytest.mark.parametrize("n", range(4))
def test_teardown(n, breaks_later):
    pass

@pytest.mark.xfail(strict=True, reason="a known bug")
@pytest.mark.parametrize("n", range(2))
def test_strict(n):
    pass

@pytest.mark.timeout(0.2)
def test_hangs():
    time.sleep(30)

@pytest.mark.xfail
@pytest.mark.parametrize("n", range(5))
def test_known(n):
    assert n == -1

@pytest.mark.skip
@pytest.mark.parametrize("n", range(10))
def test_skipped(n):
    pass
"""
UNITTEST: Final = """
import unittest

class Case(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(1, 2)

    def test_error(self):
        raise KeyError("gone")

    def test_sub(self):
        for i in (1, 2):
            with self.subTest(i=i):
                self.assertEqual(i, 1)

    def test_good(self):
        pass
"""
RERUNS: Final = """
import pytest
tries = {}

def attempt(name):
    tries[name] = tries.get(name, 0) + 1
    return tries[name]

@pytest.mark.flaky(reruns=2)
@pytest.mark.parametrize("n", range(5))
def test_second(n):
    assert attempt(n) == 2

@pytest.mark.flaky(reruns=1)
def test_never():
    raise ValueError("never")

@pytest.fixture
def worse():
    if attempt("worse") == 2:
        raise RuntimeError("worse than before")

@pytest.mark.flaky(reruns=1)
def test_worse(worse):
    raise ValueError("bad")
"""
CRASHES: Final = """
import ctypes
import os

def test_segfault():
    ctypes.string_at(0)

def test_exit():
    os._exit(3)
"""
OOM: Final = """
def test_memory():
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    eaten = []
    while True:
        eaten.append(bytearray(b"x") * 2**24)
"""
PLUGINS: Final = [f"-p{name}" for name in ("error_visualization.pytest_plugin", "xdist.plugin", "pytest_rerunfailures", "pytest_timeout")]  # fmt: skip
FILES: Final = {"test_plain.py": PLAIN, "test_unit.py": UNITTEST, "test_reruns.py": RERUNS}


class Heard(NamedTuple):
    """What a report says."""

    test: str
    outcome: str
    attempt: int
    type: str
    said: str


def write(folder: Path, *, crashes: bool, memory: bool) -> int:
    """Writes the suite. Returns how many of its tests pass that have nothing special."""
    files = dict(FILES)
    if crashes:
        files["test_crashes.py"] = CRASHES
    if memory:
        files["test_memory.py"] = OOM
    special = 30 + 8 + 4 + 2 + 1 + 5 + 10 + 4 + 7 + 2 * crashes + memory
    files["test_plain.py"] = PLAIN.format(passing=TESTS - special)
    files["pytest.ini"] = "[pytest]\naddopts = -p no:cacheprovider\nmarkers =\n    gpu: needs one\n"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return TESTS - special


def truth(*, crashes: bool, memory: bool) -> list[Heard]:
    """Returns all reports of the suite, sorted."""
    plain, unit, reruns = "test_plain.py::", "test_unit.py::Case::", "test_reruns.py::"
    heard = [Heard(f"{plain}test_fails[{n}]", "failed", 1, "AssertionError", f"it is {n}") for n in range(30)]
    heard += [Heard(f"{plain}test_setup[{n}]", "error", 1, "RuntimeError", "the fixture is broken") for n in range(8)]
    heard += [Heard(f"{plain}test_teardown[{n}]", "error", 1, "OSError", "the teardown is broken") for n in range(4)]
    heard += [Heard(f"{plain}test_strict[{n}]", "failed", 1, "UnexpectedPass", "a known bug") for n in range(2)]
    heard += [
        Heard(f"{plain}test_hangs", "failed", 1, "Timeout", "Timeout (>0.2s)"),
        Heard(f"{unit}test_equal", "failed", 1, "AssertionError", "1 != 2"),
        Heard(f"{unit}test_error", "failed", 1, "KeyError", "gone"),
        Heard(f"{unit}test_sub", "failed", 1, "AssertionError", "2 != 1"),
        Heard(f"{reruns}test_never", "rerun", 1, "ValueError", "never"),
        Heard(f"{reruns}test_never", "failed", 2, "ValueError", "never"),
        Heard(f"{reruns}test_worse", "rerun", 1, "ValueError", "bad"),
        Heard(f"{reruns}test_worse", "error", 2, "RuntimeError", "worse than before"),
    ]
    heard += [Heard(f"{reruns}test_second[{n}]", "rerun", 1, "AssertionError", "assert 1 == 2") for n in range(5)]
    if crashes:
        heard.append(Heard("test_crashes.py::test_segfault", "crashed", 1, "WorkerKilled", "was killed by SIGSEGV"))
        heard.append(Heard("test_crashes.py::test_exit", "crashed", 1, "WorkerExited", "with exit code 3"))
    if memory:
        heard.append(Heard("test_memory.py::test_memory", "crashed", 1, "WorkerOutOfMemory", "OOM kill"))
    assert len([one for one in heard if one.outcome in ("failed", "error")]) == FAILURES
    return sorted(heard)


def run(folder: Path, url: str, *flags: str, prefix: tuple[str, ...] = (), **variables: str) -> tuple[int, str]:
    """Runs pytest on the suite, with a spool beside it. Returns its exit status and what it printed."""
    foreign = ("ERROR_VIS", "PYTEST", "GITHUB")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environ["ERROR_VISUALIZATION_SPOOL"] = str(folder.parent / "spool")
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the service's tests have many plugins
    command = [*prefix, sys.executable, "-m", "pytest", "-q", "--tb=no", *PLUGINS, "--error-dashboard", url, *flags]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=240, check=False, env=environ | variables
    )
    return done.returncode, done.stdout + done.stderr


def deliver(folder: Path, url: str) -> bool:
    """Runs another process that uses the spool of `run`. Returns whether everything is delivered."""
    code = "import sys; from error_visualization import Reporter; sys.exit(not Reporter(sys.argv[1]).flush(30))"
    environ = os.environ | {"ERROR_VISUALIZATION_SPOOL": str(folder.parent / "spool")}
    return subprocess.run([sys.executable, "-c", code, url], timeout=60, check=False, env=environ).returncode == 0


def outcomes(summary: dict[str, Any]) -> dict[str, str]:
    """Returns the outcome of each test in a run's summary. Asserts that each has one, and that the counts are right."""
    found: dict[str, str] = {}
    counts = dict.fromkeys(("passed", "failed", "skipped", "errors"), 0)
    for tests in summary["workers"].values():
        for kind, ids in tests.items():
            counts[kind] += len(ids)
            for test in ids:
                assert found.setdefault(test, kind) == kind, test
    assert counts == summary["counts"]
    assert sum(counts.values()) == len(found)
    return found
