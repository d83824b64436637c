"""Reads settings from their sources. A message about a fault names the source, the setting and the expected value."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from error_visualization.arguments import did_you_mean
from error_visualization.variables import VARIABLES
from pydantic import ValidationError
from pydantic_settings import InitSettingsSource

from exporter.access.secrets import without_secrets
from exporter.config.settings import Settings, names

ENV_PREFIX: Final = "ERROR_VISUALIZATION_"
MAX_FILE_BYTES: Final = 2**20


class ConfigError(Exception):
    """One or more settings are invalid; the message has a line for each. `field` is the name of the first one, "" if a
    file cannot be read."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class _TooLargeError(Exception):
    """A file is too large to be one of settings."""


class Source(InitSettingsSource):
    """The values of one source. `spell` returns the name of a setting as this source writes it."""

    def __init__(self, values: Mapping[str, Any], prefix: str = "") -> None:
        super().__init__(Settings, {name: value for name, value in values.items() if name in names()})
        self.unknown = [name for name in values if name not in names()]
        self.prefix = prefix  # names the source in messages, if `spell` does not identify it

    def spell(self, name: str) -> str:
        return name

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yields the name of each invalid setting of this source, and a line about it."""
        for name in self.unknown:
            hint = did_you_mean(name, names(), self.spell)
            yield name, f"{self.prefix}{self.spell(name)}: there is no such setting{hint}"
        try:
            Settings(**self())
        except ValidationError as error:
            found = {str(fault["loc"][0]): _words(fault) for fault in error.errors()}
            for name, words in found.items():
                yield name, f"{self.prefix}{self.spell(name)}: {words}"


class Flags(Source):
    """Options of the command line; options that are not settings are ignored."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__({name: value for name, value in given.items() if name in names()})

    def spell(self, name: str) -> str:
        return "--" + name.replace("_", "-")


class Variables(Source):
    """Environment variables. An empty variable counts as not set: a compose file with `${PORT:-}` passes an empty
    variable if PORT is not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        ours = {key: value for key, value in environ.items() if key.startswith(ENV_PREFIX) and value}
        for name in ("CONFIG_FILE", *VARIABLES):  # the latter are for the client and for commands that send requests
            ours.pop(ENV_PREFIX + name, None)
        super().__init__({key.removeprefix(ENV_PREFIX).lower(): value for key, value in ours.items()})

    def spell(self, name: str) -> str:
        return ENV_PREFIX + name.upper()


class YamlFile(Source):
    """A YAML file with a mapping. A key without a value counts as not set."""

    def __init__(self, file: str) -> None:
        self.unreadable = ""
        content: Any = None
        try:
            content = yaml.safe_load(_text(file))
        except yaml.MarkedYAMLError as error:  # its message quotes the line, which may have a password
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.unreadable = f"line {line}: {error.problem}"
        except (OSError, UnicodeDecodeError, yaml.YAMLError, _TooLargeError) as error:
            self.unreadable = " ".join(str(error).split())
        except Exception:  # of an odd value, such as the date 2026-13-45, the parser raises almost anything
            self.unreadable = "a value cannot be read as YAML"
        if content is not None and not isinstance(content, dict):
            self.unreadable = "expected a mapping of settings to values"
            content = None
        super().__init__(
            {str(name): value for name, value in (content or {}).items() if value is not None}, f"{file}: "
        )

    def faults(self) -> Iterator[tuple[str, str]]:
        if self.unreadable:
            yield "", self.prefix + self.unreadable
        yield from super().faults()


def _text(file: str) -> str:
    """Returns the text of a file. Raises OSError, UnicodeDecodeError and `_TooLargeError`."""
    with Path(file).open("rb") as stream:
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise _TooLargeError(f"larger than {MAX_FILE_BYTES} bytes")
    return content.decode()


def load(given: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Returns the settings from all sources: flags override variables, which override the file, which overrides the
    defaults. `given` holds the parsed flags, including `config_file`. Raises `ConfigError`, which names every invalid
    setting of every source."""
    file = given.get("config_file") or environ.get(ENV_PREFIX + "CONFIG_FILE")
    sources = (Flags(given), Variables(environ), *([YamlFile(str(file))] if file else []))
    wrong = [fault for source in reversed(sources) for fault in source.faults()]
    if wrong:
        raise ConfigError("\n".join(line for _, line in wrong), wrong[0][0])
    settings = Settings(_build_sources=(sources, {}))
    if settings.auth_proxy_header and not settings.trusted_proxies:
        words = "auth_proxy_header: needs trusted_proxies, the addresses of the proxies that set it"
        raise ConfigError(words, "auth_proxy_header")
    return settings


def _words(fault: Any) -> str:
    """Returns the message about a fault that pydantic found."""
    setting, kind = names()[str(fault["loc"][0])], fault["type"]
    if kind == "value_error":
        return str(fault["ctx"]["error"])
    wanted = setting.bounds if kind in ("greater_than_equal", "less_than_equal") else setting.expected
    return f"expected {wanted}, got {without_secrets(repr(fault['input']))}"
