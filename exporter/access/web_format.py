"""The format of the web config file, which is that of Prometheus' exporter-toolkit:

    tls_server_config:
      cert_file: server.crt
      key_file: server.key
      client_auth_type: RequireAndVerifyClientCert
      client_ca_file: workers.crt
    http_server_config:
      headers: {Strict-Transport-Security: max-age=31536000}
    basic_auth_users:
      alice: $2y$10$…

An unknown key is refused. So is what this service cannot do: a restriction that is ignored would be none.
"""

import re
from collections.abc import Hashable, Mapping
from typing import Any, Final, Literal

import msgspec
import yaml
from msgspec import Struct, field

from exporter.yaml_text import YamlError, read_yaml

MAX_COST: Final = 18  # of bcrypt: takes 20 s; one more doubles the time
REQUIRED: Final = "RequireAndVerifyClientCert"
HEADERS: Final[Mapping[str, tuple[str, ...]]] = {  # header: the values that it may have; () any
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
_HASH: Final = re.compile(r"\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}")
_PLACE: Final = re.compile(r"(?P<what>.*?)(?: - at (?:`key` in )?`\$\.?(?P<where>.*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class WebConfigError(Exception):
    """The web config file, or a file that it names, is wrong; the message is for operators."""


class TlsServer(Struct, frozen=True, forbid_unknown_fields=True):
    """Section `tls_server_config`. A certificate, key or CA is either a text in PEM or the path of a file."""

    cert: str = ""
    key: str = ""
    client_ca: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    client_auth_type: str = "NoClientCert"
    client_allowed_sans: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()


class HttpServer(Struct, frozen=True, forbid_unknown_fields=True):
    """Section `http_server_config`."""

    http2: bool | None = None
    headers: dict[str, str] = field(default_factory=dict)


class RateLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """Section `rate_limit`."""

    interval: str | Literal[0] = 0
    burst: int = 0


class WebFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer | None = None
    rate_limit: RateLimit | None = None
    basic_auth_users: dict[str, str] | None = None

    @property
    def users(self) -> Mapping[str, str]:
        """The bcrypt hash of each user's password."""
        return self.basic_auth_users or {}

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers for every response; a header without a value counts as not set."""
        given = self.http_server_config.headers if self.http_server_config else {}
        return {name: value for name, value in given.items() if value}


def parse(content: bytes) -> WebFile:
    """Returns what the file says. Raises `WebConfigError`; its message has no value of the file that may be secret."""
    try:
        loaded = read_yaml(content, _Loader)
    except YamlError as error:
        raise WebConfigError(str(error)) from None
    try:
        file = msgspec.convert({} if loaded is None else loaded, WebFile)
    except msgspec.ValidationError as error:
        raise WebConfigError(_words(str(error))) from None
    _check_users(file.users)
    _check_headers(file.http_server_config.headers if file.http_server_config else {})
    if file.rate_limit and str(file.rate_limit.interval) not in ("0", "0s"):
        raise WebConfigError(
            "rate_limit: not possible here; leave it out, and use the setting rate_limit of the service"
        )
    return file


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice: of two hashes of a user, nobody knows which one counts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in names:
                words = f"the key {key.value} is there twice"
                raise yaml.constructor.ConstructorError(None, None, words, key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)


def _check_users(users: Mapping[str, str]) -> None:
    for name, hash_ in users.items():
        if ":" in name or not name.isprintable():
            raise WebConfigError(f"basic_auth_users: the name {name!r} must not have colons or control characters")
        found = _HASH.fullmatch(hash_)
        if not found or not 4 <= int(found["cost"]) <= 31:
            words = f"what the user {name} has is not a bcrypt hash; make one with htpasswd -nBC 10 {name}"
            raise WebConfigError(f"basic_auth_users: {words}")
        if int(found["cost"]) > MAX_COST:
            raise WebConfigError(f"basic_auth_users: the hash of the user {name} has a cost above {MAX_COST}, too slow")


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if name not in HEADERS:
            raise WebConfigError(f"http_server_config: the header {name} cannot be set, only {', '.join(HEADERS)}")
        if value and HEADERS[name] and value not in HEADERS[name]:
            raise WebConfigError(f"http_server_config: expected {' or '.join(HEADERS[name])} for the header {name}")
        if _CONTROL.search(value):
            raise WebConfigError(f"http_server_config: the header {name} must not have control characters")


def _words(message: str) -> str:
    """Returns a sentence for an operator of what msgspec found."""
    found = _PLACE.fullmatch(message)
    what, where = (found["what"], found["where"] or "") if found else (message, "")
    if unknown := _UNKNOWN.fullmatch(what):
        what = f"there is no key {unknown['name']}"
    what = what.replace("`", "")
    if where == "basic_auth_users" and what.startswith("Expected str"):
        what += "; put a name that is a number or a word as yes into quotes"
    what = what[0].lower() + what[1:]
    return f"{where}: {what}" if where else what
