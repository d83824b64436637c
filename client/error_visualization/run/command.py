"""The command `run`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Final

from error_visualization.options import OptionError, add_service_arguments, reporter_of
from error_visualization.reporter import Reporter
from error_visualization.run import child
from error_visualization.run.failure import report_of, worth_reporting

CLOSE_SECONDS: Final = 2.0  # for the delivery of the report; after it, the spool keeps it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [options] [--] COMMAND [ARGUMENT ...]"
    parser.description = (
        "Runs COMMAND. If it fails, reports its exit status or signal and the stack trace in its standard error. "
        "Output, signals and exit status are those of COMMAND."
    )
    add_service_arguments(parser)
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command and its arguments")


def main(given: argparse.Namespace) -> int:
    """Returns the exit status of the command, or ends by the signal that ended it."""
    words: list[str] = given.words[1:] if given.words[:1] == ["--"] else given.words
    if not words:
        print("error-visualization run: say which command to run, after --", file=sys.stderr)
        return 2
    logging.getLogger("error_visualization").addHandler(logging.NullHandler())  # nothing of ours in the output
    reporter: Reporter | None = None
    try:
        reporter = reporter_of(given)
    except OptionError as error:
        print(f"error-visualization run: {error}; a failure will not be reported", file=sys.stderr)
    ending = child.run(words, os.environ)
    if ending.problem:
        print(f"error-visualization run: {words[0]}: {ending.problem}", file=sys.stderr)
    if reporter and worth_reporting(ending):
        _report(reporter, words, ending)
    return child.die_as(ending.signal) if ending.signal is not None else ending.status or 0


def _report(reporter: Reporter, words: list[str], ending: child.Ending) -> None:
    """Reports the failure. Whatever goes wrong here must not change how the command ended."""
    try:
        reporter.report(report_of(words, ending, folder=str(Path.cwd())))
        reporter.close(CLOSE_SECONDS)
    except Exception:
        logging.getLogger(__name__).debug("the failure could not be reported", exc_info=True)
