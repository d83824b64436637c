"""`manifest.json`: what a backup holds. It is the last file of a backup that is written."""

import datetime as dt
import os
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from exporter.log.files import flush
from exporter.store import StoreError

NAME: Final = "manifest.json"
FORMAT: Final = 1
DATABASE: Final = "errors.duckdb"


class File(Struct):
    """The size of a file in bytes, and its SHA-256 as hex digits."""

    bytes: int
    sha256: str


class Manifest(Struct, kw_only=True):
    """`errors` is the number of errors in the database, `position` the log position up to which it has them."""

    format: int = FORMAT
    program_version: str
    schema_version: int
    made_at: dt.datetime
    log_identity: str
    position: int
    errors: int
    files: dict[str, File]


def write(folder: Path, manifest: Manifest) -> None:
    """Writes `manifest.json` into `folder`; it is on disk when this returns. Raises OSError."""
    with (folder / NAME).open("xb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    flush(folder)


def read(folder: Path) -> Manifest:
    """Reads `manifest.json` of a backup. Raises `StoreError`."""
    try:
        content = (folder / NAME).read_bytes()
    except FileNotFoundError:
        raise StoreError(f"{folder} is no backup: it has no {NAME}") from None
    try:
        if (found := msgspec.json.decode(content, type=_Format).format) != FORMAT:
            raise StoreError(f"{folder / NAME} has format {found}, this release reads {FORMAT}: use a newer release")
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise StoreError(f"{folder / NAME} is damaged: {error}") from error
    if DATABASE not in manifest.files:
        raise StoreError(f"{folder / NAME} has no {DATABASE}")
    return manifest


class _Format(Struct):
    format: int
