"""The command loads only the module of the subcommand that is used; service and client share one table."""

import importlib
import subprocess
import sys

import pytest
from error_visualization import cli as client
from error_visualization.options import OptionError, add_service_arguments, reporter_of

from exporter import cli

pytestmark = pytest.mark.dashboard
HEAVY = ("pydantic", "duckdb", "aiohttp", "exporter.service", "exporter.config", "psutil")


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(argument: str) -> None:
    code = f"""
import sys
from exporter.cli import main
try: main([{argument!r}])
except SystemExit: pass
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_each_command_has_its_module(command: client.Command, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(command.module)
    assert callable(module.main)
    assert command.raw or callable(module.add_arguments)
    with pytest.raises(SystemExit) as ended:
        cli.main([command.name, "--help"])
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_the_names_are_unique_and_the_client_has_those_of_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    names = [command.name for command in cli.COMMANDS]
    assert len(set(names)) == len(names)
    assert {command.name for command in client.COMMANDS} <= set(names)
    with pytest.raises(SystemExit):
        client.main(["--help"])
    assert "repair" in capsys.readouterr().out


def test_a_mistyped_option_is_told_with_the_usage_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["check", "--db-pth", "x"])
    assert (
        "error-visualization check: error: unrecognized arguments: --db-pth (did you mean --db-path?)"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [([], "which service?"), (["--error-dashboard", "nonsense"], "--error-dashboard nonsense: expected an address"),
     (["--error-dashboard", "http://h", "--token-file", "/missing"], "--token-file /missing: the file cannot be read")],
)  # fmt: skip
def test_a_wrong_option_is_a_sentence(arguments: list[str], words: str) -> None:
    parser = client.ArgumentParser()
    add_service_arguments(parser)
    with pytest.raises(OptionError, match=words.replace("?", r"\?")):
        reporter_of(parser.parse_args(arguments))


def test_the_options_make_a_reporter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERROR_VISUALIZATION_URL", "http://127.0.0.1:9/")
    parser = client.ArgumentParser()
    add_service_arguments(parser)
    reporter = reporter_of(parser.parse_args(["--worker-id", "w7"]))
    assert (reporter.url, reporter.worker_id, reporter.problem) == ("http://127.0.0.1:9", "w7", "")
