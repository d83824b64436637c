"""What the HTTP process was told of states, and the changes that it gets with the next pong."""

import threading

from exporter.store.states import DrainChange, NoteAdded, StateChange, StatesChanged


class StateNews:
    """`take` may be called by any thread; the caller of the other methods must hold `database.writing`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, StateChange] = {}  # by anchor
        self._sent_drains: dict[str, DrainChange] = {}  # by worker
        self._changed: dict[str, StateChange] = {}
        self._changed_drains: dict[str, DrainChange] = {}
        self._gone: set[str] = set()
        self._notes: list[NoteAdded] = []  # of requests, each of which waits for a pong: few

    def note(self, changes: dict[str, StateChange], drains: dict[str, DrainChange], last: int) -> None:
        """Compares all states with what was told, and keeps the differences. `last` is the number of the last entry of
        the audit, which lifted drains get."""
        lifted = {name: DrainChange(last, name, None) for name in self._sent_drains.keys() - drains.keys()}
        with self._lock:
            self._changed |= {anchor: one for anchor, one in changes.items() if self._sent.get(anchor) != one}
            self._changed_drains |= {name: one for name, one in drains.items() if self._sent_drains.get(name) != one}
            self._changed_drains |= lifted
            self._gone = (self._gone | (self._sent.keys() - changes.keys())) - changes.keys()
            self._changed = {anchor: one for anchor, one in self._changed.items() if anchor not in self._gone}
        self._sent, self._sent_drains = changes, drains

    def add(self, note: NoteAdded) -> None:
        """Keeps a note that was written."""
        with self._lock:
            self._notes.append(note)

    def take(self) -> StatesChanged | None:
        """Returns what changed since the last call, None if nothing did."""
        with self._lock:
            if not (self._changed or self._changed_drains or self._gone or self._notes):
                return None
            changed, drains, gone = self._changed.values(), self._changed_drains.values(), self._gone
            taken = StatesChanged(list(changed), list(drains), sorted(gone), self._notes)
            self._changed, self._changed_drains, self._gone, self._notes = {}, {}, set(), []
        return taken

    def everything(self) -> StatesChanged:
        """Returns all states; nothing is left to take."""
        self.take()
        return StatesChanged(list(self._sent.values()), list(self._sent_drains.values()), complete=True)
