"""Whether the service may listen on an address."""

from typing import Any

import pytest

from exporter.access.exposure import has_tokens, is_loopback, why_not_exposed
from exporter.config import Settings

pytestmark = pytest.mark.dashboard
NOTHING = {"has_users": False, "requires_client_certificates": False, "has_tokens": False}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "::1", "localhost", "LOCALHOST.", "::ffff:127.0.0.1"])
def test_loopback_needs_no_access_control(host: str) -> None:
    assert is_loopback(host)
    assert why_not_exposed(Settings(host=host), **NOTHING) == ""


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "10.0.0.5", "errors.example.com", "fe80::1", "127.1", "::ffff:1.2.3.4"]
)
def test_other_addresses_do(host: str) -> None:
    words = why_not_exposed(Settings(host=host), **NOTHING)
    assert words.startswith(f"refusing to listen on {host or 'every address'}: there is no access control")
    for way in ("token create", "--web.config.file", "127.0.0.1", "--insecure-no-auth"):
        assert way in words


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ({}, {"has_users": True}),
        ({}, {"requires_client_certificates": True}),
        ({}, {"has_tokens": True}),
        ({"insecure_no_auth": True}, {}),
        ({"auth_proxy_header": "X-User", "trusted_proxies": ("10.0.0.1",)}, {}),
    ],
)
def test_each_kind_of_access_control_is_enough(settings: dict[str, Any], given: dict[str, bool]) -> None:
    assert why_not_exposed(Settings(host="0.0.0.0", **settings), **NOTHING | given) == ""


def test_a_header_that_no_proxy_may_send_is_none() -> None:
    for given in ({"auth_proxy_header": "X-User"}, {"trusted_proxies": ("10.0.0.1",)}):
        assert why_not_exposed(Settings(host="0.0.0.0", **given), **NOTHING)


def test_tokens_are_in_a_file(tmp_path: Any) -> None:
    settings = Settings(db_path=str(tmp_path / "errors.duckdb"))
    assert not has_tokens(settings)
    (tmp_path / "errors.duckdb.tokens").touch()
    assert has_tokens(settings)
    assert has_tokens(Settings(tokens_file=str(tmp_path / "missing")))  # without it, nobody gets in
