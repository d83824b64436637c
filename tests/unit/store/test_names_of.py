"""Names are looked up exactly, near each other or not."""

from collections.abc import Iterator

import duckdb
import pytest

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
