"""The command `pipe`."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

from error_visualization.options import OptionError, add_service_arguments, reporter_of
from error_visualization.pipe.converter import FORMATS, Converter
from error_visualization.pipe.reader import Reader
from error_visualization.reporter import Reporter

IDLE: Final = 0.5  # seconds without a line, after which a stack trace is complete
CLOSE_SECONDS: Final = 5.0
DISK_SECONDS: Final = 10.0  # after which a report that is not on disk counts as lost
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reads a log from standard input and reports its errors: dmesg -w | error-visualization pipe. Each report is "
        "on disk before the next line is read."
    )
    add_service_arguments(parser)
    parser.add_argument("--format", choices=FORMATS, default="auto", help="of the lines (default: found out for each)")
    parser.add_argument("--all", action="store_true", help="report every line, not only errors")
    parser.add_argument("--host-is-worker", action="store_true", help="the host in a line of syslog is the worker")


def main(given: argparse.Namespace) -> int:
    """Returns 0 once all that was read is on disk, 1 if something was dropped, 2 for wrong options."""
    try:
        reporter = reporter_of(given, DISK_SECONDS)
    except OptionError as error:
        print(f"error-visualization pipe: {error}", file=sys.stderr)
        return 2
    reader = Reader(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: reader.stop())
    converter = Converter(given.format, every=given.all, boot_id=boot_id())
    lost, flushed = 0, time.monotonic()
    for line in reader.lines(IDLE):
        found = [] if line is None else converter.push(line)
        if time.monotonic() - flushed >= IDLE:
            found += converter.flush(IDLE)
            flushed = time.monotonic()
        for fields in found:
            lost += not _report(reporter, fields, given.host_is_worker)
    for fields in converter.flush():
        lost += not _report(reporter, fields, given.host_is_worker)
    reporter.close(CLOSE_SECONDS)
    for count, what in ((reader.dropped, "lines came too fast"), (lost, "reports could not be written to disk")):
        if count:
            print(f"error-visualization pipe: {count} {what} and were dropped", file=sys.stderr)
    return 1 if lost or reader.dropped else 0


def boot_id() -> str | None:
    """Returns the id of this start of the kernel, None where there is none."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return None


def _report(reporter: Reporter, fields: dict[str, Any], host_is_worker: bool) -> bool:
    host = fields.get("syslog", {}).get("host") if host_is_worker else None
    try:
        return reporter.report({**fields, "worker_id": host} if host else fields)
    except Exception as error:
        print(f"error-visualization pipe: {error}", file=sys.stderr)
        return False
