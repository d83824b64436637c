"""Shortens paths of source files, and decides whether a file is the project's own, installed or generated. Pure
functions.

/home/ci-17/job/3/api/test_crud.py                                   api/test_crud.py          own
C:\\ci\\suite\\billing\\tests\\test_crud.py                              billing/tests/test_crud.py  own
/srv/venv/lib/python3.11/site-packages/torch/nn/module.py            torch/nn/module.py        not own
"""

import re
from functools import lru_cache
from typing import Final

MAX_PATH: Final = 300  # last characters of a path that are read
REMEMBERED: Final = 4_096  # paths in the cache

# Folders and files of installed packages, of standard libraries, and of code that was generated at run time.
_LIBRARY: Final = re.compile(
    r"""
      /(?:site|dist)-packages/ | /lib(?:32|64)?/(?:python|pypy)\d | /lib-python/\d | \.pyx?[wz]?/ | /bin/[^/.]+$
    | /(?i:python[\d.]+|\.?venv|envs/[^/]+|[a-z]*conda\d*|pypy[^/]*|pythonsoftwarefoundation[^/]*)/(?i:lib|scripts)/
    | /[a-z]*conda\d*/(?:conda-bld|pkgs)/ | \.(?:zip|egg|whl)/ | \.(?:pyx|pxd|pxi)$
    | /torchinductor_[^/]*/ | /\.?triton/cache/
    | /node_modules/ | ^(?:node|internal|webpack|native|electron|resource|chrome|[a-z]+-extension)[:/] | /\.yarn/
    | ^(?:native|anonymous|builtin)$
    | /go/pkg/mod/ | /usr/(?:local/|lib/)?go[^/]*/src/ | /go/[\d.]+/x64/src/ | /vendor/(?:github\.com|golang\.org)/
    | /rustc/ | /library/(?:core|std|alloc|test|proc_macro)/src/ | /\.cargo/(?:registry|git)/ | /rust/deps/
    | /usr/(?:local/)?(?:include|lib\d*|share)/ | ^/lib\d*/ | /\.\./(?:sysdeps|csu|nptl)/
    | /lib(?:torch|c10|caffe2|cuda|nccl|stdc\+\+|gcc_s|c|pthread)[\w-]*\.(?:so|dylib|dll)
    """,
    re.VERBOSE,
)
# A folder whose name differs between checkouts, workers, jobs or runs. The last one in a path and all before are
# dropped.
_VARYING: Final = re.compile(
    r"""
      \d+ | (?=[a-f-]*\d)[0-9a-f-]{7,} | te?mp.* | pytest-.* | .*\d{4,}.* | .*[-_.][0-9a-f]*\d[0-9a-f]{5,}
    | (?:[\w.-]*[-_.])?(?:gw|worker|runner|job|run|build|ci|agent|executor|node|host|slot|pod|shard|container|rank|task
         |workspace|ws|checkout|clone)[-_.@]?\d+ | [\w.-]+@\d+
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Usual locations of checkouts. `_HOME` matches a path up to the folder of the user, `_ROOT` up to that of the checkout.
_HOME: Final = re.compile(r"^(?:/private)?/(?:home|users)/[^/]+(?=/)|^/root(?=/)", re.IGNORECASE)
_ROOT: Final = re.compile(
    r"""
      ^(?:.*/_?works?/(?P<project>[^/]+)/(?P=project)/ | .*/_work/\d+/s/ | .*/workspaces?/[^/]+/
        | /(?:private/)?(?:var/)?te?mp/[^/]+/ | /var/folders/[^/]+/[^/]+/[^/]+/
        | /(?:home|users)/[^/]+/[^/]+/ | /(?:app|src|code|repo|work|workspace|project|root/[^/]+)/ | /usr/src/[^/]+/
        | /github/workspace/ | /[^/]+/[^/]+/)
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Folders that many projects have: the folder above is kept too, unless it is that of the checkout.
_COMMON: Final = frozenset(
    ("tests", "test", "__tests__", "spec", "specs", "unit", "integration", "functional", "e2e", "src", "lib", "main")
)
_INSTALLED: Final = re.compile(
    r"^.*(?:(?:site|dist)-packages|node_modules|/lib\d*/python[\d.]+|/(?:python[\d.]+|\.?venv|envs/[^/]+|\w*conda\d*)/lib)/",
    re.IGNORECASE,
)
_VERSION: Final = re.compile(r"[@-]v?\d+(?:\.\d+)+[\w.+-]*")
# Hashes that bundlers and compilers put into the names of files.
_HASHED: Final = re.compile(r"[._-](?:(?=[a-f]*\d)[0-9a-f]{7,}|(?=\w*\d)\w{8,}(?=\.[mc]?js$))(?![\w-])")
_NUMBERED: Final = re.compile(r"^(?:tmp\w{6,}|\d+)(?=\.)")
_MARKED: Final = re.compile(r"^<[^>]*>")


@lru_cache(REMEMBERED)
def place(path: str) -> tuple[str, bool]:
    """Returns the part of `path` that is equal on every machine, and whether the file is the project's own.

    The part is the file name with its folder, and with the folder above if many projects have such a folder (`tests`).
    It has no versions, no hashes, and no folders that differ between machines.
    """
    path = path[-MAX_PATH:].replace("\\", "/")
    if path.startswith("<"):  # <frozen runpy>, <string>, <eval_with_key>.12
        return _generated(path), False
    path = re.sub(r"^(?:file:(?://)?(?=/)|[A-Za-z]:(?=/)|webpack(?:-internal)?:///|https?://[^/]*(?=/))", "", path)
    path = path.partition("?")[0]
    if _LIBRARY.search(path if path[:1] in "/" or ":" in path[:24] else _rooted(path)):
        return _of_library(path), False
    return _of_project(path), True


def _rooted(path: str) -> str:
    return path if path.startswith("internal/") else f"./{path}"


def _generated(path: str) -> str:
    marked = _MARKED.match(path)
    name = marked.group() if marked else path
    return re.sub(r"\s+at 0x[0-9a-fA-F]+|-?\d[\w-]*|-[0-9a-f]{8,}", "", name)


def _of_library(path: str) -> str:
    if "/torchinductor_" in path or "triton/cache/" in path:
        return "<compiled>"
    parts = _VERSION.sub("", _INSTALLED.sub("", path)).split("/")
    folders = [part for part in parts[:-1] if part and not _VARYING.fullmatch(part)]
    return "/".join([*folders[-2:], _file(parts[-1])])


def _of_project(path: str) -> str:
    root = _ROOT.match(path)
    above = path[: root.end()].count("/") - 1 if root and path.startswith("/") else 0  # folders of the checkout
    folders = path.split("/")
    name = _file(folders.pop())
    numbered = enumerate(folders, -path.startswith("/"))
    kept = [(index, folder) for index, folder in numbered if folder not in ("", ".", "..")]
    for number in range(len(kept) - 1, -1, -1):
        if _VARYING.fullmatch(kept[number][1]):
            kept = kept[number + 1 :]
            break
    home = _HOME.match(path)
    if home:
        kept = [(index, folder) for index, folder in kept if index >= home.group().count("/")]
    parts = [folder for _, folder in kept[-1:]]
    if parts and parts[0].lower() in _COMMON and len(kept) > 1 and kept[-2][0] >= above:
        parts.insert(0, kept[-2][1])
    return "/".join([*parts, name])


def _file(name: str) -> str:
    return _NUMBERED.sub("tmp", _HASHED.sub("", name))
