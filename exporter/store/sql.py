"""The SQL files of this package, by name."""

import re
from collections.abc import Mapping
from importlib import resources

import duckdb

_FILES = resources.files(__package__)


def named(file: str) -> dict[str, str]:
    """The statements of `file` by the name in the `-- name:` line above each."""
    parts = re.split(r"^-- name: (\w+)\n", (_FILES / file).read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def filled(statement: str, places: Mapping[str, str]) -> str:
    """Returns `statement` with each placeholder `{place}` replaced by its SQL in `places`."""
    for place, filling in places.items():
        statement = statement.replace(f"{{{place}}}", filling)
    return statement


def migrations() -> list[str]:
    """The scripts that lead from an empty database to the newest schema; the n-th leads to version n."""
    files = sorted((_FILES / "migrations").iterdir(), key=lambda file: file.name)
    return [file.read_text("utf-8") for file in files if file.name.endswith(".sql")]


def number(db: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, object] | None = None) -> int:
    """Returns the number that a query with one row and one column finds. Raises duckdb.Error."""
    row = db.execute(query, values).fetchone()
    assert row is not None
    return int(row[0])
