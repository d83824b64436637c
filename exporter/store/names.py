"""Gives small integers to texts that repeat from error to error: workers, types, categories, hardware types,
fingerprints, runs and what belongs to them, tests and sets of devices. A table for each of these has the names with
their integers; those used last are also in memory."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, Literal, get_args

import duckdb

Table = Literal[
    "workers", "types", "categories", "hardware_types", "fingerprints", "runs", "jobs", "suites", "branches", "commits",
    "users", "tests", "device_sets",
]  # fmt: skip
Name = tuple[Table, str]
TABLES: Final[tuple[Table, ...]] = get_args(Table)
MAX_KNOWN: Final = 100_000  # names in memory; beyond it, all are forgotten and looked up again


class Names:
    """The integers of names. Needs a transaction around `ids`; after a failed one, call `forget`."""

    def __init__(self) -> None:
        self._known: dict[Name, int] = {}
        self._next: dict[Table, int] = {}

    def forget(self) -> None:
        """Drops what is in memory, which may be ahead of the database."""
        self._known.clear()
        self._next.clear()

    def ids(self, db: duckdb.DuckDBPyConnection, wanted: Iterable[Name]) -> dict[Name, int]:
        """Returns the integers of names, in memory or from the database; new names get the next ones. Raises
        duckdb.Error."""
        wanted = dict.fromkeys(wanted)  # in the order of arrival
        if len(self._known) + len(wanted) > MAX_KNOWN:
            self._known.clear()
        missing: dict[Table, list[str]] = defaultdict(list)
        for table, name in wanted:
            if (table, name) not in self._known:
                missing[table].append(name)
        for table, some in missing.items():
            self._look_up(db, table, some)
            self._add(db, table, [name for name in some if (table, name) not in self._known])
        return {name: self._known[name] for name in wanted}

    def _look_up(self, db: duckdb.DuckDBPyConnection, table: Table, some: list[str]) -> None:
        statement = f"SELECT name, id FROM {table} WHERE name IN (SELECT unnest($names))"
        for name, id_ in db.execute(statement, {"names": some}).fetchall():
            self._known[table, name] = id_

    def _add(self, db: duckdb.DuckDBPyConnection, table: Table, new: list[str]) -> None:
        if not new:
            return
        if table not in self._next:
            ((self._next[table],),) = db.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchall()
        ids = range(self._next[table], self._next[table] + len(new))
        db.execute(f"INSERT INTO {table} SELECT unnest($ids), unnest($names)", {"ids": list(ids), "names": new})
        self._next[table] += len(new)
        self._known.update(zip(((table, name) for name in new), ids, strict=True))
