"""The commented sample file: `error-visualization settings` prints it; docs/error-visualization.example.yml has it."""

from typing import Final

import yaml

from exporter.config.settings import Setting, names

HEAD: Final = """\
# Settings of `error-visualization serve --config.file FILE`. Each line shows the default: remove the # before a key to
# change it. Flags and ERROR_VISUALIZATION_* variables take precedence over this file.
# Written by `error-visualization settings`.
"""


def sample() -> str:
    """Returns a YAML file in which each default is commented out and follows the help and the bounds of its setting."""
    return HEAD + "".join(map(_entry, names().values()))


def _entry(setting: Setting) -> str:
    bounds = f" ({setting.bounds})" if setting.bounds else ""
    default = list(setting.default) if setting.kind is tuple else setting.default
    return f"\n# {setting.help}{bounds}\n#{yaml.safe_dump({setting.name: default}, width=1_000)}"
