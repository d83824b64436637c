"""Builds the wheels of a release, of the service and of the client, and a CycloneDX document (SBOM) of what the service
needs.

    make release

The wheels and `error-visualization-VERSION.cdx.json` go into `dist/`. The document has each library in
`requirements.lock` with its hashes, as the image installs them.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
DIST: Final = ROOT / "dist"
PROGRAMS: Final = Path(sysconfig.get_path("scripts"))


def main() -> int:
    for old in DIST.glob("*"):
        old.unlink()
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(DIST), ".", "./client")
    (wheel,) = DIST.glob("error_visualization-*.whl")
    (client,) = DIST.glob("error_visualization_client-*.whl")
    version = wheel.name.split("-")[1]
    document = DIST / f"error-visualization-{version}.cdx.json"
    _run(
        str(PROGRAMS / "cyclonedx-py"), "requirements", "requirements.lock", "--pyproject", "pyproject.toml",
        "--short-PURLs", "--output-reproducible", "--output-format", "JSON", "--output-file", str(document),
    )  # fmt: skip
    print(f"{wheel.relative_to(ROOT)}\n{client.relative_to(ROOT)}\n{document.relative_to(ROOT)}")
    return 0


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True, timeout=600)


if __name__ == "__main__":
    sys.exit(main())
