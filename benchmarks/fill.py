"""Makes a database of many errors for `reads.py`, or for trying something out.

    python benchmarks/fill.py [--errors 1000000] [--real 20000] [--workers 1000] [--patterns 350] PATH

The errors are those of the workers over the seven days before now. The first 20,000 are reports
of the demo that went through the service's own parsing, classification and insertion. The others repeat their rows with
other ids, times, workers and fingerprints, and repeat their reports with the ids, times and workers of the rows. The
result is a database as a clean stop leaves it: rolled up, with its reports packed, and without a log.
"""

import argparse
import datetime as dt
import itertools
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from exporter.demo.fleet import story
from exporter.events.event import ErrorEvent
from exporter.ingest.past import Past
from exporter.ingest.pipeline import Batch, Pipeline, Submission
from exporter.ingest.severity import Thresholds
from exporter.log.files import log_path
from exporter.store.assignments import Assignments
from exporter.store.database import Database
from exporter.store.insert import Inserter
from exporter.store.report_tables import add_blocks
from exporter.store.reports import PER_BLOCK, Block, pack
from exporter.store.rollups import Rollups
from exporter.store.sql import migrations, named

REAL: Final = 20_000  # errors that went through the service's own code
WORKERS: Final = 1_000
RETIRED: Final = "worker-retired"  # reports only among the oldest errors
PATTERNS: Final = 350
RUN: Final = "5eed5eed"  # begins each event_id; the demo makes such a name for each of its runs
DAYS: Final = dt.timedelta(days=7) - dt.timedelta(hours=1)  # an hour to measure before the first errors are too old
DELAY: Final = dt.timedelta(milliseconds=150)  # of the receipt
KEPT: Final = dt.timedelta(hours=12)  # after which a database is made anew
AT_ONCE: Final = 1_920 * PER_BLOCK  # errors: a row group of DuckDB
PROCESSES: Final = 2  # that pack reports
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_WRITE: Final = named("write.sql")
_ROWS: Final = """
INSERT INTO errors SELECT * EXCLUDE (variant) REPLACE (
    {moment} AS timestamp, {moment} + INTERVAL 150 MILLISECONDS AS received_at, {worker} AS worker,
    (fingerprint + variant * {stride})::INTEGER AS fingerprint, '{run}-' || id AS event_id,
    CASE variant WHEN 0 THEN accepted_pattern_id END AS accepted_pattern_id)
FROM (
    SELECT * REPLACE (id + $shift AS id), hash(id + $shift) % {variants} AS variant
    FROM sample WHERE id >= $first AND id < $end
)"""
_VARIANTS: Final = """
CREATE TEMP TABLE variants AS
SELECT id + variant * $stride AS id, substr(md5(name || variant), 1, 16) AS name, name AS original, variant
FROM fingerprints, range(1, $variants) v(variant)"""
_PATTERNS: Final = """
INSERT INTO patterns
SELECT v.name, p.pattern, p.type, e.first_seen, substr(md5(p.scope || variant), 1, 16)
FROM (SELECT fingerprint AS id, min(timestamp) AS first_seen FROM errors GROUP BY 1) e
     JOIN variants v USING (id) JOIN patterns p ON p.fingerprint = v.original"""


class Plan(NamedTuple):
    """What the fill makes. Error number `id` happens at `start` + `id` * `step`."""

    errors: int
    real: int
    start: dt.datetime
    step: dt.timedelta
    workers: int = WORKERS
    patterns: int = PATTERNS

    def moment(self, id_: int) -> dt.datetime:
        return self.start + id_ * self.step

    @property
    def moment_sql(self) -> str:
        microsecond = dt.timedelta(microseconds=1)
        return f"make_timestamp({(self.start - _EPOCH) // microsecond} + id * {self.step // microsecond})"

    def worker(self, id_: int) -> str:
        if id_ % 997 == 0 and id_ * 20 <= self.errors:
            return RETIRED
        return f"worker-{id_ * 2_654_435_761 % 2**32 // 2**16 % self.workers:04d}"

    @property
    def worker_sql(self) -> str:
        """The integer of the worker, as `_insert_workers` gives them."""
        return (
            f"(CASE WHEN id % 997 = 0 AND id * 20 <= {self.errors} THEN {self.workers + 1} "
            f"ELSE (id * 2654435761 % {2**32}) // {2**16} % {self.workers} + 1 END)::INTEGER"
        )

    def report(self, id_: int, samples: list[str]) -> str:
        """Returns a report as the demo sends it, in JSON."""
        moment, sample = self.moment(id_).isoformat(), samples[(id_ - 1) % self.real]
        return f'{{"timestamp":"{moment}","event_id":"{RUN}-{id_}","worker_id":"{self.worker(id_)}",{sample}'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="the database to make")
    parser.add_argument("--errors", type=int, default=1_000_000)
    parser.add_argument(
        "--real", type=int, default=REAL, help="errors through the whole service (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=WORKERS, help="(default: %(default)s)")
    parser.add_argument("--patterns", type=int, default=PATTERNS, help="about so many (default: %(default)s)")
    given = parser.parse_args()
    print(filled(given.path, given.errors, given.real, given.workers, given.patterns))
    return 0


def filled(path: Path, errors: int, real: int = REAL, workers: int = WORKERS, patterns: int = PATTERNS) -> str:
    """Makes the database at `path`, unless there is already one with so many errors and workers.

    Returns one sentence on which was done."""
    old = _age(path, errors, workers)
    if old is not None:
        return f"{path} is used again; its newest error is {old.total_seconds() / 60:.0f} minutes old"
    began = time.monotonic()
    fill(path, errors, real, workers, patterns)
    size = path.stat().st_size / errors
    return f"{path}: {errors} errors in {time.monotonic() - began:.0f} s, {size:.0f} bytes each"


def fill(path: Path, errors: int, real: int = REAL, workers: int = WORKERS, patterns: int = PATTERNS) -> None:
    """Makes the database at `path`, in place of the files that are there."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    for file in (unfinished, path.with_name(f"{unfinished.name}.wal"), *files(path)):
        file.unlink(missing_ok=True)
    plan = Plan(errors, min(real, errors), dt.datetime.now(dt.UTC) - DAYS, DAYS // errors, workers, patterns)
    database = Database(unfinished)
    database.connect()
    try:
        with database.writing:
            database.db.execute("SET threads = 2")
            _insert_workers(database.db, workers)
            samples = _samples(plan.real)
            inserter = Inserter(database)
            for events in _events(plan, samples):
                inserter.insert(events)
            if plan.errors > plan.real:
                _multiply(database, plan, samples)
                while inserter.pack_step():
                    pass
            rollups = Rollups(database)
            while rollups.step(1):
                pass
            Assignments(database).refresh()
            database.transact(lambda: database.db.execute(_WRITE["mark_complete"]))
            database.db.execute("CHECKPOINT")
    finally:
        database.disconnect()
    unfinished.rename(path)


def files(path: Path) -> list[Path]:
    """Returns the files that a service keeps for the database at `path`."""
    log = log_path(path)
    return [path, path.with_name(f"{path.name}.wal"), log, log.with_name(f"{log.name}-lock")]


def _age(path: Path, errors: int, workers: int) -> dt.timedelta | None:
    """Returns the age of the newest error of a database with so many errors and workers and of this schema; None if
    `path` is not such a database, or an old one."""
    try:
        with duckdb.connect(str(path), read_only=True) as db:
            ((version,),) = db.execute("SELECT version FROM schema_version").fetchall()
            ((many, newest),) = db.execute("SELECT count(*), max(timestamp) FROM errors").fetchall()
            ((known,),) = db.execute("SELECT count(*) - 1 FROM workers").fetchall()  # without `RETIRED`
    except duckdb.Error:
        return None
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    is_same = (version, many, known) == (len(migrations()), errors, workers) and now - newest < KEPT
    return now - newest if is_same else None


def _insert_workers(db: duckdb.DuckDBPyConnection, workers: int) -> None:
    db.execute("INSERT INTO workers SELECT n + 1, printf('worker-%04d', n) FROM range($workers) r(n)",
               {"workers": workers})  # fmt: skip
    db.execute("INSERT INTO workers VALUES ($id, $name)", {"id": workers + 1, "name": RETIRED})


def _samples(many: int) -> list[str]:
    """Returns reports of the demo as JSON, without the beginning that differs from error to error."""
    samples = []
    for moment in itertools.islice(story(1), many):
        report = {name: value for name, value in moment.report.items() if name != "worker_id"}
        samples.append(json.dumps(report, separators=(",", ":"), ensure_ascii=False).removeprefix("{"))
    return samples


def _events(plan: Plan, samples: list[str]) -> Iterator[list[ErrorEvent]]:
    """Yields the events of the reports that go through the service's own code."""
    pipeline = Pipeline(Past(), thresholds=Thresholds(), zone=None)
    for first in range(1, plan.real + 1, 500):
        batch = Batch()
        for id_ in range(first, min(first + 500, plan.real + 1)):
            body = plan.report(id_, samples).encode()
            event = pipeline.prepare(Submission(body, plan.moment(id_) + DELAY, None), batch)
            assert isinstance(event, ErrorEvent), event
            event.id = id_
        pipeline.stored(batch)
        yield batch.events


def _multiply(database: Database, plan: Plan, samples: list[str]) -> None:
    """Inserts the errors after the real ones: their rows by SQL, their reports packed in processes of their own."""
    db = database.db
    ((many, stride),) = db.execute("SELECT count(*), max(id) FROM fingerprints").fetchall()
    variants = max(1, plan.patterns // many)
    db.execute("CREATE TEMP TABLE sample AS FROM errors")
    db.execute(_VARIANTS, {"stride": stride, "variants": variants})
    statement = _ROWS.format(run=RUN, moment=plan.moment_sql, worker=plan.worker_sql, stride=stride, variants=variants)
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn"), _begin, (plan, samples)) as pool:
        waiting: list[Future[list[Block]]] = []
        for first, end in _steps(plan):
            if first % PER_BLOCK or end % PER_BLOCK:
                database.singles.append_rows([(id_, plan.report(id_, samples)) for id_ in range(first, end)])
                database.singles.flush()
                packing = []
            else:
                middle = (first + end) // 2 // PER_BLOCK * PER_BLOCK
                packing = [pool.submit(_packed, first, middle), pool.submit(_packed, middle, end)]
            database.transact(partial(_insert, db, statement, plan, first, end), position=end - 1)
            _append(database, waiting)
            waiting = packing
        _append(database, waiting)
    db.execute("INSERT INTO fingerprints SELECT id, name FROM variants")
    db.execute(_PATTERNS)


def _steps(plan: Plan) -> Iterator[tuple[int, int]]:
    """Divides the ids after the real ones into ranges of whole blocks of reports; the first and last may be less."""
    first, last = plan.real + 1, plan.errors
    inner = range(-(-first // PER_BLOCK) * PER_BLOCK, (last + 1) // PER_BLOCK * PER_BLOCK, AT_ONCE)
    edges = sorted({first, *inner, (last + 1) // PER_BLOCK * PER_BLOCK, last + 1} - set(range(first)))
    return itertools.pairwise(edges)


def _insert(db: duckdb.DuckDBPyConnection, statement: str, plan: Plan, first: int, end: int) -> None:
    """Inserts the rows with ids from `first` to before `end`, from as many repetitions of the real ones as it takes."""
    while first < end:
        shift = (first - 1) // plan.real * plan.real
        upto = min(end, shift + plan.real + 1)
        db.execute(statement, {"shift": shift, "first": first - shift, "end": upto - shift})
        first = upto


def _append(database: Database, packed: list[Future[list[Block]]]) -> None:
    for one in packed:
        database.transact(partial(add_blocks, database.db, one.result()))


_packing: list[tuple[Plan, list[str]]] = []  # in a process of the pool: one item


def _begin(plan: Plan, samples: list[str]) -> None:
    _packing.append((plan, samples))


def _packed(first: int, end: int) -> list[Block]:
    ((plan, samples),) = _packing
    return pack((id_, plan.report(id_, samples)) for id_ in range(first, end))


if __name__ == "__main__":
    sys.exit(main())
