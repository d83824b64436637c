"""`error-visualization run`: real processes, and what a real service got of their failures."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reported import Reported, tool

pytestmark = pytest.mark.dashboard
MEMORY = Path("/sys/fs/cgroup/memory")
STACKS = Path(__file__).parents[2] / "fixtures" / "stderr"
PYTHON = """
def inner():
    raise KeyError("gpu7")
try:
    inner()
except KeyError as error:
    raise RuntimeError("no device") from error
"""


def test_a_python_traceback(reported: Reported) -> None:
    done = reported.run(sys.executable, "-c", PYTHON)
    assert done.returncode == 1
    assert done.stderr.endswith("RuntimeError: no device\n")
    report = reported.report()
    assert (report["type"], report["message"]) == ("RuntimeError", "no device")
    assert report["traceback"] == done.stderr.rstrip("\n")
    assert "KeyError: 'gpu7'" in report["traceback"]
    command = report["command"]
    assert (command["exit_code"], command["signal"], command["oom_killed"]) == (1, None, False)
    assert command["language"] == "python"
    assert 0 < command["duration_seconds"] < 60


def test_success_is_not_reported(reported: Reported) -> None:
    done = reported.run("sh", "-c", "echo out; echo err >&2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")
    reported.reports(0, seconds=0)


def test_an_exit_status_without_a_traceback(reported: Reported) -> None:
    done = reported.run("sh", "-c", "echo made nothing; echo 'make: *** [all] Error 2' >&2; exit 2")
    assert (done.returncode, done.stdout) == (2, "made nothing\n")
    report = reported.report()
    assert (report["type"], report["message"]) == ("ExitStatus", "sh exited with 2: make: *** [all] Error 2")
    assert report["command"]["stderr"] == "make: *** [all] Error 2\n"


def test_an_abort_of_c(reported: Reported, tmp_path: Path) -> None:
    source, program = tmp_path / "fail.c", tmp_path / "fail"
    source.write_text("#include <assert.h>\nint main(int n, char **v) { assert(n == 7); }\n")
    subprocess.run(["cc", "-o", program, source], check=True, timeout=60)
    done = reported.run(program)
    assert done.returncode == -signal.SIGABRT
    report = reported.report()
    assert (report["type"], report["message"]) == ("Assertion failed", "n == 7")
    assert report["command"]["signal"] == "SIGABRT"
    assert report["severity"] == "critical"


def test_an_abort_that_says_nothing(reported: Reported) -> None:
    assert reported.run(sys.executable, "-c", "import os; os.abort()").returncode == -signal.SIGABRT
    report = reported.report()
    assert (report["type"], report["error_category"]) == ("SIGABRT", "WORKER_CRASHED")
    assert report["command"]["exit_code"] is None


def test_a_kill(reported: Reported) -> None:
    done = reported.run("sh", "-c", "echo before >&2; kill -KILL $$")
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "before\n")
    report = reported.report()
    assert report["type"] == "SIGKILL"
    assert report["command"]["oom_killed"] is False


def test_a_shell_sees_128_and_the_signal(reported: Reported) -> None:
    inner = [*reported.options("run"), "--", "sh", "-c", "kill -SEGV $$"]
    done = subprocess.run(["sh", "-c", '"$@"; echo $?', "sh", *inner], capture_output=True, text=True, timeout=60)
    assert done.stdout == "139\n"
    assert reported.report()["type"] == "SIGSEGV"


@pytest.fixture
def limited() -> Iterator[Path]:
    """A cgroup with 64 MiB of memory."""
    group = MEMORY / f"error-visualization-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(64 << 20))
    except OSError as error:
        pytest.skip(f"no cgroup of version 1 can be made here: {error}")
    yield group
    for _ in range(50):
        try:
            group.rmdir()
            return
        except OSError:
            time.sleep(0.1)


@pytest.mark.parametrize("shell", [False, True], ids=["direct", "below a shell"])
def test_an_oom_kill_is_told_from_a_plain_kill(reported: Reported, limited: Path, shell: bool) -> None:
    hog = [sys.executable, "-c", "x = []\nwhile True: x.append(bytearray(b'x' * 4_000_000))"]
    if shell:
        hog = ["sh", "-c", '"$@"; exit $?', "sh", *hog]
    line = [*reported.options("run"), "--", *hog]
    enter = f'echo $$ > {limited}/cgroup.procs && exec "$@"'
    done = subprocess.run(["sh", "-c", enter, "sh", *line], capture_output=True, text=True, timeout=60)
    assert done.returncode == (137 if shell else -signal.SIGKILL)
    report = reported.report()
    assert report["type"] == "OutOfMemoryKill"
    assert report["error_category"] == "RESOURCE_EXHAUSTED"
    assert (report["command"]["oom_killed"], report["command"]["oom_kills"]) == (True, 1)


@pytest.mark.parametrize(
    ("file", "status", "type_", "message"),
    [
        ("go-panic.txt", 2, "panic", "runtime error: index out of range [5] with length 3"),
        ("java.txt", 1, "java.lang.IllegalStateException", "device lost"),
    ],
)
def test_recorded_traces(reported: Reported, file: str, status: int, type_: str, message: str) -> None:
    done = reported.run("sh", "-c", f"cat {STACKS / file} >&2; exit {status}")
    assert done.returncode == status
    assert done.stderr == (STACKS / file).read_text()
    report = reported.report()
    assert (report["type"], report["message"]) == (type_, message)


def test_a_java_program(reported: Reported, tmp_path: Path) -> None:
    source = tmp_path / "Main.java"
    source.write_text(
        "public class Main { public static void main(String[] a) {\n"
        ' try { throw new java.io.IOException("disk"); }\n'
        ' catch (Exception e) { throw new IllegalStateException("device lost", e); } } }\n'
    )
    done = reported.run("java", source)
    if done.returncode == 127:
        pytest.skip("no java here")
    assert done.returncode == 1
    report = reported.report()
    assert (report["type"], report["message"]) == ("java.lang.IllegalStateException", "device lost")
    assert "Caused by: java.io.IOException: disk" in report["traceback"]


@pytest.mark.parametrize(("word", "status", "type_"), [
    ("no-such-command", 127, "CommandNotFound"), (__file__, 126, "CommandNotExecutable"),
])  # fmt: skip
def test_a_command_that_cannot_be_started(reported: Reported, word: str, status: int, type_: str) -> None:
    done = reported.run(word)
    assert done.returncode == status
    assert word in done.stderr
    assert reported.report()["type"] == type_


def test_a_script_without_an_interpreter_line(reported: Reported, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo $1\nexit 5\n")
    script.chmod(0o755)
    done = reported.run(script, "one")
    assert (done.returncode, done.stdout) == (5, "one\n")


def test_bytes_pass_unchanged(reported: Reported) -> None:
    sent = bytes(range(256)) * 5_000
    code = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data); sys.stderr.buffer.write(data)"
    done = subprocess.run(
        [*reported.options("run"), "--", sys.executable, "-c", code], input=sent, capture_output=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout == sent
    assert done.stderr == sent


def test_both_streams_in_one_file_keep_their_order(reported: Reported, tmp_path: Path) -> None:
    lines = "for i in $(seq 300); do echo out $i; echo err $i >&2; done"
    with (tmp_path / "log").open("wb") as log:
        subprocess.run(
            [*reported.options("run"), "--", "sh", "-c", lines], stdout=log, stderr=log, timeout=60, check=True
        )
    wanted = [f"{name} {number}" for number in range(1, 301) for name in ("out", "err")]
    assert (tmp_path / "log").read_text().split("\n")[:-1] == wanted


def test_a_process_that_stays_keeps_its_standard_error(reported: Reported, tmp_path: Path) -> None:
    script = "(sleep 0.5; echo late >&2) & echo early >&2; exit 0"
    with (tmp_path / "log").open("wb") as log:
        begun = time.monotonic()
        subprocess.run([*reported.options("run"), "--", "sh", "-c", script], stderr=log, timeout=60, check=True)
    assert time.monotonic() - begun < 10
    deadline = time.monotonic() + 10
    while (tmp_path / "log").read_text() != "early\nlate\n":
        assert time.monotonic() < deadline, (tmp_path / "log").read_text()
        time.sleep(0.05)


def test_a_reader_that_has_enough_is_no_failure(reported: Reported) -> None:
    line = [*reported.options("run"), "--", "yes"]
    done = subprocess.run(["sh", "-c", '"$@" | head -1', "sh", *line], capture_output=True, text=True, timeout=20)
    assert done.stdout == "y\n"
    reported.reports(0, seconds=0)


def test_without_a_service_the_command_runs(tmp_path: Path) -> None:
    environ: dict[str, Any] = {name: value for name, value in os.environ.items() if "ERROR_VISUALIZATION" not in name}
    done = subprocess.run(
        tool("run", "--", "sh", "-c", "echo out; exit 3"), capture_output=True, text=True, env=environ, timeout=60
    )
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert "ERROR_VISUALIZATION_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_that_is_away_changes_nothing(tmp_path: Path) -> None:
    line = tool(
        "run", "--error-dashboard", "http://127.0.0.1:9", "--spool", tmp_path, "--", "sh", "-c", "echo e >&2; exit 7"
    )
    begun = time.monotonic()
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (7, "e\n")
    assert time.monotonic() - begun < 6
