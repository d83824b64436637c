"""Drained workers in the database: who drained them, and until when."""

import datetime as dt
from typing import Any

from exporter.store.read_states import drained
from exporter.store.state_tables import MAX_STATES, RefusedError, StateTables
from exporter.store.states import Drain, DrainChange, StateOfWorker


class Drains:
    """The caller of every method must hold `database.writing`. Methods raise duckdb.Error."""

    def __init__(self, tables: StateTables) -> None:
        self._tables = tables

    def rows(self) -> list[dict[str, Any]]:
        return self._tables.rows("drained")

    def changes(self) -> dict[str, DrainChange]:
        """Returns the drained workers, as the HTTP process gets them."""
        return {row["worker"]: DrainChange(row["number"], row["worker"], drained(row)) for row in self.rows()}

    def check(self, asked: Drain) -> None:
        """Raises `RefusedError` for what is not possible."""
        drains = {row["worker"] for row in self.rows()}
        if not asked.is_known and not self._tables.is_worker(asked.id):
            raise RefusedError(404, f"there is no worker {asked.id}", "id")
        if not asked.drained and asked.id not in drains:
            raise RefusedError(409, f"the worker {asked.id} is not drained", "id")
        if asked.drained and len(drains | {asked.id}) > MAX_STATES:
            raise RefusedError(409, f"{MAX_STATES} workers are drained already", "id")

    def write(self, asked: Drain, now: dt.datetime) -> None:
        """Does what was asked for. Needs a transaction."""
        until = asked.until.astimezone(dt.UTC).replace(tzinfo=None) if asked.until else None
        action = "drain" if asked.drained else "undrain"
        entry = self._tables.enter(now, action, asked.by, asked.caller, worker=asked.id, until=until)
        self._tables.run("undrain", worker=asked.id)
        if asked.drained:
            self._tables.run("drain", worker=asked.id, number=entry, person=asked.by, made_at=now, until=until)

    def state(self, worker: str) -> StateOfWorker:
        found = [drained(row) for row in self.rows() if row["worker"] == worker]
        return StateOfWorker(worker_id=worker, drained=found[0] if found else None)

    def end_by_time(self, now: dt.datetime) -> None:
        """Ends those whose time is over. Needs a transaction."""
        for row in self.rows():
            if row["until"] is not None and row["until"] <= now:
                self._tables.run("undrain", worker=row["worker"])
                self._tables.enter(now, "drain_ended", worker=row["worker"], until=row["until"])
