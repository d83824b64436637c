"""Names are looked up exactly, near each other or not."""

from collections.abc import Iterator

import duckdb
import pytest

from exporter.store import select
from exporter.store.select import Cursor, names_of

pytestmark = pytest.mark.dashboard


@pytest.fixture
def cursor() -> Iterator[Cursor]:
    with duckdb.connect() as db:
        db.execute("CREATE TABLE types AS SELECT id::INTEGER AS id, 'type ' || id AS name FROM range(1, 2000) t(id)")
        yield db


@pytest.mark.parametrize("ids", [[], [7], [3, 5], [5, 3, 5], [1, 1999], range(1, 2000), range(1, 2000, 100), [0, 2000]])
def test_names_of_integers(cursor: Cursor, ids: list[int]) -> None:
    assert names_of(cursor, "types", ids) == {id_: f"type {id_}" for id_ in ids if 1 <= id_ < 2000}


def test_names_that_were_read_before_are_kept(cursor: Cursor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they are too many, which forgets some, and after new ones came; another cursor reads its own."""
    monkeypatch.setattr(select, "MAX_KNOWN", 4)
    for ids in ([1, 2], [2, 3], [3, 4, 5, 6], [1, 7], range(1, 9), [8, 1], [2000]):
        assert names_of(cursor, "types", ids) == {id_: f"type {id_}" for id_ in ids if id_ < 2000}
    cursor.execute("INSERT INTO types VALUES (2000, 'new')")
    assert names_of(cursor, "types", [2000, 1]) == {2000: "new", 1: "type 1"}
    cursor.execute("CREATE TABLE workers AS SELECT 1 AS id, 'worker' AS name")
    assert names_of(cursor, "workers", [1]) == {1: "worker"}
    with duckdb.connect() as other:
        other.execute("CREATE TABLE types AS SELECT 1 AS id, 'another' AS name")
        assert names_of(other, "types", [1]) == {1: "another"}
    cursor.execute("DROP TABLE types")
    assert names_of(cursor, "types", [2000, 1]) == {2000: "new", 1: "type 1"}
