"""Tokens and sessions for tests of access control."""

import datetime as dt
from pathlib import Path
from typing import Any
from unittest.mock import patch

from conftest import InProcess

from exporter.access import token_file, tokens

PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def make_token(folder: Path, name: str, *scopes: Any, **more: Any) -> str:
    """Adds a token to the file beside the database of `serve`, as the command does. Returns its text."""
    with token_file.changed(folder / "errors.duckdb.tokens") as known:
        text, token = tokens.make(name, scopes, **more)
        known.append(token)
    return text


def revoke(folder: Path, name: str) -> None:
    with token_file.changed(folder / "errors.duckdb.tokens") as known:
        known[:] = [one for one in known if one.name != name]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def log_in(service: InProcess, name: str, password: str) -> dict[str, str]:
    """Returns the header with the cookie of a new session."""
    form = {"name": name, "password": password}
    async with service.client.post("/login", data=form, allow_redirects=False) as response:
        assert response.status == 303, await response.text()
        (cookie,) = response.cookies.values()
    service.client.session.cookie_jar.clear()  # tests send it themselves
    return {"Cookie": f"{cookie.key}={cookie.value}"}


async def csrf_of(service: InProcess, headers: dict[str, str]) -> dict[str, str]:
    """Returns the header that changes in this session need."""
    async with service.client.get("/api/session", headers=headers) as response:
        return {"X-CSRF-Token": (await response.json())["data"]["csrf_token"]}


def now_seen() -> Any:
    """Makes the service look at the file of the tokens with each request."""
    return patch.object(token_file, "LOOK_SECONDS", 0.0)
