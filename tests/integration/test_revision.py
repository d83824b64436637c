"""The label `revision` of the build's metric is the commit of this package, and never that of a repository around it."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns, which
from typing import Any

import pytest
from conftest import ROOT, InProcess

pytestmark = [pytest.mark.dashboard, pytest.mark.skipif(not which("git"), reason="git is not installed")]
PRINT = "from exporter import revision as module; print(module.__file__, module.revision())"
NOBODY = {"GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "n@example.com", "GIT_COMMITTER_NAME": "n",
          "GIT_COMMITTER_EMAIL": "n@example.com", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}  # fmt: skip
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SOURCE_"))} | NOBODY


def git(repository: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", *command], cwd=repository, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def installed(folder: Path) -> Path:
    """The package at `folder`, as an installation has it: without a repository of its own."""
    copytree(ROOT / "exporter", folder / "exporter", ignore=ignore_patterns("__pycache__", "vendor"))
    return folder


def repository(folder: Path, *tracked: str) -> str:
    """Makes a repository with one commit and returns the commit's short name."""
    git(folder, "init", "--quiet")
    (folder / "revision.py").write_text("# a file of theirs with the name of ours\n")
    git(folder, "add", "revision.py", *tracked)
    git(folder, "commit", "--quiet", "--message", "first")
    return git(folder, "rev-parse", "--short", "HEAD")


def revision(package: Path, **environment: str) -> str:
    """What the package in this folder says, in a process that has loaded it from there."""
    done = subprocess.run(
        [sys.executable, "-c", PRINT], cwd=package, env=ENVIRONMENT | environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    file, said = done.stdout.split()
    assert Path(file).is_relative_to(package)
    return said


def test_a_checkout_has_its_short_commit(tmp_path: Path) -> None:
    installed(tmp_path)
    commit = repository(tmp_path, "exporter")
    assert revision(tmp_path) == commit


def test_a_checkout_in_a_folder_of_a_repository_has_its_short_commit(tmp_path: Path) -> None:
    package = installed(tmp_path / "services" / "errors")
    assert revision(package) == "unknown"
    commit = repository(tmp_path, "services")
    assert revision(package) == commit


@pytest.mark.parametrize("ignored", [True, False])
def test_an_installed_package_within_another_repository_is_unknown(ignored: bool, tmp_path: Path) -> None:
    """A virtual environment in the working tree of somebody else's project."""
    package = installed(tmp_path / ".venv/lib/python3/site-packages")
    if ignored:
        (tmp_path / ".gitignore").write_text(".venv\n")
    repository(tmp_path)
    assert revision(package) == "unknown"


def test_a_repository_named_by_the_environment_is_not_asked(tmp_path: Path) -> None:
    """As where a git hook of another project starts the service: git then sets GIT_DIR."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    repository(theirs)
    hook = {"GIT_DIR": str(theirs / ".git"), "GIT_INDEX_FILE": str(theirs / ".git/index")}
    package = installed(ours)
    assert revision(package, **hook) == "unknown"
    commit = repository(ours, "exporter")
    assert revision(package, **hook) == commit


def test_source_revision_wins(tmp_path: Path) -> None:
    installed(tmp_path)
    repository(tmp_path, "exporter")
    assert revision(tmp_path, SOURCE_REVISION="v1.2.3") == "v1.2.3"
    assert revision(installed(tmp_path / "copy"), SOURCE_REVISION="v1.2.3") == "v1.2.3"


def test_an_empty_source_revision_is_none(tmp_path: Path) -> None:
    installed(tmp_path)
    commit = repository(tmp_path, "exporter")
    assert revision(tmp_path, SOURCE_REVISION="") == commit


def test_without_git_it_is_unknown(tmp_path: Path) -> None:
    installed(tmp_path)
    repository(tmp_path, "exporter")
    assert revision(tmp_path, PATH=str(tmp_path)) == "unknown"


async def test_the_metric_has_it(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_REVISION", "abc1234")
    service: InProcess = await serve()
    (name,) = [name for name in await service.metrics() if name.startswith("distributed_testing_build_info")]
    assert 'revision="abc1234"' in name
