"""What the plugin of the client costs a suite of 500 quick tests that pass: CPU time with it and without it, in turn.

    .venv/bin/python benchmarks/pytest_plugin.py [--rounds 15] [--tests 500] [--xdist] [--failures 0] [--cpu 0]

A service in a thread of this program takes the reports, so its time is not counted. Prints for each side the median and
the median of the differences to the run without the plugin of the same round.
"""

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SUITE = """
import time
import pytest

@pytest.mark.parametrize("n", range({passing}))
def test_passes(n):
    end = time.process_time() + {cpu} / 1000
    while time.process_time() < end:
        pass

@pytest.mark.parametrize("n", range({failing}))
def test_fails(n):
    assert n == -1
"""
PLUGIN = "error_visualization.pytest_plugin"


class Taking(BaseHTTPRequestHandler):
    """Accepts every request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"status": "success", "data": {}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def cpu_seconds(folder: Path, flags: list[str]) -> float:
    """Runs pytest, and returns the CPU seconds of it and its workers."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ERROR_VISUALIZATION")}
    environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "ERROR_VISUALIZATION_SPOOL": str(folder / "spool")}
    environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-pno:cacheprovider", "--tb=no", *flags],
        cwd=folder, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode > 1:
        raise SystemExit(done.stdout + done.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tests", type=int, default=500)
    parser.add_argument("--failures", type=int, default=0)
    parser.add_argument("--cpu", type=float, default=0.0, help="milliseconds that each test computes")
    parser.add_argument("--xdist", action="store_true", help="with two workers")
    given = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    common = ["-pxdist.plugin", "-n2"] if given.xdist else []
    sides = {
        "without": common,
        "off": [*common, f"-p{PLUGIN}"],
        "on": [*common, f"-p{PLUGIN}", "--error-dashboard", url],
    }
    found: dict[str, list[float]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suite = SUITE.format(passing=given.tests - given.failures, failing=given.failures, cpu=given.cpu)
        (folder / "test_suite.py").write_text(suite)
        cpu_seconds(folder, sides["on"])  # compiles
        for _ in range(given.rounds):
            for side in random.sample(list(sides), len(sides)):
                found[side].append(cpu_seconds(folder, sides[side]))
    server.shutdown()
    for side, seconds in found.items():
        more = statistics.median(one - other for one, other in zip(seconds, found["without"], strict=True))
        median = statistics.median(seconds)
        print(f"{side:8} {median:.3f} s CPU, {1000 * more:+.0f} ms, {100 * more / median:+.1f} %")


if __name__ == "__main__":
    main()
