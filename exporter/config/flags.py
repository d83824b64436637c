"""The flags of `serve`: one per setting."""

import argparse
from typing import Any, Final

from exporter.config.settings import names

MORE_FLAGS: Final = {
    "error_visualization": ("--enable-error-visualization",),
    "log_format": ("--log.format",),  # as Prometheus and Alertmanager spell it
    "log_level": ("--log.level",),
    "metrics_created": ("--metrics.created",),
    "metrics_hardware": ("--metrics.hardware",),
    "web_config_file": ("--web.config.file",),
}
METAVARS: Final = {str: "TEXT", int: "N", float: "N", tuple: "TEXT"}


class Switch(argparse.BooleanOptionalAction):
    """`--push-critical`, `--no-push-critical` and `--push-critical=false`. `load` checks the value."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.nargs = "?"

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if values is not None and str(option).startswith("--no-"):
            parser.error(f"{option} takes no value")
        super().__call__(parser, namespace, values, option)
        if values is not None:
            setattr(namespace, self.dest, values)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for each setting. The namespace has only flags that are on the command line. `load` checks the
    values later, so that it can report all invalid values together."""
    parser.add_argument("--config.file", dest="config_file", metavar="FILE", help="YAML file with settings")
    for name, setting in names().items():
        flags = ("--" + name.replace("_", "-"), *MORE_FLAGS.get(name, ()))
        more: dict[str, Any] = {"metavar": METAVARS.get(setting.kind)}
        if setting.choices:
            more = {"metavar": "{" + ",".join(setting.choices) + "}"}
        elif setting.kind is bool:
            more = {"action": Switch, "metavar": "true|false"}
        elif setting.kind is tuple:
            more["action"] = "append"
        notes = [] if setting.choices or not setting.bounds else [setting.bounds]
        notes += ["repeatable"] if setting.kind is tuple else []
        notes.append(f"default: {setting.shown or 'none'}")
        help_ = f"{setting.help} ({'; '.join(notes)})"
        parser.add_argument(*flags, dest=name, default=argparse.SUPPRESS, help=help_.replace("%", "%%"), **more)
