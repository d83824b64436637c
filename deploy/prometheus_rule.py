"""Makes kubernetes/prometheusrule.yaml from the rules in prometheus/rules, for the Prometheus Operator.

`groups` is the only place that knows where the rules come from.
"""

from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parent.parent
FILE: Final = ROOT / "deploy/kubernetes/prometheusrule.yaml"
LEFT_OUT: Final = ("meta",)  # alerts about Prometheus and Alertmanager themselves: a cluster has its own
HEAD: Final = "# Made by `make deploy-rules` from prometheus/rules; change it there.\n"


def groups() -> list[dict[str, Any]]:
    """Returns the groups of all rule files except those of `LEFT_OUT`."""
    files = [file for file in sorted((ROOT / "prometheus/rules").glob("*.yml")) if file.stem not in LEFT_OUT]
    return [group for file in files for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]


def rendered() -> str:
    """Returns the text of the manifest."""
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "error-visualization"},
        "spec": {"groups": groups()},
    }
    return HEAD + yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    FILE.write_text(rendered(), "utf-8")
