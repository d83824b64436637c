"""Whether a file is a DuckDB database, before DuckDB opens it: it would take an SQLite file for one that it needs an
extension for."""

from pathlib import Path
from typing import Final

from exporter.store import StoreError

_MAGIC: Final = b"DUCK"
_MAGIC_AT: Final = 8  # after a checksum
_OTHERS: Final = ((b"SQLite format 3\0", "an SQLite database"), (b"PAR1", "a Parquet file"))
_DAMAGED: Final = "If it was the database of this service, its beginning is damaged: run `error-visualization repair`"


def check_kind(path: Path) -> None:
    """Raises `StoreError` for a path at which there is something else than a DuckDB file, OSError if it cannot be
    read."""
    if path.is_dir():
        raise StoreError(f"{path} is a folder: name a file in it with --db-path")
    if not path.exists():
        return
    with path.open("rb") as file:
        head = file.read(32)
    if head[_MAGIC_AT:].startswith(_MAGIC):
        return
    if not head:
        raise StoreError(f"{path} is an empty file: choose another --db-path, or restore a backup there")
    if kind := next((words for magic, words in _OTHERS if head.startswith(magic)), ""):
        raise StoreError(f"{path} is {kind}{both(path)}")
    raise StoreError(f"{path} is no DuckDB database{both(path)}. {_DAMAGED}")


def both(path: Path) -> str:
    """Returns the end of a sentence about a file of another program: how to use both."""
    own = path.with_name(f"{path.stem}-errors.duckdb")
    return (
        f" and stays as it is. To use both, start the service with a file of its own: --db-path {own}. The page, the "
        "API and the metrics need nothing of the other file"
    )
