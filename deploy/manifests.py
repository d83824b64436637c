"""Checks the Kubernetes manifests: rendered by kustomize, held against Kubernetes' JSON schemas and each other."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from exporter import config
from exporter.app import API, OPEN

HERE: Final = Path(__file__).parent
FOLDERS: Final = (HERE / "kubernetes", HERE / "kubernetes-example")
NAME: Final = "error-visualization"
KUBERNETES: Final = "1.32"  # the version whose schemas are used
VARIABLE: Final = config.ENV_PREFIX
Manifest = dict[str, Any]


def render(folder: Path) -> list[Manifest]:
    """Returns the objects of a kustomization. Raises `CalledProcessError`, and FileNotFoundError without kubectl."""
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=True)
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def faults(manifests: list[Manifest]) -> Iterator[str]:
    """Yields what is wrong with the rendered objects, one sentence each."""
    for manifest in manifests:
        yield from schema_faults(manifest)
    objects = {(one["kind"], one["metadata"]["name"]): one for one in manifests}
    (stateful,) = (one for one in manifests if one["kind"] == "StatefulSet")
    pod = stateful["spec"]["template"]
    yield from _reference_faults(objects, pod)
    yield from _selector_faults(manifests, pod["metadata"]["labels"])
    yield from _hardening_faults(pod["spec"])
    (container,) = pod["spec"]["containers"]
    yield from _probe_faults(container)
    yield from _settings_faults(manifests, container)


def rule_faults() -> Iterator[str]:
    """Yields whether the PrometheusRule is not what prometheus/mixin says now."""
    command = [sys.executable, HERE.parent / "prometheus/mixin/render.py", "--config", HERE / "rules.yml"]
    made = subprocess.run([*command, "--prometheus-rule", NAME], capture_output=True, text=True, check=True).stdout
    if (HERE / "kubernetes/prometheusrule.yaml").read_text("utf-8") != made:
        yield "prometheusrule.yaml is not what prometheus/mixin says: run `make rules`"


@cache
def _operator() -> dict[str, Any]:
    schemas: dict[str, Any] = yaml.safe_load((HERE / "operator-schemas.yml").read_text("utf-8"))
    return schemas


def schema_faults(manifest: Manifest) -> Iterator[str]:
    kind, name = manifest.get("kind", ""), manifest["metadata"].get("name")
    try:
        if kind in _operator():
            errors = Draft202012Validator(_operator()[kind] | {"$defs": _operator()["$defs"]}).iter_errors(manifest)
            if error := best_match(errors):
                raise error
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        yield f"{kind}: Kubernetes {KUBERNETES} has no such kind"
    except ValidationError as error:
        yield f"{kind} {name}: {error.json_path}: {error.message}"


def _reference_faults(objects: dict[tuple[str, str], Manifest], pod: Manifest) -> Iterator[str]:
    spec = pod["spec"]
    for volume in spec["volumes"]:
        for kind, key, name in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
            if key in volume and (kind, volume[key][name]) not in objects:
                yield f"volume {volume['name']}: there is no {kind} {volume[key][name]}"
    (stateful,) = (one for (kind, _), one in objects.items() if kind == "StatefulSet")
    known = {one["name"] for one in spec["volumes"]}
    known |= {one["metadata"]["name"] for one in stateful["spec"]["volumeClaimTemplates"]}
    (container,) = spec["containers"]
    mounted = {one["name"] for one in container["volumeMounts"]}
    if mounted != known:
        yield f"volumes and mounts differ: {', '.join(sorted(mounted ^ known))}"
    for mount in container["volumeMounts"]:
        if "subPath" in mount:
            yield f"mount {mount['name']}: a subPath is not updated when its ConfigMap or Secret changes"
    if ("Service", stateful["spec"]["serviceName"]) not in objects:
        yield f"there is no Service {stateful['spec']['serviceName']}"
    ports = {port["name"] for port in container["ports"]}
    for (kind, name), one in objects.items():
        if kind == "Service":
            for port in one["spec"]["ports"]:
                if port["targetPort"] not in ports:
                    yield f"Service {name}: the pod has no port {port['targetPort']}"
    served = {port["name"] for (kind, _), one in objects.items() if kind == "Service" for port in one["spec"]["ports"]}
    for (kind, name), one in objects.items():
        if kind == "ServiceMonitor" and (lost := {end["port"] for end in one["spec"]["endpoints"]} - served):
            yield f"ServiceMonitor {name}: the Service has no port {', '.join(lost)}"


def _selector_faults(manifests: list[Manifest], labels: dict[str, str]) -> Iterator[str]:
    for one in manifests:
        selectors: dict[str, Any] = {
            "StatefulSet": lambda spec: spec["selector"]["matchLabels"],
            "Service": lambda spec: spec["selector"],
            "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
            "ServiceMonitor": lambda spec: spec["selector"]["matchLabels"],  # of the Service, which has the same
        }
        if one["kind"] in selectors:
            selected = selectors[one["kind"]](one["spec"])
            if not selected or not selected.items() <= labels.items():
                yield f"{one['kind']} selects {selected}, but the pod has {labels}"
        if one["kind"] == "Service" and not labels.items() <= one["metadata"]["labels"].items():
            yield "the Service lacks the labels by which the ServiceMonitor finds it"


def _hardening_faults(spec: Manifest) -> Iterator[str]:
    (container,) = spec["containers"]
    own, pod = container.get("securityContext", {}), spec.get("securityContext", {})
    wanted = {
        "not as root": pod.get("runAsNonRoot") is True and pod.get("runAsUser", 0) > 0,
        "seccomp": pod.get("seccompProfile") == {"type": "RuntimeDefault"},
        "no privilege escalation": own.get("allowPrivilegeEscalation") is False,
        "a read-only root file system": own.get("readOnlyRootFilesystem") is True,
        "no capabilities": own.get("capabilities") == {"drop": ["ALL"]},
        "no token of the API server": spec.get("automountServiceAccountToken") is False,
        "no variables of other services": spec.get("enableServiceLinks") is False,
        "a limit of memory": "memory" in container.get("resources", {}).get("limits", {}),
        "requests": {"cpu", "memory"} <= container.get("resources", {}).get("requests", {}).keys(),
    }
    yield from (f"the pod has to have: {what}" for what, has in wanted.items() if not has)


def _probe_faults(container: Manifest) -> Iterator[str]:
    open_paths = {route.path for route in API if route.method == "GET" and route.scope == OPEN}
    ports = {port["name"] for port in container["ports"]}
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container.get(name, {}).get("httpGet", {})
        if asked.get("path") not in open_paths or asked.get("port") not in ports:
            yield f"{name}: the service does not answer {asked} without a token"


def _settings_faults(manifests: list[Manifest], container: Manifest) -> Iterator[str]:
    """Yields what the service would say of its settings, and names of the Service that it would refuse."""
    (text,) = (one["data"]["settings.yml"] for one in manifests if one["kind"] == "ConfigMap")
    environ = {one["name"]: one["value"] for one in container["env"]}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "settings.yml")
        file.write_text(text, "utf-8")
        try:
            settings = config.load({"config_file": str(file)}, environ)
        except config.ConfigError as error:
            yield str(error)
            return
    for path in (settings.db_path, settings.tokens_file):
        if not any(path.startswith(mount["mountPath"] + os.sep) for mount in container["volumeMounts"]):
            yield f"{path} is in no volume"
    if {port["containerPort"] for port in container["ports"]} != {settings.port}:
        yield f"the pod does not have the port {settings.port}"
    for one in manifests:
        if one["kind"] == "Service":
            name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
            for host in (name, f"{name}.{namespace}", f"{name}.{namespace}.svc"):
                if host not in settings.allowed_hosts:
                    yield f"allowed_hosts lacks {host}, the name of the Service"
