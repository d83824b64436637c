"""The condition by which an error matches filters, as SQL. It compares the small integers of the columns."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Final

from exporter.events.groups import PREFIXES
from exporter.ingest.category import stored_category
from exporter.store.parameters import Filters
from exporter.store.rollup_tables import literal
from exporter.store.rows import SEVERITY_CODES
from exporter.store.select import Cursor, integers_of, members_of, naive, rows
from exporter.store.texts import NO_TEXT, shape

# The column of each filter that names values, and the table of its names; "" for the severity.
COLUMNS: Final = {
    "severity": ("severity", ""),
    "category": ("category", "categories"),
    "worker": ("worker", "workers"),
    "type": ("type", "types"),
    "hardware": ("hardware", "hardware_types"),
}


def conditions(cursor: Cursor, filters: Filters, now: dt.datetime) -> dict[str, str]:
    """Returns the condition of each filter that is in force, by its name. Raises duckdb.Error."""
    found = {"hours": f"timestamp >= {literal(naive(now) - dt.timedelta(hours=filters.hours))}"}
    for name, (column, table) in COLUMNS.items():
        values: Sequence[str] = getattr(filters, name)
        if values:
            found[name] = one_of(column, _integers(cursor, name, table, values))
    if filters.fingerprint is not None:
        found["fingerprint"] = one_of("fingerprint", integers_of(cursor, [filters.fingerprint]))
    if filters.pattern:
        found["pattern"] = one_of("fingerprint", integers_of(cursor, members_of(cursor, filters.pattern)[1]))
    if filters.group:
        found["group"] = _any_group(filters.group)
    if filters.q:
        found["q"] = _contains(cursor, filters.q.lower())
    return found


def one_of(column: str, values: Iterable[int]) -> str:
    """Returns the condition that a column has one of these values."""
    listed = ", ".join(map(str, values))
    return f"{column} IN ({listed})" if listed else "false"


def both(found: Iterable[str]) -> str:
    return " AND ".join(found) or "true"


def _integers(cursor: Cursor, name: str, table: str, values: Sequence[str]) -> list[int]:
    if name == "severity":
        return [SEVERITY_CODES[value] for value in values]  # type: ignore[index]
    if name == "category":
        values = [stored_category(value) for value in values]
    found = cursor.execute(f"SELECT id FROM {table} WHERE name IN (SELECT unnest($names))", {"names": list(values)})
    return [id_ for (id_,) in found.fetchall()]


def _any_group(groups: Sequence[Any]) -> str:
    parts = []
    for group in groups:
        if group == "hardware":
            parts.append("hardware_error")
        elif group == "recurring":
            parts.append("is_recurring")
        else:
            parts.append(f"category IN (SELECT id FROM categories WHERE starts_with(name, '{PREFIXES[group]}'))")
    return f"({' OR '.join(parts)})"


def _contains(cursor: Cursor, text: str) -> str:
    """Returns the condition that a text, in lower case, is in the message, traceback, type, worker or category."""
    quoted = "'" + text.replace("'", "''") + "'"
    parts = [
        f"{column} IN (SELECT id FROM {table} WHERE contains(lower(name), {quoted}))"
        for column, table in (COLUMNS[name] for name in ("type", "worker", "category"))
    ]
    found = rows(cursor, "found_texts", {"shape": shape(text)})
    parts.append(one_of("text", [row["id"] for row in found]))
    parts.append(f"(text = {NO_TEXT} AND contains(lower(message), {quoted}))")
    return f"({' OR '.join(parts)})"
