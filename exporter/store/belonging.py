"""Checks whether a log and a database belong together. Pure. Each refusal says what to do."""

from typing import NamedTuple

from exporter.store import DatabaseInfo, StoreError

REPAIR = "restore both files from one backup, or run `error-visualization repair` to go on with what the database holds"


class LogInfo(NamedTuple):
    """The identity and positions of a log. `identity` is "" for a new file. `event_id` is that of the event at the
    database's position, None if the log does not hold it."""

    identity: str
    first: int
    last: int
    event_id: str | None


def new_log_base(log: LogInfo, database: DatabaseInfo) -> int | None:
    """Returns the `base` with which a new log has to be initialised, or None to go on with the log that is there.
    Raises `StoreError` if the log or the database lacks accepted errors, or the two are not of one service."""
    empty = log.first > log.last
    if not log.identity or (empty and log.identity != database.identity):
        if database.complete:
            return database.position
        raise StoreError(
            "the log beside the database is missing or empty, but the database was not closed by a clean stop, so "
            f"accepted errors may be in a log that is elsewhere: {REPAIR}"
        )
    if not database.identity and database.position == 0:
        raise StoreError(
            f"the log holds errors {log.first} to {log.last}, but the database beside it is new: put the database back "
            f"that belongs to it, or run `error-visualization repair` to build one from the log"
        )
    if log.identity != database.identity:
        raise StoreError(f"the log and the database are of two different services: {REPAIR}")
    if database.position > log.last:
        raise StoreError(
            f"the log ends at error {log.last}, but the database already holds error {database.position}: the log is "
            f"an older copy; {REPAIR}"
        )
    if database.position < log.first - 1:
        raise StoreError(
            f"the database ends at error {database.position}, but the log begins at error {log.first}: the database is "
            f"an older copy and the errors between are missing; {REPAIR}"
        )
    if log.event_id is not None and database.last_event_id is not None and log.event_id != database.last_event_id:
        raise StoreError(
            f"error {database.position} of the log is not error {database.position} of the database: the two files "
            f"were copied from services that went on separately; {REPAIR}"
        )
    return None
