"""The states of patterns as alerts see them: which patterns are resolved, which came back, which are muted.

The database decides what a state is (`store/pattern_states.py`), a second after the error at the latest. An error of a
resolved pattern is seen here first, so that its alert need not wait: `of` applies the same rule, and the alert has the
number of the regression as a label. When the database says the same later, the alert is there already.
"""

from typing import NamedTuple

from exporter.events.event import ErrorEvent
from exporter.store.state_machine import is_return
from exporter.store.states import StateChange, StatesChanged


class Told(NamedTuple):
    """What to make of an error. `alerts`: whether it may make an alert. `regression`: how many times its pattern came
    back after it had been resolved, "" if never; `is_return` is true for the error that shows it. `resolved_by` is who
    had resolved it."""

    alerts: bool = True
    regression: str = ""
    is_return: bool = False
    resolved_by: str = ""


class Standings:
    """`told` has the regressions that made alerts, by anchor."""

    def __init__(self) -> None:
        self.told: dict[str, int] = {}
        self._states: dict[str, StateChange] = {}  # by anchor
        self._anchors: dict[str, str] = {}  # name of a pattern → anchor
        # anchor → the regression that an error showed, and the database did not yet
        self._returned: dict[str, int] = {}

    def apply(self, changed: StatesChanged) -> list[StateChange]:
        """Takes over states, and returns those that differ from what was known."""
        different = [change for change in changed.patterns if self._states.get(change.anchor) != change]
        self._move(different)
        if changed.complete:
            self._states = {change.anchor: change for change in changed.patterns}
            self.told = {anchor: number for anchor, number in self.told.items() if anchor in self._states}
        self._states |= {change.anchor: change for change in different}
        for anchor in changed.gone:
            self._states.pop(anchor, None)
        for anchor, number in list(self._returned.items()):
            change = self._states.get(anchor)
            if change is None or change.state.status != "resolved" or change.regressions >= number:
                del self._returned[anchor]
        in_order = sorted(self._states.values(), key=lambda change: change.number)
        self._anchors = {name: change.anchor for change in in_order for name in change.names}
        return different

    def _move(self, changes: list[StateChange]) -> None:
        """Takes over what was told of states that have another anchor now: their pattern was split. A state keeps its
        number then."""
        anchors = {change.number: anchor for anchor, change in self._states.items()} if changes else {}
        for change in changes:
            old = anchors.get(change.number, change.anchor)
            if old != change.anchor:
                for known in (self.told, self._returned):
                    if old in known:
                        known[change.anchor] = known.pop(old)

    def tell_no_past(self) -> None:
        """Takes all regressions until now as told."""
        self.told |= {change.anchor: change.regressions for change in self._states.values()}

    def of(self, event: ErrorEvent) -> Told:
        """Returns what to make of an error."""
        if not self._anchors:
            return Told()
        anchor = self._anchors.get(event.pattern_id or event.fingerprint) or self._anchors.get(event.fingerprint)
        change = self._states.get(anchor) if anchor else None
        if anchor is None or change is None:
            return Told()
        if change.state.status != "resolved":
            return Told(regression=str(change.regressions or ""), resolved_by=self._by(change))
        by = self._by(change)
        if (number := self._returned.get(anchor)) is not None:
            return Told(regression=str(number), resolved_by=by)
        if not is_return(event, change.at):
            return Told(alerts=False)
        number = self._returned[anchor] = change.regressions + 1
        self.told[anchor] = max(number, self.told.get(anchor, 0))
        return Told(regression=str(number), is_return=True, resolved_by=by)

    def muted(self) -> list[StateChange]:
        """Returns the patterns that are muted now."""
        return [change for change in self._states.values() if change.state.status == "muted"]

    @staticmethod
    def _by(change: StateChange) -> str:
        return (change.state.by or "") if change.state.status in ("resolved", "regressed") else ""


def ended_before(change: StateChange) -> int:
    """Returns the number of the regression from which alerts of a pattern go on: earlier ones were resolved."""
    return change.regressions + (change.state.status == "resolved")
