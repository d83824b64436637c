"""Sessions: how they begin and end, and what is in their file."""

import asyncio
import time
from pathlib import Path

import pytest

from exporter.access import sessions
from exporter.access.sessions import IDLE_SECONDS, LONGEST_SECONDS, Sessions, csrf_token

pytestmark = pytest.mark.dashboard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.duckdb.sessions"


async def begin(known: Sessions, name: str = "ada") -> str:
    return await known.begin(name, is_token=False, stamp="s")


def written(path: Path) -> tuple[str, int]:
    return (path.read_text(), path.stat().st_mode & 0o777) if path.exists() else ("", 0)


async def test_a_session_survives_a_restart_and_its_file_does_not_tell_its_id(path: Path) -> None:
    id_ = await begin(Sessions(path))
    assert len(id_) >= 43  # 256 bits
    content, mode = written(path)
    assert id_ not in content
    assert csrf_token(id_) not in content
    assert mode == 0o600
    again = Sessions(path).get(id_)
    assert again is not None
    assert (again.holder, again.stamp) == ("ada", "s")


async def test_a_logout_is_final(path: Path) -> None:
    known = Sessions(path)
    id_, other = await begin(known), await begin(known)
    await known.end(id_)
    for table in (known, Sessions(path)):
        assert table.get(id_) is None
        assert table.get(other) is not None


async def test_a_logout_that_cannot_be_written_is_final_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Sessions(path)
    id_ = await begin(known)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sessions, "replace", full)
    await known.end(id_)
    assert written(path) == ("", 0)
    assert Sessions(path).get(id_) is None


async def test_it_ends_when_it_is_not_used_and_in_any_case(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Sessions(path)
    start = time.time()
    idle, busy = await begin(known), await begin(known)
    session = known.get(busy)
    assert session is not None
    for hours in range(0, LONGEST_SECONDS // 3_600, 6):
        at = start + hours * 3_600
        monkeypatch.setattr(time, "time", lambda at=at: at)
        assert known.get(busy) is session
        assert known.has(session)
    assert known.get(idle) is None
    monkeypatch.setattr(time, "time", lambda: start + LONGEST_SECONDS + 5)
    assert not known.has(session)
    assert known.get(busy) is None


async def test_looking_whether_it_is_valid_is_no_use_of_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Sessions(path)
    id_ = await begin(known)
    session = known.get(id_)
    assert session
    now = time.time()
    for minutes in range(0, IDLE_SECONDS // 60 + 2, 60):
        monkeypatch.setattr(time, "time", lambda minutes=minutes: now + minutes * 60)
        known.has(session)
    monkeypatch.setattr(time, "time", lambda: now + IDLE_SECONDS + 60)
    assert not known.has(session)


async def test_there_are_only_so_many(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 3)
    known = Sessions(path)
    ids = [await begin(known) for _ in range(4)]
    assert [known.get(one) is not None for one in ids] == [False, True, True, True]


@pytest.mark.parametrize("content", [b"", b"{", b'[{"hash":1}]', b"\xff"])
def test_a_damaged_file_logs_everybody_out(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(content)
    known = Sessions(path)
    assert "log in again" in caplog.text
    assert known.get(asyncio.run(begin(known))) is not None
