"""The client in forked processes, in threads, in signal handlers and while the interpreter ends."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from error_visualization.reporter import Reporter
from recording import Recording, recording

pytestmark = pytest.mark.dashboard
START = """
import os, sys, signal, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
from error_visualization.reporter import Reporter
url = sys.argv[1]
reporter = Reporter(url, block=20)
"""
AT_EXIT = "sys.modules['error_visualization.reporter'].AT_EXIT"


@pytest.fixture(scope="module")
def shared() -> Iterator[Recording]:
    with recording() as service:
        yield service


@pytest.fixture
def service(shared: Recording) -> Recording:
    shared.reports.clear()
    return shared


def run(code: str, url: str, status: int = 0) -> str:
    command = [sys.executable, "-c", START + textwrap.dedent(code), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def deliver(service: Recording) -> None:
    """What the next process of the machine does."""
    reporter = Reporter(service.url)
    assert reporter.flush(20)
    reporter.close()


def test_each_forked_child_reports_once_and_so_does_the_parent(service: Recording) -> None:
    code = """
        assert reporter.report({"message": "before"})
        children = []
        for number in range(5):
            pid = os.fork()
            if not pid:
                assert reporter.report({"message": f"child {number}"})
                os._exit(0)
            children.append(pid)
        assert reporter.report({"message": "parent"})
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 5
    """
    run(code, service.url)
    deliver(service)
    assert sorted(service.messages) == ["before", *(f"child {number}" for number in range(5)), "parent"]


def test_a_child_may_outlive_its_parent(service: Recording) -> None:
    """What the parent left is delivered although the child still runs: it does not hold the parent's lock."""
    code = """
        import error_visualization.delivery as d
        d.Delivery.wake = lambda self: None
        assert reporter.report({"message": "of the parent"})
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            os._exit(0)
        os.close(1); os.close(2)
        time.sleep(30)
    """
    child = int(run(code, service.url))
    try:
        deliver(service)
        assert service.messages == ["of the parent"]
    finally:
        os.kill(child, signal.SIGKILL)


def test_workers_of_multiprocessing(service: Recording) -> None:
    reporter = Reporter(service.url, block=20)

    def work(number: int) -> None:
        assert reporter.report({"message": f"worker {number}"})

    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    reporter.close()
    deliver(service)
    assert sorted(service.messages) == ["worker 0", "worker 1", "worker 2"]


def test_from_many_threads_each_arrives_once_in_the_order_of_its_thread(service: Recording) -> None:
    reporter = Reporter(service.url, block=20)

    def report(thread: int) -> None:
        for number in range(40):
            assert reporter.report({"message": f"{thread} {number:02}"})

    threads = [threading.Thread(target=report, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert reporter.flush(20)
    reporter.close()
    assert len(service.messages) == 320
    for number in range(8):
        own = [message for message in service.messages if message.startswith(f"{number} ")]
        assert own == [f"{number} {n:02}" for n in range(40)]


def test_a_signal_handler_that_interrupts_report_reports(service: Recording) -> None:
    """The handler runs hundreds of times, at any line of the interrupted call."""
    code = """
        reporter.block = 5
        handled = 0
        def handler(*_):
            global handled
            handled += 1
            safe.append(reporter.report({"message": f"handler {handled}"}))
            if time.monotonic() < until:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + handled % 17 / 20_000)
        safe = []
        until = time.monotonic() + 1.5
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        sent = 0
        while time.monotonic() < until:
            sent += 1
            assert reporter.report({"message": f"main {sent}"})
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert all(safe)
        print(sent, handled)
    """
    sent, handled = map(int, run(code, service.url).split())
    deliver(service)
    assert handled > 100
    assert len(service.messages) == sent + handled
    assert set(service.messages) == {
        *(f"main {n + 1}" for n in range(sent)),
        *(f"handler {n + 1}" for n in range(handled)),
    }


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("atexit", "import atexit; atexit.register(lambda: reporter.report({'message': 'last'}))"),
        (
            "atexit before the client",
            "reporter.report({'message': 'first'}); import atexit; atexit.register(reporter.report, {'message': 'last'})",
        ),
        (
            "__del__",
            "class Last:\n    def __del__(self): self.report({'message': 'last'})\nlast = Last(); last.report = reporter.report",
        ),
        (
            "sys.exit in a thread",
            "threading.Thread(target=lambda: (time.sleep(0.2), reporter.report({'message': 'last'}))).start()",
        ),
        (
            "SIGTERM",
            "signal.signal(signal.SIGTERM, lambda *_: (reporter.report({'message': 'last'}), os._exit(0))); os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)",
        ),
    ],
)
def test_while_the_interpreter_ends(service: Recording, name: str, code: str) -> None:
    run(code, service.url)
    deliver(service)
    assert "last" in service.messages


def test_the_end_of_a_process_delivers_without_another_one(service: Recording) -> None:
    run("reporter.report({'message': 'quick'})", service.url)
    assert service.messages == ["quick"]


def test_the_end_of_a_process_does_not_wait_for_a_service_that_is_away(tmp_path: Path) -> None:
    began = time.monotonic()
    run(f"{AT_EXIT} = 20.0; reporter.report({{'message': 'kept'}})", "http://127.0.0.1:9")
    assert time.monotonic() - began < 15
    assert [path.stat().st_size > 16 for path in (tmp_path / "spool").rglob("*.spool")] == [True]


def test_the_end_of_a_process_waits_two_seconds_for_a_service_that_hangs() -> None:
    over = threading.Event()
    with recording() as hanging:
        hanging.always = lambda _: over.wait(30) and 503
        began = time.monotonic()
        printed = run(f"print({AT_EXIT}); reporter.report({{'message': 'kept'}})", hanging.url)
        assert float(printed) <= 2.5
        assert float(printed) - 0.5 < time.monotonic() - began < 20
        over.set()
