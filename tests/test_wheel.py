"""The built wheel holds what the service needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.dashboard


def test_the_wheel_has_the_page_the_sounds_and_the_sql(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"exporter/page/index.html", "exporter/page/page.js", "exporter/store/read.sql", "exporter/py.typed",
            "exporter/store/migrations/001_initial.sql", "exporter/sounds/error-critical.mp3",
            "exporter/sounds/generate_sound_files.py"} <= names  # fmt: skip
    assert not [name for name in names if "test" in name or name.endswith(".duckdb")]
