"""What a trusted proxy says, and what others only claim."""

import pytest

from exporter.access.proxies import client, is_trusted, networks, user

pytestmark = pytest.mark.dashboard
TRUSTED = networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("192.0.2.7", True), ("2001:db8::1", True), ("192.0.2.8", False),
        ("127.0.0.1", False), ("::1", False), ("", False), ("10.1.2.3.evil.example", False),
    ],
)  # fmt: skip
def test_only_listed_peers_are_trusted_not_even_loopback(peer: str, trusted: bool) -> None:
    assert is_trusted(peer, TRUSTED) == trusted
    assert not is_trusted(peer, ())


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (["ada"], "ada"), ([" ada "], "ada"), (["ada@example.com"], "ada@example.com"), ([""], ""), ([" "], ""),
        (["eve", "ada"], ""), (["eve,ada"], ""), (["eve, ada"], ""), (["a\x00da"], ""), (["x" * 257], ""), ([], ""),
    ],
)  # fmt: skip
def test_a_header_names_one_user_or_nobody(values: list[str], name: str) -> None:
    assert user(values) == name


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),  # the left one was sent by the client
        ("10.0.0.1", ["6.6.6.6", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:4860::8]:443"], "2001:4860::8"),
        ("10.0.0.1", ["2001:4860::8"], "2001:4860::8"),
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("203.0.113.1", ["6.6.6.6"], "203.0.113.1"),  # not a proxy
        ("127.0.0.1", ["6.6.6.6"], "127.0.0.1"),
    ],
)
def test_the_client_is_the_rightmost_address_that_is_no_proxy(peer: str, forwarded: list[str], address: str) -> None:
    assert client(peer, forwarded, TRUSTED) == address
