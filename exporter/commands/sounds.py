"""`error-visualization sounds`: the program in the folder of the sounds, which also runs alone."""

import importlib.util
import sys
from collections.abc import Sequence

from exporter.http.pages import sounds_folder


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    file = sounds_folder() / "generate_sound_files.py"
    spec = importlib.util.spec_from_file_location("generate_sound_files", file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    status: int = module.main(arguments)
    return status
