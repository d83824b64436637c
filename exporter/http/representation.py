"""Sends the answer to a read: compressed once for all requests that share it, and not again to a client that has it
(`ETag`, `If-None-Match`, RFC 9110).

    {"status":"success","data":{…    the shared answer: compressed once
    ,"verdict":{…}                   what an answer has of the moment of the response (`Moment`): compressed each time
    }}

Both are one stream: the shared part ends with a whole byte, the rest begins with an empty window, and their checksum is
continued. A second gzip member would be simpler, but browsers ignore it. To keep the compressor of the shared part and
continue with it would take 250 kB for each answer.

The entity tags are weak: one tag names an answer in every encoding. Strong tags would have to differ by encoding. Only
requests for byte ranges and conditional writes need them, which this service does not have.
"""

import asyncio
import re
import struct
import zlib
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from aiohttp import hdrs, web
from multidict import istr

from exporter.store.answers import Answer
from exporter.store.queries import Encoded

COMPRESSED_FROM: Final = 4_096  # bytes of JSON
IN_THREAD_FROM: Final = 65_536  # bytes of JSON; compressing fewer takes less than a switch to another thread
FASTEST: Final = 1
LEVEL: Final = 6  # level 1 takes half the time, once for each answer, and sends 43 % more bytes of an overview
BEGINNING: Final = b'{"status":"success","data":'
END: Final = b"}"
_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}  # as zlib names the two formats
_CHECKSUMS: Final[dict[str, Callable[..., int]]] = {"gzip": zlib.crc32, "deflate": zlib.adler32}
_CODING: Final = re.compile(r"\s*([a-z*-]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age\s*=\s*(\d{1,6})(?:$|[,\s])", re.IGNORECASE)
_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')
T = TypeVar("T")


class Begun(NamedTuple):
    """The beginning of a compressed body, with the checksum and the number of the bytes that were compressed."""

    body: bytes
    checksum: int
    size: int


class Moment(NamedTuple):
    """A field that a response adds to the object of the shared answer, because it is of this moment. `tag` differs if
    the client has to get it again."""

    name: str
    json: bytes
    tag: str


class Forms:
    """An answer as it is sent: its entity tag and its compressed bodies, each made once for all requests."""

    def __init__(self, json: bytes) -> None:
        self._parts = (BEGINNING, json, END)
        self._size = len(json)
        self._tag = ""
        self._compressed: dict[str, asyncio.Task[bytes]] = {}
        self._begun: dict[str, asyncio.Task[Begun]] = {}

    @property
    def tag(self) -> str:
        """The opaque part of the entity tag: a hash of the JSON."""
        self._tag = self._tag or blake2b(self._parts[1], digest_size=12).hexdigest()
        return self._tag

    async def body(self, accept_encoding: str) -> tuple[bytes, str]:
        """Returns the body and its content coding, "" for none."""
        coding = coding_for(accept_encoding) if self._size > COMPRESSED_FROM else ""
        if not coding:
            return b"".join(self._parts), ""
        if coding not in self._compressed:
            self._compressed[coding] = asyncio.create_task(self._in_thread(compress, self._parts, coding))
        return await asyncio.shield(self._compressed[coding]), coding

    async def body_with(self, moment: Moment, accept_encoding: str) -> tuple[bytes, str]:
        """As `body`, of the answer, which is an object, with one more field."""
        beginning, json, end = self._parts
        more = b'%s"%s":%s}%s' % (b"" if json == b"{}" else b",", moment.name.encode(), moment.json, end)
        coding = coding_for(accept_encoding) if self._size > COMPRESSED_FROM else ""
        if not coding:
            return beginning + json[:-1] + more, ""
        if coding not in self._begun:
            self._begun[coding] = asyncio.create_task(self._in_thread(begin, (beginning, json[:-1]), coding))
        begun = await asyncio.shield(self._begun[coding])
        return finish(begun, more, coding), coding

    async def _in_thread(self, function: Callable[..., T], *given: Any) -> T:
        """Calls `function`, in another thread if the answer is large."""
        return function(*given) if self._size < IN_THREAD_FROM else await asyncio.to_thread(function, *given)


_forms: WeakKeyDictionary[Answer, Forms] = WeakKeyDictionary()


async def response_to(
    request: web.Request, answer: Encoded[Any], *, polled: bool, moment: Moment | None = None
) -> web.Response:
    """Returns the response to a read, with `moment` as one more field of the answer. If the read is `polled`, the
    response has an entity tag, and it is a 304 without a body if the client has the answer already."""
    forms = _forms.get(answer.answer)
    if forms is None:
        forms = _forms[answer.answer] = Forms(answer.answer.json)
    headers: dict[istr, str] = {hdrs.VARY: hdrs.ACCEPT_ENCODING}
    if polled:
        tag = f"{forms.tag}-{moment.tag}" if moment else forms.tag
        headers |= {hdrs.ETAG: f'W/"{tag}"', hdrs.CACHE_CONTROL: "private, no-cache"}
        if age := int(answer.answer.age()):
            headers[hdrs.AGE] = str(age)
        if has(joined(request, hdrs.IF_NONE_MATCH), tag):
            return web.Response(status=304, headers=headers)
    accepted = joined(request, hdrs.ACCEPT_ENCODING)
    body, coding = await (forms.body_with(moment, accepted) if moment else forms.body(accepted))
    if coding:
        headers[hdrs.CONTENT_ENCODING] = coding
    return web.Response(body=body, headers=headers | {hdrs.CONTENT_TYPE: "application/json"})


def coding_for(accept_encoding: str) -> str:
    """Returns the content coding that the header asks for: gzip, deflate, or "" for none."""
    weights = {}
    for part in accept_encoding.lower().split(","):
        if found := _CODING.fullmatch(part):
            weights[found[1]] = float(found[2] or 1)
    others = weights.get("*", 0.0)
    coding = max(_WINDOW_BITS, key=lambda one: weights.get(one, others))  # gzip if both are wanted alike
    weight = weights.get(coding, others)
    return coding if weight > 0 and weight >= weights.get("identity", 0.0) else ""


def has(if_none_match: str, tag: str) -> bool:
    """Returns whether the client has the answer with this opaque tag. Tags are compared weakly."""
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)


def max_age(request: web.Request) -> float:
    """Returns how many seconds old an answer may be (`Cache-Control: max-age` of a request, RFC 9111); 0 if the request
    does not say."""
    wanted = joined(request, hdrs.CACHE_CONTROL)
    found = None if "no-cache" in wanted.lower() else _MAX_AGE.search(wanted)
    return float(found[1]) if found else 0.0


def compress(parts: Iterable[bytes], coding: str, level: int = LEVEL) -> bytes:
    """Returns the parts as one compressed body."""
    packer = zlib.compressobj(level, wbits=_WINDOW_BITS[coding])
    return b"".join([*map(packer.compress, parts), packer.flush()])


def begin(parts: Iterable[bytes], coding: str) -> Begun:
    """Returns the beginning of a compressed body."""
    packer = zlib.compressobj(LEVEL, wbits=_WINDOW_BITS[coding])
    whole = b"".join(parts)
    body = packer.compress(whole) + packer.flush(zlib.Z_SYNC_FLUSH)
    return Begun(body, _CHECKSUMS[coding](whole), len(whole))


def finish(begun: Begun, more: bytes, coding: str) -> bytes:
    """Returns the whole compressed body, which ends with `more` (RFC 1950, 1952)."""
    packer = zlib.compressobj(FASTEST, wbits=-zlib.MAX_WBITS)  # without header and checksum
    checksum = _CHECKSUMS[coding](more, begun.checksum)
    is_gzip = coding == "gzip"
    end = struct.pack("<II", checksum, (begun.size + len(more)) % 2**32) if is_gzip else struct.pack(">I", checksum)
    return b"".join((begun.body, packer.compress(more), packer.flush(), end))


def joined(request: web.Request, name: str) -> str:
    """Returns the value of a header, or the values of headers with this name as one list; "" if there is none."""
    return ", ".join(request.headers.getall(name, ()))
