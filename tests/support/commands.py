"""Runs `error-visualization` as a process of its own, and compares databases."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
from conftest import ROOT

from exporter.store.reports import fetch


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "exporter", *map(str, arguments)]


def run(*arguments: object) -> tuple[int, str]:
    """Returns the exit status and what the command printed."""
    done = subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def ok(*arguments: object) -> str:
    status, said = run(*arguments)
    assert status == 0, said
    return said


def errors(database: Path, upto: int = 2**62) -> tuple[list[Any], list[Any], dict[int, str]]:
    """Returns the errors of a closed database up to an id: their rows, with names and with integers, and their
    reports."""
    with duckdb.connect(str(database)) as db:
        rows = db.execute("FROM errors WHERE id <= ? ORDER BY id", [upto]).fetchall()
        named = db.execute("FROM named_errors WHERE id <= ? ORDER BY id", [upto]).fetchall()
        return rows, named, fetch(db, [row[0] for row in rows])
