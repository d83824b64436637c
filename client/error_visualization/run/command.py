"""The command `run`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Final

from error_visualization.machine import contexts
from error_visualization.options import OptionError, add_service_arguments, reporter_of
from error_visualization.reporter import why_no_service
from error_visualization.run import child
from error_visualization.run.failure import report_of, worth_reporting

CLOSE_SECONDS: Final = 2.0  # for the delivery of the report; after it, the spool keeps it
CLOSE_SECONDS_OF_OTHERS: Final = 0.5  # for that of reports of earlier commands, if there are any


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
    problem = _problem(given)
    if problem:
        print(f"error-visualization run: {problem}; a failure will not be reported", file=sys.stderr)
    ending = child.run(words, os.environ)  # before there are other threads
    if ending.problem:
        print(f"error-visualization run: {words[0]}: {ending.problem}", file=sys.stderr)
    if not problem:
        _report(given, words, ending)
    return child.die_as(ending.signal) if ending.signal is not None else ending.status or 0


def _problem(given: argparse.Namespace) -> str:
    """Returns why nothing can be reported; "" if it can."""
    url = given.error_dashboard or os.environ.get("ERROR_VISUALIZATION_URL", "")
    return why_no_service(url) if url else "which service? Give --error-dashboard URL or set ERROR_VISUALIZATION_URL"


def _report(given: argparse.Namespace, words: list[str], ending: child.Ending) -> None:
    """Reports a failure, and delivers what is still in the spool from earlier. Whatever goes wrong here must not change
    how the command ended."""
    try:
        reporter = reporter_of(given)
        if not worth_reporting(ending):
            reporter.close(CLOSE_SECONDS_OF_OTHERS)
            return
        reporter.report({**contexts(), **report_of(words, ending, folder=_folder())})
        reporter.close(CLOSE_SECONDS)
    except OptionError as error:
        print(f"error-visualization run: {error}", file=sys.stderr)
    except Exception:
        logging.getLogger(__name__).debug("the failure could not be reported", exc_info=True)


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return None
