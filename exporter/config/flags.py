"""The flags of `serve`: one for each setting, and a hint at the right spelling of one that is mistyped."""

import argparse
from collections.abc import Sequence
from typing import Any, Final, Never

from exporter.config.settings import names
from exporter.config.sources import did_you_mean

MORE_FLAGS: Final = {
    "error_visualization": ("--enable-error-visualization",),
    "log_format": ("--log.format",),  # as Prometheus and Alertmanager spell it
    "log_level": ("--log.level",),
}
METAVARS: Final = {str: "TEXT", int: "N", float: "N", tuple: "TEXT"}


class ArgumentParser(argparse.ArgumentParser):
    """Refuses an unknown option with the usage of the command that it was given to; argparse shows that of the top."""

    def parse_known_args(  # type: ignore[override]  # argparse declares overloads for namespaces of other types
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown)
        return found, unknown

    def _refuse(self, unknown: Sequence[str]) -> Never:
        options = [option for option in self._option_string_actions if option.startswith("--")]
        words = [
            word + (did_you_mean(word.partition("=")[0], options) if word.startswith("-") else "") for word in unknown
        ]
        self.error(f"unrecognized arguments: {' '.join(words)}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A flag for each setting. What is not given stays out of the namespace; values are checked by `load`, so that all
    wrong ones are reported together."""
    parser.add_argument("--config.file", dest="config_file", metavar="FILE", help="YAML file with settings")
    for name, setting in names().items():
        flags = ("--" + name.replace("_", "-"), *MORE_FLAGS.get(name, ()))
        more: dict[str, Any] = {"metavar": METAVARS.get(setting.kind)}
        if setting.choices:
            more = {"metavar": "{" + ",".join(setting.choices) + "}"}
        elif setting.kind is bool:
            more = {"action": argparse.BooleanOptionalAction}
        elif setting.kind is tuple:
            more["action"] = "append"
        notes = [] if setting.choices or not setting.bounds else [setting.bounds]
        notes += ["repeatable"] if setting.kind is tuple else []
        notes.append(f"default: {setting.shown or 'none'}")
        help_ = f"{setting.help} ({'; '.join(notes)})"
        parser.add_argument(*flags, dest=name, default=argparse.SUPPRESS, help=help_.replace("%", "%%"), **more)
