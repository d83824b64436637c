"""Settings: flags, then `ERROR_VISUALIZATION_*` environment variables, then a YAML file, then the defaults."""

import argparse
import dataclasses
import zoneinfo
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from exporter.ingest.severity import Thresholds

ENV_PREFIX: Final = "ERROR_VISUALIZATION_"
RUNBOOK_URL: Final = "https://github.com/error-visualization/error-visualization/blob/main/docs/runbooks"


class ConfigError(Exception):
    """One or more settings cannot be used; the message has a line for each."""


def _setting(default: Any, help_: str, **more: Any) -> Any:
    return dataclasses.field(default=default, metadata={"help": help_, **more})


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to serve. The name of a field is its key in YAML, its flag (`--db-path`) and its variable
    (`ERROR_VISUALIZATION_DB_PATH`)."""

    host: str = _setting("127.0.0.1", "address to listen on; anything but loopback is reachable by others")
    port: int = _setting(8080, "port to listen on", least=0, most=65535)
    db_path: str = _setting("./errors.duckdb", "the DuckDB file that keeps the errors; made when it is not there")
    theme: str = _setting("system", "theme of the page until a reader chooses", choices=("light", "dark", "system"))
    error_visualization: bool = _setting(True, "serve the page and the WebSocket beside the API and the metrics")
    sounds_dir: str = _setting("", "a folder with MP3 files to serve instead of the own ones")
    timezone: str = _setting("", "what a timestamp without an offset means (Europe/Berlin); empty: the machine's zone")
    max_body_bytes: int = _setting(4_194_304, "largest request body, also after decompression", least=1024)
    queue_capacity: int = _setting(20_000, "reports that may wait to be written; then 503", least=1)
    queue_bytes: int = _setting(268_435_456, "bytes of reports that may wait; then 503", least=1_048_576)
    linger_ms: float = _setting(0.0, "how long a commit waits for company", least=0, most=1000)
    min_free_bytes: int = _setting(268_435_456, "free disk below which the service is not ready", least=0)
    allowed_origins: tuple[str, ...] = _setting((), "origins (https://host) of other pages that may post and listen")
    max_worker_labels: int = _setting(1_000, "workers with metrics of their own; the rest is `other`", least=1)
    max_type_labels: int = _setting(200, "error types with metrics of their own; the rest is `other`", least=1)
    max_series: int = _setting(10_000, "series of distributed_testing_errors_total; then workers are folded", least=10)
    alertmanager_url: tuple[str, ...] = _setting((), "Alertmanagers (http://host:9093) to which errors are pushed")
    push_critical: bool = _setting(True, "push critical errors")
    push_system_critical: bool = _setting(True, "push system-critical errors, also where critical ones are not")
    push_new_patterns: bool = _setting(False, "push the first error of a pattern never seen before")
    alert_resend_seconds: float = _setting(60.0, "how often an alert that holds is sent again", least=1, most=3600)
    alert_hold_seconds: float = _setting(600.0, "how long after its last error an alert ends", least=1, most=86_400)
    alert_queue_capacity: int = _setting(
        10_000, "alerts that may wait for an Alertmanager, else the oldest go", least=1
    )
    external_url: str = _setting("", "address of this service for people, in links; empty: http://host:port")
    runbook_url: str = _setting(RUNBOOK_URL, "where the runbooks are, in links; a folder of pages named as the alerts")
    log_level: str = _setting("info", "least severe log line", choices=("debug", "info", "warning", "error"))
    thresholds: Thresholds = dataclasses.field(default_factory=Thresholds)


def names() -> dict[str, dict[str, Any]]:
    """Every setting by name: its `type`, `default` and `help`, and what bounds it."""
    fields = {
        field.name: {"type": type(field.default), "default": field.default, **field.metadata}
        for field in dataclasses.fields(Settings)
        if field.name != "thresholds"
    }
    for name, default in zip(Thresholds.__struct_fields__, Thresholds.__struct_defaults__, strict=True):
        unit = "°C" if "celsius" in name else "%" if "percent" in name else "errors of one pattern"
        side = "under" if "free" in name else "over"
        most = 60 if isinstance(default, int) else 1_000
        help_ = f"severity threshold: {side} so many {unit}"
        fields[name] = {"type": type(default), "default": default, "help": help_, "least": 0, "most": most}
    return fields


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A flag for each setting; what is not given stays out of the namespace."""
    parser.add_argument("--config.file", dest="config_file", metavar="FILE", help="YAML file with settings")
    for name, setting in names().items():
        flags = ["--" + name.replace("_", "-")]
        if name == "error_visualization":
            flags.append("--enable-error-visualization")
        more: dict[str, Any] = {"action": argparse.BooleanOptionalAction} if setting["type"] is bool else {}
        if setting["type"] is tuple:
            more = {"action": "append"}
        help_ = f"{setting['help']} (default: {_shown(setting['default'])})".replace("%", "%%")
        parser.add_argument(*flags, dest=name, default=argparse.SUPPRESS, help=help_, **more)


def load(given: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """The settings out of all sources. `given` holds the flags, and `config_file`. Raises `ConfigError`."""
    wrong: list[str] = []
    values: dict[str, Any] = {}
    file = given.get("config_file") or environ.get(ENV_PREFIX + "CONFIG_FILE")
    sources: Sequence[tuple[str, Mapping[str, Any]]] = (
        (f"{file}: ", _read_yaml(file, wrong) if file else {}),
        (ENV_PREFIX, {key.removeprefix(ENV_PREFIX).lower(): v for key, v in environ.items() if _is_ours(key)}),
        ("--", {key: value for key, value in given.items() if key in names()}),
    )
    for where, source in sources:
        for name, value in source.items():
            label = where + {"--": name.replace("_", "-"), ENV_PREFIX: name.upper()}.get(where, name)
            if name not in names():
                wrong.append(f"{label}: there is no such setting")
                continue
            try:
                values[name] = _convert(value, names()[name])
            except ValueError as error:
                wrong.append(f"{label}: {error}")
    if "timezone" in values and values["timezone"] not in ("", *zoneinfo.available_timezones()):
        wrong.append(f"timezone: {values['timezone']} is not known (expected a name as Europe/Berlin)")
    for name in ("alertmanager_url", "external_url", "runbook_url"):
        given_urls = values.get(name) or ()
        for url in (given_urls,) if isinstance(given_urls, str) else given_urls:
            if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
                wrong.append(f"{name}: expected an address as http://host:port, got {url!r}")
    if str(values.get("db_path", "")).startswith(":memory:"):
        wrong.append("db_path: expected a file; what is only in memory is lost")
    if wrong:
        raise ConfigError("\n".join(wrong))
    limits = {name: values.pop(name) for name in Thresholds.__struct_fields__ if name in values}
    return Settings(**values, thresholds=Thresholds(**limits))


def _is_ours(key: str) -> bool:
    return key.startswith(ENV_PREFIX) and key != ENV_PREFIX + "CONFIG_FILE"


def _read_yaml(file: str, wrong: list[str]) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(Path(file).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        wrong.append(f"{file}: {error}")
        return {}
    if found is not None and not isinstance(found, dict):
        wrong.append(f"{file}: expected settings and values")
        return {}
    return {str(name): value for name, value in (found or {}).items()}


def _convert(value: Any, setting: Mapping[str, Any]) -> Any:
    """`value` in the setting's type. Raises ValueError that says what was expected."""
    kind = setting["type"]
    if kind is tuple:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            raise ValueError(f"expected a list, got {value!r}")
        return tuple(str(part).strip() for part in parts if str(part).strip())
    if kind is bool:
        known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() not in known:
            raise ValueError(f"expected true or false, got {value!r}")
        return known[str(value).lower()]
    if kind is str:
        if "choices" in setting and value not in setting["choices"]:
            raise ValueError(f"expected {' or '.join(setting['choices'])}, got {value!r}")
        return str(value)
    try:
        number = kind(str(value))
    except ValueError:
        raise ValueError(f"expected a {'whole ' if kind is int else ''}number, got {value!r}") from None
    least, most = setting.get("least", float("-inf")), setting.get("most", float("inf"))
    if not least <= number <= most:
        raise ValueError(f"expected {least:g} to {most:g}, got {value!r}")
    return number


def _shown(default: Any) -> str:
    return "none" if default in ("", ()) else str(default)
