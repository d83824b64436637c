"""Build hook: bundles the page and its charting library, for the wheel or in the checkout of an editable install."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Charts(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        spec = importlib.util.spec_from_file_location("charts_build", root / "charts" / "build.py")
        build = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(build)
        try:
            build.bundle(root / "exporter" / "page")
        except build.BuildError as error:
            charts = root / "exporter" / "page" / "vendor" / "echarts.js"
            if version != "editable" or not charts.exists():
                sys.exit(str(error))
            print(f"the page is sent as single modules: {error}", file=sys.stderr)  # a checkout works without a bundle
