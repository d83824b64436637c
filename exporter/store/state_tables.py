"""The tables of states: `pattern_states`, `drained_workers`, `audit` (`migrations/011_states.sql`, `012_notes.sql`)."""

import datetime as dt
from typing import Any, Final

import msgspec

from exporter.store.database import Database
from exporter.store.decisions import Refused
from exporter.store.select import rows
from exporter.store.sql import named, number
from exporter.store.state_machine import Earlier, Standing

MAX_STATES: Final = 10_000  # patterns with a state, and likewise drained workers
MAX_ENTRIES: Final = 100_000  # of the audit
FREED: Final = 100  # open states that are forgotten at once
_SQL: Final = named("states.sql")


class RefusedError(Exception):
    """A change that is not possible."""

    def __init__(self, status: int, message: str, field: str) -> None:
        super().__init__(message)
        self.refused = Refused(status, message, field)


class StateTables:
    """The caller of every method must hold `database.writing`. Methods raise duckdb.Error."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def standings(self) -> dict[str, Standing]:
        """Returns the states by anchor, the one that was made last at the end."""
        return {row["fingerprint"]: _standing(row) for row in self.rows("standings")}

    def is_worker(self, name: str) -> bool:
        """Returns whether a worker has sent an error."""
        return number(self._database.db, _SQL["is_worker"], {"worker": name}) > 0

    def make_room(self) -> None:
        """Forgets states that say nothing any more, if there are too many. Needs a transaction."""
        if number(self._database.db, "SELECT count(*) FROM pattern_states") < MAX_STATES:
            return
        self.run("forget_open", most=FREED)
        if number(self._database.db, "SELECT count(*) FROM pattern_states") >= MAX_STATES:
            raise RefusedError(409, f"{MAX_STATES} patterns have a state already; reopen some", "id")

    def write(self, anchor: str, entry: int | None, standing: Standing) -> None:
        """Writes a state; without a new `entry`, its number stays, and the silence of a mute. Needs a transaction."""
        (old,) = [row for row in self.rows("standings") if row["fingerprint"] == anchor] or (None,)
        keeps = entry is None and old is not None
        silence = old if keeps and standing.status == "muted" else None
        earlier = standing.before
        self.run("forget_state", fingerprint=anchor)
        self.run(
            "add_state", fingerprint=anchor, number=old["number"] if keeps and old else entry, status=standing.status,
            person=standing.by, made_at=standing.at, until=standing.until, errors_left=standing.errors_left,
            earlier=earlier.status if earlier else None, earlier_person=earlier.by if earlier else None,
            earlier_at=earlier.at if earlier else None, regressions=standing.regressions, error_id=standing.error_id,
            silence_id=silence and silence["silence_id"], silence_error=silence and silence["silence_error"],
        )  # fmt: skip

    def enter(self, at: dt.datetime, action: str, by: str = "", caller: str = "", **about: Any) -> int:
        """Adds an entry to the audit, and returns its number. Needs a transaction."""
        entry = self.next()
        none = dict.fromkeys(("pattern_id", "fingerprint", "worker", "until", "errors", "error_id", "note"))
        self.run("add_entry", number=entry, made_at=at, action=action, person=by, caller=caller, **(none | about))
        if entry > MAX_ENTRIES:
            self.run("forget_entries", number=entry - MAX_ENTRIES)
        return entry

    def next(self) -> int:
        return number(self._database.db, _SQL["next_number"])

    def run(self, statement: str, **values: Any) -> None:
        self._database.db.execute(_SQL[statement], values)

    def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        return rows(self._database.db, statement, values or None)


def _standing(row: dict[str, Any]) -> Standing:
    before = Earlier(row["earlier"], row["earlier_person"], row["earlier_at"]) if row["earlier"] else None
    return msgspec.structs.replace(
        Standing(row["status"], row["person"], row["made_at"], row["until"], row["errors_left"], before),
        regressions=row["regressions"],
        error_id=row["error_id"],
    )
