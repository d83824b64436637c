"""People who sign in with a name and a password. The web config file has a bcrypt hash for each of them.

bcrypt takes 50 ms or more by design. It runs in a thread of its own, for one password at a time, so that neither the
event loop nor the threads that compress answers wait for a flood of wrong passwords. Results are kept, because a
browser sends the password with every request.
"""

import asyncio
import functools
import hashlib
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import bcrypt

MAX_KEPT: Final = 1_000  # results of each kind
MAX_WAITING: Final = 64  # passwords that wait for the thread
MAX_PASSWORD_BYTES: Final = 72  # bcrypt reads no more; htpasswd and Go ignore the rest, too


class BusyError(Exception):
    """So many passwords wait to be checked that this one is not."""


class Users:
    """Names and bcrypt hashes of passwords. To be used on the event loop's thread."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = dict(hashes)
        self._secret = secrets.token_bytes(32)
        self._accepted: dict[bytes, bool] = {}
        self._refused: dict[bytes, bool] = {}  # by itself: a flood of wrong passwords displaces no right one
        self._checked: dict[bytes, asyncio.Future[bool]] = {}  # now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def stamp(self, name: str) -> str:
        """Returns a text that changes with the password of the user, "" if there is no such user."""
        hash_ = self._hashes.get(name)
        return hashlib.sha256(hash_.encode()).hexdigest()[:32] if hash_ else ""

    def replace(self, hashes: Mapping[str, str]) -> None:
        """Uses other users from now on."""
        self._hashes = dict(hashes)

    def close(self) -> None:
        """Drops the passwords that wait."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def accept(self, name: str, password: str) -> bool:
        """Returns whether there is a user with this name and password. An unknown name takes as long as a known one.
        Raises `BusyError`."""
        if not self._hashes:
            return False
        known = name in self._hashes
        hash_ = self._hashes[name] if known else self._decoy(name)
        given = password.encode(errors="surrogatepass")
        key = self._digest(bytes([known]), name.encode(errors="surrogatepass"), hash_.encode(), given)
        kept = self._accepted.get(key, self._refused.get(key))
        if kept is not None:
            return kept
        matches = await asyncio.shield(self._check(key, given, hash_, known))
        return known and matches

    def _check(self, key: bytes, password: bytes, hash_: str, known: bool) -> asyncio.Future[bool]:
        """Returns the result, which requests with the same name and password share. Raises `BusyError`."""
        if key in self._checked:
            return self._checked[key]
        if len(self._checked) >= MAX_WAITING:
            raise BusyError("too many passwords wait to be checked")
        loop = asyncio.get_running_loop()
        self._checked[key] = loop.run_in_executor(self._thread, _matches, password, hash_)
        self._checked[key].add_done_callback(functools.partial(self._keep, key, known))
        return self._checked[key]

    def _keep(self, key: bytes, known: bool, result: asyncio.Future[bool]) -> None:
        del self._checked[key]
        if result.cancelled() or result.exception():
            return
        accepted = known and result.result()
        results = self._accepted if accepted else self._refused
        if len(results) >= MAX_KEPT:
            del results[next(iter(results))]
        results[key] = accepted

    def _decoy(self, name: str) -> str:
        """Returns the hash that a password is compared with, in vain, if there is no user with this name. It is that of
        a user, so that the time does not tell whether there is one."""
        hashes = list(self._hashes.values())
        return hashes[self._digest(name.encode(errors="surrogatepass"))[0] % len(hashes)]

    def _digest(self, *parts: bytes) -> bytes:
        """Returns a hash that nobody can compute without this process's secret: no password stays in memory."""
        hashed = hashlib.blake2b(key=self._secret, digest_size=32)
        for part in parts:
            hashed.update(len(part).to_bytes(8, "big") + part)
        return hashed.digest()


def _matches(password: bytes, hash_: str) -> bool:
    try:
        return bcrypt.checkpw(password[:MAX_PASSWORD_BYTES], hash_.encode())
    except ValueError:  # a null byte
        return False
