"""The web config file: what it may say, and one sentence for everything else."""

import re

import pytest

from exporter.access.web_format import WebConfigError, parse

pytestmark = pytest.mark.dashboard
HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
WRONG = {
    "tls_server_config: {cert_fil: x}": "tls_server_config: there is no key cert_fil",
    "basic_auth_user: {}": "there is no key basic_auth_user",
    "http_server_config: {http3: true}": "http_server_config: there is no key http3",
    "[1]": "expected object, got array",
    "text": "expected object, got str",
    "tls_server_config: {cert_file: [x]}": "tls_server_config.cert_file: expected str, got array",
    "tls_server_config: {client_allowed_sans: x}": "tls_server_config.client_allowed_sans: expected array, got str",
    "http_server_config: {http2: maybe}": "http_server_config.http2: expected bool | null, got str",
    f"basic_auth_users: {{1: {HASH}}}": "basic_auth_users: expected str, got int; put a name that is a number or a word "
    "as yes into quotes",
    "basic_auth_users: {alice: secret}": "basic_auth_users: what the user alice has is not a bcrypt hash; make one with "
    "htpasswd -nBC 10 alice",
    f"basic_auth_users: {{alice: {HASH}x}}": "basic_auth_users: what the user alice has is not a bcrypt hash; make one "
    "with htpasswd -nBC 10 alice",
    f"basic_auth_users: {{alice: {HASH.replace('10', '03')}}}": "basic_auth_users: what the user alice has is not a "
    "bcrypt hash; make one with htpasswd -nBC 10 alice",
    f"basic_auth_users: {{alice: {HASH.replace('10', '19')}}}": "basic_auth_users: the hash of the user alice has a cost "
    "above 18, too slow",
    f"basic_auth_users: {{'a:b': {HASH}}}": "basic_auth_users: the name 'a:b' must not have colons or control characters",
    f"basic_auth_users: {{alice: {HASH}, alice: {HASH}}}": "line 1: the key alice is there twice",
    "http_server_config: {headers: {Server: x}}": "http_server_config: the header Server cannot be set, only "
    "Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection",
    "http_server_config: {headers: {X-Frame-Options: allow}}": "http_server_config: expected deny or sameorigin for the "
    "header X-Frame-Options",
    'http_server_config: {headers: {X-XSS-Protection: "a\\nb"}}': "http_server_config: the header X-XSS-Protection must "
    "not have control characters",
    "rate_limit: {interval: 1s, burst: 2}": "rate_limit: not possible here; leave it out, and use the setting rate_limit "
    "of the service",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_is_one_sentence(text: str) -> None:
    with pytest.raises(WebConfigError) as error:
        parse(text.encode())
    assert str(error.value) == WRONG[text]


@pytest.mark.parametrize("text", ["tls_server_config: {key: &secretkey", "!!python/object:os.x secretkey",
                                  "a: 'secretkey", "tls_server_config: {key: secretkey}: {"])  # fmt: skip
def test_what_is_no_yaml_is_named_by_its_line_and_not_quoted(text: str) -> None:
    with pytest.raises(WebConfigError) as error:
        parse(f"# a comment\n{text}\n".encode())
    assert re.match(r"line \d: ", str(error.value))
    assert "secretkey" not in str(error.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\xff", b"a: \x00", b"[" * 5_000])
def test_what_is_no_text_or_too_deep_is_refused(content: bytes) -> None:
    with pytest.raises(WebConfigError):
        parse(content)


@pytest.mark.parametrize(
    "content", ['x: !!int ""', 'x: !!int "0x"', "!!timestamp x", "!!bool maybe", "!!map [1]", '!!float ""']
)
def test_an_odd_tag_is_refused(content: str) -> None:
    with pytest.raises(WebConfigError, match="a value cannot be read as YAML"):
        parse(content.encode())


def test_the_whole_format() -> None:
    file = parse(
        f"""
tls_server_config:
  cert_file: a.crt
  key_file: a.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [worker.example]
  min_version: TLS13
  max_version: TLS13
  cipher_suites: [TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519]
http_server_config:
  http2: true
  headers:
    Strict-Transport-Security: max-age=1
    X-Frame-Options: deny
    X-XSS-Protection: ""
rate_limit: {{interval: 0, burst: 0}}
basic_auth_users:
  alice: {HASH}
  "7": {HASH}
""".encode()
    )
    tls = file.tls_server_config
    assert tls
    assert (tls.cert_file, tls.client_allowed_sans, tls.min_version) == ("a.crt", ("worker.example",), "TLS13")
    assert (tls.cipher_suites, tls.prefer_server_cipher_suites) == (("TLS_AES_128_GCM_SHA256",), False)
    assert file.headers == {"Strict-Transport-Security": "max-age=1", "X-Frame-Options": "deny"}
    assert file.users == {"alice": HASH, "7": HASH}


@pytest.mark.parametrize(
    "text", ["", "# nothing", "tls_server_config:\nbasic_auth_users:\nhttp_server_config:\n", "{}"]
)
def test_sections_may_be_empty(text: str) -> None:
    file = parse(text.encode())
    assert (file.users, file.headers, file.tls_server_config) == ({}, {}, None)
