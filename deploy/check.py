"""`make deploy-check`: checks manifests, unit and compose file, and prints each fault."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator

import compose
import manifests
import units


def checks() -> Iterator[tuple[str, str, Callable[[], Iterable[str]]]]:
    """Yields name, the program that is needed ("" for none), and what returns the faults."""
    for folder in manifests.FOLDERS:
        yield f"{folder.name}", "kubectl", lambda folder=folder: manifests.faults(manifests.render(folder))
    yield "PrometheusRule", "", manifests.rule_faults
    yield "systemd unit", "systemd-analyze", lambda: units.faults(units.UNIT.read_text("utf-8"))
    yield "systemd unit of the agent", "systemd-analyze", lambda: units.faults_of_agent(units.AGENT.read_text("utf-8"))
    yield "compose file", "", lambda: compose.faults(compose.load())
    yield "compose client", "docker-compose", compose.client_faults


def main() -> int:
    wrong = 0
    for name, program, check in checks():
        try:
            found = list(check())
        except FileNotFoundError as error:
            if not program or error.filename != program:
                raise
            print(f"{name}: not checked, because {program} is missing")
            continue
        except subprocess.CalledProcessError as error:
            found = [error.stderr.strip()]
        print(f"{name}: {'; '.join(found) or 'good'}")
        wrong += len(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
