"""Messages of one fault have one mask, messages of two faults have two; every kind of the scanner has a row."""

import random

import pytest

from exporter.patterns.codes import CODES
from exporter.patterns.kinds import KINDS
from exporter.patterns.mask import _SCANNER, kept, mask

pytestmark = pytest.mark.dashboard

# What is masked: messages that must be one.
ONE = {
    "ids": [
        ["job 12345678 lost", "job 1234567a lost", "job 1f3a9b2c4d5e lost", "job 01ARZ3NDEKTSV4RRFFQ69G5FAV lost"],
        ["pod report-5dbc89ff58-zq2sn is gone", "pod report-955968dbb-kv7tm is gone", "pod train-0 is gone"],
        ["at commit 3f2a9c1 it broke", "at commit a1b2c3d it broke", "at commit 0123456 it broke"],
        ["task_225ef62d-6c6b-42dd-9bce-d91d4c7edea9", "task_0f3cd65a-338b-4574-bba3-ecef214e1917"],
        ["request 7F3kQz91Lm2 failed", "request pQ4t8ZxW1aB failed", "request 17 failed"],
        ["key sk_live_9aB3 was refused", "key sk_live_Zq81 was refused"],
        ["app.Handler@1b2c3d4e leaked", "app.Handler@7fa01ec leaked", "app.Handler@abcdef leaked"],
        ["tmpab12cd.json is empty", "tmpzq99xx.json is empty"],
        ["image ci/app:0.1.0-1-g4577716 is missing", "image ci/app:0.1.0-14-gab12f0c is missing"],
        ["GPU-ac896b35-5782-c478-4b2a-a661de07770f", "GPU-6e19195c-c2c2-16a4-18da-f1502460eac6"],
        ["word deadbeef at", "word 00000001 at", "word 0x7f at"],
        ["user 'u17' left", "user 'u18' left"],
        ["_1 is bound", "_2 is bound"],
    ],
    "times": [
        ["at 2026-03-15T12:34:56Z x", "at 2025-01-01 00:00:00 x", "at 20260315T123456Z x", "at 1742042096.123 x", "at 12:34 x", "at 1:05 PM x"],
        ["at 15/Mar/2026:12:34:56 +0000 x", "at 02/Apr/2026:01:02:03 +0100 x"],
        ["Mar 15 12:34:56 x", "Apr  2 01:02:03 x", "Sunday, 15 March 2026 12:34:56 GMT x", "Mon Nov  2 01:02:03 CET 2026 x"],
        ["since: Tue, 29 Apr 2025 13:43:32 +0800", "since: Mon, 13 Nov 2023 03:48:52 +0100"],
        ["[ 12.345678] x", "[12345.678901] x"],
    ],
    "durations": [
        ["after 10s x", "after 1m20s x", "after 58.2s x", "after 1h5m0s x", "after 5 s x", "after 300 ms x", "after 200us x", "after <1s x", "after < 1s x"],
        ["after 3 days x", "after 1 day x", "after 2 hours x", "after 5 min x", "after 1 day, 0:00:12 x", "after 0:00:12 x"],
        ["5m ago", "2h ago", "47 minutes ago"],
    ],
    "counts": [
        ["1 attempt left", "3 attempts left", "3 attempt(s) left"],
        ["found 1 oom event in 5", "found 2 oom events in 7"],
    ],
    "sizes": [
        ["used 5 GiB x", "used 512 MiB x", "used 5GB x", "used 300kB x", "used 5Gi x", "used 104Ki x", "used 5G x", "used 5 gigabytes x", "used 12 bytes x"],
        ["1,234,567 bytes free", "5.00 MiB free", "0 B free"],
        ["at 93%", "at 93.1 %", "at 5"],
        ["rate 5 MB/s x", "rate 10.5 KiB/s x"],
        ["limit 91 °C x", "limit 85°C x"],
    ],
    "numbers": [
        ["loss nan x", "loss 0.3 x", "loss -inf x", "loss 1.5e-05 x", "loss -3 x", "loss +2 x"],
        ["at 0x7f3a x", "at (nil) x", "at (null) x"],
    ],
    "addresses": [
        ["to 10.0.0.1:80 x", "to 192.168.1.77:29500 x", "to 10.0.0.1 x", "to ipv4:10.0.0.1:80 x", "to ipv6:[::1]:80 x", "to [fe80::1]:443 x", "to ::1 x",
         "to fe80::a1%eth0 x", "to 2001:db8::5 x", "to fd00:1148:9000:5000:4:200:3:ff22 x", "to localhost:8080 x"],
        ["to build.ci.example.com x", "to db-7.us.example.com x", "to host.edu.pl x", "to hub.internal x", "to api.site.io:443 x"],
        ["in use :8080", "in use :::3000", "in use 10.0.0.1:80"],
        ["gid ::ffff:10.1.2.3 x", "gid fe80::a1 x"],
        ["chip FF:F2:9F:16:E2 x", "chip 00:F2:9F:16:AA x", "chip AA:BB:CC:DD:EE:FF x"],
        ["gpu 0000:3b:00.0 x", "gpu 00000000:AF:00.0 x"],
        ["mail to a@b.example x", "mail to x.y@z.example x"],
        ["GET https://a.example/x?id=1.", "GET http://[::1]:80/y."],
        ["10.0.0.1:443->10.0.0.2:51234: reset", "10.0.0.9:80->10.0.0.3:4242: reset"],
    ],
    "lists": [
        ["ranks [3] x", "ranks [1, 5, 7] x", "ranks [] x"],
        ["nodes gpu-b7[01-03,5] x", "nodes gpu-b7 x"],
        ["pids 3 x", "pids 3, 4 x"],
        ["ranks 1, 5 and 7 x", "ranks 3 and 4 x"],
        ["shape (3,) x", "shape (3, 4) x"],
        ["shape 3x224x224 x", "shape 8x3x224x224 x", "shape 3 x 4 x"],
        ["torch.Size([3]) x", "torch.Size([3, 4, 5]) x"],
        ["array([1., 2.]) x", "array([1., 2., 3.]) x", "array([[1., 2.], [3., 4.]]) x", "array([[1. 2.]\n [nan 4.]]) x"],
        ["keys ['a', 'b'] x", "keys ['a', 'b', 'c'] x", 'keys ["d"] x'],
        ["missing 'a1', 'b2'.", "missing 'a1'."],
        ["#0 0x1\n#1 0x2", "#0 0x1\n#1 0x2\n#2 0x3"],
        ["#0 0x1 <unknown> #1 0x2 <unknown>", "#0 0x1 <unknown> #1 0x2 <unknown> #2 0x3 <unknown>"],
        ["Process 7 has 2 GiB in use. All in all 5", "Process 7 has 2 GiB in use. Process 8 has 512 MiB in use. All in all 5"],
        ["users:\nPID\tMEM\n755\t9.90\tray\n76\t9.21\tray", "users:\nPID\tMEM\n172\t13.38\t/home/ray --socket"],
    ],
    "paths": [
        ["cannot open /srv/a.csv.", "cannot open /data/x/y_7.csv.", "cannot open ~/a.csv.", "cannot open ../b/c.csv.", r"cannot open C:\Program Files\My App\a.csv.", r"cannot open \\host\share\a.csv."],
        ["cannot open '/srv/my data/a.csv'", "cannot open '/srv/a.csv'", r"cannot open 'D:\my data\a.csv'"],
        ['cannot open "/srv/my data/a.csv"', 'cannot open "/srv/a.csv"'],
        ["cannot open 'results.xml'", "cannot open 'data.csv'", "cannot open '/srv/a.csv'"],
        ["at src/queue.cc:42", "at queue.cc:5", "at ../src/queue.cc:7"],
        ["url: / (x", "url: /a/b?c=1 (x"],
        ["libcudnn.so.8: cannot open", "libcudnn.so.9.1.0: cannot open"],
        ["pull user/team/app now", "pull other/group/app now"],
        ["panic at src/net.rs:42:13", "panic at src/net.rs:57:9", "panic at /home/ci/7/src/net.rs:57:9".replace("/home/ci/7/", "")],
        ["at /home/a/net.rs:42", "at /builds/17/b/net.rs:3", r"at C:\ci\net.rs:5", "at b2/net.rs:5"],
        ["at /tmp/a1/cabq3x7zf.py:42", "at /tmp/b2/covnr5t2k.py:3"],
    ],
    "processes": [
        ["Killed process 17 (python) total-vm", "Killed process 4242 (all_reduce_perf) total-vm"],
        ["inode #5: comm python3: x", "inode #7: comm node: x"],
        ["train[17]: segfault at 0 ip", "pytest[4242]: segfault at 7f ip", "python3[5]: segfault at 7f ip"],
        ["node-a:30654:36364 [2] init.cc:47 x", "puffin:98170:10726 [0] init.cc:48 x"],
        ["[   28.632105] NVRM: x", "NVRM: x", "Jun 19 19:38:18 gpu-7 kernel: NVRM: x", "<4>[12345.678901] NVRM: x"],
        ["pod api-wkqtp_ci is gone", "pod api-22ghg_ci is gone", "pod eval-qqgmw is gone"],
        ["INFO: task python:17 blocked", "INFO: task train:4242 blocked"],
        ["uid=1,task=python,pid=5", "uid=1,task=train3,pid=7"],
        ["thread 'main' panicked at x", "thread 'worker-3' panicked at x"],
        ["connect to host reports:80 x", "connect to host 10.0.0.1:80 x"],
        ["ring gfx_0.0.0 timeout", "ring gfx_1.2.0 timeout", "ring gfx timeout"],
        ["dev sda, sector 5", "dev nvme0n1, sector 7", "dev vdb, sector 9"],
    ],
    "empty": [
        ["rhost= user=x", "rhost=10.0.0.1 user=x"],
        ["from 10.0.0.1 () at 5", "from 10.0.0.2 (h-7) at 5"],
    ],
    "record": [['"GET /v2/7f HTTP/1.1" status: 200 len: 1893 time: 0.24', '"GET /v2/8a HTTP/1.1" status: 404 len: 9 time: 0.1']],
    "text": [
        ["\x1b[31massert x\x1b[0m", "assert x", "\x1b[1m\x1b[31massert x", "\x1b]0;title\x07assert x"],
        ["spaces   and\ttabs", "spaces and tabs\n"],
    ],
}  # fmt: skip
# What is kept beside the codes: messages that must be two.
TWO = [
    ("OpType=ALLREDUCE timed out", "OpType=BROADCAST timed out"),
    ("CUDNN_STATUS_BAD_PARAM", "CUDNN_STATUS_NOT_SUPPORTED"),
    ("SSLV3_ALERT_HANDSHAKE_FAILURE", "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
    ("{:error, :timeout}", "{:error, :nxdomain}"),
    ("pkg.v2.ReadTimeoutError: x", "pkg.v2.ProtocolError: x"),
    ("expected float32", "expected float16"),
    ("uint8_t overflow", "int64 overflow"),
    ("no kernel for aten::conv2d", "no kernel for aten::conv3d"),
    ("BatchNorm1d got", "BatchNorm2d got"),
    ("'utf-8' codec", "'utf-16' codec"),
    ("EXT4-fs error", "XFS-fs error"),
    ("ORA-00942: x", "ORA-01017: x"),
    ("E11000 x", "E11600 x"),
    ("connect E2BIG", "connect EPIPE"),
    ("libcudnn.so.8: cannot open", "libcublas.so.8: cannot open"),
    ("libcudnn_ops.so.8: cannot open", "libcudnn_cnn.so.8: cannot open"),
    ("undefined symbol: _ZN2at3addE", "undefined symbol: _ZN2at3mulE"),
    ("Command '['git', 'fetch']' failed", "Command '['nvidia-smi', '-q']' failed"),
    ("'./io/test_a.py::test_b[c]' x", "'./io/test_a.py::test_c[c]' x"),
    ("No module named 'cv2'", "No module named 'h5py'"),
    ("has no attribute 'layer1'", "has no attribute 'layer2'"),
    ('fixture "db2" not found', 'fixture "db3" not found'),
    ("test_http2_ok failed", "test_http1_ok failed"),
    ("panic at src/net.rs:42:13", "panic at src/db.rs:42:13"),
    ("FAILED api/test_crud.py::test_a", "FAILED billing/test_crud.py::test_a"),
    ("at src/net/mod.rs:42", "at src/db/mod.rs:42"),
    ("at /home/a/net.rs:42", "at /home/a/db.rs:42"),
    ("in 'tests/test_a.py::test_x[c]'", "in 'tests/test_b.py::test_x[c]'"),
    ("May we go", "Jun we go"),
    ("input/output error", "read/write error"),
    ("'NoneType' is not iterable", "'int' is not iterable"),
    ('"GET /x HTTP/1.1" status: 503 len: 9 time: 0.1', '"GET /x HTTP/1.1" status: 502 len: 9 time: 0.1'),
    ("a < 5", "a > 5"),
    ("ring gfx_0.0.0 timeout", "ring sdma0 timeout"),
    ("connection refused", "connection reset"),
    ("x <button id>", "x <input id>"),
]
PAIRS = [(texts[0], other) for group in ONE.values() for texts in group for other in texts[1:]]
ALL = [text for group in ONE.values() for texts in group for text in texts] + [text for pair in TWO for text in pair]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_one(one: str, other: str) -> None:
    assert mask(one) == mask(other)


@pytest.mark.parametrize(("one", "other"), TWO)
def test_two(one: str, other: str) -> None:
    assert mask(one) != mask(other)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Worker gw7 crashed", "Worker <*> crashed"),
        ("Tried to allocate 2.50 GiB (79.15 GiB total)", "Tried to allocate <*> (<*> total)"),
        ("x = [1, 2, 3]", "x = [<*>]"),
        ("3 attempts", "<*> attempt(s)"),
        ("  a \n b\t", "a b"),
        ("", ""),
        ("of <*> and 5", "of <*>"),
        ("at /home/a/net.rs:42 x", "at net.rs:<*> x"),
        ("in x/tests/test_a.py::test_b[3]", "in tests/test_a.py::test_b[<*>]"),
        ("interrupt: illegal......0", "interrupt: illegal......<*>"),
    ],
)
def test_how_a_mask_looks(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("text", ALL)
def test_a_mask_is_its_own_mask(text: str) -> None:
    assert mask(mask(text)) == mask(text)


def test_every_kind_has_a_row() -> None:
    seen = {found.lastgroup for text in ALL for found in _SCANNER.finditer(text)} - {code.name for code in CODES}
    assert seen | {"prefix"} == {kind.name for kind in KINDS}  # `prefix` comes before a code


def test_no_text_is_too_much() -> None:
    """Returns for every text, without an error, the same each time; white space is single blanks."""
    rng = random.Random(7)
    parts = [
        *"[](){}<>\"'/\\:;.,=-_@#%1aZ \n\t\0é٣",
        "\ud800",
        "<*>",
        "\x1b[",
        "Mar ",
        "exit code ",
        "Xid (",
        "http://",
        "::",
        "0x",
        "status=",
        "C:\\",
        "a1.py:",
    ]
    for _ in range(3_000):
        text = "".join(rng.choices(parts, k=rng.randrange(40)))
        masked = mask(text)
        assert masked == mask(text) == " ".join(masked.split())
        assert all(isinstance(code, str) for code in kept(text))
