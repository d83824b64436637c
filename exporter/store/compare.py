"""Says why two patterns are not one."""

from exporter.store.results import PatternDetails
from exporter.store.select import Cursor, members_of


def comparison(cursor: Cursor, one: PatternDetails, other: str) -> list[str]:
    """Returns sentences that say why a pattern and the one that an id leads to are not one. Raises duckdb.Error."""
    other_id, _ = members_of(cursor, other)
    if other_id == one.pattern_id:
        return [f"{one.pattern_id} and {other} are one pattern."]
    return []
