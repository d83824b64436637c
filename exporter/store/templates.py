"""The templates of patterns without errors, after a deletion on request: a template may have what was not masked in a
message. The fingerprint stays, so the pattern keeps its id and is not new when it comes back; its template is then
stored again.

A template is deleted when neither its pattern nor its family has an error. A family whose templates are deleted is
deleted, too. A template without text is in no family (assign.sql).
"""

from collections.abc import Iterable
from typing import Final

import duckdb

from exporter.events.event import ErrorEvent
from exporter.store.sql import named

FEW: Final = 8  # fingerprints that are looked for one by one
_SQL: Final = named("delete.sql")


def delete_templates(db: duckdb.DuckDBPyConnection) -> None:
    """Deletes the templates that are not needed after the errors of the table `gone` were deleted. Needs a transaction.
    Raises duckdb.Error."""
    if _has_lost_all(db):
        for statement in _SQL["delete_templates"].split(";"):
            db.execute(statement)


def _has_lost_all(db: duckdb.DuckDBPyConnection) -> bool:
    """Returns whether a fingerprint of the deleted errors has no error any more."""
    some = db.execute("SELECT DISTINCT fingerprint FROM gone LIMIT $most", {"most": FEW + 1}).fetchall()
    if len(some) > FEW:
        return db.execute(_SQL["lost"]).fetchone() is not None
    # A search that ends at the first error; the statement above reads all.
    one = "SELECT id FROM errors WHERE fingerprint = $1 LIMIT 1"
    return any(db.execute(one, list(fingerprint)).fetchone() is None for fingerprint in some)


class DeletedTemplates:
    """Stores deleted templates again. Needs a transaction around `restore`; after a failed one, and after a deletion,
    call `forget`."""

    def __init__(self) -> None:
        self._fingerprints: set[str] | None = None  # without a template; None before they are read

    def forget(self) -> None:
        """Drops what is in memory, which may differ from the database."""
        self._fingerprints = None

    def restore(self, db: duckdb.DuckDBPyConnection, events: Iterable[ErrorEvent]) -> None:
        """Stores the templates of events whose fingerprints have none. Raises duckdb.Error."""
        if self._fingerprints is None:
            self._fingerprints = {one for (one,) in db.execute(_SQL["without_template"]).fetchall()}
        if not self._fingerprints:
            return
        back = {one.fingerprint: one.pattern for one in events if one.fingerprint in self._fingerprints}
        if back:
            db.execute(_SQL["restore_templates"], {"fingerprints": list(back), "templates": list(back.values())})
            self._fingerprints -= back.keys()
