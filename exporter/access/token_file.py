"""The file of the tokens: `<db_path>.tokens`, JSON of mode 0600. Commands change it, and the service looks at it."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from exporter.access.files import locked, replace
from exporter.access.tokens import Token, id_of

LOOK_SECONDS: Final = 1.0  # between two looks whether the file has changed
MAX_BYTES: Final = 8_388_608  # about 30,000 tokens
_log = logging.getLogger(__name__)


class TokenFileError(Exception):
    """The file of the tokens cannot be used."""


class _Content(Struct, forbid_unknown_fields=True):
    format: Literal[1]
    tokens: list[Token]


def beside(database: Path) -> Path:
    """Returns the path of the file that belongs to the database at `database`."""
    return database.with_name(database.name + ".tokens")


def read(path: Path) -> list[Token]:
    """Raises FileNotFoundError, and `TokenFileError` for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise TokenFileError(f"{path} is larger than {MAX_BYTES} bytes")
        return msgspec.json.decode(content, type=_Content).tokens
    except FileNotFoundError:
        raise
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else error
        raise TokenFileError(f"{path} cannot be read as a file of tokens: {words}") from None


@contextlib.contextmanager
def changed(path: Path) -> Iterator[list[Token]]:
    """Yields the tokens of the file, and writes the list back when `with` ends without an error. Raises
    `TokenFileError` and OSError."""
    path = path.resolve()  # a link stays a link
    with locked(path):
        try:
            tokens = read(path)
        except FileNotFoundError:
            tokens = []
        yield tokens
        replace(path, msgspec.json.format(msgspec.json.encode(_Content(1, tokens)), indent=1) + b"\n")


class TokenFile:
    """The tokens that the file has now, as the service sees them.

    A damaged file changes nothing and is logged; without a file, no token is known. `is_there` stays true once the file
    was there: if it is removed while the service runs, nobody gets in, instead of anybody.
    """

    def __init__(self, path: Path, *, required: bool) -> None:
        """`required`: the settings name the file, so that access control is on without it, too. Raises
        `TokenFileError` if the file is there and cannot be read."""
        self.is_there = required
        self._path = path
        self._tokens: dict[str, Token] = {}
        self._seen: tuple[int, ...] | None = None
        self._looked = time.monotonic()
        self._problem = ""
        self._load(self._signature())

    def find(self, text: str) -> Token | None:
        """Returns the token with this text; None if there is none, or it has expired."""
        token = self.get(id_of(text))
        return token if token is not None and token.is_made_of(text) else None

    def get(self, id_: str) -> Token | None:
        """Returns the token with this id, unless it has expired."""
        self.look()
        token = self._tokens.get(id_)
        return None if token is None or token.is_expired() else token

    def has(self, token: Token) -> bool:
        """Whether a token that was found is still valid."""
        self.look()
        return self._tokens.get(token.id) is token and not token.is_expired()

    def look(self) -> None:
        """Reads the file if it has changed since the last look, which was `LOOK_SECONDS` ago or more."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            signature = self._signature()
            if signature != self._seen:
                self._load(signature)
            self._problem = ""
        except TokenFileError as error:
            if str(error) != self._problem:
                _log.error("%s; the tokens that were known before stay valid", error)
            self._problem = str(error)

    def read_again(self) -> None:
        """Reads the file now. Raises `TokenFileError` for a damaged file, which changes nothing."""
        self._load(self._signature())
        self._problem = ""

    def _load(self, signature: tuple[int, ...] | None) -> None:
        self._seen = signature
        self.is_there = self.is_there or signature is not None  # also if it cannot be read: nobody gets in, not anybody
        try:
            tokens = read(self._path) if signature is not None else []
        except FileNotFoundError:
            tokens, signature = [], None
        if signature is None and self.is_there:
            _log.warning("there is no file %s: no token is valid", self._path)
        # An unchanged token stays the same object: see `has`.
        self._tokens = {one.id: old if (old := self._tokens.get(one.id)) == one and old else one for one in tokens}

    def _signature(self) -> tuple[int, ...] | None:
        """Returns what differs between two contents of the file, None if there is none. Raises `TokenFileError`."""
        try:
            stat = os.stat(self._path)  # noqa: PTH116  called often
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TokenFileError(f"{self._path} cannot be read: {error.strerror}") from None
        return stat.st_mtime_ns, stat.st_ino, stat.st_dev, stat.st_size
