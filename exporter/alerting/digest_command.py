"""`error-visualization digest`: asks a service for its patterns, and sends a digest of them to Alertmanager."""

import argparse
import asyncio
import datetime as dt
import sys
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from exporter.access.secrets import without_secrets
from exporter.alerting.digest import Digest, Seen, alert, description, digest, summary
from exporter.client import authorization
from exporter.logs import printable

TIMEOUT_SECONDS: Final = 60.0
MAX_PAGES: Final = 20  # of 1,000 patterns
PER_PAGE: Final = 1_000
RANGES: Final = {"daily": 24, "weekly": 168}


class _Page(msgspec.Struct):
    patterns: list[Seen]
    next_cursor: str | None = None


class _Answer(msgspec.Struct):
    data: _Page


_decode = msgspec.json.Decoder(_Answer).decode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("period", choices=RANGES, nargs="?", default="daily", help="default: daily")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the service (default: %(default)s)")
    parser.add_argument("--token-file", metavar="FILE", help="file with a token (default: ERROR_VISUALIZATION_TOKEN)")
    parser.add_argument("--alertmanager-url", action="append", default=[], metavar="URL",
                        help="an Alertmanager that gets the digest; repeatable (default: print it only)")  # fmt: skip
    parser.add_argument("--external-labels", action="append", default=[], metavar="NAME=VALUE",
                        help="labels of the alert, as those of the service; repeatable")  # fmt: skip
    parser.add_argument("--external-url", metavar="URL", help="address of the page in links (default: --url)")


def main(given: argparse.Namespace) -> int:
    """Returns the exit status: 1 if the service or an Alertmanager cannot be reached, 2 for wrong arguments."""
    words = [word.strip() for words in given.external_labels for word in words.split(",")]  # as the service's setting
    pairs = [word.partition("=") for word in words if word]
    if any(not name or not value.strip() for name, _, value in pairs):
        print("--external-labels: expected name=value as cluster=eu", file=sys.stderr)
        return 2
    labels = {name: value.strip() for name, _, value in pairs}
    try:
        made = asyncio.run(_run(given, labels))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        said = str(error) or type(error).__name__
        print(printable(without_secrets(f"there is no digest: {said}")), file=sys.stderr)
        return 1
    print(printable(summary(made)) if made else "there is nothing to tell")
    if made:
        print("\n".join(printable(line) for line in description(made).splitlines()))
    return 0


async def _run(given: argparse.Namespace, labels: dict[str, str]) -> Digest:
    now, hours = dt.datetime.now(dt.UTC), RANGES[given.period]
    url = given.url.rstrip("/")
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, headers=authorization(given.token_file)) as session:
        lately, before = [await _patterns(session, url, length) for length in (hours, 2 * hours)]
    made = digest(now, hours, lately, before)
    if made:
        page = (given.external_url or url).rstrip("/")
        parts = urlsplit(page)
        # With equal labels, the digest of another service would replace this one in Alertmanager.
        body = [alert(made, now, page, {"service": parts.netloc.rpartition("@")[2] + parts.path} | labels)]
        async with aiohttp.ClientSession(timeout=timeout) as session:  # Alertmanager does not get the token
            sent = [
                _send(session, f"{alertmanager.rstrip('/')}/api/v2/alerts", msgspec.json.encode(body))
                for alertmanager in given.alertmanager_url
            ]
            failures = [one for one in await asyncio.gather(*sent, return_exceptions=True) if one]
        if failures:  # after each of them was tried
            raise failures[0]
    return made


async def _patterns(session: aiohttp.ClientSession, url: str, hours: int) -> list[Seen]:
    """Returns the patterns of the last `hours`, most frequent first. Raises OSError."""
    found: list[Seen] = []
    query = {"time_range": str(hours), "limit": str(PER_PAGE)}
    for _ in range(MAX_PAGES):
        async with session.get(f"{url}/api/patterns", params=query, allow_redirects=False) as response:
            if response.status != 200:
                raise OSError(f"{url} answered {response.status}")
            page = _decode(await response.read()).data
        found += page.patterns
        if not page.next_cursor:
            break
        query["cursor"] = page.next_cursor
    return found


async def _send(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    """Raises OSError."""
    headers = {"Content-Type": "application/json"}
    async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
        if response.status != 200:
            raise OSError(f"{url} answered {response.status}")
