"""The answers of the requests that do not read errors, and what every answer is wrapped in."""

from typing import Generic, Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType, field

from exporter.events.error_object import Timestamp
from exporter.events.outcome import Outcome
from exporter.judgement.result import Verdict
from exporter.store import results
from exporter.store.fields import Count

D = TypeVar("D")


class Success(Struct, Generic[D], kw_only=True):
    """The answer to a request that succeeded."""

    status: Literal["success"]
    message: str | UnsetType = UNSET
    data: D


class Period(Struct):
    """A time in which the service ran. The end of the present one is when the answer was made. After a crash, an end is
    10 seconds early at most."""

    since: Timestamp = field(name="from")
    until: Timestamp = field(name="to")


class ServiceState(Struct, kw_only=True):
    """The service that answers. `revision` is the commit that it was built from, "unknown" for an installed package.
    `ran` has the times in which it ran, the newest first, 100 at most."""

    version: str
    revision: str
    started_at: Timestamp
    ran: list[Period]


class ItemResult(Struct, kw_only=True):
    """The result of one report of a batch. `index` is its position. A success has `data`; a failure has `message`,
    `field` and `code`, the HTTP status that the report alone would have had."""

    index: Count
    status: Literal["success", "error"]
    data: Outcome | UnsetType = UNSET
    message: str | UnsetType = UNSET
    field: str | UnsetType = UNSET
    code: int | UnsetType = UNSET


class BatchResult(Struct):
    """The number of stored reports, of others, and the result of each in the order of the batch."""

    stored: Count
    failed: Count
    results: list[ItemResult]


class Failure(Struct, kw_only=True):
    """The answer to a request that failed. `message` says why. `field` names the parameter, field or header concerned;
    it is empty if there is none. `data` is present if reports of a batch were not stored. `partial`: others were."""

    status: Literal["error", "partial"]
    message: str
    field: str
    data: BatchResult | UnsetType = UNSET


class RefusedReport(Struct):
    """A report that was made of a message, and was not stored. `index` is its position among the reports."""

    index: Count
    message: str
    field: str


class StoredAlerts(Struct):
    """`stored` are the ids of the errors, also of alerts that came before. `skipped` counts resolved alerts and our
    own. `refused` has up to 20 reports that were not stored."""

    stored: list[int]
    skipped: Count
    refused: list[RefusedReport]


class ResultCounts(Struct):
    """Tests by their last outcome."""

    passed: Count
    failed: Count
    skipped: Count
    errors: Count


class StoredResults(Struct, kw_only=True):
    """`stored` are the ids of the errors, one for each failed attempt of a test, also of a file that came before.
    `refused` has up to 20 reports that were not stored. `warning` is there if the file ended early."""

    counts: ResultCounts
    stored: list[int]
    refused: list[RefusedReport]
    warning: str | UnsetType = UNSET


class Overview(results.Overview, kw_only=True):
    __doc__ = f"""{results.Overview.__doc__} `verdict` depends neither on the time range nor on filters; it is of
    the moment of the response, while the other fields may be some seconds older."""

    verdict: Verdict


class Reset(Struct):
    """The moment from which critical errors are counted."""

    reset_at: Timestamp


class Session(Struct):
    """Who the caller is: the name of a user or token, how that is known, and what it may do. Where access control is
    off, `user` is empty and `method` is `none`. A change that a session or a trusted proxy authorises needs
    `csrf_token` in the header `X-CSRF-Token`; it is empty for others."""

    user: str
    method: Literal["none", "token", "basic", "session", "proxy", "certificate"]
    scopes: list[Literal["report", "read", "admin"]]
    csrf_token: str


class StoredSummary(Struct):
    """A summary of a run that is on disk: the ids of the run and of the sender, and how many ids of tests are stored.
    `warnings` name the values that were not read."""

    run: str
    worker_id: str
    tests: Count
    warnings: list[str]


class Configuration(Struct):
    """The value of each setting. Users, passwords and queries in addresses are masked; of files, only the path is
    there."""

    settings: dict[str, bool | int | float | str | list[str]]


class Reloaded(Struct):
    """The names of the settings that have changed, and of those whose change needs a restart of the service."""

    changed: list[str]
    restart: list[str]


class Healthy(Struct):
    """The process answers."""

    healthy: bool


class Ready(Struct):
    """A report could be accepted now. `behind` names the readers of the log that have not followed it for some time:
    reports are accepted, but what that reader does with them is late."""

    ready: bool
    behind: list[str]
