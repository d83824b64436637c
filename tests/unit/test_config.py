"""Settings: where they come from, what is said of a wrong one, and that each is documented."""

import argparse
from pathlib import Path

import pytest
from conftest import ROOT

from exporter import cli, config
from exporter.ingest.severity import Thresholds

pytestmark = pytest.mark.dashboard


def flags(*arguments: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    config.add_arguments(parser)
    return vars(parser.parse_args(arguments))


def test_defaults() -> None:
    settings = config.load({}, {})
    assert settings == config.Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)


def test_a_flag_goes_before_a_variable_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(
        "port: 1\nhost: 1.1.1.1\ntheme: dark\ncritical_cpu_percent: 50\nallowed_origins: [https://a, https://b]\n"
    )
    environ = {"ERROR_VISUALIZATION_PORT": "2", "ERROR_VISUALIZATION_HOST": "2.2.2.2", "OTHER": "x",
               "ERROR_VISUALIZATION_CONFIG_FILE": str(file)}  # fmt: skip
    settings = config.load(flags("--port", "3"), environ)
    assert (settings.port, settings.host, settings.theme) == (3, "2.2.2.2", "dark")
    assert settings.thresholds == Thresholds(critical_cpu_percent=50)
    assert settings.allowed_origins == ("https://a", "https://b")
    assert config.load(flags("--config.file", str(file)), {}).port == 1


def test_the_guides_options() -> None:
    settings = config.load(
        flags("--host", "0.0.0.0", "--port", "8080", "--db-path", "./b.duckdb", "--theme", "dark"), {}
    )
    assert (settings.host, settings.port, settings.db_path, settings.theme) == ("0.0.0.0", 8080, "./b.duckdb", "dark")
    assert config.load(flags("--enable-error-visualization"), {}).error_visualization
    assert not config.load(flags("--no-error-visualization"), {}).error_visualization
    environ = {
        "ERROR_VISUALIZATION_ERROR_VISUALIZATION": "false",
        "ERROR_VISUALIZATION_ALLOWED_ORIGINS": "https://a, https://b",
    }
    assert not config.load({}, environ).error_visualization
    assert config.load({}, environ).allowed_origins == ("https://a", "https://b")
    assert config.load(flags("--allowed-origins", "https://a", "--allowed-origins", "https://b"), {}).allowed_origins == (
        "https://a", "https://b",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"port": "http"}, "--port: expected a whole number, got 'http'"),
        ({"port": "70000"}, "--port: expected 0 to 65535"),
        ({"theme": "pink"}, "--theme: expected light or dark or system, got 'pink'"),
        ({"linger_ms": "x"}, "--linger-ms: expected a number"),
        ({"linger_ms": "nan"}, "--linger-ms: expected 0 to 1000"),
        ({"timezone": "Mars/Base"}, "timezone: Mars/Base is not known"),
        ({"db_path": ":memory:"}, "db_path: expected a file"),
        ({"recurring_per_hour": "61"}, "--recurring-per-hour: expected 0 to 60"),
    ],
)
def test_a_wrong_flag_is_named(given: dict[str, object], words: str) -> None:
    with pytest.raises(config.ConfigError) as error:
        config.load(given, {})
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("prot: 1", "prot: there is no such setting"), ("- a", "expected settings and values"), ("{", "settings.yaml"),
     ("error_visualization: maybe", "expected true or false, got 'maybe'"), ("allowed_origins: 3", "expected a list"),
     ("port: null", "expected a whole number"), ("port: true", "expected a whole number")],
)  # fmt: skip
def test_a_wrong_line_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(config.ConfigError) as error:
        config.load({"config_file": str(file)}, {})
    assert words in str(error.value)
    assert str(file) in str(error.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(config.ConfigError) as error:
        config.load(
            {"port": "x"}, {"ERROR_VISUALIZATION_HOSST": "y", "ERROR_VISUALIZATION_CONFIG_FILE": "missing.yaml"}
        )
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == [
        "missing.yaml", "ERROR_VISUALIZATION_HOSST", "--port",
    ]  # fmt: skip


def test_check_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--check-config"]) == 0
    assert cli.main(["serve", "--check-config", "--port", "x"]) == 2
    assert "--port: expected a whole number" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out.startswith("error-visualization 0.")


def test_every_setting_is_documented_as_it_is() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    expected = [
        f"| `{name}` | {'' if s['default'] in ('', ()) else s['default']} | {s['help']} |"
        for name, s in config.names().items()
    ]
    assert rows == expected
