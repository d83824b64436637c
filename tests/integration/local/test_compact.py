"""`compact`, through the command line."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from commands import errors, ok, run
from conftest import Served, stored
from events import event
from exact import assert_stored
from fleet import Fleet
from projected import Projected
from upgrade import old_database

from exporter.local import compact as module
from exporter.local.compact import compact
from exporter.local.progress import Progress
from exporter.store import StoreError, offline
from exporter.store.sql import named

pytestmark = pytest.mark.dashboard
Start = Callable[..., Served]


def filled(db: Path, count: int) -> list[Any]:
    """Makes a database as a clean stop leaves it, with unused space, and returns its events."""
    fleet, store = Fleet(3), Projected(db)
    for _ in range(2):
        store.append(fleet.errors(count // 2))
        store.catch_up()
        store.roll_up()
        fleet.now += dt.timedelta(days=1)
    store.pack()
    store.database.db.execute("CREATE TABLE waste AS SELECT range AS i, md5(range::VARCHAR) AS x FROM range(200_000)")
    store.database.db.execute("CHECKPOINT")
    store.database.db.execute("DROP TABLE waste")
    store.database.transact(lambda: store.database.db.execute(named("write.sql")["mark_complete"]))
    store.database.db.execute("CHECKPOINT")
    store.close()
    for file in db.parent.glob("*.log*"):
        file.unlink()
    return fleet.sent


def test_a_smaller_file_holds_the_same(tmp_path: Path) -> None:
    db = tmp_path / "errors.duckdb"
    sent = filled(db, 300)
    before, rows = db.stat().st_size, errors(db)
    said = ok("compact", "--db-path", db)
    after = db.stat().st_size
    assert f"{db} had {before} bytes and has {after} now\n" in said
    assert after < before * 0.8
    assert errors(db) == rows
    assert offline.check(db) == []
    assert oct(db.stat().st_mode & 0o777) == "0o600"
    assert sorted(file.name for file in tmp_path.iterdir() if not file.name.startswith("errors.duckdb.log")) == [
        db.name
    ]
    store = Projected(db)
    store.log.initialise("x", len(sent)) if not store.log.identity else None
    assert_stored(store, sent)
    store.close()
    assert f"{db} could not be made smaller and is unchanged\n" in ok("compact", "--db-path", db)


def test_a_service_goes_on_after_it_also_after_a_kill(served: Start) -> None:
    service = served()
    for number in range(150):
        service.post({"event_id": f"e{number}"})
    service.get("/api/errors")
    service.kill()
    assert service.db.with_name("errors.duckdb.wal").exists()
    ok("compact", "--db-path", service.db)
    service = served()
    assert service.post({})["id"] == 151
    assert len(stored(service)) == 151


def test_a_running_service_is_left_alone(served: Start) -> None:
    service = served()
    service.post({})
    status, said = run("compact", "--db-path", service.db)
    assert status == 1
    assert f"a service is running on {service.db}: stop it" in said
    service.post({})
    assert service.get("/api/errors")["summary"]["total_errors"] == 2


def test_a_database_of_an_earlier_schema_is_compacted_too(tmp_path: Path) -> None:
    db = tmp_path / "errors.duckdb"
    old_database(db, 6, [event(number) for number in range(1, 11)])
    ok("compact", "--db-path", db)
    with duckdb.connect(str(db)) as opened:
        assert opened.execute("SELECT max(version), (SELECT count(*) FROM errors) FROM schema_version").fetchall() == [
            (6, 10)
        ]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ('DELETE FROM new."errors" WHERE id = 7', "the rows of the table errors"),
        ("UPDATE new.counters SET errors = errors + 1 WHERE rowid = 0", "the rows of the table counters"),
        ("DROP VIEW new.named_errors", "the tables and views"),
        ("ALTER TABLE new.marks ADD COLUMN x INTEGER", "the tables and views"),
    ],
)
def test_a_new_file_that_differs_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, words: str
) -> None:
    db = tmp_path / "errors.duckdb"
    filled(db, 100)
    whole = db.read_bytes()
    connect = duckdb.connect

    class Spoiling:
        """A connection that executes `statement` before the new file is checkpointed."""

        def __init__(self, real: Any) -> None:
            self.real = real

        def __enter__(self) -> "Spoiling":
            return self

        def __exit__(self, *_: object) -> None:
            self.real.close()

        def execute(self, sql: str, *values: Any) -> Any:
            if sql == "CHECKPOINT new":
                self.real.execute(statement)
            return self.real.execute(sql, *values)

    monkeypatch.setattr(module.duckdb, "connect", lambda *args, **more: Spoiling(connect(*args, **more)))
    with pytest.raises(StoreError, match=words):
        compact(db, Progress())
    assert db.read_bytes() == whole
    assert not list(tmp_path.glob("*compacting*"))
