"""Makes kubernetes/schemas.json: the JSON schemas of the kinds that our manifests have, as small as possible.

Kubernetes' own come from the PyPI package kubernetes-validate, those of the Prometheus Operator from
cloudcoil-models-prometheus-operator. Both are too large to be installed for the tests (72 MB and 28 MB), so only what
is needed of them is kept. To renew the file, once a year:

    python -m pip install --target /tmp/schemas kubernetes-validate cloudcoil-models-prometheus-operator
    python deploy/extract_schemas.py /tmp/schemas v1.32.0
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any, Final

SCHEMAS: Final = Path(__file__).parent / "kubernetes/schemas.json"
KINDS: Final = (
    "statefulset-apps-v1", "service-v1", "configmap-v1", "secret-v1", "namespace-v1",
    "networkpolicy-networking-v1", "poddisruptionbudget-policy-v1",
)  # fmt: skip
CUSTOM: Final = ("ServiceMonitor", "PrometheusRule")
WORDS: Final = ("description", "title", "default")  # for people
REFERENCE: Final = "#/$defs/"
Json = Any


def main(folder: Path, version: str) -> None:
    schemas = folder / f"kubernetes_validate/kubernetes-json-schema/{version}-local-strict"
    definitions = json.loads((schemas / "_definitions.json").read_text("utf-8"))["$defs"]
    kinds: dict[str, Json] = {}
    for kind in KINDS:
        schema = _small(json.loads((schemas / f"{kind}.json").read_text("utf-8")))
        kinds[schema["properties"]["kind"]["enum"][0]] = schema
    needed: dict[str, Json] = {}
    _collect(kinds, definitions, needed)
    sys.path.insert(0, str(folder))
    models = importlib.import_module("cloudcoil.models.prometheus_operator.v1")
    for kind in CUSTOM:
        schema = getattr(models, kind).model_json_schema(by_alias=True)
        for name, one in schema.pop("$defs").items():
            needed[f"{kind}.{name}"] = _strict(_small(one, f"{kind}."))
        kinds[kind] = _strict(_small(schema, f"{kind}."))
    _write({"kinds": kinds, "$defs": dict(sorted(needed.items()))})


def _small(value: Json, prefix: str = "", *, named: bool = False) -> Json:
    """Returns a schema without words for people; references begin with `prefix`. `named`: the keys are names of
    properties or definitions, which may be called `description`."""
    if isinstance(value, list):
        return [_small(one, prefix) for one in value]
    if not isinstance(value, dict):
        return value
    small = {}
    for key, one in value.items():
        if not named and (key in WORDS or key in ("$id", "$schema") or key.startswith("x-kubernetes-")):
            continue
        if key == "pattern" and isinstance(one, str) and "(?i)" in one:
            continue  # Go's syntax
        if key == "$ref" and not named:
            one = REFERENCE + prefix + one.rpartition("/")[2]
        small[key] = _small(one, prefix, named=not named and key in ("properties", "$defs"))
    return small


def _strict(schema: Json) -> Json:
    """Returns a schema of an object that refuses unknown properties, as those of kubernetes-validate do."""
    return schema | ({"additionalProperties": False} if schema.get("properties") else {})


def _collect(value: Json, definitions: Json, needed: dict[str, Json]) -> None:
    """Adds the definitions that `value` refers to."""
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _collect(one, definitions, needed)
    if isinstance(value, dict) and isinstance(value.get("$ref"), str):
        name = value["$ref"].removeprefix(REFERENCE)
        if name not in needed:
            needed[name] = _small(definitions[name])
            _collect(needed[name], definitions, needed)


def _write(content: Json) -> None:
    """One definition a line, so that a change can be read."""
    parts = []
    for part, entries in content.items():
        lines = ",\n".join(
            f"{json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}" for name, one in entries.items()
        )
        parts.append(f"{json.dumps(part)}: {{\n{lines}\n}}")
    SCHEMAS.write_text("{" + ",\n".join(parts) + "}\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
