"""Settings: flags, then `ERROR_VISUALIZATION_*` variables, then a YAML file, then the defaults.

`settings.py` is the one list of settings; flags, variables, YAML keys, the sample file and docs/settings.md follow it.
"""

from exporter.config.flags import ArgumentParser, add_arguments
from exporter.config.sample import sample
from exporter.config.settings import Setting, Settings, names
from exporter.config.sources import ENV_PREFIX, ConfigError, load

__all__ = [
    "ENV_PREFIX", "ArgumentParser", "ConfigError", "Setting", "Settings", "add_arguments", "load", "names", "sample",
]  # fmt: skip
