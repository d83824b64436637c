"""Makes the SQL conditions that an error has to meet for filters. They compare the small integers of the columns."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from exporter.events.groups import PREFIXES, GroupName
from exporter.ingest.category import stored_category
from exporter.ingest.origin import SEPARATOR
from exporter.store.names import Table
from exporter.store.parameters import ErrorFilters, FacetName, Filters, TimeRange
from exporter.store.rollup_tables import literal
from exporter.store.rows import SEVERITY_CODES
from exporter.store.select import Cursor, Span, end_of_range, integers_of, members_of, naive

# The column that a filter compares, and the table with the names of its integers; None: `SEVERITY_CODES` has them.
COLUMNS: Final[dict[FacetName, tuple[str, Table | None]]] = {
    "severity": ("severity", None),
    "category": ("category", "categories"),
    "worker": ("worker", "workers"),
    "type": ("type", "types"),
    "hardware": ("hardware", "hardware_types"),
    "job": ("job", "jobs"),
    "suite": ("suite", "suites"),
    "branch": ("branch", "branches"),
    "user": ("submitter", "users"),
}
# The same for filters without a facet: there may be any number of values.
MANY: Final[dict[str, tuple[str, Table]]] = {
    "run": ("run", "runs"), "commit": ("revision", "commits"), "test": ("test", "tests"),
}  # fmt: skip
_OTHERS: Final = ("device", "group", "pattern")
# The columns that the condition of a filter may compare.
_COMPARED: Final[dict[str, tuple[str, ...]]] = {
    **{name: (column,) for name, (column, _) in (COLUMNS | MANY).items()},
    "device": ("devices",), "pattern": ("fingerprint",), "fingerprint": ("fingerprint",),
    "group": ("category", "hardware_error", "is_recurring"), "text": ("text", "type", "category", "worker"),
}  # fmt: skip
# By the column.
_TABLES: Final = dict(COLUMNS.values()) | dict(MANY.values()) | {
    "fingerprint": "fingerprints", "text": "texts", "devices": "device_sets"
}  # fmt: skip
# Integers in an IN. DuckDB makes a join of more of them, and then reads all errors to find the newest: 0.5 s for ten
# million, and 14 s for an IN of 10,000. A bit string takes milliseconds for the newest and 40 ms for all.
MAX_LISTED: Final = 4
# The names that have a text. Those with characters beyond ASCII are returned, because lower() of Python may differ.
_LIKE: Final = """SELECT id, CASE WHEN length(name) < strlen(name) THEN name END FROM {table}
WHERE length(name) < strlen(name) OR contains(lower(name), $text)"""
NOTHING: Final = "false"  # the condition that no error meets
ALL: Final = range(2**31)  # every integer of a column; compared with `is`


def conditions(cursor: Cursor, filters: Filters, now: dt.datetime) -> dict[str, str]:
    """Returns the condition of each filter in force, by its name. Text is not one of them: `search.py` looks for
    it. Raises duckdb.Error."""
    return {"hours": Span.of(filters, now).condition} | of_all_times(cursor, filters)


def since(hours: int, now: dt.datetime) -> str:
    """Returns the condition that an error is at most so many hours old, and not ahead of `now`."""
    return Span.of(TimeRange(hours=hours), now).condition


def ahead(now: dt.datetime) -> str:
    """Returns the condition that an error is ahead of `now`: no time range that ends now has it."""
    return f"timestamp >= {literal(end_of_range(naive(now)))}"


def of_all_times(cursor: Cursor, filters: ErrorFilters) -> dict[str, str]:
    """As `conditions`, without a time range."""
    found: dict[str, str] = {}
    if filters.fingerprint is not None:
        ids = integers_of(cursor, "fingerprints", [filters.fingerprint])
        found["fingerprint"] = one_of(cursor, "fingerprint", ids)
    if filters.pattern:
        found["pattern"] = _any_of(cursor, "pattern", [filters.pattern])
    for name in (*COLUMNS, *MANY, *_OTHERS):
        if values := getattr(filters, name, ()) if name != "pattern" else ():
            found[name] = _any_of(cursor, name, values)
        if values := getattr(filters, f"not_{name}"):
            found[f"{name}!"] = f"({_any_of(cursor, name, values)}) IS NOT TRUE"  # true where the column is NULL
    return found


def columns_of(found: Iterable[str]) -> frozenset[str]:
    """Returns the columns of `errors` that the conditions of these filters may compare: `found` are their names."""
    return frozenset(column for name in found for column in _COMPARED[name.removesuffix("!")])


def _any_of(cursor: Cursor, name: str, values: Sequence[str]) -> str:
    """Returns the condition that an error has one of the values of a filter. Raises duckdb.Error."""
    if name in COLUMNS:
        return one_of(cursor, COLUMNS[name][0], _integers(cursor, name, values))
    if name in MANY:
        column, names = MANY[name]
        return one_of(cursor, column, integers_of(cursor, names, values))
    if name == "device":
        return one_of(cursor, "devices", sets_with(cursor, values))
    if name == "group":
        return _any_group(cursor, values)  # type: ignore[arg-type]
    members = [member for value in values for member in members_of(cursor, value)[1]]
    return one_of(cursor, "fingerprint", integers_of(cursor, "fingerprints", members))


def one_of(cursor: Cursor, column: str, values: Collection[int]) -> str:
    """Returns the condition that a column of small integers has one of these values. Raises duckdb.Error."""
    if not values:
        return NOTHING
    if values is ALL:
        return f"{column} IS NOT NULL"
    if len(values) <= MAX_LISTED:
        return f"{column} IN ({', '.join(map(str, values))})"
    # A bit for each integer that an error of this snapshot may have. get_bit fails for others; to avoid them by least()
    # would double the time.
    ((last,),) = cursor.execute(f"SELECT max(id) FROM {_TABLES[column]}").fetchall()
    bits = bytearray(b"0" * (last + 1))
    for value in values:
        bits[value] = ord("1")
    return f"get_bit('{bits.decode()}'::BIT, {column}) = 1"


def sets_with(cursor: Cursor, devices: Sequence[str]) -> list[int]:
    """Returns the integers of the sets of devices that have one of these. Raises duckdb.Error."""
    statement = f"SELECT id FROM device_sets WHERE list_has_any(string_split(name, chr({ord(SEPARATOR)})), $devices)"
    return [id_ for (id_,) in cursor.execute(statement, {"devices": list(devices)}).fetchall()]


def all_of(found: Iterable[str]) -> str:
    """Returns the condition that all conditions hold."""
    return " AND ".join(found) or "true"


def any_of(found: Iterable[str]) -> str:
    """Returns the condition that at least one condition holds."""
    return f"({' OR '.join(one for one in dict.fromkeys(found) if one != NOTHING) or NOTHING})"


def named_like(cursor: Cursor, column: str, text: str) -> Collection[int]:
    """Returns the integers of those values of a column whose name contains `text`, which is in lower case; `ALL` if
    all do. The column must have a table of names. Raises duckdb.Error."""
    table = _TABLES[column]
    possible = cursor.execute(_LIKE.format(table=table), {"text": text}).fetchall()
    found = [id_ for id_, value in possible if value is None or text in value.lower()]
    if not found:
        return found
    ((known,),) = cursor.execute(f"SELECT count(*) FROM {table}").fetchall()
    return ALL if len(found) == known else found


def _integers(cursor: Cursor, name: FacetName, values: Sequence[str]) -> list[int]:
    table = COLUMNS[name][1]
    if table is None:
        return [SEVERITY_CODES[value] for value in dict.fromkeys(values)]  # type: ignore[index]
    if table == "categories":
        values = [stored_category(value) for value in values]
    return integers_of(cursor, table, values)


def _any_group(cursor: Cursor, groups: Sequence[GroupName]) -> str:
    parts = {"hardware": "hardware_error", "recurring": "is_recurring"}
    prefixes = [PREFIXES[group] for group in groups if group not in parts]
    found = [parts[group] for group in groups if group in parts]
    if prefixes:
        categories = cursor.execute("SELECT id, name FROM categories").fetchall()
        by_prefix = [id_ for id_, name in categories if name.startswith(tuple(prefixes))]
        found.append(one_of(cursor, "category", by_prefix))
    return any_of(found)
