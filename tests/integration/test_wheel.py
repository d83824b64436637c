"""The built wheel contains all that the service needs; a failing build says why."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.dashboard


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The sources as in a fresh clone, without build results."""
    ignored = shutil.ignore_patterns(".git", ".venv", "vendor", "node_modules", "*.duckdb*", "__pycache__", ".*_cache")
    return shutil.copytree(ROOT, tmp_path / "source", ignore=ignored)


def build(source: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    flags = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(out))
    command = [sys.executable, "-m", "pip", "wheel", *flags, str(source)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


def test_the_wheel_has_the_page_the_charts_the_sounds_and_the_sql(source: Path, tmp_path: Path) -> None:
    done = build(source, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    files = zipfile.ZipFile(wheel)
    names = set(files.namelist())
    assert {"exporter/page/index.html", "exporter/page/page.js", "exporter/store/read.sql", "exporter/py.typed",
            "exporter/store/migrations/001_initial.sql", "exporter/sounds/error-critical.mp3", "exporter/sounds/error-recovered.mp3", "exporter/runbooks/CriticalError.md",
            "exporter/sounds/generate_sound_files.py", "exporter/page/vendor/echarts.js",
            "exporter/page/vendor/echarts.js.gz"} <= names  # fmt: skip
    assert not [
        name
        for name in names
        if name.startswith("tests/") or "/test" in name or "node_modules" in name or name.endswith(".duckdb")
    ]
    assert len(files.read("exporter/page/vendor/echarts.js.gz")) < 250_000
    licences = files.read("exporter/page/vendor/LICENSES.txt").decode()
    for name in ("echarts: LICENSE", "echarts: NOTICE", "zrender: LICENSE", "tslib: LICENSE"):
        assert name in licences


def test_a_build_without_the_npm_registry_says_so_in_one_sentence(source: Path, tmp_path: Path) -> None:
    nowhere = {"npm_config_registry": "http://127.0.0.1:9/", "npm_config_cache": str(tmp_path / "cache"),
               "npm_config_fetch_retries": "0"}  # fmt: skip
    done = build(source, tmp_path, **nowhere)
    assert done.returncode != 0
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if "npm registry" in line]
    assert len(said) == 1
    assert said[0].startswith("the charting library of the page could not be fetched from the npm registry")
    assert "Traceback" not in done.stderr
