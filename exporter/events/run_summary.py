"""The summary of a run: how many of its tests passed, failed, were skipped or had an error, and which. The log and the
database store it.

In the log it is MessagePack, compressed with zlib: 100,000 ids of tests take less than a megabyte.
"""

import datetime as dt
import zlib
from typing import Final, Literal

import msgspec
from msgspec import Struct

Outcome = Literal["passed", "skipped", "failed", "error"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("passed", "skipped", "failed", "error")  # the place is the code in the database
_LEVEL: Final = 1


class RunSummary(Struct, array_like=True, gc=False):
    """What `sender` says of the run with the id `run`. It replaces what the same sender said before. Times are aware
    and in UTC. `counts` are in the order of `OUTCOMES`. `details` has the other fields of the run. `tests` has the ids
    of tests by worker, and for each worker in the order of `OUTCOMES`. The field order is the format of the log: add
    fields only at the end, with a default."""

    run: str
    sender: str
    received_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    complete: bool
    counts: tuple[int, int, int, int]
    details: dict[str, str | None]
    tests: dict[str, tuple[list[str], list[str], list[str], list[str]]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(RunSummary).decode


def encode_summary(summary: RunSummary) -> bytes:
    """Returns the payload of an entry of the log."""
    return zlib.compress(_encode(summary), _LEVEL)


def decode_summary(payload: bytes) -> RunSummary:
    """Unpacks what `encode_summary` packed. Raises msgspec.DecodeError and zlib.error."""
    return _decode(zlib.decompress(payload))
