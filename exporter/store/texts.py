"""The searched texts: each distinct one once, so that a search reads thousands of texts instead of millions of errors.

A text is an error's message and traceback in lower case, with each digit as 0, so errors that differ only in numbers
share one. An error whose text is not in the table has `text` = 0; a search has to read the report of that error.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

import duckdb
from msgspec import Struct

from exporter.events.event import MAX_MESSAGE, ErrorEvent
from exporter.events.plain_text import plain_text
from exporter.events.stored import decoder

MAX_TEXTS: Final = 100_000
MAX_BYTES: Final = 2**26  # of all texts
MAX_TEXT_BYTES: Final = 16_384  # of one text
NO_TEXT: Final = 0
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")


def shape(text: str) -> str:
    """Returns a text as it is searched: in lower case, each digit as 0."""
    return _encoded_shape(text).decode()


def _encoded_shape(text: str) -> bytes:
    """Returns the shape as UTF-8, with `?` for lone surrogates. `bytes.translate` takes a tenth of the time of
    `str.translate`."""
    return text.lower().encode("utf-8", "replace").translate(_DIGITS)


class _Searched(Struct):
    message: str | None = None
    traceback: str | None = None


_searched = decoder(_Searched)


def traceback_of(report: str) -> str:
    """Returns the traceback of a report as it is shown; "" if it has none."""
    return plain_text(_searched(report).traceback or "")


def text_of(report: str) -> str:
    """Returns the searched text of an error, with its digits."""
    read = _searched(report)
    return _joined(read.message, read.traceback)


def _joined(message: str | None, traceback: str | None) -> str:
    """Returns the message as lists show it, a line break, and the traceback."""
    return f"{plain_text(message or '')[:MAX_MESSAGE]}\n{plain_text(traceback or '')}"


class Texts:
    """The integers of searched texts. Needs a transaction around `ids`; after a failed one, call `forget`."""

    def __init__(self) -> None:
        self._known: dict[int, int] | None = None  # by the hash; None before they are read
        self._bytes = 0

    def forget(self) -> None:
        """Drops what is in memory, which may be ahead of the database."""
        self._known = None

    def ids(self, db: duckdb.DuckDBPyConnection, events: Iterable[ErrorEvent]) -> list[int]:
        """Returns the integer of each event's text. Adds new texts as long as there is room. Raises
        duckdb.Error."""
        if self._known is None:
            self._known = dict(db.execute("SELECT hash, id FROM texts").fetchall())
            ((self._bytes, last),) = db.execute(
                "SELECT coalesce(sum(strlen(text)), 0)::BIGINT, coalesce(max(id), 0) FROM texts"
            ).fetchall()
            self._next = last + 1
        found = []
        new: list[tuple[int, int, str]] = []
        for event in events:
            text = _encoded_shape(_joined(event.message, _searched(event.body).traceback))
            hash_ = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
            id_ = self._known.get(hash_, NO_TEXT)
            if id_ == NO_TEXT and self._has_room(text):
                id_ = self._known[hash_] = self._next
                self._next += 1
                self._bytes += len(text)
                new.append((id_, hash_, text.decode()))
            found.append(id_)
        if new:
            ids, hashes, texts = zip(*new, strict=True)
            db.execute(
                "INSERT INTO texts SELECT unnest($ids), unnest($hashes::UBIGINT[]), unnest($texts)",
                {"ids": list(ids), "hashes": list(hashes), "texts": list(texts)},
            )
        return found

    def _has_room(self, text: bytes) -> bool:
        assert self._known is not None
        return len(text) <= MAX_TEXT_BYTES and len(self._known) < MAX_TEXTS and self._bytes < MAX_BYTES
