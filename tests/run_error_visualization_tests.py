#!/usr/bin/env python3
"""The guide's test runner: a thin call of pytest with the markers of these names."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

try:
    import pytest
except ImportError:
    sys.exit("pytest is not installed here: `make test-report` installs it and runs this, `make test` runs all tests")

TYPES = ("sound", "severity", "websocket", "dashboard", "html")
HERE = Path(__file__).parent


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tests; returns pytest's exit status."""
    parser = argparse.ArgumentParser(description="Runs the tests of Error Visualization.")
    parser.add_argument("--type", choices=TYPES, help="only the tests of this kind (default: all)")
    parser.add_argument("--report", action="store_true", help="write a report, too")
    parser.add_argument("--report-format", choices=("html", "xml"), default="html", help="(default: %(default)s)")
    parser.add_argument("--report-dir", type=Path, default=Path("reports"), help="folder (default: ./reports)")
    given, more = parser.parse_known_args(argv)
    arguments = ["--rootdir", str(HERE.parent), "-c", str(HERE.parent / "pyproject.toml"), *more]
    if given.type:  # the others are not even loaded, which takes longer than some of the tests
        files = [str(file) for file in HERE.rglob("test_*.py") if f"mark.{given.type}" in file.read_text("utf-8")]
        arguments += ["-m", given.type, *sorted(files)]
    else:
        arguments.append(str(HERE))
    if given.report:
        given.report_dir.mkdir(parents=True, exist_ok=True)
        file = given.report_dir / f"error_visualization_tests.{given.report_format}"
        arguments += (
            [f"--html={file}", "--self-contained-html"] if given.report_format == "html" else [f"--junitxml={file}"]
        )
        print(f"report: {file}")
    return int(pytest.main(arguments))


if __name__ == "__main__":
    sys.exit(main())
