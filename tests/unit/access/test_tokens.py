"""The texts of tokens, and the file in which their hashes are."""

import datetime as dt
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import ROOT
from keys import PAST

from exporter.access import token_file, tokens
from exporter.access.caller import Scope
from exporter.access.token_file import TokenFile, TokenFileError

pytestmark = pytest.mark.dashboard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.duckdb.tokens"


@pytest.fixture(autouse=True)
def _look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_file, "LOOK_SECONDS", 0.0)


def add(path: Path, name: str = "ci", *scopes: tokens.ScopeName, **more: object) -> str:
    with token_file.changed(path) as known:
        text, token = tokens.make(name, scopes or ("read",), **more)  # type: ignore[arg-type]
        known.append(token)
    return text


def test_a_token_is_random_and_recognisable() -> None:
    made = {tokens.make("ci", ["read"])[0] for _ in range(100)}
    assert len(made) == 100
    for text in made:
        assert re.fullmatch(r"ev_[0-9a-z]{8}_[0-9A-Za-z]{36}", text)
        assert tokens.id_of(text) == text[3:11]
    assert 62**tokens.SECRET_CHARACTERS > 2**160


@pytest.mark.parametrize("place", [0, 4, 12, 20, 47])
def test_a_mistyped_or_cut_token_has_no_id(place: int) -> None:
    text = tokens.make("ci", ["read"])[0]
    other = "0" if text[place] != "0" else "1"
    assert tokens.id_of(text[:place] + other + text[place + 1 :]) == ""
    assert tokens.id_of(text[:place]) == ""
    assert tokens.id_of(text + "0") == ""


def test_the_file_has_no_secret_and_is_private(path: Path) -> None:
    text = add(path, "ci", "read", "report", worker="gpu-")
    content = path.read_text()
    assert text not in content
    assert text[12:] not in content
    assert json.loads(content)["tokens"][0]["hash"] == tokens.hash_of(text)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_name(path.name + ".lock").stat().st_mode & 0o777 == 0o600
    found = TokenFile(path, required=False).find(text)
    assert found is not None
    assert found.caller == ("ci", Scope.READ | Scope.REPORT, "gpu-")


def test_a_token_of_the_same_id_with_another_secret_is_not_found(path: Path) -> None:
    text = add(path)
    body = text[:12] + "0" * 30
    forged = body + tokens._checksum(body)
    assert tokens.id_of(forged) == tokens.id_of(text)
    assert TokenFile(path, required=False).find(forged) is None


def test_the_service_sees_changes_and_keeps_what_has_not_changed(path: Path) -> None:
    one = add(path, "one")
    known = TokenFile(path, required=False)
    first = known.find(one)
    assert first is not None
    two = add(path, "two")
    assert known.find(two)
    assert known.has(first)
    with token_file.changed(path) as content:
        del content[0]
    assert not known.has(first)
    assert known.find(one) is None
    assert known.find(two)


def test_a_token_that_expires_is_refused_from_then_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = add(path, expires=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    known = TokenFile(path, required=False)
    found = known.find(text)
    assert found
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3_601)
    assert not known.has(found)
    assert known.find(text) is None
    assert known.get(found.id) is None


def test_an_expired_token_is_refused(path: Path) -> None:
    assert TokenFile(path, required=False).find(add(path, expires=PAST)) is None


@pytest.mark.parametrize("content", ["", "{", '{"format":2,"tokens":[]}', '{"format":1,"tokens":[{"id":"x"}]}', "\xff"])
def test_a_damaged_file_changes_nothing(path: Path, content: str, caplog: pytest.LogCaptureFixture) -> None:
    text = add(path)
    known = TokenFile(path, required=False)
    path.write_text(content, "latin-1")
    assert known.find(text)
    assert known.find(text)
    (record,) = caplog.records  # once
    assert record.levelname == "ERROR"
    assert "cannot be read" in record.getMessage()
    with pytest.raises(TokenFileError, match="cannot be read"):
        TokenFile(path, required=False)


def test_a_file_that_must_not_be_read_is_said_once_and_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    text = add(path)
    known = TokenFile(path, required=False)

    def refused(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", refused)
    assert known.find(text)
    assert known.find(text)
    monkeypatch.undo()
    assert [one.getMessage() for one in caplog.records] == [
        f"{path} cannot be read: Permission denied; the tokens that were known before stay valid"
    ]


def test_a_removed_file_means_nobody_never_anybody(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = add(path)
    known = TokenFile(path, required=False)
    path.unlink()
    assert known.find(text) is None
    assert known.is_there
    assert "no token is valid" in caplog.text
    again = add(path, "again")
    assert known.find(again)


def test_without_a_file_there_is_no_access_control_unless_it_is_named(path: Path) -> None:
    assert not TokenFile(path, required=False).is_there
    assert TokenFile(path, required=True).is_there
    known = TokenFile(path, required=False)
    add(path)
    known.look()
    assert known.is_there  # from the first token on, without a restart


@pytest.mark.parametrize("is_readable", [True, False])
def test_a_file_that_appears_and_cannot_be_read_means_nobody(
    path: Path, is_readable: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    known = TokenFile(path, required=False)
    text = add(path)
    content = path.read_bytes()
    if is_readable:
        path.write_text("{")
    else:
        monkeypatch.setattr(Path, "open", refused)
    known.look()
    assert known.is_there
    assert "cannot be read" in caplog.text
    assert known.find(text) is None
    monkeypatch.undo()
    monkeypatch.setattr(token_file, "LOOK_SECONDS", 0.0)
    path.write_bytes(content + b"\n")
    assert known.find(text)


def test_a_failed_command_leaves_the_file_as_it_was(path: Path) -> None:
    add(path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError), token_file.changed(path) as known:
        known.clear()
        raise RuntimeError
    assert path.read_bytes() == before


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    add(real)
    path.symlink_to(real)
    add(path, "two")
    assert path.is_symlink()
    assert len(token_file.read(real)) == 2


def test_commands_at_the_same_time_lose_nothing(path: Path) -> None:
    def work(who: int) -> None:
        for number in range(10):
            add(path, f"t{who}-{number}")

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(token_file.read(path)) == 40


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exporter", "token", *arguments], cwd=cwd, capture_output=True, text=True, check=False,
        timeout=30, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_the_command(tmp_path: Path) -> None:
    made = run(
        "create", "ci", "--scope", "report", "--scope", "read", "--worker", "gpu-", "--expires", "30d", cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    text = made.stdout.strip()
    assert made.stdout == f"{text}\n"
    assert tokens.id_of(text)
    assert text not in made.stderr
    assert "answers nobody without a token" in made.stderr
    again = run("create", "ci", "--scope", "read", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    shown = run("list", cwd=tmp_path).stdout
    assert re.search(
        rf"^{text[3:11]}  ci    read,report  gpu-    \d{{4}}-\d\d-\d\d  \d{{4}}-\d\d-\d\d$", shown, re.M
    ), shown
    assert text[12:] not in shown
    assert "revoked" in run("revoke", text[3:11], cwd=tmp_path).stderr
    assert token_file.read(tmp_path / "errors.duckdb.tokens") == []
    gone = run("revoke", "ci", cwd=tmp_path)
    assert (gone.returncode, gone.stderr) == (2, "there is no token ci\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "a b", "--scope", "read"), ("create", "x"), ("create", "x", "--scope", "write"),
        ("create", "x", "--scope", "read", "--expires", "yesterday"), ("create", "x", "--scope", "read", "--expires", "2020-01-01"),
        ("create", "x", "--scope", "read", "--expires", "0"), ("create", "x", "--scope", "read", "--tokens-file", "no/where"),
        ("list",), ("revoke", "x"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_with_a_sentence(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
