"""A newer Alertmanager than the one that is installed, from a later suite of Debian. It is downloaded once into `.venv` with
an apt configuration of its own and unpacked there; nothing is installed."""

import subprocess
from pathlib import Path

from conftest import ROOT

FOLDER = ROOT / ".venv" / "debian-sid"
PACKAGE = "prometheus-alertmanager"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
SECONDS = 120  # for the index and the package


def newer_alertmanager() -> tuple[Path, Path] | str:
    """Returns the programs Alertmanager and amtool, or why there are none."""
    programs = (FOLDER / "root/usr/bin/prometheus-alertmanager", FOLDER / "root/usr/bin/amtool")
    if not all(program.exists() for program in programs):
        try:
            _download()
        except (OSError, subprocess.SubprocessError) as error:
            return f"a newer Alertmanager cannot be downloaded: {error}"
    return programs


def _download() -> None:
    for name in ("state/lists/partial", "cache/archives/partial", "root"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    (FOLDER / "sources.list").write_text(f"deb [signed-by={KEYS}] {_mirror()} sid main\n")
    (FOLDER / "status").touch()
    options = [
        f"Dir::Etc::SourceList={FOLDER}/sources.list", "Dir::Etc::SourceParts=/dev/null", f"Dir::State={FOLDER}/state",
        f"Dir::State::Status={FOLDER}/status", f"Dir::Cache={FOLDER}/cache", "APT::Sandbox::User=root",
        "Acquire::Languages=none", "Acquire::Retries=0", "Acquire::http::Timeout=20",
    ]  # fmt: skip
    flags = [word for option in options for word in ("-o", option)]
    for command in (["update"], ["download", PACKAGE]):
        subprocess.run(["apt-get", *flags, *command], cwd=FOLDER, check=True, capture_output=True, timeout=SECONDS)
    (package,) = FOLDER.glob(f"{PACKAGE}_*.deb")
    subprocess.run(["dpkg", "-x", package, FOLDER / "root"], check=True, capture_output=True, timeout=SECONDS)


def _mirror() -> str:
    """Returns the address from which this machine gets Debian's packages. Raises OSError."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS).stdout.split()
    mirrors = [address for address in found if address.endswith("/debian/")]
    if not mirrors:
        raise OSError("this is no Debian")
    return mirrors[0]
