"""PromQL on made-up series, by promtool."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian: prometheus) is missing")
Samples = Mapping[str, float]


def promtool(*arguments: str | Path, program: str = "promtool") -> None:
    """With one thread, and memory instead of time for Go's collector of garbage."""
    environ = os.environ | {"GOMAXPROCS": "1", "GOGC": "800"}
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr


def evaluated(
    folder: Path, series: Mapping[str, str], expected: Mapping[str, Samples], at: str, interval: str = "15s"
) -> None:
    """Each expression gives, to two digits, the expected samples: labels and value."""
    case = {"evaluation_interval": interval, "tests": [{
        "interval": interval,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": f"round({expr}, 0.01)", "eval_time": at,
             "exp_samples": [{"labels": labels, "value": value} for labels, value in samples.items()]}
            for expr, samples in expected.items()
        ],
    }]}  # fmt: skip
    file = folder / "case.yml"
    file.write_text(yaml.safe_dump(case))
    promtool("test", "rules", file)
