"""Content codings, entity tags, and that an answer is compressed once."""

import asyncio
import gzip
import json
import threading
import zlib
from typing import Any

import pytest

from exporter.http import representation as module
from exporter.http.representation import Forms, Moment, begin, coding_for, compress, has

pytestmark = pytest.mark.dashboard


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", ""), ("gzip", "gzip"), ("GZip", "gzip"), ("deflate", "deflate"), ("identity", ""), ("br, zstd", ""),
        ("gzip, deflate, br", "gzip"), ("deflate, gzip", "gzip"), ("br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip"),
        ("gzip;q=0", ""), ("gzip; q=0.000", ""), ("gzip;q=0, deflate", "deflate"), ("gzip;q=0.2,deflate;q=0.9", "deflate"),
        ("gzip;q=0.5", "gzip"), ("identity, gzip;q=0.5", ""), ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0", ""), ("identity;q=0, gzip", "gzip"), ("*", "gzip"), ("*;q=0", ""), ("gzip;q=0, *", "deflate"),
        ("gzip;q=2", ""), ("gzip;q=x", ""), ("gzip;level=9", ""), (",, gzip ,", "gzip"), ("gzipped", ""), ("\x00;=", ""),
    ],
)  # fmt: skip
def test_the_coding_is_one_that_the_client_accepts(accept: str, expected: str) -> None:
    assert coding_for(accept) == expected


@pytest.mark.parametrize(
    ("if_none_match", "expected"),
    [
        ("", False), ("*", True), (" * ", True), ('"abc"', True), ('W/"abc"', True), ('"x", W/"abc"', True),
        ('W/"x","abc" , "y"', True), ('"x"', False), ('W/"x", "y"', False), ("abc", False), ('"abc', False),
        ('"ABC"', False), ('"abcd"', False), ('"a,b", "*"', False), ('"a,abc"', False),
    ],
)  # fmt: skip
def test_tags_are_compared_weakly(if_none_match: str, expected: bool) -> None:
    assert has(if_none_match, "abc") is expected


def test_the_tag_is_a_hash_of_the_answer() -> None:
    assert Forms(b'{"a":1}').tag == Forms(b'{"a":1}').tag != Forms(b'{"a":2}').tag
    assert Forms(b"").tag.isalnum()


@pytest.mark.parametrize("size", [module.COMPRESSED_FROM + 1, module.IN_THREAD_FROM])
async def test_readers_who_accept_the_same_coding_share_one_compression(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[tuple[str, bool]] = []

    def counted(parts: Any, coding: str) -> bytes:
        threads.append((coding, threading.current_thread() is threading.main_thread()))
        return compress(parts, coding)

    monkeypatch.setattr(module, "compress", counted)
    forms, whole = Forms(b"x" * size), b'{"status":"success","data":%s}' % (b"x" * size)
    leaving = asyncio.create_task(forms.body("gzip"))
    await asyncio.sleep(0)
    leaving.cancel()  # the others still get it
    bodies = await asyncio.gather(*(forms.body(accept) for accept in ("gzip", "gzip, br", "deflate", "", "gzip")))
    assert [coding for _, coding in bodies] == ["gzip", "gzip", "deflate", "", "gzip"]
    assert bodies[0][0] is bodies[1][0] is bodies[4][0]
    assert gzip.decompress(bodies[0][0]) == zlib.decompress(bodies[2][0]) == bodies[3][0] == whole
    on_the_loop = size < module.IN_THREAD_FROM
    assert sorted(threads) == [("deflate", on_the_loop), ("gzip", on_the_loop)]


@pytest.mark.parametrize("size", [0, module.COMPRESSED_FROM + 1, module.IN_THREAD_FROM])
async def test_a_field_of_the_moment_is_added_to_what_is_shared(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    monkeypatch.setattr(module, "begin", lambda parts, coding: begun.append(coding) or begin(parts, coding))
    shared = {"a": "x" * size} if size else {}
    forms = Forms(json.dumps(shared).encode())
    for accept, unpack in (("gzip", gzip.decompress), ("deflate", zlib.decompress), ("", bytes)) * 2:
        for number in range(2):
            body, coding = await forms.body_with(Moment("now", b"%d" % number, ""), accept)
            assert coding == (accept if size else "")
            plain = json.loads(unpack(body) if coding else body)
            assert plain == {"status": "success", "data": shared | {"now": number}}
    assert sorted(begun) == (["deflate", "gzip"] if size else [])


async def test_a_small_answer_is_not_compressed() -> None:
    assert await Forms(b"x" * module.COMPRESSED_FROM).body("gzip") == (
        b'{"status":"success","data":%s}' % (b"x" * module.COMPRESSED_FROM), "",
    )  # fmt: skip
