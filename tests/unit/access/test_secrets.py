"""Addresses without their secrets."""

from pathlib import Path

import pytest

from exporter.access.secrets import without_secrets
from exporter.config import ConfigError, load

pytestmark = pytest.mark.dashboard


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://am:9093", "http://am:9093"),
        ("http://user:pass@am:9093/path", "http://<secret>@am:9093/path"),
        ("https://token@am", "https://<secret>@am"),
        ("http://u:p@ss@am/x@y", "http://<secret>@am/x@y"),
        ("https://am/x?key=secret&b=c#part", "https://am/x?<secret>#part"),
        (
            "GET http://u:p@am failed, then http://u:q@bm?k=v",
            "GET http://<secret>@am failed, then http://<secret>@bm?<secret>",
        ),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("what? user@host", "what? user@host"),
        ("", ""),
    ],
)
def test_user_password_and_query_are_masked(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_a_long_text_takes_linear_time() -> None:
    for text in ("://" * 300_000, "http://" + "a" * 1_000_000, "://?" * 300_000, "://@?" * 200_000):
        without_secrets(text)


@pytest.mark.parametrize("value", ["ftp://user:hunter2@am", "http://user:hunter2@am:x", "http://user:hunter2@"])
def test_a_wrong_address_is_told_without_its_password(value: str) -> None:
    for given in ({"external_url": value}, {"alertmanager_url": [value]}):
        with pytest.raises(ConfigError) as error:
            load(given, {})
        assert "hunter2" not in str(error.value)
        assert "expected an address" in str(error.value)


def test_a_broken_settings_file_is_told_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / "settings.yml"
    file.write_text("port: 1\nexternal_url: {http://user:hunter2@am\nx: y")
    with pytest.raises(ConfigError) as error:
        load({"config_file": str(file)}, {})
    assert str(error.value).startswith(f"{file}: line ")
    assert "hunter2" not in str(error.value)
