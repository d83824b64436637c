"""Who sends a request, and what it may do."""

import enum
from typing import Final, NamedTuple


class Scope(enum.Flag):
    """What a caller may do. A higher scope does not include a lower one: a token of a script that deletes errors need
    not be able to report some."""

    REPORT = enum.auto()  # send reports
    READ = enum.auto()  # read errors, patterns, metrics, live updates
    ADMIN = enum.auto()  # reset, merge, split, pin, delete, import; manage tokens


EVERYTHING: Final = Scope.REPORT | Scope.READ | Scope.ADMIN


class Caller(NamedTuple):
    """Somebody whose secret was right. `name` is the user's or the token's, for logs and audits. `worker` is what
    `worker_id` has to begin with in the reports of this caller; "" allows every worker."""

    name: str
    scopes: Scope
    worker: str = ""


ANYBODY: Final = Caller("", EVERYTHING)  # where access control is off: the service is on loopback
