"""The messages between the HTTP process and the store's process, over one socket pair.

    frame = length of the message (4 bytes, big-endian), message (msgpack)

    HTTP process                          store's process
    StoreSettings                    →                      first message
    Request(id, kind, payload, at)   →
                                     ←    Response(id, status, payload)
    Request(id, "cancel", …)         →                      of the read with that id; no response

Responses come in any order. `ping` is answered at once, by the thread that reads the socket; everything else is done by
the worker threads. A message that cannot be decoded is a fault of this program: the HTTP process then ends the store's
process and starts another.
"""

import signal
import struct
from typing import Final, Literal

import msgspec
from msgspec import Struct

from exporter.ingest.past import Reassigned
from exporter.store.series import LabelLimits
from exporter.store.states import StatesChanged

LENGTH: Final = struct.Struct("!I")
MAX_FRAME: Final = 2**30
PARENTS_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Perhaps sent to all processes of the service: the HTTP process acts on them, the store's process ignores them."""
MEMORY_LIMIT: Final = 200 * 2**20
Kind = Literal[
    "inspect", "open", "state", "read", "reset_counts", "decide", "delete", "pin", "change_state", "hold", "release",
    "close", "ping", "cancel", "log_level",
]  # fmt: skip
Status = Literal["ok", "error"]


class StoreSettings(Struct):
    """What the store's process needs of the settings."""

    db_path: str
    log_path: str
    log_max_bytes: int
    log_level: str
    log_format: str
    recurrence_times: int  # of each pattern, that `State` holds
    db_memory_limit: int = MEMORY_LIMIT  # bytes
    db_threads: int = 1
    labels: LabelLimits = LabelLimits()
    retention_seconds: float = 0.0  # 0: errors are kept for ever
    max_db_bytes: int = 0  # 0: any size


class Request(Struct, array_like=True):
    """`payload` depends on `kind`. A read sees everything up to the log position `at`."""

    id: int
    kind: Kind
    payload: bytes = b""
    at: int = 0


class Response(Struct, array_like=True):
    """`payload` is the answer, or the text of the error."""

    id: int
    status: Status
    payload: bytes = b""


class Pong(Struct, array_like=True):
    """State of the store's process: the log position of the database; why the projection fails, "" if it does not;
    the pattern ids that changed since the last pong, None if none did; how many times it deleted old errors; the number
    up to which it has the summaries of runs; the states of patterns and workers that changed."""

    position: int
    failure: str
    changed: Reassigned | None = None
    deletions: int = 0
    summaries: int = 0
    states: StatesChanged | None = None


_encode = msgspec.msgpack.Encoder().encode


def frame(message: Struct) -> bytes:
    body = _encode(message)
    return LENGTH.pack(len(body)) + body
