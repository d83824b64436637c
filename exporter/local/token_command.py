"""`error-visualization token`: makes, lists and revokes tokens. It changes the file of the tokens; a running service
sees that within a second."""

import argparse
import datetime as dt
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from exporter.access import token_file, tokens
from exporter.access.token_file import TokenFileError
from exporter.access.tokens import MAX_WORKER, NAME, ScopeName, Token
from exporter.config.quantities import duration

NEVER: Final = "never"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser("create", help="make a token and print it, once")
    one.add_argument("name", metavar="NAME", help="a new name; logs and lists show it")
    one.add_argument("--scope", action="append", required=True, choices=get_args(ScopeName),
                     help="report: send reports; read: read everything; admin: reset, merge, pin, delete, import; "
                          "repeatable")  # fmt: skip
    one.add_argument("--worker", metavar="PREFIX", default="",
                     help="only reports whose worker_id begins with this (default: of every worker)")  # fmt: skip
    one.add_argument("--expires", metavar="WHEN", default=NEVER,
                     help="30d, or 2027-01-01 (the begin of that day, UTC), or never (the default)")  # fmt: skip
    _add_path(one)
    _add_path(actions.add_parser("list", help="show the tokens, without their secrets"))
    one = actions.add_parser("revoke", help="make a token invalid for ever")
    one.add_argument("token", metavar="NAME|ID")
    _add_path(one)


def _add_path(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--db-path", default="./errors.duckdb", help="the database (default: %(default)s)")
    parser.add_argument("--tokens-file", metavar="FILE", help="the file of the tokens (default: <db-path>.tokens)")


def main(given: argparse.Namespace) -> int:
    """Returns the exit status: 1 if the file cannot be read or changed, 2 if an argument is wrong."""
    path = Path(given.tokens_file) if given.tokens_file else token_file.beside(Path(given.db_path).resolve())
    try:
        if given.action == "create":
            _create(path, given)
        elif given.action == "revoke":
            _revoke(path, given.token)
        else:
            _list(path)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except TokenFileError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{path} cannot be changed: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def _create(path: Path, given: argparse.Namespace) -> None:
    """Raises ValueError, `TokenFileError` and OSError."""
    if not re.fullmatch(NAME, given.name):
        raise ValueError(f"expected a name of letters, digits and . _ @ -, at most 64, got {given.name!r}")
    if len(given.worker) > MAX_WORKER:
        raise ValueError(f"--worker: expected at most {MAX_WORKER} characters")
    expires = _moment(given.expires)
    if not path.parent.is_dir():
        raise ValueError(f"the folder {path.parent} does not exist")
    is_first = not path.exists()
    with token_file.changed(path) as known:
        if any(given.name in (one.name, one.id) for one in known):
            raise ValueError(f"there is a token {given.name} already; revoke it, or choose another name")
        text, token = tokens.make(given.name, given.scope, given.worker, expires)
        known.append(token)
    until = f"until {expires:%Y-%m-%d %H:%M} UTC" if expires else "until it is revoked"
    print(f"token {token.name} ({token.id}): {', '.join(token.scopes)}; valid {until}", file=sys.stderr)
    if is_first:
        print(f"{path} is new: the service now answers nobody without a token or a login", file=sys.stderr)
    print(text)


def _revoke(path: Path, wanted: str) -> None:
    """Raises ValueError, `TokenFileError` and OSError."""
    if not path.exists():
        raise ValueError(f"there is no file {path}")
    with token_file.changed(path) as known:
        found = next((one for one in known if one.name == wanted), None)
        found = found or next((one for one in known if one.id == wanted), None)
        if found is None:
            raise ValueError(f"there is no token {wanted}")
        known.remove(found)
    print(f"token {found.name} ({found.id}) is revoked", file=sys.stderr)


def _list(path: Path) -> None:
    """Raises ValueError and `TokenFileError`."""
    try:
        known = token_file.read(path)
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    head = ("ID", "NAME", "SCOPES", "WORKER", "CREATED", "EXPIRES")
    rows = [head, *map(_row, known)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _row(token: Token) -> Sequence[str]:
    expires = f"{token.expires:%Y-%m-%d}" if token.expires else NEVER
    if token.is_expired():
        expires += " (expired)"
    return token.id, token.name, ",".join(token.scopes), token.worker or "any", f"{token.created:%Y-%m-%d}", expires


def _moment(text: str) -> dt.datetime | None:
    """Reads when a token expires; None: never. Raises ValueError."""
    if text == NEVER:
        return None
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    try:
        moment = (
            dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC) if "-" in text else now + duration(text)
        )
    except (ValueError, OverflowError):
        raise ValueError(f"--expires: expected 30d, 2027-01-01 or never, got {text!r}") from None
    if moment <= now:
        raise ValueError(f"--expires: {text} is not in the future")
    return moment
