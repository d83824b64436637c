"""The command `error-visualization`."""

import argparse
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from exporter import __version__, config, logs
from exporter.access.exposure import has_tokens, why_not_exposed
from exporter.access.token_file import TokenFileError
from exporter.access.web_config import WebConfig, WebConfigError
from exporter.alerting import digest_command
from exporter.demo import command as demo
from exporter.http.pages import sounds_folder
from exporter.local import command as local
from exporter.local import health, token_command
from exporter.log import LogError
from exporter.log.files import database_path, log_path
from exporter.log.rehearsal import rehearse
from exporter.store import StoreError
from exporter.transfer import export_command, import_command

_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = config.ArgumentParser("error-visualization", description="Stores and shows the errors of test workers.")
    parser.add_argument("--version", action="version", version=f"error-visualization {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="take reports, serve the page, the API and the metrics")
    serve.add_argument("--check-config", action="store_true", help="say what is wrong with the settings, and exit")
    config.add_arguments(serve)
    config.add_arguments(commands.add_parser("health", help="ask the service on this machine whether it is ready"))
    demo.add_arguments(commands.add_parser("demo", help="send the reports of an imagined fleet to a service"))
    export_command.add_arguments(commands.add_parser("export", help="write the errors of a service to a file"))
    import_command.add_arguments(commands.add_parser("import", help="send the errors of files to a service"))
    digest = commands.add_parser("digest", help="send what is new, gone, worst and still open to Alertmanager")
    digest_command.add_arguments(digest)
    for name, help_ in (
        ("check", "read the database and its log, and say what is wrong; no service may be running on them"),
        ("repair", "keep what can be read of a damaged database or log, and put the damaged file aside"),
    ):
        offline = commands.add_parser(name, help=help_)
        offline.add_argument("--db-path", default="./errors.duckdb", help="the database (default: %(default)s)")
    local.add_arguments(commands)
    token_command.add_arguments(commands)
    commands.add_parser("settings", help="print a YAML file with every setting, its meaning and its default")
    commands.add_parser("sounds", help="make the sound files", add_help=False)
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["sounds"]:
        return _sounds(arguments[1:])
    os.umask(0o077)  # what the commands write holds errors, or the hashes of tokens
    given = parser.parse_args(arguments)
    if given.command == "settings":
        print(config.sample(), end="")
        return 0
    if given.command == "health":
        return health.main(given)
    if given.command in ("check", "repair"):
        return _offline(given.command, given.db_path)
    if given.command in local.NAMES:
        return local.main(given)
    if given.command == "token":
        return token_command.main(given)
    if given.command == "export":
        return export_command.main(given)
    if given.command == "digest":
        return digest_command.main(given)
    if given.command == "import":
        return import_command.main(given)
    return demo.main(given) if given.command == "demo" else _serve(given)


def _serve(given: argparse.Namespace) -> int:
    try:
        settings = config.load(vars(given), os.environ)
        logs.configure(settings)
        web_config = WebConfig(settings.web_config_file)
    except (config.ConfigError, WebConfigError) as error:
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


def _offline(command: str, given: str) -> int:
    """Checks or repairs the files of a service that does not run. Returns 1 if something is wrong, or still is."""
    from exporter.store import offline
    from exporter.store.repair import repair

    path = Path(given)
    try:
        path = database_path(given)
        if command == "repair":
            for sentence in repair(path):
                print(sentence)
        problems = offline.check(path)
    except (LogError, StoreError, OSError) as error:
        problems = [str(error)]
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{path} and its log are whole and belong together")
    return 1 if problems else 0


def _make_folder(folder: Path) -> None:
    """Creates the database's folder when it is missing, and says so: the path may be mistyped. Raises `OSError`."""
    if not folder.exists():
        _log.warning("the folder %s does not exist and is created", folder)
        folder.mkdir(parents=True)


def _sounds(arguments: Sequence[str]) -> int:
    file = sounds_folder() / "generate_sound_files.py"
    spec = importlib.util.spec_from_file_location("generate_sound_files", file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    status: int = module.main(arguments)
    return status
