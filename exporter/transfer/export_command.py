"""`error-visualization export`: writes the errors of a service to a file, or to stdout. A file with the wanted name is
always whole (`unfinished.py`)."""

import argparse
import asyncio
import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

import aiohttp

from exporter.access.secrets import without_secrets
from exporter.client import authorization
from exporter.logs import printable
from exporter.store.parameters import ExportFormat
from exporter.transfer.progress import Progress, size
from exporter.transfer.unfinished import unfinished

SILENT_SECONDS: Final = 120.0  # without a byte of the answer, it is given up
GZIP_LEVEL: Final = 1
FORMATS: Final = get_args(ExportFormat)
# The filters of GET /api/export, and whether each may be given more than once.
FILTERS: Final = {
    "severity": True, "category": True, "worker": True, "type": True, "hardware": True, "group": True,
    "run": True, "job": True, "suite": True, "branch": True, "commit": True, "user": True, "test": True, "device": True,
    "fingerprint": False, "pattern": False, "q": False,
}  # fmt: skip

Headers = dict[str, str]


class ExportError(Exception):
    """The file could not be written."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the service (default: %(default)s)")
    parser.add_argument("--token-file", metavar="FILE", help="file with a token (default: ERROR_VISUALIZATION_TOKEN)")
    parser.add_argument("--format", choices=FORMATS, help="default: by the end of the file's name, else ndjson")
    parser.add_argument("--output", default="-", metavar="FILE",
                        help="output file; compressed if its name ends in .gz (default: stdout)")  # fmt: skip
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")
    parser.add_argument("--time-range", type=int, metavar="HOURS", help="only errors of the last hours (default: all)")
    for name, many in FILTERS.items():
        more = "; may be given more than once" if many else ""
        parser.add_argument(f"--{name}", action="append" if many else "store", metavar="VALUE",
                            help=f"only errors with this {'text' if name == 'q' else name}{more}")  # fmt: skip


def main(given: argparse.Namespace) -> int:
    """Returns the exit status: 1 if there is no complete file, 2 if the command makes no sense."""
    path = None if given.output == "-" else Path(given.output)
    if path is not None and path.exists() and not given.force:
        print(f"{path} exists; --force replaces it", file=sys.stderr)
        return 2
    format_ = given.format or _format_of(given.output)
    if format_ == "parquet" and given.output.endswith(".gz"):
        print(f"{path}: Parquet is compressed itself; give a name without .gz", file=sys.stderr)
        return 2
    query = [("format", format_)]
    if given.time_range is not None:
        query.append(("time_range", str(given.time_range)))
    for name in FILTERS:
        values = getattr(given, name) or []
        query += [(name, value) for value in ([values] if isinstance(values, str) else values)]
    try:
        headers = authorization(given.token_file)
        if path is None:
            asyncio.run(_download(given.url, headers, query, sys.stdout.buffer.write, "stdout"))
        else:
            _to_file(path, given.url, headers, query)
    except (ExportError, OSError, ValueError) as error:
        print(printable(without_secrets(f"the export is not complete: {error}")), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("the export was interrupted", file=sys.stderr)
        return 130
    return 0


def _format_of(name: str) -> str:
    ending = name.removesuffix(".gz").rpartition(".")[2]
    return ending if ending in FORMATS else FORMATS[0]


def _to_file(path: Path, url: str, headers: Headers, query: list[tuple[str, str]]) -> None:
    """Raises `ExportError` and OSError."""
    with unfinished(path) as file:
        packed: Any = gzip.GzipFile("", "wb", GZIP_LEVEL, file) if path.name.endswith(".gz") else None
        asyncio.run(_download(url, headers, query, (packed or file).write, str(path)))
        if packed:
            packed.close()


async def _download(
    url: str, headers: Headers, query: list[tuple[str, str]], write: Callable[[bytes], object], name: str
) -> None:
    """Raises `ExportError` unless the whole answer came, and OSError."""
    progress = Progress()
    count = Counter(query[0][1])
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=SILENT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.get(f"{url.rstrip('/')}/api/export", params=query) as response,
        ):
            if response.status != 200:
                raise ExportError(await _said(response))
            async for content in response.content.iter_any():
                write(content)
                count.add(content)
                progress.show(str(count), *count.done())
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ExportError(f"{url}: {error or type(error).__name__}") from None
    progress.say(f"{name}: {count} in {progress.seconds():.1f} s")


async def _said(response: aiohttp.ClientResponse) -> str:
    try:
        answer = await response.json()
        return str(answer["message"])
    except (aiohttp.ClientError, ValueError, KeyError, TypeError):
        return f"the service answered {response.status}"


class Counter:
    """Counts the bytes of an export, and its errors unless it is Parquet."""

    def __init__(self, format_: str) -> None:
        self.bytes = 0
        self.errors = -1 if format_ == "csv" else 0  # the header of CSV is no error
        self._format = format_
        self._in_quotes = False

    def add(self, content: bytes) -> None:
        self.bytes += len(content)
        if self._format == "ndjson":
            self.errors += content.count(b"\n")
        elif self._format == "csv":
            for part in content.split(b'"'):
                self.errors += 0 if self._in_quotes else part.count(b"\n")
                self._in_quotes = not self._in_quotes
            self._in_quotes = not self._in_quotes  # the last part ends without a quote

    def done(self) -> tuple[int, str]:
        """Returns what the rate counts, and its unit."""
        return (self.bytes // 1000, "kB") if self._format == "parquet" else (self.errors, "errors")

    def __str__(self) -> str:
        return size(self.bytes) if self._format == "parquet" else f"{self.errors:,} errors, {size(self.bytes)}"
