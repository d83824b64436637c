"""Settings: where they come from, what is said of a wrong one, and that each is documented."""

import argparse
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from pydantic import ValidationError

from exporter import cli, config
from exporter.ingest.severity import Thresholds

pytestmark = pytest.mark.dashboard
SAMPLE = ROOT / "docs/error-visualization.example.yml"
NUMBERS = [setting for setting in config.names().values() if setting.kind in (int, float)]


def flags(*arguments: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    config.add_arguments(parser)
    return vars(parser.parse_args(arguments))


def wrong(given: dict[str, object], environ: dict[str, str] | None = None) -> list[str]:
    """The lines of what is reported."""
    with pytest.raises(config.ConfigError) as error:
        config.load(given, environ or {})
    return str(error.value).splitlines()


def test_defaults() -> None:
    settings = config.load({}, {})
    assert settings == config.Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.thresholds == Thresholds()


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
    for arguments in (("--allowed-origins", "https://a", "--allowed-origins", "https://b"),
                      ("--allowed-origins", "https://a,https://b")):  # fmt: skip
        assert config.load(flags(*arguments), {}).allowed_origins == ("https://a", "https://b")


@pytest.mark.parametrize("flag", ["--log-level", "--log.level"])
def test_the_level_of_the_log_has_two_spellings(flag: str) -> None:
    assert config.load(flags(flag, "debug"), {}).log_level == "debug"


@pytest.mark.parametrize("flag", ["--log-format", "--log.format"])
def test_the_format_of_the_log_has_two_spellings(flag: str) -> None:
    assert config.load(flags(flag, "json"), {}).log_format == "json"


@pytest.mark.parametrize("name", config.names())
def test_every_default_passes_its_own_check_unchanged(name: str) -> None:
    setting = config.names()[name]
    for default in (setting.default, *([str(setting.default)] if setting.kind in (int, float, bool) else [])):
        settings = config.load({name: default}, {})
        assert settings == config.Settings()
        assert type(getattr(settings, name)) is setting.kind


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.name)
def test_a_number_takes_values_on_both_sides_of_its_default(setting: config.Setting) -> None:
    """As far as its bounds go; fractions where it is no count."""
    step = 0.5 if setting.kind is float else 1
    for value in (setting.default - step, setting.default + step):
        given = {setting.name: str(value)}
        assert setting.least is not None
        if setting.least <= value <= (setting.most or float("inf")):
            assert getattr(config.load(given, {}), setting.name) == value
        else:
            assert wrong(given) == [f"--{setting.name.replace('_', '-')}: expected {setting.bounds}, got '{value}'"]


@pytest.mark.parametrize("name", Thresholds.__struct_fields__)
def test_a_threshold_reaches_the_rules(name: str) -> None:
    value = getattr(Thresholds(), name) + (1 if name.startswith("recurring") else 0.5)
    assert config.load({name: str(value)}, {}).thresholds == Thresholds(**{name: value})
    assert config.Settings(thresholds=Thresholds(**{name: value})) == config.Settings(**{name: value})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"port": "http"}, "--port: expected a whole number, got 'http'"),
        ({"port": "1.5"}, "--port: expected a whole number, got '1.5'"),
        ({"port": "70000"}, "--port: expected 0 to 65535, got '70000'"),
        ({"theme": "pink"}, "--theme: expected light or dark or system, got 'pink'"),
        ({"linger_ms": "x"}, "--linger-ms: expected a number, got 'x'"),
        ({"linger_ms": "nan"}, "--linger-ms: expected 0 to 1000, got 'nan'"),
        ({"log_max_bytes": "1"}, "--log-max-bytes: expected 16777216 or more, got '1'"),
        ({"timezone": "Mars/Base"}, "--timezone: Mars/Base is not known (expected a name as Europe/Berlin)"),
        ({"timezone": "../etc"}, "--timezone: ../etc is not known (expected a name as Europe/Berlin)"),
        ({"db_path": ":memory:"}, "--db-path: expected a file; errors that are only in memory would be lost"),
        ({"db_path": ""}, "--db-path: expected a file; errors that are only in memory would be lost"),
        ({"recurring_per_hour": "1001"}, "--recurring-per-hour: expected 0 to 1000, got '1001'"),
        ({"recurring_per_hour": "2.5"}, "--recurring-per-hour: expected a whole number, got '2.5'"),
        ({"warning_gpu_celsius": "-1"}, "--warning-gpu-celsius: expected 0 to 150, got '-1'"),
        ({"critical_cpu_percent": "100.5"}, "--critical-cpu-percent: expected 0 to 100, got '100.5'"),
        ({"external_url": "errors.example"},
         "--external-url: expected an address as http://host:port, got 'errors.example'"),
        ({"alertmanager_url": ["http://a:1", "http://["]},
         "--alertmanager-url: expected an address as http://host:port, got 'http://['"),
        ({"issue_url": "https://h/?t={titel}"}, "--issue-url: expected {title}, {body} or {url}, got {titel}"),
        ({"issue_url": "https://h/new"}, "--issue-url: expected {title}, {body} or {url} in the address, got 'https://h/new'"),
        *[({"issue_url": url}, "--issue-url: expected an address as https://github.com/ORG/REPO/issues/new?title={title}&body={body}, "
           f"got {url!r}") for url in ("javascript:{title}", "https://{title}/", "https://h{url}/", "https://h/?{title}&{", "https://h/ {title}",
                                       'https://h/?{title}"')],
        ({"external_labels": ["cluster"]}, "--external-labels: expected name=value as cluster=eu, got 'cluster'"),
        ({"external_labels": ["a-b=c"]}, "--external-labels: expected name=value as cluster=eu, got 'a-b=c'"),
        ({"external_labels": ["severity=x"]}, "--external-labels: severity is a label that the service sets itself"),
        ({"external_labels": ["a=1", "a=2"]}, "--external-labels: a has two values"),
        ({"external_labels": ["a=\udcff"]}, "--external-labels: a has a value with characters that cannot be printed"),
        ({"allowed_hosts": ["exporter:8080"]},
         "--allowed-hosts: expected a name without port as errors.example.com, or *, got 'exporter:8080'"),
    ],
)  # fmt: skip
def test_a_wrong_flag_is_named(given: dict[str, object], words: str) -> None:
    assert wrong(given) == [words]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot: 1", "prot: there is no such setting (did you mean port?)"),
        ("db-path: x", "db-path: there is no such setting (did you mean db_path?)"),
        ("Theme: dark", "Theme: there is no such setting (did you mean theme?)"),
        ("thresholds: {}", "thresholds: there is no such setting (did you mean db_threads?)"),
        ("7: 1", "7: there is no such setting"),
        ("- a", "expected a mapping of settings to values"),
        ("error_visualization: maybe", "error_visualization: expected true or false, got 'maybe'"),
        ("allowed_origins: 3", "allowed_origins: expected a list of texts, got 3"),
        ("allowed_origins: [{}]", "allowed_origins: expected a list of texts, got {}"),
        ("port: true", "port: expected a whole number, got True"),
        ("host: yes", "host: expected a text, got True"),
        ("theme: [dark]", "theme: expected light or dark or system, got ['dark']"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    assert wrong({"config_file": str(file)}) == [f"{file}: {words}"]


@pytest.mark.parametrize("content", [b"{", b"a: b: c\nd: [", b"\xff\xfe\xff"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "settings.yaml"
    file.write_bytes(content)
    (line,) = wrong({"config_file": str(file)})
    assert line.startswith(f"{file}: ")


@pytest.mark.parametrize(
    "line", [line for line in (ROOT / "docs/settings.md").read_text("utf-8").splitlines() if "| `https://" in line]
)
def test_an_address_of_issues_as_the_documentation_has_it(line: str) -> None:
    url = line.split("`")[1]
    assert config.load({"issue_url": url}, {}).issue_url == url


def test_all_that_is_wrong_is_told_at_once() -> None:
    lines = wrong({"port": "x", "theme": "pink"}, {"ERROR_VISUALIZATION_HOSST": "y", "ERROR_VISUALIZATION_PORT": "z",
                                                   "ERROR_VISUALIZATION_CONFIG_FILE": "missing.yaml"})  # fmt: skip
    assert lines[1] == "ERROR_VISUALIZATION_HOSST: there is no such setting (did you mean ERROR_VISUALIZATION_HOST?)"
    assert [line.partition(":")[0] for line in lines] == [
        "missing.yaml", "ERROR_VISUALIZATION_HOSST", "ERROR_VISUALIZATION_PORT", "--port", "--theme",
    ]  # fmt: skip


@pytest.mark.parametrize("name", config.names())
def test_an_empty_key_and_an_empty_variable_mean_the_default(tmp_path: Path, name: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"{name}:\n")
    environ = {f"ERROR_VISUALIZATION_{name.upper()}": "", "ERROR_VISUALIZATION_CONFIG_FILE": str(file)}
    assert config.load({}, environ) == config.Settings()


def test_settings_do_not_change_and_go_to_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERROR_VISUALIZATION_PORT", "9")
    settings = config.Settings(db_path="x.duckdb", min_free_bytes=0, thresholds=Thresholds(recurring_per_hour=7))
    assert settings.port == 8080  # only `load` reads the environment
    for one in (settings, pickle.loads(pickle.dumps(settings))):
        assert (one, one.thresholds.recurring_per_hour) == (settings, 7)
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        config.Settings(prot=1)


def test_check_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--check-config"]) == 0
    assert cli.main(["serve", "--check-config", "--port", "x"]) == 2
    assert "--port: expected a whole number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("--prot", "--prot (did you mean --port?)"),
        ("--config-file=x", "--config-file=x (did you mean --config.file?)"),
        ("--db_path=x", "--db_path=x (did you mean --db-path?)"),
        ("--xyzzy", "--xyzzy\n"),
    ],
)
def test_a_mistyped_option_gets_the_usage_of_serve_and_a_hint(
    argument: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main(["serve", argument])
    assert done.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: error-visualization serve ")
    assert f"error-visualization serve: error: unrecognized arguments: {hint}" in said


def test_help_lists_choices_bounds_and_defaults(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # argparse breaks long addresses at their dashes
    with pytest.raises(SystemExit):
        cli.main(["serve", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for setting in config.names().values():
        assert f"--{setting.name.replace('_', '-')}" in said
        assert f"default: {setting.shown or 'none'})" in said
    assert "--theme {light,dark,system} theme of the page until a visitor chooses one (default: system)" in said
    assert "port to listen on; 0: any free one (0 to 65535; default: 8080)" in said


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out.startswith("error-visualization 0.")


def test_every_setting_is_documented_as_it_is() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{s.name}` | {s.shown} | {s.bounds} | {s.help} |" for s in config.names().values()]


def test_the_sample_file_has_every_setting_with_its_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = SAMPLE.read_text("utf-8")
    assert cli.main(["settings"]) == 0
    assert capsys.readouterr().out == sample  # renew it: error-visualization settings > docs/…example.yml
    assert yaml.safe_load(sample) is None
    file = tmp_path / "all.yml"
    file.write_text(re.sub(r"^#(?=\w+:)", "", sample, flags=re.MULTILINE))
    assert set(yaml.safe_load(file.read_text())) == set(config.names())
    assert config.load({"config_file": str(file)}, {}) == config.Settings()
    assert all(f"# {setting.help}" in sample for setting in config.names().values())


def test_workers_do_not_load_what_reads_the_settings() -> None:
    """The client runs in every worker: it must start fast."""
    code = "import sys, exporter.client; print([name for name in sys.modules if name.startswith('pydantic')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_a_switch_may_have_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, value in (
        (("--metrics.hardware=false",), False), (("--metrics.hardware", "false"), False), (("--metrics-hardware",), True),
        (("--metrics.hardware=true",), True), (("--no-metrics.hardware",), False), (("--no-metrics-hardware",), False),
    ):  # fmt: skip
        assert config.load(flags(*arguments, "--port", "1"), {}).metrics_hardware is value, arguments
    assert wrong(flags("--metrics.hardware=maybe")) == ["--metrics-hardware: expected true or false, got 'maybe'"]
    with pytest.raises(SystemExit):
        flags("--no-metrics.hardware=false")
    assert "takes no value" in capsys.readouterr().err


def test_a_series_is_idle_after_an_hour_at_least() -> None:
    assert config.load(flags("--series-idle", "0"), {}).series_idle_age.total_seconds() == 0
    assert config.load({}, {}).series_idle_age.total_seconds() == 86_400
    assert wrong(flags("--series-idle", "5m")) == ["--series-idle: expected 1h or more, or 0"]
