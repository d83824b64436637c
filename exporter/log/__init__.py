"""The log: where accepted error events are made durable, in one order. Everything else reads it from a position.

A batch is appended as one record and is on disk when `append` returns. The position of an event is its `id`: the first
event of a new log has position `base + 1`. This module is the seam; `embedded.py` is the implementation on one machine.
The log knows nothing of its readers, of HTTP or of DuckDB.
"""

from typing import Final, NamedTuple, Protocol

REPAIR: Final = (
    "run `error-visualization check` and `repair`, which keeps what can be read, or restore all files from one backup"
)


class LogError(Exception):
    """The log cannot do this now. Nothing of a failed append is kept."""


class LogFullError(LogError):
    """The log holds as many bytes as it may; the database has to catch up first."""


class LogDamagedError(LogError):
    """A record cannot be read, or the file is not a log of this service."""


class Record(NamedTuple):
    """One appended batch: the positions of its first and last event, and its payload."""

    first: int
    last: int
    payload: bytes


class Entry(NamedTuple):
    """A summary of a run and its number. `payload` is None if it is damaged."""

    number: int
    payload: bytes | None


class Log(Protocol):
    """One writer calls `append`, `trim` and `save_state`, from one thread at a time. Any thread may call the rest."""

    @property
    def identity(self) -> str:
        """Random hex text given when the log was made. The database keeps a copy, so that a log and a database that do
        not belong together are recognised."""

    @property
    def first(self) -> int:
        """Position of the oldest event that is kept; `last + 1` when there is none."""

    @property
    def last(self) -> int:
        """Position of the newest event on disk; 0 when there has never been one."""

    def append(self, payload: bytes, count: int) -> int:
        """Appends a batch of `count` events and returns the position of the first when all are on disk. Raises
        `LogError`."""

    def read(self, position: int, max_bytes: int) -> list[Record]:
        """Returns the records from the one that contains `position`, in order, up to about `max_bytes` of payload and
        at least one; empty at the end of the log. Raises `LogError`, also when `position` was trimmed."""

    def trim(self, position: int) -> None:
        """Allows the log to delete the events up to `position`. The newest may be kept for readers that resume."""

    def append_summary(self, payload: bytes) -> int:
        """Adds a summary of a run, and returns its number when it is on disk. Summaries are numbered beside the events.
        Any thread may call it. Raises `LogError`."""

    @property
    def last_summary(self) -> int:
        """Number of the newest summary on disk; 0 when there has never been one. Raises `LogError`."""

    def summaries(self, after: int, max_bytes: int) -> list[Entry]:
        """Returns the summaries after a number, up to about `max_bytes` and at least one. Raises `LogError`."""

    def release_summaries(self, number: int) -> None:
        """Allows the log to delete the summaries up to a number. It keeps the newest."""

    def state(self, reader: str) -> bytes:
        """Returns what `save_state` saved for `reader`; b"" if nothing."""

    def save_state(self, reader: str, state: bytes) -> None:
        """Saves what `reader` needs to go on after a restart. It is on disk after the next append or `close`."""

    def probe(self) -> None:
        """Writes and flushes a small record, as an append would. Raises `LogError`."""

    def close(self) -> None: ...
