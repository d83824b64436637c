"""A new database without the migrations, which take longer than most tests: copied from one that was made once."""

import functools
import tempfile
from pathlib import Path

from exporter.store.database import Database


def make_empty(path: Path) -> None:
    """Writes an empty database of the newest schema to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(_empty())


@functools.cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "errors.duckdb")
        database.connect()
        database.db.execute("CHECKPOINT")  # or the tables are in the write-ahead log only
        database.disconnect()
        return database.path.read_bytes()
