"""Makes and undoes decisions by hand, in the database process. A decision is checked and made under the write lock, so
that of two simultaneous decisions the second one is checked against the result of the first."""

import datetime as dt
from typing import Any, Final

import msgspec

from exporter.events.event import isoformat
from exporter.store.assignments import Assignments, Recorded, recorded
from exporter.store.database import Database
from exporter.store.decisions import Decide, Decided, Merge, PatternDecision, Refused, Split, Undo
from exporter.store.pattern_states import PatternStates
from exporter.store.select import resolve
from exporter.store.sql import named

_SQL: Final = named("assign.sql")
_json = msgspec.json.Encoder().encode


class _RefusedError(Exception):
    def __init__(self, status: int, message: str, field: str) -> None:
        super().__init__(message)
        self.refused = Refused(status, message, field)


def decide(
    database: Database, assignments: Assignments, asked: Decide, now: dt.datetime, states: PatternStates | None = None
) -> Decided | Refused:
    """Makes or undoes a decision, and returns it with the resulting pattern ids; `Refused` if it is not possible. `now`
    is naive UTC. Raises `StoreError`."""
    states = states or PatternStates(database)
    with database.writing:
        try:
            match asked:
                case Merge():
                    number = _merge(database, assignments, asked, now)
                case Split():
                    number = _split(database, assignments, states, asked, now)
                case Undo():
                    number = _undo(database, assignments, asked, now)
        except _RefusedError as error:
            return error.refused
        states.names_changed()
        states.note()
        return _decided(database, number)


def pattern_decision(one: Recorded) -> PatternDecision:
    """Converts a decision to the form in which the API returns it."""
    decision = one.decision
    return PatternDecision(
        number=decision.number,
        kind=decision.kind,
        pattern_id=one.from_id,
        into=decision.into or None,
        fingerprints=list(decision.fingerprints),
        whole=decision.whole,
        decided_at=isoformat(one.decided_at),
        undone_at=isoformat(one.undone_at) if one.undone_at else None,
    )


def _merge(database: Database, assignments: Assignments, asked: Merge, now: dt.datetime) -> int:
    pattern_id, members = _pattern(database, asked.id, "id")
    into, targets = _pattern(database, asked.into, "into")
    if pattern_id == into:
        raise _RefusedError(400, f"into: {asked.id} and {asked.into} are one pattern already", "into")
    return _save(database, assignments, now, kind="merge", from_id=pattern_id, fingerprints=members, targets=targets,
                 into_id=into, whole=False)  # fmt: skip


def _split(database: Database, assignments: Assignments, states: PatternStates, asked: Split, now: dt.datetime) -> int:
    pattern_id, members = _pattern(database, asked.id, "id")
    leaving = sorted(set(members if asked.fingerprints is None else asked.fingerprints))
    if foreign := [one for one in leaving if one not in set(members)]:
        raise _RefusedError(400, f"fingerprints: {foreign[0]} is not of the pattern {pattern_id}", "fingerprints")
    if len(members) == 1:
        raise _RefusedError(400, f"fingerprints: the pattern {pattern_id} has only one fingerprint", "fingerprints")
    staying = sorted(set(members) - set(leaving))
    decision = _save(database, assignments, now, kind="split", from_id=pattern_id, fingerprints=leaving,
                     targets=staying, into_id="", whole=leaving == members)  # fmt: skip
    states.split(leaving, staying)
    return decision


def _undo(database: Database, assignments: Assignments, asked: Undo, now: dt.datetime) -> int:
    found = [one for one in recorded(database.db) if one.decision.number == asked.number]
    if not found:
        raise _RefusedError(404, f"there is no decision {asked.number}", "number")
    if found[0].undone_at is not None:
        raise _RefusedError(409, f"the decision {asked.number} is undone already", "number")
    assignments.decide("undo_decision", at=now, number=asked.number)
    return asked.number


def _pattern(database: Database, id_: str, field: str) -> tuple[str, list[str]]:
    found = resolve(database.db, id_)
    if found is None:
        raise _RefusedError(404, f"there is no pattern {id_}", field)
    return found


def _save(database: Database, assignments: Assignments, now: dt.datetime, *, fingerprints: list[str],
          targets: list[str], **values: Any) -> int:  # fmt: skip
    number = 1 + max((one.decision.number for one in recorded(database.db)), default=0)
    texts = {"fingerprints": _json(fingerprints).decode(), "targets": _json(targets).decode()}
    assignments.decide("add_decision", number=number, decided_at=now, **texts, **values)
    return number


def _decided(database: Database, number: int) -> Decided:
    (one,) = [one for one in recorded(database.db) if one.decision.number == number]
    about = [*one.decision.fingerprints, *(one.decision.targets if one.decision.kind == "merge" else ())]
    ids = database.db.execute(_SQL["ids_of"], {"fingerprints": about}).fetchall()
    return Decided(decision=pattern_decision(one), pattern_ids=dict(ids))
