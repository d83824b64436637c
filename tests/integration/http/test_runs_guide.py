"""The commands of docs/runs.md, run unchanged but for the port."""

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ROOT, Served

pytestmark = pytest.mark.dashboard
PAGE = (ROOT / "docs/runs.md").read_text("utf-8")


def test_its_commands_do_what_it_says(served: Callable[..., Served]) -> None:
    service = served()
    answers: list[dict[str, Any]] = []
    for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL):
        script = block.replace("http://127.0.0.1:8080", service.url)
        done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, text=True, timeout=30, check=True)
        answers += [json.loads(one) for one in re.split(r"(?<=})(?={\"status\")", done.stdout.strip())]
    assert {answer["status"] for answer in answers} == {"success"}
    report, by_run, by_device, ranking, one, two, runs, details = (answer["data"] for answer in answers)
    assert (
        [error["id"] for error in by_run["errors"]] == [error["id"] for error in by_device["errors"]] == [report["id"]]
    )
    assert [row["name"] for row in ranking["values"]] == ["tests/test_amp.py::test_step[bf16]"]
    assert (one["tests"], two["tests"], one["warnings"]) == (3, 0, [])
    assert [run["id"] for run in runs["runs"]] == ["nightly/4712", "nightly/4711"]
    assert [(test["test"], test["error_count"]) for test in details["tests"]] == [
        ("tests/test_amp.py::test_step[bf16]", 1)
    ]
