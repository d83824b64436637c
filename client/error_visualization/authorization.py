"""The token of a request."""

from __future__ import annotations

import os


def authorization(token_file: str | None = None, token: str | None = None) -> dict[str, str]:
    """Returns the header with `token`, the token in `token_file`, else that of the environment; {} for none. Raises
    OSError, and ValueError for a file without a token."""
    file = token_file or os.environ.get("ERROR_VISUALIZATION_TOKEN_FILE")
    found = token or ("" if token_file else os.environ.get("ERROR_VISUALIZATION_TOKEN", "")).strip()
    if file and not found:
        with open(file, encoding="utf-8") as opened:
            found = opened.read().strip()
        if not found:
            raise ValueError(f"{file} has no token")
    if not found.isascii() or not found.isprintable():
        raise ValueError("a token has no other characters than letters, digits and _")
    return {"Authorization": f"Bearer {found}"} if found else {}
