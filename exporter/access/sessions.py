"""Sessions of people who logged in. The browser has a random id in a cookie; kept here and in the file is its hash, so
that nobody who reads the file can use a session.

The file is written at each login and logout and at the end, so sessions survive a restart; a crash may forget by how
much a session was used last. A logout is final: if it cannot be written, the file is removed.
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from exporter.access.files import replace

MAX_SESSIONS: Final = 10_000
IDLE_SECONDS: Final = 43_200  # 12 hours without a request end a session
LONGEST_SECONDS: Final = 604_800  # 7 days after the login it ends anyway
ID_BYTES: Final = 32
_log = logging.getLogger(__name__)


class Session(Struct):
    """`hash` is that of the id. `holder` is the name of a user, or the id of a token if `is_token`. `stamp` is that of
    the password or of the token at the login: with another one, the session has ended. Times in epoch seconds."""

    hash: str
    holder: str
    is_token: bool
    stamp: str
    begun: float
    used: float


class Sessions:
    """The sessions that have not ended, oldest first. `path`: their file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._all = {one.hash: one for one in _read(path)}
        self._writing = asyncio.Lock()

    def get(self, id_: str) -> Session | None:
        """Returns the session with this id, and notes that it is used. None if it has ended."""
        session = self._all.get(_hash(id_))
        if session is None:
            return None
        now = time.time()
        if now - session.used > IDLE_SECONDS or now - session.begun > LONGEST_SECONDS:
            del self._all[session.hash]
            return None
        session.used = now
        return session

    def has(self, session: Session) -> bool:
        """Whether a session that was found has not ended; this is no use of it."""
        now = time.time()
        over = now - session.used > IDLE_SECONDS or now - session.begun > LONGEST_SECONDS
        return not over and self._all.get(session.hash) is session

    async def begin(self, holder: str, *, is_token: bool, stamp: str) -> str:
        """Returns the id of a new session."""
        id_ = secrets.token_urlsafe(ID_BYTES)
        now = time.time()
        while len(self._all) >= MAX_SESSIONS:
            del self._all[next(iter(self._all))]
        self._all[_hash(id_)] = Session(_hash(id_), holder, is_token, stamp, now, now)
        await self.save()
        return id_

    async def end(self, id_: str) -> None:
        """Ends the session with this id, if there is one."""
        if self._all.pop(_hash(id_), None) is not None:
            await self.save()

    async def close(self) -> None:
        """Notes on disk when each session was used last."""
        if self._all:
            await self.save()

    async def save(self) -> None:
        """Writes the file."""
        async with self._writing:
            content = msgspec.json.encode(list(self._all.values()))
            await asyncio.to_thread(_write, self._path, content)


def csrf_token(id_: str) -> str:
    """Returns what a page has to send with each change in the session with this id. The hash that is stored of the id
    does not tell it."""
    return hmac.new(id_.encode(), b"csrf", hashlib.sha256).hexdigest()


def _hash(id_: str) -> str:
    return hashlib.sha256(id_.encode("utf-8", "surrogateescape")).hexdigest()


def _write(path: Path, content: bytes) -> None:
    try:
        replace(path, content)
    except OSError as error:
        _log.error("%s cannot be written, so everybody has to log in again after a restart: %s", path, error.strerror)
        try:
            path.unlink(missing_ok=True)
        except OSError:
            _log.error("%s cannot be removed either: a session that was logged out may be valid after a restart", path)


def _read(path: Path) -> list[Session]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Session])[-MAX_SESSIONS:]
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        _log.warning("%s cannot be read, so everybody has to log in again: %s", path, error)
        return []
