"""The list of settings: type, default, bounds and help of each."""

import dataclasses
import datetime as dt
import functools
import ipaddress
import re
import zoneinfo
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args, get_origin
from urllib.parse import urlsplit

import msgspec
from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.access.secrets import without_secrets
from exporter.alerting.alert import Labels
from exporter.config.quantities import FOREVER, duration, size
from exporter.ingest.report_times import MAX_AGE
from exporter.ingest.severity import Thresholds
from exporter.ingest.size_limits import MAX_REPORT_BYTES
from exporter.redaction.rules_file import read_rules
from exporter.store.wire import MEMORY_LIMIT

LEAST_IDLE: Final = dt.timedelta(hours=1)
LEAST_RETENTION: Final = dt.timedelta(minutes=1)
LEAST_DB_SIZE: Final = 2**28  # the tables that are not errors need up to a quarter of it
MAX_RECURRING: Final = 1_000  # limits the error times per pattern that are kept in memory
MAX_PORT: Final = 65_535
METRICS_CONNECTIONS: Final = 100  # to `metrics_address`
_SEVERITY: Final = Thresholds()
_EXPECTED: Final = {
    int: "a whole number", float: "a number", bool: "true or false", tuple: "a list of texts", str: "a text",
}  # fmt: skip
_HOST_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")

_HEADER: Final = re.compile(r"[A-Za-z0-9-]+")
_ADDRESS: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(?P<port>\d{1,5})")
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
ISSUE_PLACES: Final = ("title", "body", "url")  # texts of an error that `issue_url` may name
_NOT_IN_ADDRESS: Final = re.compile(r"[\s<>\"'`{}\\^|\x00-\x1f\x7f]")
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OWN_LABELS: Final = frozenset(Labels._fields) | {"source"}  # of pushed alerts


def _setting(default: Any, help_: str, *, least: float | None = None, most: float | None = None) -> Any:
    return Field(default, ge=least, le=most, description=help_)


def _percent(default: float, help_: str) -> Any:
    return _setting(default, help_, least=0, most=100)


def _recurrences(default: int, span: str) -> Any:
    help_ = f"errors of a pattern within {span} above which it counts as recurring"
    return _setting(default, help_, least=0, most=MAX_RECURRING)


class Settings(BaseSettings):
    """Settings of the service. The name of a field is its key in YAML (`db_path`), its flag (`--db-path`) and its
    variable (`ERROR_VISUALIZATION_DB_PATH`). Immutable and picklable.

    `Settings(port=1)` uses the defaults for all other fields; `load` reads flags, variables and a file. Raises
    pydantic's `ValidationError` for an invalid value."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    host: str = _setting("127.0.0.1", "address to listen on; other machines can connect to any but a loopback address")
    port: int = _setting(8080, "port to listen on; 0: any free one", least=0, most=MAX_PORT)
    metrics_address: str = _setting(
        "", "second address to listen on, HOST:PORT, for /metrics, /-/healthy and /-/ready only; empty: none"
    )
    insecure_no_auth: bool = _setting(
        False, "listen on any address although everybody who reaches it may read, report and delete errors"
    )
    web_config_file: str = _setting(
        "", "YAML file with TLS, users and headers, in the format of Prometheus' exporter-toolkit"
    )
    tokens_file: str = _setting("", "file with the hashes of the tokens; empty: <db_path>.tokens")
    auth_proxy_header: str = _setting("", "header in which trusted proxies name the user who has signed in")
    trusted_proxies: tuple[str, ...] = _setting(
        (), "addresses and networks (10.0.0.0/8) of proxies whose auth_proxy_header and X-Forwarded-For are believed"
    )
    admin_users: tuple[str, ...] = _setting(
        (), "users who may also reset, merge, split, pin and delete; empty: every user may"
    )
    db_path: str = _setting("./errors.duckdb", "DuckDB file with the stored errors; created when it is missing")
    db_memory_limit: int = _setting(
        MEMORY_LIMIT,
        "bytes that DuckDB may use; a query that needs more uses files in <db_path>.tmp, or fails",
        least=67_108_864,
    )
    retention: str = _setting(
        "30d",
        "how long errors are kept: 1m or more, in s, m, h, d, w or y; older ones are deleted, except pinned ones; "
        "0: for ever",
    )
    max_db_size: str = _setting(
        "0",
        "size of the database, 256MiB or more, above which the oldest errors are deleted, except pinned ones; "
        "0: any size",
    )
    db_threads: int = _setting(1, "threads that DuckDB uses for one query", least=1, most=64)
    theme: Literal["light", "dark", "system"] = _setting("system", "theme of the page until a visitor chooses one")
    error_visualization: bool = _setting(True, "serve the page and the WebSocket besides the API and the metrics")
    sounds_dir: str = _setting("", "folder with MP3 files that replace the sounds of the page")
    timezone: str = _setting("", "time zone of timestamps without offset (Europe/Berlin); empty: zone of this machine")
    max_report_age: int = _setting(
        int(MAX_AGE.total_seconds()),
        "seconds; an older timestamp is not believed and the error counts at its receipt, unless it is imported",
        least=3_600,
        most=315_360_000,
    )
    max_body_bytes: int = _setting(
        4_194_304, "largest request body in bytes, before and after decompression", least=1024
    )
    max_report_bytes: int = _setting(
        MAX_REPORT_BYTES,
        "size of a report in bytes above which its longest fields are cut; a field may have an eighth of it, the "
        "traceback half",
        least=16_384,
    )
    max_batch_reports: int = _setting(20_000, "reports in one batch; a larger batch is answered with 413", least=1)
    rate_limit: float = _setting(
        200.0,
        "new reports a second that are accepted of one worker; further reports are answered with 429; 0: any number",
        least=0,
        most=1_000_000,
    )
    rate_burst: int = _setting(2_000, "reports of one worker that are accepted at once", least=1)
    token_rate_limit: float = _setting(
        0.0,
        "new reports a second that are accepted with one access token, and ten times as many at once; 0: any number",
        least=0,
        most=1_000_000,
    )
    max_new_patterns_per_hour: int = _setting(
        1_000,
        "new patterns of one worker in an hour; its further errors with new patterns count as one pattern; "
        "0: any number",
        least=0,
    )
    silent_after: float = _setting(
        60.0,
        "seconds without a heartbeat after which a machine is silent, or three of its own intervals if that is longer",
        least=1,
        most=86_400,
    )
    queue_capacity: int = _setting(
        20_000, "reports that may wait to be written; further reports are answered with 503", least=1
    )
    queue_bytes: int = _setting(
        268_435_456,
        "bytes of reports that may wait to be written; further reports are answered with 503",
        least=1_048_576,
    )
    max_connections: int = _setting(
        4_000,
        "connections that may be open, fewer where the limit of open files is lower; a new one takes the place of an "
        "idle one, or is answered with 503",
        least=1,
    )
    header_timeout: float = _setting(
        10.0, "seconds in which the header of a request must have arrived", least=0.1, most=3600
    )
    body_timeout: float = _setting(
        60.0,
        "seconds in which the body of a request must have arrived, and one more for each 10,000 bytes of it",
        least=0.1,
        most=3600,
    )
    idle_timeout: float = _setting(
        75.0,
        "seconds without a request, or without progress of an answer, after which a connection is closed",
        least=0.1,
        most=86_400,
    )
    max_websocket_clients: int = _setting(
        1_000, "WebSocket clients that may be connected; further ones are closed with code 1013", least=1
    )
    max_waiting_reads: int = _setting(
        100, "different reads that may wait for the database at one time; further ones are answered with 503", least=1
    )
    linger_ms: float = _setting(
        0.0, "milliseconds to wait for more reports before committing a batch; 0: commit at once", least=0, most=1000
    )
    log_max_bytes: int = _setting(
        1_073_741_824,
        "bytes of reports that may wait in the log for the database; further reports are answered with 503",
        least=16_777_216,
    )
    log_keep_events: int = _setting(
        20_000, "newest events kept in the log for WebSocket clients that reconnect and resume", least=0
    )
    min_free_bytes: int = _setting(268_435_456, "free disk in bytes below which the service is not ready", least=0)
    allowed_hosts: tuple[str, ...] = _setting(
        (), "host names accepted in the Host header in addition to the service's own; *: any"
    )
    allowed_origins: tuple[str, ...] = _setting(
        (), "origins (https://ops.example.com) of other web pages that may send reports and open WebSockets"
    )
    max_worker_labels: int = _setting(
        1_000, "workers with their own metric series; further workers are counted as `other`", least=1
    )
    max_type_labels: int = _setting(
        200, "error types with their own metric series; further types are counted as `other`", least=1
    )
    max_series: int = _setting(
        10_000, "series of distributed_testing_errors_total; beyond that, types are counted as `other`", least=10
    )
    series_idle: str = _setting(
        "24h",
        "how long series of workers and types stay in the metrics after their last error: 1h or more, in s, m, h, d, w "
        "or y; a new error brings them back; 0: for ever",
    )
    metrics_hardware: bool = _setting(True, "publish the hardware of each worker in the metrics")
    metrics_created: bool = _setting(
        False, "publish the times at which counters began (`_created`) in OpenMetrics; doubles the series"
    )
    redaction: bool = _setting(True, "replace secrets in reports before they are stored or sent")
    redaction_rules_file: str = _setting("", "YAML file with more rules of redaction, rules to turn off and exceptions")
    redact_emails: bool = _setting(False, "also replace email addresses")
    redact_ip_addresses: bool = _setting(False, "also replace IP addresses")
    longest_scrape_interval: float = _setting(
        60.0,
        "longest scrape interval of any Prometheus, in seconds",
        least=0,
        most=600,
    )
    alertmanager_url: tuple[str, ...] = _setting(
        (), "addresses of Alertmanagers (http://host:9093) that alerts are pushed to"
    )
    push_critical: bool = _setting(True, "push critical errors")
    push_system_critical: bool = _setting(True, "push system-critical errors, even when push_critical is off")
    push_new_patterns: bool = _setting(False, "push the first error of each new pattern")
    alert_resend_seconds: float = _setting(60.0, "seconds after which a firing alert is sent again", least=1, most=3600)
    alert_hold_seconds: float = _setting(
        600.0, "seconds without a new error after which an alert is resolved", least=1, most=86_400
    )
    alert_queue_capacity: int = _setting(
        10_000, "alerts that may wait for an Alertmanager; beyond that the oldest are dropped", least=1
    )
    external_url: str = _setting(
        "", "public address of this service, for links, and accepted in Host and Origin; empty: http://host:port"
    )
    runbook_url: str = _setting(
        "",
        "folder of the runbooks that alerts link to, as NAME.md; empty: the pages that this service serves",
    )
    issue_url: str = _setting(
        "",
        "address of a new issue, for the link in an error's details; {title}, {body} and {url} in it become texts; "
        "empty: no link",
    )
    external_labels: tuple[str, ...] = _setting(
        (), "labels (cluster=eu) of every pushed alert; `service` names this service, else it is a part of the log's id"
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting("info", "least severe level that is logged")
    log_format: Literal["logfmt", "json"] = _setting("logfmt", "format of the log on stderr, one line per entry")
    critical_cpu_percent: float = _percent(
        _SEVERITY.critical_cpu_percent, "CPU usage in percent above which an error is critical"
    )
    critical_memory_percent: float = _percent(
        _SEVERITY.critical_memory_percent, "memory usage in percent above which an error is critical"
    )
    critical_disk_percent: float = _percent(
        _SEVERITY.critical_disk_percent, "disk usage in percent above which an error is critical"
    )
    critical_disk_free_percent: float = _percent(
        _SEVERITY.critical_disk_free_percent, "free disk in percent below which an error is critical"
    )
    warning_cpu_percent: float = _percent(
        _SEVERITY.warning_cpu_percent, "CPU usage in percent above which an error is a warning"
    )
    warning_memory_percent: float = _percent(
        _SEVERITY.warning_memory_percent, "memory usage in percent above which an error is a warning"
    )
    warning_disk_percent: float = _percent(
        _SEVERITY.warning_disk_percent, "disk usage in percent above which an error is a warning"
    )
    warning_disk_free_percent: float = _percent(
        _SEVERITY.warning_disk_free_percent, "free disk in percent below which an error is a warning"
    )
    warning_gpu_celsius: float = _setting(
        _SEVERITY.warning_gpu_celsius, "temperature of a GPU in °C above which an error is a warning", least=0, most=150
    )
    derive_category: bool = _setting(
        True, "derive the category of a report without one from its type and message, where there is no doubt"
    )
    recurring_per_hour: int = _recurrences(_SEVERITY.recurring_per_hour, "an hour")
    recurring_per_6_hours: int = _recurrences(_SEVERITY.recurring_per_6_hours, "six hours")

    @property
    def retention_age(self) -> dt.timedelta | None:
        """How long errors are kept; None: for ever."""
        return duration(self.retention) or None

    @property
    def series_idle_age(self) -> dt.timedelta:
        """How long series stay after their last error; 0: for ever."""
        return duration(self.series_idle)

    @property
    def max_db_bytes(self) -> int:
        """The bytes of the database above which the oldest errors are deleted; 0: any number."""
        return size(self.max_db_size)

    @property
    def labels(self) -> dict[str, str]:
        """The external labels."""
        return {name: value.strip() for name, _, value in (pair.partition("=") for pair in self.external_labels)}

    @functools.cached_property
    def thresholds(self) -> Thresholds:
        """The severity thresholds as the struct that the rules read. Cached: they read it for each report."""
        return Thresholds(**{name: getattr(self, name) for name in Thresholds.__struct_fields__})

    @property
    def of_metrics(self) -> "Settings | None":
        """The settings for `metrics_address`: with its host and port, and fewer connections. None if there is none."""
        found = _ADDRESS.fullmatch(self.metrics_address)
        if not found:
            return None
        most = min(self.max_connections, METRICS_CONNECTIONS)
        changed = {"host": found["host"].strip("[]"), "port": int(found["port"]), "max_connections": most}
        return self.model_copy(update=changed)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Reads keyword arguments only, so that tests that construct `Settings` do not depend on the environment."""
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _spread_thresholds(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Accepts `thresholds=Thresholds(…)` instead of one keyword per threshold."""
        if isinstance(values.get("thresholds"), Thresholds):
            return msgspec.structs.asdict(values["thresholds"]) | {k: v for k, v in values.items() if k != "thresholds"}
        return values

    @field_validator("*", mode="before")
    @classmethod
    def _read_text(cls, value: Any, info: ValidationInfo) -> Any:
        """Splits lists at commas. Refuses `true` where a number or a text is expected."""
        kind = names()[str(info.field_name)].kind
        if kind is tuple:
            parts = [value] if isinstance(value, str) else value
            if isinstance(parts, list | tuple) and all(isinstance(part, str) for part in parts):
                return tuple(word.strip() for part in parts for word in part.split(",") if word.strip())
        elif kind is not bool and isinstance(value, bool):
            raise ValueError(f"expected {names()[str(info.field_name)].expected}, got {value!r}")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            return value and zoneinfo.ZoneInfo(value).key
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value} is not known (expected a name as Europe/Berlin)") from None

    @field_validator("db_path")
    @classmethod
    def _file(cls, value: str) -> str:
        if not value or value.startswith(":memory:"):
            raise ValueError("expected a file; errors that are only in memory would be lost")
        return value

    @field_validator("redaction_rules_file")
    @classmethod
    def _rules(cls, value: str) -> str:
        read_rules(value)
        return value

    @field_validator("retention")
    @classmethod
    def _duration(cls, value: str) -> str:
        if FOREVER < duration(value) < LEAST_RETENTION:
            raise ValueError("expected 1m or more, or 0")
        return value

    @field_validator("series_idle")
    @classmethod
    def _idle(cls, value: str) -> str:
        if FOREVER < duration(value) < LEAST_IDLE:
            raise ValueError("expected 1h or more, or 0")
        return value

    @field_validator("max_db_size")
    @classmethod
    def _size(cls, value: str) -> str:
        if 0 < size(value) < LEAST_DB_SIZE:
            raise ValueError(f"expected {LEAST_DB_SIZE // 2**20}MiB or more, or 0")
        return value

    @field_validator("alertmanager_url", "external_url", "runbook_url")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for url in (value,) if isinstance(value, str) else value:
            if url and not _is_address(url):
                raise ValueError(f"expected an address as http://host:port, got {without_secrets(url)!r}")
        return value

    @field_validator("metrics_address")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        found = _ADDRESS.fullmatch(value)
        if value and not (found and int(found["port"]) <= MAX_PORT):
            raise ValueError(f"expected HOST:PORT as 0.0.0.0:9100 or [::]:9100, got {value!r}")
        return value

    @field_validator("external_labels")
    @classmethod
    def _labels(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = [pair.partition("=")[0] for pair in value]
        for name, pair in zip(names, value, strict=True):
            if not _LABEL.fullmatch(name) or not pair.partition("=")[2].strip():
                raise ValueError(f"expected name=value as cluster=eu, got {pair!r}")
            if not pair.isprintable():  # a byte that is no UTF-8 could not be encoded for Alertmanager
                raise ValueError(f"{name} has a value with characters that cannot be printed")
            if name.startswith("__") or name in OWN_LABELS:
                raise ValueError(f"{name} is a label that the service sets itself")
            if names.count(name) > 1:
                raise ValueError(f"{name} has two values")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Returns the names in lower case, without a trailing dot and the brackets of an IPv6 address."""
        hosts = tuple(host.lower().rstrip(".").removeprefix("[").removesuffix("]") for host in value)
        for host in hosts:
            if host != "*" and not _HOST_NAME.fullmatch(host) and not _is_ip_address(host):
                raise ValueError(f"expected a name without port as errors.example.com, or *, got {host!r}")
        return hosts

    @field_validator("auth_proxy_header")
    @classmethod
    def _header(cls, value: str) -> str:
        if value and not _HEADER.fullmatch(value):
            raise ValueError(f"expected the name of a header as X-Forwarded-User, got {value!r}")
        return value

    @field_validator("issue_url")
    @classmethod
    def _issue_address(cls, value: str) -> str:
        if not value:
            return value
        for name in _PLACE.findall(value):
            if name not in ISSUE_PLACES:
                raise ValueError(f"expected {{title}}, {{body}} or {{url}}, got {{{name}}}")
        rest = _PLACE.sub("", value)
        if not _is_address(rest) or urlsplit(value).netloc != urlsplit(rest).netloc or _NOT_IN_ADDRESS.search(rest):
            raise ValueError(
                "expected an address as https://github.com/ORG/REPO/issues/new?title={title}&body={body}, got "
                f"{value!r}"
            )
        if rest == value:
            raise ValueError(f"expected {{title}}, {{body}} or {{url}} in the address, got {value!r}")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ipaddress.ip_network(text)
            except ValueError:
                raise ValueError(f"expected an address or a network as 10.0.0.0/8, got {text!r}") from None
        return value


@dataclasses.dataclass(frozen=True)
class Setting:
    """Description of one setting, for flags, messages, the sample file and the documentation."""

    name: str
    kind: type  # str, int, float, bool or tuple (of texts)
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    @property
    def shown(self) -> str:
        """The default as it is written on the command line; "" for none."""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default or "")

    @property
    def bounds(self) -> str:
        """The allowed values, or "" if any value of the type is allowed."""
        if self.choices:
            return " or ".join(self.choices)
        if self.least is None:
            return ""
        return f"{self.least} or more" if self.most is None else f"{self.least} to {self.most}"

    @property
    def expected(self) -> str:
        """The expected kind of value, for the message about a value of the wrong type."""
        return " or ".join(self.choices) or _EXPECTED[self.kind]


@functools.cache
def names() -> Mapping[str, Setting]:
    """Returns every setting by its name, in the order of the documentation."""
    return {name: _described(name, field) for name, field in Settings.model_fields.items()}


def _described(name: str, field: FieldInfo) -> Setting:
    bounds = {key: getattr(part, key) for part in field.metadata for key in ("ge", "le") if hasattr(part, key)}
    literal = get_origin(field.annotation) is Literal
    kind = str if literal else get_origin(field.annotation) or field.annotation
    assert isinstance(kind, type)
    return Setting(
        name=name,
        kind=kind,
        default=float(field.default) if kind is float else field.default,
        help=field.description or "",
        choices=get_args(field.annotation) if literal else (),
        least=bounds.get("ge"),
        most=bounds.get("le"),
    )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_ip_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False
