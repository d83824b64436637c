"""Who sends a request: decides about a token, a name and a password, a session, or the word of a trusted proxy.

Access control is on when there are users, a file of tokens, a header of a trusted proxy, or client certificates. What
was found of a value of `Authorization` is remembered, so that a request costs a few microseconds.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

from exporter.access import token_file
from exporter.access.attempts import Attempts
from exporter.access.caller import EVERYTHING, Caller, Scope
from exporter.access.proxies import client, is_trusted, networks, user
from exporter.access.sessions import Session, Sessions, csrf_token
from exporter.access.token_file import TokenFile
from exporter.access.tokens import PREFIX, Token

Method = Literal["token", "basic", "session", "proxy", "certificate"]
MAX_VERIFIED: Final = 10_000  # values of `Authorization` that are remembered
MAX_CHECKS: Final = 32  # passwords that wait to be checked
CHECKS_AT_ONCE: Final = 2
SAID_SECONDS: Final = 10.0  # between two log lines about failed logins from one address
MAX_SAID: Final = 1_000
MAX_PASSWORD: Final = 1_024
_log = logging.getLogger(__name__)


class Users(Protocol):
    """People with a name and a password. `stamp` changes with the password of a user, and is "" for no user."""

    def __bool__(self) -> bool: ...
    async def accept(self, name: str, password: str, /) -> bool: ...
    def stamp(self, name: str, /) -> str: ...


class Web(Protocol):
    """The part of `WebConfig` that is needed here. `requires_client_certificates`: every connection has shown one."""

    @property
    def users(self) -> Users: ...
    @property
    def requires_client_certificates(self) -> bool: ...


class AccessSettings(Protocol):
    """The part of `Settings` that is needed here."""

    @property
    def tokens_file(self) -> str: ...
    @property
    def admin_users(self) -> Sequence[str]: ...
    @property
    def auth_proxy_header(self) -> str: ...
    @property
    def trusted_proxies(self) -> Sequence[str]: ...


class Identity(NamedTuple):
    """Somebody, and how that is known. `is_valid` says whether it still holds. `csrf` returns what changes need in
    `X-CSRF-Token`, if a browser sends what proves the identity by itself; else it is None."""

    caller: Caller
    method: Method
    is_valid: Callable[[], bool]
    csrf: Callable[[], str] | None = None


class TooManyAttemptsError(Exception):
    """A password was not looked at. `seconds`: when it will be."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many failed logins; try again in {seconds} s")
        self.seconds = seconds


class Access:
    """`on_failure` is called with the method of each failed login. To be used on the event loop's thread."""

    def __init__(
        self,
        settings: AccessSettings,
        database: Path,
        web: Web,
        *,
        on_failure: Callable[[str], None],
    ) -> None:
        """Raises `TokenFileError` if the tokens cannot be read."""
        # Links are followed at each look: in Kubernetes, a Secret is a link that leads elsewhere after a change.
        path = Path(settings.tokens_file).absolute() if settings.tokens_file else token_file.beside(database)
        self.tokens = TokenFile(path, required=bool(settings.tokens_file))
        self.sessions = Sessions(database.with_name(database.name + ".sessions"))
        self.proxy_header = settings.auth_proxy_header
        self._trusted = networks(settings.trusted_proxies)
        self._admins = frozenset(settings.admin_users)
        self._web = web
        self._users = web.users
        self._on_failure = on_failure
        self._attempts = Attempts()
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._waiting = 0
        self._verified: dict[bytes, Identity] = {}
        self._key = secrets.token_bytes(32)
        self._said: dict[str, float] = {}
        self._untrusted_said = False

    @property
    def is_on(self) -> bool:
        """Whether requests have to show who sends them. Once on, it stays on."""
        self.tokens.look()
        return self._tells_callers_apart() or self._web.requires_client_certificates

    def address(self, peer: str, forwarded: Sequence[str]) -> str:
        """Returns the address of the client; `forwarded` are the values of `X-Forwarded-For`."""
        return client(peer, forwarded, self._trusted) if self._trusted and forwarded else peer

    def by_proxy(self, peer: str, values: Sequence[str]) -> Identity | None:
        """Returns the user whom a trusted proxy names; `values` are those of its header."""
        if not values:
            return None
        if not is_trusted(peer, self._trusted):
            if not self._untrusted_said:
                self._untrusted_said = True
                _log.warning("%s from %s is ignored: it is not in trusted_proxies", self.proxy_header, peer)
            return None
        name = user(values)
        if not name:
            return None
        return Identity(Caller(name, self._scopes(name)), "proxy", lambda: True, lambda: self._signed(name))

    def by_session(self, id_: str) -> Identity | None:
        session = self.sessions.get(id_)
        caller = self._holder(session) if session else None
        if session is None or caller is None:
            return None
        return Identity(
            caller,
            "session",
            lambda: self.sessions.has(session) and self._holder(session) is not None,
            lambda: csrf_token(id_),
        )

    def by_certificate(self) -> Identity | None:
        """A client certificate alone admits to everything where nothing else tells callers apart."""
        if not self._web.requires_client_certificates or self._tells_callers_apart():
            return None
        return Identity(Caller("certificate", EVERYTHING), "certificate", lambda: True)

    def by_known_token(self, value: str) -> Identity | None:
        """As `by_authorization`, but None for what is not a token that was seen before."""
        identity = self._remembered(self._digest(value))
        return identity if identity is not None and identity.method == "token" else None

    async def by_authorization(self, value: str, address: str) -> Identity | None:
        """Returns who a value of `Authorization` is. Raises `TooManyAttemptsError`."""
        scheme, _, rest = value.partition(" ")
        # A password that is right is remembered for one address: from others, its attempts count.
        key = self._digest(f"{address} {value}" if scheme.lower() == "basic" else value)
        identity = self._remembered(key)
        if identity is not None:
            return identity
        if scheme.lower() == "bearer":
            identity = self._by_token(rest.strip(), address, "token")
        elif scheme.lower() == "basic":
            identity = await self._by_basic(rest.strip(), address)
        else:
            identity = None
        if identity is not None:
            while len(self._verified) >= MAX_VERIFIED:
                del self._verified[next(iter(self._verified))]
            self._verified[key] = identity
        return identity

    async def log_in(self, name: str, password: str, address: str) -> str | None:
        """Returns the id of a new session; None if name and password are wrong, or the token may not read. The password
        may be a token. Raises `TooManyAttemptsError`."""
        if password.startswith(PREFIX):
            token = self.tokens.find(password)
            if token is None or Scope.READ not in token.caller.scopes:
                self._failed("form", token.name if token else "", address)
                return None
            _log.info("the token %s logs in from %s", token.name, address)
            return await self.sessions.begin(token.id, is_token=True, stamp=_stamp(token))
        if not await self._accepts(name, password, address, "form"):
            return None
        _log.info("the user %r logs in from %s", name, address)
        return await self.sessions.begin(name, is_token=False, stamp=self._users.stamp(name))

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), key=self._key, digest_size=16).digest()

    def _remembered(self, key: bytes) -> Identity | None:
        identity = self._verified.get(key)
        if identity is not None and not identity.is_valid():
            del self._verified[key]
            return None
        return identity

    def _tells_callers_apart(self) -> bool:
        return self.tokens.is_there or bool(self.proxy_header) or bool(self._users)

    def _by_token(self, text: str, address: str, method: Literal["token", "basic"]) -> Identity | None:
        token = self.tokens.find(text)
        if token is None:
            self._failed(method, "", address)
            return None
        return Identity(token.caller, method, lambda: self.tokens.has(token))

    async def _by_basic(self, encoded: str, address: str) -> Identity | None:
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            if seconds := self._attempts.wait(address, None):
                raise TooManyAttemptsError(seconds) from None
            self._attempts.failed(address, None)
            self._failed("basic", "", address)
            return None
        if password.startswith(PREFIX):
            return self._by_token(password, address, "basic")
        if not await self._accepts(name, password, address, "basic"):
            return None
        stamp = self._users.stamp(name)
        return Identity(Caller(name, self._scopes(name)), "basic", lambda: self._users.stamp(name) == stamp != "")

    async def _accepts(self, name: str, password: str, address: str, method: str) -> bool:
        """Whether the password is right. Raises `TooManyAttemptsError`."""
        if seconds := self._attempts.wait(address, name):
            raise TooManyAttemptsError(seconds)
        if self._waiting >= MAX_CHECKS:
            raise TooManyAttemptsError(1)
        is_possible = len(password) <= MAX_PASSWORD
        self._waiting += 1
        try:
            async with self._checks:
                if seconds := self._attempts.wait(address, name):  # attempts that were sent together
                    raise TooManyAttemptsError(seconds)
                right = is_possible and await self._users.accept(name, password)
        finally:
            self._waiting -= 1
        if right:
            self._attempts.succeeded(address, name)
        else:
            self._attempts.failed(address, name if is_possible else None)
            self._failed(method, name if self._users.stamp(name) else "", address)
        return right

    def _failed(self, method: str, name: str, address: str) -> None:
        """Counts and logs a failed login. A name that no user has is not logged: it may be a password."""
        self._on_failure(method)
        now = time.monotonic()
        if now - self._said.get(address, -SAID_SECONDS) < SAID_SECONDS:
            return
        self._said.pop(address, None)
        while len(self._said) >= MAX_SAID:
            del self._said[next(iter(self._said))]
        self._said[address] = now
        who = f"as {name!r} " if name else ""
        _log.warning("a login %sfrom %s failed (%s)", who, address or "an unknown address", method)

    def _holder(self, session: Session) -> Caller | None:
        """Returns the caller of a session, unless its user or token is gone or has changed."""
        if session.is_token:
            token = self.tokens.get(session.holder)
            return token.caller if token is not None and _stamp(token) == session.stamp else None
        same = session.stamp and self._users.stamp(session.holder) == session.stamp
        return Caller(session.holder, self._scopes(session.holder)) if same else None

    def _scopes(self, name: str) -> Scope:
        return EVERYTHING if not self._admins or name in self._admins else Scope.REPORT | Scope.READ

    def _signed(self, name: str) -> str:
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()


def _stamp(token: Token) -> str:
    return token.hash[:32]
