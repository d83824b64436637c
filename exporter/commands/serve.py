"""`error-visualization serve`: the service."""

import argparse
import logging
import os
import sys
from pathlib import Path

from exporter import config, logs
from exporter.access.exposure import has_tokens, why_not_exposed
from exporter.access.token_file import TokenFileError
from exporter.access.web_config import WebConfig, WebConfigError
from exporter.http import sounds_folder
from exporter.log import LogError
from exporter.log.files import database_path, log_path
from exporter.log.rehearsal import rehearse
from exporter.store import StoreError

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check-config", action="store_true", help="say what is wrong with the settings, and exit")
    config.add_arguments(parser)


def main(given: argparse.Namespace) -> int:
    """Serves until it is stopped. Returns the exit status: 1 if it cannot serve, 2 for wrong settings."""
    try:
        settings = config.load(vars(given), os.environ)
        logs.configure(settings)
        web_config = WebConfig(settings.web_config_file)
        for fault in sounds_folder.check(settings.sounds_dir):
            _log.warning("%s", fault)
    except (config.ConfigError, WebConfigError, sounds_folder.SoundsFolderError) as error:
        print(error, file=sys.stderr)
        return 2
    for listening in filter(None, (settings, settings.of_metrics)):
        refused = why_not_exposed(
            listening,
            has_users=bool(web_config.users),
            requires_client_certificates=web_config.requires_client_certificates,
            has_tokens=has_tokens(settings),
        )
        if refused:
            print(refused, file=sys.stderr)
            return 2
    if given.check_config:
        print("the settings are good")
        return 0
    import uvloop

    from exporter.app import serve

    try:
        database = database_path(settings.db_path)
        _make_folder(database.parent)
        rehearse(log_path(database))
        if not uvloop.run(serve(settings, web_config, lambda: config.load(vars(given), os.environ))):
            logging.shutdown()
            os._exit(1)
    except (LogError, StoreError, TokenFileError, OSError) as error:
        _log.error("%s", error)
        return 1
    return 0


def _make_folder(folder: Path) -> None:
    """Creates the database's folder when it is missing, and says so: the path may be mistyped. Raises `OSError`."""
    if not folder.exists():
        _log.warning("the folder %s does not exist and is created", folder)
        folder.mkdir(parents=True)
