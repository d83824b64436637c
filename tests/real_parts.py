"""Installs the external programs that tests and benchmarks run, if it may, and prints which programs are missing."""

import os
import shutil
import subprocess
import sys

import newer_parts

SDKS = newer_parts.ROOT / ".venv/sdks/node_modules/@sentry/node"  # the packages of tests/sdks

# Program → the Debian package that contains it.
PARTS = {
    "chromium": "chromium", "prometheus": "prometheus", "promtool": "prometheus", "curl": "curl",
    "prometheus-alertmanager": "prometheus-alertmanager", "amtool": "prometheus-alertmanager",
    "docker-compose": "docker-compose", "strace": "strace", "wrk": "wrk",
}  # fmt: skip
# Those that are not installed, because Debian's are too old or a running system is changed by them.
OTHERS = {"kubectl": "the manifests are not rendered", "systemd-analyze": "the unit is not verified"}


def missing() -> list[str]:
    return [program for program in PARTS if not shutil.which(program)]


def install() -> None:
    """Installs the missing programs from Debian packages. Does nothing without root or apt-get."""
    packages = sorted({PARTS[program] for program in missing()})
    if not packages or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, "check": False, "stdout": subprocess.DEVNULL}
    print("installing", *packages, flush=True)
    subprocess.run(["apt-get", "update", "-qq"], **quiet)  # type: ignore[call-overload]
    subprocess.run(["apt-get", "install", "-qq", "--no-install-recommends", *packages], **quiet)  # type: ignore[call-overload]


def main(verb: str) -> int:
    if verb == "install":
        install()
        newer_parts.install()
    for program in missing():
        print(f"{program} is not installed (Debian: {PARTS[program]}): what needs it is skipped")
    for program, consequence in OTHERS.items():
        if not shutil.which(program):
            print(f"{program} is not installed: {consequence}")
    for program in newer_parts.PROGRAMS:
        if not newer_parts.newer(program):
            print(f"a newer {program} could not be downloaded: what needs it is skipped")
    if not SDKS.exists() and verb != "install":
        print("the npm packages of tests/sdks are not installed: tests of real JavaScript SDKs are skipped")
    return 1 if verb == "require" and (missing() or not SDKS.exists()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
