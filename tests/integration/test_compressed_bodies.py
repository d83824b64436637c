"""Compressed bodies: encodings and limits, and that a small body which inflates to gigabytes blocks no other request."""

import gzip
import json
import socket
import sys
import time
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import psutil
import pytest
from conftest import REPORT, InProcess, Served

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.dashboard
PACKERS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}
ZEROS = bytes(2**24)


def bomb(encoding: str) -> bytes:
    """A repeated compressed block: 26 kB (br) to 4 MB (gzip) that inflate to 4 GB (gzip, deflate) or 16 GB of zeros."""
    if encoding == "zstd":
        return zstd.compress(ZEROS) * 1000
    if encoding == "br":
        packer = brotli.Compressor()
        first, again = (packer.process(ZEROS) + packer.flush() for _ in range(2))
        return first + again * 999
    zlib_packer = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    first, again = (zlib_packer.compress(ZEROS) + zlib_packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * 249


@pytest.mark.parametrize("encoding", PACKERS)
def test_a_body_that_inflates_to_gigabytes_holds_up_nobody(served: Callable[..., Served], encoding: str) -> None:
    """Tests every URL. An unread body used to be inflated on the event loop after the answer, which blocked all requests for
    up to 10 s. The bound of 1 s leaves room for a busy machine."""
    service = served()
    host, port = service.url.removeprefix("http://").split(":")
    body = bomb(encoding)
    for request, status in (
        (b"POST /api/report-error", b"413"),
        (b"POST /api/report-errors", b"413"),
        (b"POST /api/reset-counts", b"200"),
        (b"POST /api/errors/delete", b"400"),
        (b"POST /api/patterns/x/merge", b"400"),
        (b"GET /metrics", b"200"),
        (b"GET /api/errors", b"200"),
        (b"POST /nowhere", b"404"),
    ):
        with socket.create_connection((host, int(port)), timeout=15) as sender:
            sender.sendall(request + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            sender.sendall(b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding.encode(), len(body)))
            sender.sendall(body)
            assert sender.recv(12) == b"HTTP/1.1 " + status, request
            began = time.monotonic()
            assert service.get("/-/healthy")
            assert time.monotonic() - began < 1, request
    assert psutil.Process(service.process.pid).memory_info().rss < 400e6


async def refused(service: InProcess, body: bytes, encoding: str) -> tuple[int, str]:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    async with service.client.post("/api/report-error", data=body, headers=headers) as response:
        return response.status, (await response.json())["message"]


@pytest.mark.parametrize("encoding", PACKERS)
async def test_the_limit_is_that_of_the_inflated_body(serve: Any, encoding: str) -> None:
    """One byte more is refused. The same connection is used for each request."""
    service = await serve(max_body_bytes=100_000)
    body = json.dumps(REPORT).encode().ljust(100_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    for content, status in ((body, 200), (body + b" ", 413), (body * 20, 413), (body, 200)):
        async with service.client.post("/api/report-error", data=PACKERS[encoding](content), headers=headers) as answer:
            assert (answer.status, len(content)) == (status, len(content))


@pytest.mark.parametrize("encoding", PACKERS)
async def test_a_damaged_or_cut_off_body_is_refused(service: InProcess, encoding: str) -> None:
    packed = PACKERS[encoding](json.dumps(REPORT).encode())
    for body in (b"not compressed at all", packed[:-1], packed[:10], packed + b"and more"):
        assert await refused(service, body, encoding) == (400, "the body does not decompress"), body
    assert (await service.metrics())['distributed_testing_reports_rejected_total{reason="malformed"}'] == 4


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_body_in_several_parts_is_one(service: InProcess, encoding: str) -> None:
    """A body may consist of several gzip members or zstd frames, but not of so many that reading them takes long."""
    body = json.dumps(REPORT).encode()
    parts = b"".join(PACKERS[encoding](body[start : start + 20]) for start in range(0, len(body), 20))
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    async with service.client.post("/api/report-error", data=parts, headers=headers) as response:
        assert response.status == 200
    assert (await refused(service, PACKERS[encoding](b"") * 20_000, encoding))[0] == 400


async def test_deflate_without_its_header_is_read(service: InProcess) -> None:
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(json.dumps(REPORT).encode()) + packer.flush()
    headers = {"Content-Type": "application/json", "Content-Encoding": "deflate"}
    async with service.client.post("/api/report-error", data=body, headers=headers) as response:
        assert response.status == 200


async def test_an_empty_body_is_no_report(service: InProcess) -> None:
    status, message = await refused(service, b"", "gzip")
    assert (status, message.partition(":")[0]) == (400, "not JSON")
