"""`error-visualization import`: sends the errors of files to a service, as an import. Nothing is stored twice, so it
can be run again after it was interrupted."""

import argparse
import asyncio
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final

import aiohttp

from exporter.client import authorization
from exporter.transfer.files import FORMATS, FileError, Item, format_of, items
from exporter.transfer.progress import Progress
from exporter.transfer.sender import TIMEOUT, Sender, SendError

MAX_SHOWN: Final = 50  # refused reports that are named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="NDJSON or CSV (also .gz), or Parquet")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the service (default: %(default)s)")
    parser.add_argument("--token-file", metavar="FILE", help="file with a token (default: ERROR_VISUALIZATION_TOKEN)")
    parser.add_argument("--format", choices=FORMATS, help="of all files (default: by the end of each name)")
    parser.add_argument("--rejected", type=Path, metavar="FILE", help="a new file for the refused reports, as NDJSON")


def main(given: argparse.Namespace) -> int:
    """Returns the exit status: 1 if a report was refused or the import is not complete."""
    try:
        files = [(path, given.format or format_of(path)) for path in given.files]
        for path, _ in files:
            path.stat()
        with ExitStack() as opened:
            rejected: IO[bytes] | None = None
            if given.rejected is not None:
                rejected = opened.enter_context(open(given.rejected, "xb", opener=_private))
            return Import(given.url, authorization(given.token_file), rejected).run(files)
    except (FileError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Import:
    """An import of files, and what it says meanwhile."""

    def __init__(self, url: str, headers: dict[str, str], rejected: IO[bytes] | None) -> None:
        self._url = url
        self._headers = headers
        self._rejected = rejected
        self._progress = Progress()
        self._file = Path()
        self._place = "line"  # what a place in the file is
        self._sender: Sender | None = None

    def run(self, files: list[tuple[Path, str]]) -> int:
        """Returns the exit status."""
        failed = ""
        try:
            asyncio.run(self._send(files))
        except* (SendError, FileError, OSError) as errors:
            failed = str(_first(errors))
        except* KeyboardInterrupt:
            failed = "interrupted"
        refused = self._sender.refused if self._sender else 0
        if failed:
            self._progress.say(failed)
            if self._sender:
                self._progress.say(
                    f"{self._file} is imported up to {self._place} {self._sender.settled}; run the command again to "
                    "go on: what is stored is not stored twice"
                )
        self._progress.say(f"{self._counts()} in {self._progress.seconds():.1f} s")
        return 1 if failed or refused else 0

    async def _send(self, files: list[tuple[Path, str]]) -> None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._headers) as session:
            sender = Sender(session, self._url, self._refused, self._show)
            await sender.begin()
            self._sender = sender
            for self._file, format_ in files:
                self._place = "row" if format_ == "parquet" else "line"
                await sender.send(items(self._file, format_))

    def _refused(self, item: Item, reason: str) -> None:
        assert self._sender
        if self._sender.refused <= MAX_SHOWN:
            self._progress.say(f"{self._file}:{item.place}: {reason}")
        elif self._sender.refused == MAX_SHOWN + 1:
            self._progress.say("further refused reports are not listed")
        if self._rejected is not None and item.report:
            self._rejected.write(item.report + b"\n")

    def _show(self) -> None:
        assert self._sender
        done = self._sender.accepted + self._sender.repeated + self._sender.refused
        self._progress.show(self._counts(), done, "errors")

    def _counts(self) -> str:
        sender = self._sender
        if sender is None:
            return "nothing imported"
        return f"{sender.accepted:,} errors stored, {sender.repeated:,} known already, {sender.refused:,} refused"


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
