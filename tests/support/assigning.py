"""A database with its log and the table of pattern ids, in the test's process."""

from pathlib import Path

from assigned import Template, assign
from events import event
from projected import Projected

from exporter.store.assignments import Assignments, recorded
from exporter.store.projection import Projection


class Assigning(Projected):
    """With the table of pattern ids."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.assignments = Assignments(self.database)
        self.projection = Projection(self.database, self.log, self.assignments)
        self.assignments.refresh()
        self.known: dict[str, Template] = {}

    def see(self, *templates: tuple[str, Template]) -> None:
        """Projects an event for each new fingerprint."""
        self.append([
            event(fingerprint=one, pattern=text, scope=scope, is_new_fingerprint=True) for one, (scope, text) in templates
        ])  # fmt: skip
        self.catch_up()
        self.known |= dict(templates)

    def ids(self) -> dict[str, str]:
        found = self.values("SELECT fingerprint, pattern_id FROM assignments")
        assert len(found) == len(dict(found)), "one row each"
        return dict(found)

    def expected(self) -> dict[str, str]:
        decisions = [one.decision for one in recorded(self.database.db) if one.undone_at is None]
        return {one: assigned.pattern_id for one, assigned in assign(self.known, decisions).items()}
