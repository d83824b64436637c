"""Which part of a path identifies a source file, and which files are the project's own."""

import pytest

from exporter.patterns.paths import place

pytestmark = pytest.mark.dashboard

OWN = [
    # (part, paths that have it on different machines)
    ("api/test_crud.py", [
        "/home/ci-17/job/3/api/test_crud.py", "/builds/x/api/test_crud.py", "/builds/group/project/api/test_crud.py",
        "/srv/suite/api/test_crud.py", "/app/api/test_crud.py", "api/test_crud.py", "./api/test_crud.py",
        "/srv/suite/gw3/api/test_crud.py", "/mnt/ssd/checkout_12/api/test_crud.py", r"C:\ci\suite\api\test_crud.py",
        "/tmp/tmpab12cd/api/test_crud.py", "/tmp/pytest-of-ci/pytest-12/api/test_crud.py", "file:///srv/api/test_crud.py",
        "/var/lib/jenkins/workspace/nightly@2/api/test_crud.py", "/private/tmp/build-7f3a9b21/api/test_crud.py",
    ]),
    ("billing/test_crud.py", ["/srv/suite/billing/test_crud.py", "/home/ci-17/job/3/billing/test_crud.py"]),
    ("tests/test_x.py", [
        "/srv/suite/tests/test_x.py", "/builds/x/tests/test_x.py", "/home/ci/repo/tests/test_x.py", "tests/test_x.py",
        "/home/runner/work/repo/repo/tests/test_x.py", r"D:\a\_work\1\s\tests\test_x.py", "/workspace/tests/test_x.py",
        "/var/lib/jenkins/workspace/nightly/tests/test_x.py", "/Users/ann/repo/tests/test_x.py",
    ]),
    ("billing/tests/test_x.py", [
        "/srv/suite/billing/tests/test_x.py", "/home/ci/repo/billing/tests/test_x.py", "billing/tests/test_x.py",
        "/app/billing/tests/test_x.py", "/home/runner/work/repo/repo/billing/tests/test_x.py",
    ]),
    ("test_x.py", ["test_x.py", "/home/ci/test_x.py", "/tmp/tmpab12cd/test_x.py", "/home/ci/job/17/test_x.py"]),
    ("v2/users.py", ["/srv/worker-3/api/v2/users.py", "/srv/worker-4/api/v2/users.py"]),
    ("js/main.js", ["https://hub/static/js/main.3f2a9c1b.js", "https://hub/static/js/main.77b10c2d.js?v=2"]),
    ("src/net.rs", ["./src/net.rs", "src/net.rs", "/home/ci/app/src/net.rs"]),
    ("lib/util.py", [r"C:\ci\suite\lib\util.py", "lib/util.py"]),
    ("api/x.py", ["/home/u/lib/python-app/api/x.py"]),
]  # fmt: skip
NOT_OWN = [
    ("/srv/venv/lib/python3.11/site-packages/torch/nn/modules/module.py", "nn/modules/module.py"),
    (".venv/lib/python3.12/site-packages/torch/nn/modules/module.py", "nn/modules/module.py"),
    ("/usr/lib/python3/dist-packages/apt/cache.py", "apt/cache.py"),
    ("/usr/lib/python3.11/socket.py", "socket.py"),
    ("/usr/lib64/python3.9/socket.py", "socket.py"),
    ("/opt/conda/lib/python3.10/json/decoder.py", "json/decoder.py"),
    ("/root/.pyenv/versions/3.11.7/lib/python3.11/asyncio/runners.py", "asyncio/runners.py"),
    ("../../lib/python3.11/json/decoder.py", "json/decoder.py"),
    (r"C:\Python311\Lib\json\decoder.py", "json/decoder.py"),
    (r"C:\Users\u\AppData\Local\Programs\Python\Python312\Lib\json\decoder.py", "json/decoder.py"),
    (r"C:\Users\u\miniconda3\envs\x\Lib\asyncio\base.py", "asyncio/base.py"),
    ("/usr/lib/python311.zip/socket.py", "lib/python311.zip/socket.py"),
    ("/srv/venv/lib/python3.11/site-packages/a-1.0-py3.11.egg/a/b.py", "a/a/b.py"),
    ("pandas/_libs/hashtable.pyx", "pandas/_libs/hashtable.pyx"),
    ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>"),
    ("<string>", "<string>"),
    ("<eval_with_key>.12", "<eval_with_key>"),
    ("<@beartype(app.f) at 0x7f12>", "<@beartype(app.f)>"),
    ("/tmp/torchinductor_ci/ab/cabq3x7zfn2.py", "<compiled>"),
    ("/srv/venv/bin/pytest", "venv/bin/pytest"),
    ("/app/node_modules/express/lib/router.js", "express/lib/router.js"),
    ("node:internal/process/task_queues", "node:internal/process/task_queues"),
    ("internal/modules/cjs/loader.js", "modules/cjs/loader.js"),
    ("/usr/local/go/src/runtime/panic.go", "src/runtime/panic.go"),
    ("/opt/hostedtoolcache/go/1.21.0/x64/src/testing/testing.go", "src/testing/testing.go"),
    ("/root/go/pkg/mod/github.com/x/y@v1.2.3/z.go", "x/y/z.go"),
    ("/rustc/9fc6b431/library/std/src/panicking.rs", "std/src/panicking.rs"),
    ("library/core/src/option.rs", "core/src/option.rs"),
    ("/home/ci/.cargo/registry/src/index.crates.io-6f17d22bba15001f/tokio-1.35.0/src/x.rs", "tokio/src/x.rs"),
    ("/usr/lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libc.so.6"),
    ("../sysdeps/unix/sysv/linux/raise.c", "sysv/linux/raise.c"),
]


@pytest.mark.parametrize(("part", "path"), [(part, path) for part, paths in OWN for path in paths])
def test_own_files(part: str, path: str) -> None:
    assert place(path) == (part, True)


@pytest.mark.parametrize(("path", "part"), NOT_OWN)
def test_files_of_libraries_and_generated_code(path: str, part: str) -> None:
    assert place(path) == (part, False)


@pytest.mark.parametrize("path", ["", "/", "\\", "a" * 10_000, "/" * 10_000, "../" * 3_000, "\ud800", "<", "?", "C:\\"])
def test_any_path_has_a_place(path: str) -> None:
    assert len(place(path)[0]) <= 301
