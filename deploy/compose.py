"""Checks the compose file: what a compose client says, and what we promise of it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from exporter import config

ROOT: Final = Path(__file__).parent.parent
FILE: Final = ROOT / "docker-compose.yml"
SECRETS: Final = "./secrets/"  # a folder that only its owner may enter; it is not in git
PROGRAMS: Final = {"prometheus": "promtool", "alertmanager": "amtool"}  # the only ones known to be in those images


def client_faults() -> Iterator[str]:
    """Yields what a compose client says. Raises FileNotFoundError without docker-compose."""
    done = subprocess.run(
        ["docker-compose", "-f", FILE, "config", "--quiet"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        yield done.stderr.strip()


def faults(compose: dict[str, Any]) -> Iterator[str]:
    """Yields what is wrong with the content of the file, one sentence each."""
    for name, service in compose["services"].items():
        for what, kept in {
            "restart": service.get("restart") == "unless-stopped",
            "a read-only root file system": service.get("read_only") is True,
            "no capabilities": service.get("cap_drop") == ["ALL"],
            "no privilege escalation": service.get("security_opt") == ["no-new-privileges:true"],
            "ports on loopback only": all(port.startswith("127.0.0.1:") for port in service["ports"]),
            "a pinned version": "build" in service or re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", service["image"]),
            "a time zone": "TZ" in service.get("environment", {}),
            "no wait for others": "depends_on" not in service,
        }.items():
            if not kept:
                yield f"{name} has to have: {what}"
        for volume in service.get("volumes", []):
            yield from (f"{name}: {fault}" for fault in _volume_faults(volume, compose["volumes"]))
        if "healthcheck" in service and service["healthcheck"]["test"][1] != PROGRAMS.get(name):
            yield f"{name}: the health check runs a program that its image may not have"
    if "--enable-feature=exemplar-storage" not in compose["services"]["prometheus"]["command"]:
        yield "prometheus does not store exemplars"
    variables = compose["services"]["exporter"]["environment"]
    names = {name.removeprefix(config.ENV_PREFIX).lower() for name in variables if name.startswith(config.ENV_PREFIX)}
    if unknown := sorted(names - config.names().keys()):
        yield f"exporter: there is no setting {', '.join(unknown)}"


def _volume_faults(volume: str, named: dict[str, Any]) -> Iterator[str]:
    source = volume.split(":")[0]
    if not source.startswith("."):
        if source not in named:
            yield f"there is no volume {source}"
    elif source.startswith(SECRETS):
        if not volume.endswith(":ro"):
            yield f"{source} is not mounted read-only"
    elif not (ROOT / source).is_dir():
        yield f"{source} is not a folder: a single file that is replaced stays the old one in the container"


def load() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return compose
