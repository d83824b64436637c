"""Renders the Prometheus rules from their sources in rules/ and the values in config.yml: those that are shipped, in
prometheus/rules/ (`make rules`), or with --config those for another Prometheus."""

import argparse
import re
import string
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
CONFIG: Final = HERE / "config.yml"
SHIPPED: Final = HERE.parent / "rules"
GENERATED: Final = (
    "# Generated from prometheus/mixin/rules/{name}.yml by prometheus/mixin/render.py; change it there.\n"
)
SELECTORS: Final = ("selector", "prometheus", "alertmanager")
PAGE: Final = (  # of the service with the job of the alert; else of any, for alerts about Prometheus and Alertmanager
    "{{{{ with printf `job_url:distributed_testing_page_info:max{{job=%q}}` $labels.job | query }}}}"
    '{{{{ . | first | label "url" }}}}{{{{ else }}}}'
    '{{{{ with query `job_url:distributed_testing_page_info:max{{{selector}}}` }}}}{{{{ . | first | label "url" }}}}'
    "{{{{ else }}}}http://localhost:8080{{{{ end }}}}{{{{ end }}}}"
)
OF_WORKER: Final = "range=1{{ with $labels.worker }}&worker={{ . | urlquery }}{{ end }}"
ONE_JOB: Final = re.compile(r"""job=~?"[^"\\`]+\"""")


class Source(string.Template):
    """A text with placeholders `@name`. `$` belongs to Prometheus' own templates."""

    delimiter = "@"


def configured(file: Path | None = None) -> dict[str, Any]:
    """Returns the values of config.yml, replaced by those of `file`. Raises `ValueError` for a wrong name or value."""
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text("utf-8"))
    given: dict[str, Any] = (yaml.safe_load(file.read_text("utf-8")) or {}) if file else {}
    if not isinstance(given, dict):
        raise ValueError(f"{file}: must be names with values, as in {CONFIG}")
    if unknown := sorted(given.keys() - config.keys()):
        raise ValueError(f"{file}: {', '.join(unknown)}: no such name in {CONFIG}")
    config |= given
    for name in SELECTORS:  # recorded series have no other label of the target
        if not ONE_JOB.fullmatch(str(config[name])):
            raise ValueError(
                f"""{name}: {config[name]}: must be a matcher of the label job only, as in job="errors\""""
            )
    for name in ("page", "runbooks"):
        config[name] = str(config[name] or "").rstrip("/")
    config["page"] = config["page"] or PAGE.format(selector=config["selector"])
    config["runbooks"] = config["runbooks"] or f"{config['page']}/runbooks"
    config["permalink"] = f"{config['page']}/error-visualization?{OF_WORKER}"
    sources = {source.stem for source in (HERE / "rules").glob("*.yml")}
    if missing := sorted({*config["groups"]} - sources):
        raise ValueError(f"groups: {', '.join(missing)}: must be some of {', '.join(sorted(sources))}")
    if "recording" not in config["groups"]:
        raise ValueError("groups: recording is missing; the other groups read what it records")
    return config


def rendered(config: Mapping[str, Any]) -> dict[str, str]:
    """Returns the text of each rule file by its group, with its comments."""
    return {
        name: GENERATED.format(name=name) + Source((HERE / f"rules/{name}.yml").read_text("utf-8")).substitute(config)
        for name in config["groups"]
    }


def prometheus_rule(files: Mapping[str, str], name: str, labels: Mapping[str, str]) -> str:
    """Returns all groups as one Kubernetes object of the Prometheus Operator. `labels` must be those of the
    `ruleSelector` of its Prometheus object."""
    groups = [group for text in files.values() for group in yaml.safe_load(text)["groups"]]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {"groups": groups},
    }
    return yaml.dump(rule, Dumper=Readable, sort_keys=False, allow_unicode=True, width=120)


class Readable(yaml.SafeDumper):
    """Writes texts of several lines as such."""


Readable.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text}: must be NAME=VALUE")
    return key, value


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="prometheus/mixin/render.py", description=__doc__)
    parser.add_argument("--config", type=Path, help="values that differ from prometheus/mixin/config.yml, as YAML")
    parser.add_argument("--output", type=Path, default=SHIPPED, help="folder of the rule files (default: %(default)s)")
    parser.add_argument(
        "--prometheus-rule", metavar="NAME", help="print one Kubernetes PrometheusRule of this name; write no files"
    )
    parser.add_argument(
        "--label", type=pair, action="append", default=[], metavar="NAME=VALUE", help="a label of the PrometheusRule"
    )
    given = parser.parse_args(arguments)
    try:
        files = rendered(configured(given.config))
    except (OSError, ValueError, yaml.YAMLError) as fault:
        print(fault, file=sys.stderr)
        return 1
    if given.prometheus_rule:
        print(prometheus_rule(files, given.prometheus_rule, dict(given.label)), end="")
        return 0
    given.output.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (given.output / f"{name}.yml").write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
