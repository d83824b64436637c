"""Which hosts a request may name, by how the service is bound and what it is told."""

import socket
from typing import Any

import pytest

from exporter.config import Settings
from exporter.http.hosts import KnownHosts, host_name

pytestmark = pytest.mark.dashboard


@pytest.mark.parametrize(
    ("settings", "accepted", "refused"),
    [
        ({}, "localhost localhost:8080 LOCALHOST localhost. 127.0.0.1:1 127.9.9.9 [::1]:80 [::1] [::ffff:127.0.0.1]",
         "evil.example evil.example:8080 localhost.evil.example 127.0.0.1.evil.example 10.0.0.5 0.0.0.0 [::2] box"),
        ({"host": "10.0.0.5"}, "10.0.0.5 10.0.0.5:80 127.0.0.1 box box.lan BOX:80", "10.0.0.6 evil.example"),
        ({"host": "0.0.0.0"}, "10.0.0.5 0.0.0.0:8080 [fe80::1] box box.lan", "evil.example evil.box"),
        ({"host": "::"}, "10.0.0.5 [::1] [2001:db8::1]:8080 box", "evil.example"),
        ({"host": "", "port": 80}, "10.0.0.5 box", "evil.example"),
        ({"host": "Errors.lan"}, "errors.lan errors.lan:1 10.0.0.5 box", "evil.example"),
        ({"host": "localhost"}, "localhost 127.0.0.1", "10.0.0.5 box"),
        ({"host": "::1"}, "localhost [::1] 127.0.0.1", "10.0.0.5 box [::2]"),
        ({"external_url": "https://Errors.example.com/x"}, "errors.example.com errors.example.com:443",
         "example.com x.errors.example.com"),
        ({"external_url": "http://[2001:db8::1]:80"}, "[2001:db8::1] [2001:db8:0::1]:80", "[2001:db8::2]"),
        ({"allowed_hosts": ("exporter", "A.b.", "10.0.0.7", "[2001:DB8::1]")},
         "exporter:8080 exporter a.b 10.0.0.7:1 [2001:db8::1]", "exporter.evil.example 10.0.0.8"),
        ({"allowed_hosts": "*"}, "evil.example 10.0.0.5 anything:1", ""),
    ],
)  # fmt: skip
def test_hosts(settings: dict[str, Any], accepted: str, refused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "box")
    monkeypatch.setattr(socket, "getfqdn", lambda: "box.lan")
    known = KnownHosts(Settings(**settings))
    known.learn_own_names()
    for _ in range(2):  # the second time from what it remembers
        assert [host for host in accepted.split() if not known.accepts(host)] == []
        assert [host for host in refused.split() if known.accepts(host)] == []


@pytest.mark.parametrize(
    "header", ["", ":80", "a@localhost", "localhost/x", "[::1", "::1", "a b", "localhost:x", "[x]"]
)
def test_what_is_no_host_is_none(header: str) -> None:
    assert host_name(header) == ""
    assert not KnownHosts(Settings()).accepts(header)


def test_a_probe_may_use_any_address_but_no_name() -> None:
    known = KnownHosts(Settings())
    assert known.accepts_probe("10.0.0.5:8080")
    assert not known.accepts("10.0.0.5:8080")
    assert not known.accepts_probe("evil.example")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("", ""),
        ("https://Errors.example.com/path/", "https://errors.example.com"),
        ("https://errors.example.com:443", "https://errors.example.com"),
        ("http://errors.example.com:443", "http://errors.example.com:443"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_the_origin_of_the_external_url(url: str, origin: str) -> None:
    assert KnownHosts(Settings(external_url=url)).origin == origin
