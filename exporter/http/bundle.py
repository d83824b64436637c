"""Whether the page is sent as a bundle, which `charts/build.py` makes, or as the modules and style sheets themselves.

The bundle is sent only if it was made from these files as they are now. So a checkout works without a bundle, and a
developer sees each edit after a reload.
"""

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

FOLDER: Final = "bundle"
MADE: Final = ("page.js", "page.css")
_SHEETS: Final = re.compile(r'(\s*<link rel="stylesheet" href="/static/[^"/]+">)+')
_SCRIPT: Final = 'src="/static/page.js"'


class _Recorded(msgspec.Struct):
    sources: dict[str, str]  # SHA-256 in hexadecimal by name of the file
    made: dict[str, str] = {}  # the same of the bundle itself: two builds at once may have mixed their files


def bundled(text: str, folder: Path) -> str:
    """Returns `index.html` with one script and one style sheet, or as it is if `folder` has no bundle of its files."""
    if not is_current(folder):
        return text
    text = _SHEETS.sub(f'\n  <link rel="stylesheet" href="/static/{FOLDER}/page.css">', text, count=1)
    return text.replace(_SCRIPT, f'src="/static/{FOLDER}/page.js"', 1)


def is_current(folder: Path) -> bool:
    """Whether the bundle in the folder of the page was made from the files as they are now."""
    try:
        recorded = (folder / FOLDER / "sources.json").read_bytes()
        record = msgspec.json.decode(recorded, type=_Recorded)
        for name in MADE:
            (folder / FOLDER / name).stat()
        files = record.sources | {f"{FOLDER}/{name}": digest for name, digest in record.made.items()}
        stamps = tuple((status.st_mtime_ns, status.st_size) for status in ((folder / name).stat() for name in files))
        return _is_made_from(folder, tuple(files.items()), stamps)
    except (OSError, msgspec.DecodeError):
        return False


@lru_cache(maxsize=1)
def _is_made_from(folder: Path, files: tuple[tuple[str, str], ...], stamps: tuple[tuple[int, int], ...]) -> bool:
    """Reads all files, which takes 5 ms, when a `stamp` of one has changed."""
    return all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in files)
