"""Newer versions of the external programs, from a later suite of Debian, unpacked beside those that are installed. Tests that
run both are skipped where these cannot be had."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / ".venv/newer-parts"
SUITE: Final = "forky"
SOURCE: Final = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {} {} main\n"
# Program → the package that contains it.
PROGRAMS: Final = {"prometheus": "prometheus", "promtool": "promtool", "prometheus-alertmanager": "prometheus-alertmanager",
            "amtool": "prometheus-alertmanager"}  # fmt: skip
PACKAGES: Final = sorted({*PROGRAMS.values()})
SECONDS: Final = 120.0  # for each command


def newer(program: str) -> str | None:
    """Returns the path of the newer version of a program, or None."""
    file = FOLDER / "usr/bin" / program
    return str(file) if file.exists() else None


def archive() -> str | None:
    """Returns the address of the archive that this machine's own suite comes from."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=SECONDS).stdout.split()
    return next((address for address in found if "security" not in address), None)


def install() -> None:
    """Downloads the packages and unpacks them into FOLDER. Nothing is installed; apt-get gets a configuration and a state of
    its own. Does nothing without apt-get and dpkg."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")) or all(newer(program) for program in PROGRAMS):
        return
    if not (address := archive()):
        print("apt-get knows no archive of Debian: no newer programs")
        return
    state = FOLDER / "apt"
    for folder in ("lists/partial", "archives/partial", "packages"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text(SOURCE.format(address, SUITE))
    options = {
        "Dir::Etc::SourceList": state / "sources.list", "Dir::Etc::SourceParts": "-", "Dir::State": state,
        "Dir::Cache": state, "Dir::State::Status": "/var/lib/dpkg/status", "APT::Sandbox::User": "root",
    }  # fmt: skip
    apt = ["apt-get", "-qq", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]
    packages = state / "packages"
    try:
        subprocess.run([*apt, "update"], check=True, timeout=SECONDS, cwd=packages, env=os.environ | {"LC_ALL": "C"})
        subprocess.run([*apt, "download", *PACKAGES], check=True, timeout=SECONDS, cwd=packages)
        for file in packages.glob("*.deb"):
            subprocess.run(["dpkg", "-x", file, FOLDER], check=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError) as fault:
        print(f"{', '.join(PACKAGES)} of Debian {SUITE} cannot be had: {fault}")
    finally:
        shutil.rmtree(state)
