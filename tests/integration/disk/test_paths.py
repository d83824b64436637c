"""All paths to a database lead to the same files: symbolic links to the file or its folder, for every command."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import run
from conftest import Served, stored
from here import Here, ok_here, read_here, run_here, starting

from exporter.log import LogError
from exporter.store import StoreError

pytestmark = pytest.mark.dashboard
COMMANDS = ("check", "repair", "compact")


@pytest.fixture
def start() -> Iterator[Callable[[Path], Served]]:
    running: list[Served] = []

    def start(db: Path) -> Served:
        running.append(Served(db))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.stop()


@pytest.fixture
def here(real: Path) -> Iterator[Callable[..., Here]]:
    yield from starting(real)


@pytest.fixture
def real(tmp_path: Path) -> Path:
    folder = tmp_path / "real"
    folder.mkdir()
    return folder / "errors.duckdb"


@pytest.fixture(params=["file", "folder", "chain"])
def link(request: Any, tmp_path: Path, real: Path) -> Path:
    """Another path to the database, which need not exist yet."""
    if request.param == "folder":
        (tmp_path / "link").symlink_to(real.parent)
        return tmp_path / "link" / real.name
    other = tmp_path / "other.duckdb"
    if request.param == "chain":
        (tmp_path / "step").symlink_to("real")
        other.symlink_to("step/errors.duckdb")
    else:
        other.symlink_to(real)
    return other


def test_a_link_leads_to_the_same_files(
    here: Callable[..., Here], monkeypatch: pytest.MonkeyPatch, link: Path, real: Path
) -> None:
    """The first start makes the database through a link that leads to nothing yet."""
    read_here(monkeypatch)
    service = here(db=link)
    service.post({"event_id": "one"})
    with pytest.raises(LogError, match="another service is running on this database"):
        here(db=real)
    service.kill()
    service = here(db=real)
    assert stored(service) == ["one"]
    service.post({"event_id": "two"})
    with pytest.raises(LogError, match="another service is running on this database"):
        here(db=link)
    assert run_here("backup", link.parent / "backup", "--db-path", link)[0] == 0
    service.kill()
    for command in COMMANDS:
        ok_here(command, "--db-path", link)
    beside = {file.name for file in link.parent.iterdir()} if link.is_symlink() else set()
    assert not {name for name in beside if name.startswith("other.duckdb.")}, "a file is beside the link"
    ok_here("restore", link.parent / "backup", "--force", "--db-path", link)
    if link.is_symlink():
        assert link.resolve() == real, "the link itself is not replaced"
    assert stored(here(db=link)) == ["two", "one"]


def test_the_command_takes_a_path_through_links(
    start: Callable[[Path], Served], here: Callable[..., Here], tmp_path: Path, real: Path
) -> None:
    (tmp_path / "link").symlink_to("real")
    other = tmp_path / "other.duckdb"
    other.symlink_to("link/errors.duckdb")
    service = start(other)
    service.post({"event_id": "one"})
    with pytest.raises(LogError, match="another service is running on this database"):
        here(db=real)
    service.kill()
    assert stored(here(db=real)) == ["one"]
    with pytest.raises(AssertionError, match="another service is running on this database"):
        start(other)


def test_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for arguments in (
        ("serve",),
        *((one,) for one in COMMANDS),
        ("backup", tmp_path / "x"),
        ("restore", tmp_path / "x"),
    ):
        run_one = run if arguments == ("serve",) else run_here
        status, said = run_one(*arguments, "--db-path", tmp_path / "a" / "errors.duckdb")
        assert status == 1
        assert "symbolic links lead in a circle" in said
        assert "Traceback" not in said


def test_a_file_with_two_names_is_refused(
    start: Callable[[Path], Served], here: Callable[..., Here], real: Path, tmp_path: Path
) -> None:
    """A hard link has a log and a write-ahead log of its own beside it."""
    service = start(real)
    service.post({"event_id": "one"})
    service.get("/api/errors")
    other = tmp_path / "hard.duckdb"
    os.link(real, other)
    with pytest.raises(LogError, match="2 names"):
        here(db=other)
    service.post({"event_id": "two"})
    service.kill()
    for db in (other, real):
        with pytest.raises(AssertionError, match="2 names") as refused:
            start(db)
        assert str(refused.value).count("level=error") == 1
        assert "Traceback" not in str(refused.value)
    other.unlink()
    assert stored(here(db=real)) == ["two", "one"]


def test_a_folder_instead_of_a_file(here: Callable[..., Here], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises((LogError, StoreError)):
        here(db=folder)
    for command in COMMANDS:
        status, said = run_here(command, "--db-path", folder)
        assert status == 1, said
        assert "Traceback" not in said
    assert not any(folder.iterdir())


def test_a_file_of_something_else(here: Callable[..., Here], tmp_path: Path) -> None:
    file = tmp_path / "errors.duckdb"
    for content in (b"SQLite format 3\0" + bytes(4096), b"PK\3\4" + bytes(100), b"text\n" * 5000, b""):
        file.write_bytes(content)
        if content:
            with pytest.raises(StoreError) as refused:
                here(db=file)
            assert file.read_bytes() == content
            assert "extension" not in str(refused.value).lower()
        status, said = run_here("check", "--db-path", file)
        assert (status, "Traceback" in said) == (1, False), said
    shutil.rmtree(tmp_path)
