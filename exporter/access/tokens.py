"""Tokens: random secrets by which programs show who they are.

    ev_k3q8xz2m_h0R…4w…1fG9
       │        └ 30 random characters of 62 (178 bits), then 6 of a checksum of all that is before them
       └ id: 8 characters, public; lists and logs name it

Secret scanners recognise `ev_[0-9a-z]{8}_[0-9A-Za-z]{36}`. By the checksum they tell a token from a text that only
looks like one.

What is stored is the SHA-256 of a token. A slow hash, as passwords need, would not make it safer: nobody can try 2^178
secrets, and each request would wait for it.
"""

import datetime as dt
import hashlib
import hmac
import re
import secrets
import string
import time
import zlib
from collections.abc import Iterable
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct

from exporter.access.caller import Caller, Scope

PREFIX: Final = "ev_"
ID_CHARACTERS: Final = 8
SECRET_CHARACTERS: Final = 30
CHECK_CHARACTERS: Final = 6
MAX_WORKER: Final = 200
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
ScopeName = Literal["report", "read", "admin"]
Moment = Annotated[dt.datetime, Meta(tz=True)]
_ID_ALPHABET: Final = string.digits + string.ascii_lowercase
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_TOKEN: Final = re.compile(
    rf"{PREFIX}([0-9a-z]{{{ID_CHARACTERS}}})_[0-9A-Za-z]{{{SECRET_CHARACTERS + CHECK_CHARACTERS}}}"
)


class Token(Struct, frozen=True, forbid_unknown_fields=True):
    """What is stored of a token. `hash` is the SHA-256 of its text in hex; `worker` is what `worker_id` has to begin
    with in reports, "" for any; `expires` is None for a token that is valid until it is revoked."""

    id: Annotated[str, Meta(pattern=rf"^[0-9a-z]{{{ID_CHARACTERS}}}$")]
    name: Annotated[str, Meta(pattern=NAME)]
    hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    scopes: Annotated[list[ScopeName], Meta(min_length=1)]
    created: Moment
    worker: Annotated[str, Meta(max_length=MAX_WORKER)] = ""
    expires: Moment | None = None

    @property
    def caller(self) -> Caller:
        return Caller(self.name, scopes_of(self.scopes), self.worker)

    def is_expired(self) -> bool:
        return self.expires is not None and self.expires.timestamp() <= time.time()

    def is_made_of(self, text: str) -> bool:
        """Whether `text` is this token, in a time that does not depend on how much of it is right."""
        return hmac.compare_digest(hash_of(text), self.hash)


def make(name: str, scopes: Iterable[ScopeName], worker: str = "", expires: Moment | None = None) -> tuple[str, Token]:
    """Returns the text of a new token, which is stored nowhere, and what is stored of it."""
    id_ = "".join(secrets.choice(_ID_ALPHABET) for _ in range(ID_CHARACTERS))
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_CHARACTERS))
    body = f"{PREFIX}{id_}_{secret}"
    text = body + _checksum(body)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return text, Token(id_, name, hash_of(text), sorted(set(scopes)), now, worker, expires)


def id_of(text: str) -> str:
    """Returns the id in the text of a token; "" for a text that cannot be a token."""
    found = _TOKEN.fullmatch(text)
    whole = found is not None and _checksum(text[:-CHECK_CHARACTERS]) == text[-CHECK_CHARACTERS:]
    return found[1] if found and whole else ""


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def scopes_of(names: Iterable[ScopeName]) -> Scope:
    found = Scope(0)
    for name in names:
        found |= Scope[name.upper()]
    return found


def names_of(scopes: Scope) -> list[ScopeName]:
    """Returns the names of scopes as they are written on the command line: report, read, admin."""
    return [name for name in get_args(ScopeName) if Scope[name.upper()] in scopes]


def _checksum(body: str) -> str:
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(CHECK_CHARACTERS):
        number, digit = divmod(number, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text
