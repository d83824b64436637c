"""The commands of docs/pytest.md, run as they are but for the address; and what the page says of the plugin. Those of
docs/junit.md are in test_junit_command.py."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Served
from error_visualization.pytest_plugin.crash import Cause
from pytest_suite import PLUGINS
from runs_read import run_ids, summaries

pytestmark = pytest.mark.dashboard
PAGE = (ROOT / "docs" / "pytest.md").read_text()
SUITE = "def test_good(): pass\ndef test_bad(): assert 1 == 2\n"


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", PAGE, flags=re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ERROR_VISUALIZATION_SPOOL", raising=False)
        made = Served(tmp_path_factory.mktemp("docs") / "errors.duckdb")
        yield made
        made.stop()


def shell(command: str, folder: Path, service: Served, *, plugins: bool = True) -> tuple[int, str]:
    """Runs a command with the programs of this environment first. Without `plugins` pytest loads only those it needs,
    which is quicker."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ERROR_VIS", "PYTEST", "GITHUB"))}  # fmt: skip
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    environ["ERROR_VISUALIZATION_SPOOL"] = str(folder / "spool")
    if not plugins:
        environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": " ".join(PLUGINS)}
    done = subprocess.run(
        ["sh", "-c", command.replace("http://127.0.0.1:8080", service.url)],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_plugin_as_the_page_says(service: Served, tmp_path: Path) -> None:
    install, commands, *_ = blocks("sh")
    assert install.startswith("pip install ./client ")
    (tmp_path / "test_it.py").write_text(SUITE)
    (ini,) = blocks("ini")
    for number, command in enumerate([*commands.strip().splitlines(), "pytest"]):
        (tmp_path / "pytest.ini").write_text(ini.replace("http://127.0.0.1:8080", service.url) if command == "pytest" else "[pytest]\n")  # fmt: skip
        status, said = shell(command.replace("-n 4", "-n 1"), tmp_path, service, plugins=number == 0)
        assert status == 1, said
        assert "error dashboard: 1 reports of run pytest-" in said
        newest, *earlier = run_ids(service)
        assert len(earlier) == number
        (summary,) = summaries(service, newest)
        assert summary["complete"] is True
        assert summary["counts"] == {"passed": 1, "failed": 1, "skipped": 0, "errors": 0}
        assert set(summary["workers"]) == {"gw0" if "-n" in command else "main"}
    errors = service.get("/api/errors/list?limit=10")["errors"]
    assert len(errors) == 3
    assert {error["error_category"] for error in errors} == {"TEST_FAILURE"}


def test_the_types_of_crashes_are_on_the_page() -> None:
    for kind in ("oom", "signal", "exit", "lost"):
        fields = Cause(kind, -11).fields("gw0", None, False)
        assert f"`{fields['type']}` | `crashed` | `{fields['error_category']}`" in PAGE
