"""The topic `states` of live updates: which states of patterns and workers changed last."""

from collections import deque
from typing import Final

import msgspec
from msgspec import Struct

from exporter.store.states import Drained, PatternState, StatesChanged

TOPIC: Final = "states"
LAST: Final = 50  # changes that a message has
_encode = msgspec.json.Encoder().encode


class StateUpdate(Struct, kw_only=True):
    """A change: of the pattern `pattern_id`, or of the worker `worker_id`. `note` is the number of a note about the
    pattern, whose state is as it was."""

    version: int
    pattern_id: str | None = None
    state: PatternState | None = None
    worker_id: str | None = None
    drained: Drained | None = None
    note: int | msgspec.UnsetType = msgspec.UNSET


class StateUpdates(Struct):
    """`version` counts the changes since the service started. `changes` are the last ones, newest last."""

    version: int
    changes: list[StateUpdate]


class StateNews:
    """The last changes. A client that knows the version before all of `changes` has to read everything again."""

    def __init__(self) -> None:
        self._version = 0
        self._last: deque[StateUpdate] = deque(maxlen=LAST)

    def add(self, changed: StatesChanged) -> None:
        for note in changed.notes:  # first: `changed.patterns` may have later states of the same patterns
            self._version += 1
            update = StateUpdate(version=self._version, pattern_id=note.pattern_id, state=note.state, note=note.number)
            self._last.append(update)
        for change in changed.patterns:
            self._version += 1
            self._last.append(StateUpdate(version=self._version, pattern_id=change.pattern_id, state=change.state))
        for one in changed.workers:
            self._version += 1
            self._last.append(StateUpdate(version=self._version, worker_id=one.worker_id, drained=one.drained))
        if changed.gone:  # another state of the same pattern counts instead
            self._version += 1

    def encoded(self) -> bytes:
        """Returns the present data of the topic as JSON."""
        return _encode(StateUpdates(self._version, list(self._last)))
