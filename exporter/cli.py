"""The command `error-visualization`."""

import argparse
import asyncio
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence

from exporter import __version__, config
from exporter.demo import command as demo
from exporter.http.pages import sounds_folder
from exporter.store import StoreError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser("error-visualization", description="Takes and shows the errors of test workers.")
    parser.add_argument("--version", action="version", version=f"error-visualization {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="take reports, serve the page, the API and the metrics")
    serve.add_argument("--check-config", action="store_true", help="say what is wrong with the settings, and exit")
    config.add_arguments(serve)
    demo.add_arguments(commands.add_parser("demo", help="send the reports of an imagined fleet to a service"))
    commands.add_parser("sounds", help="make the sound files", add_help=False)
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["sounds"]:
        return _sounds(arguments[1:])
    given = parser.parse_args(arguments)
    return demo.main(given) if given.command == "demo" else _serve(given)


def _serve(given: argparse.Namespace) -> int:
    try:
        settings = config.load(vars(given), os.environ)
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if given.check_config:
        print("the settings are good")
        return 0
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    from exporter.app import serve

    try:
        if sys.platform == "win32":
            asyncio.run(serve(settings))
        else:
            import uvloop

            uvloop.run(serve(settings))
    except (StoreError, OSError) as error:
        print(f"error-visualization: {error}", file=sys.stderr)
        return 1
    return 0


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
