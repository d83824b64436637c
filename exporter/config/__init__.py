"""Settings. Order of precedence: flags, `ERROR_VISUALIZATION_*` variables, a YAML file, defaults.

`settings.py` defines all settings; the flags, variables, YAML keys and the sample file are derived from it.
"""

from exporter.config.flags import add_arguments
from exporter.config.reloadable import RELOADABLE, merge
from exporter.config.sample import sample
from exporter.config.settings import Setting, Settings, names
from exporter.config.sources import ENV_PREFIX, ConfigError, load

__all__ = [
    "ENV_PREFIX", "RELOADABLE", "ConfigError", "Setting", "Settings", "add_arguments", "load",
    "merge", "names", "sample",
]  # fmt: skip
