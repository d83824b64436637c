"""What the commands write is for the owner alone, whatever the umask is."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import REPORT, Served
from here import ok_here

pytestmark = pytest.mark.dashboard


def modes(folder: Path) -> dict[str, str]:
    """Returns the mode of everything in a folder, by its path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        found[str(path.relative_to(folder))] = ("d" if stat.S_ISDIR(mode) else "") + oct(stat.S_IMODE(mode))
    return found


def check(folder: Path, names: set[str]) -> None:
    """Raises AssertionError unless `names` are there and all files and folders are private."""
    found = modes(folder)
    assert names <= set(found), found
    assert set(found.values()) <= {"0o600", "d0o700"}, found


def test_files_are_0600_and_folders_0700(served: Callable[..., Served], tmp_path: Path) -> None:
    umask = 0  # the one that hides nothing

    def run(*arguments: object) -> None:
        before = os.umask(umask)
        try:
            ok_here(*arguments)
        finally:
            os.umask(before)

    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    there.chmod(0o755)
    db = there / "new" / "deep" / "errors.duckdb"
    service = Served(db, prefix=["sh", "-c", f'umask {umask:o}; exec "$@"', "sh"])
    try:
        service.post({})
        service.get("/api/errors")
        run("backup", there / "backup", "--parquet", "--db-path", db)
        run("export", "--url", service.url, "--output", there / "errors.ndjson.gz")
        reports = tmp_path / "reports.ndjson"
        reports.write_text(json.dumps(REPORT | {"worker_id": "w"}) + "\n")
        run("import", "--url", service.url, "--rejected", there / "rejected.ndjson", reports)
        check(there, {"new/deep/errors.duckdb", "new/deep/errors.duckdb.log", "new/deep/errors.duckdb.sock",
                      "new/deep/errors.duckdb.log-lock", "backup/errors.parquet",
                      "backup/manifest.json", "errors.ndjson.gz", "rejected.ndjson"})  # fmt: skip
    finally:
        assert service.stop() == 0
    run("compact", "--db-path", db)
    run("restore", there / "backup", "--db-path", there / "restored" / "errors.duckdb")
    run("restore", there / "backup", "--db-path", db, "--force")
    run("check", "--db-path", db)
    check(there, {"new/deep/errors.duckdb", "restored/errors.duckdb", "restored/errors.duckdb.log"})
    service = Served(db, prefix=["sh", "-c", f'umask {umask:o}; exec "$@"', "sh"])
    try:
        service.post({})
    finally:
        service.kill()
    db.write_bytes(b"damaged")
    run("repair", "--db-path", db)
    check(there, {"new/deep/errors.duckdb", "new/deep/errors.duckdb.log"})
    assert any(".damaged" in name or "aside" in name for name in modes(there)), modes(there)
    assert stat.S_IMODE(there.stat().st_mode) == 0o755  # a folder that was there keeps its mode
