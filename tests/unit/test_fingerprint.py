"""What the fingerprint depends on, that it is stable, and that no input is too much."""

import random
import re
import time

import pytest

from exporter.patterns import version_1
from exporter.patterns.alike import masked
from exporter.patterns.fingerprint import MAX_PATTERN, fingerprint
from exporter.patterns.mask import mask

pytestmark = pytest.mark.dashboard

SAME = [
    ("Worker gw7 crashed", "Worker gw12 crashed"),
    ("GPU 3 lost at 0000:3b:00.0", "GPU 0 lost at 0000:5e:00.0"),
    ("no answer from 10.0.3.17:29500 for 31 s", "no answer from 10.1.2.3:29501 for 1800.5 s"),
    ("Tried to allocate 2.50 GiB (79.15 GiB total)", "Tried to allocate 512.00 MiB (23.70 GiB total)"),
    ("run 550e8400-e29b-41d4-a716-446655440000 died", "run 6fa459ea-ee8a-3ca4-894e-db77e160355e died"),
    ("cannot open '/scratch/run-1/a.json'", "cannot open '/data/b/c.txt'"),
    ("Xid (PCI:0000:3b:00): 79, pid=17", "Xid (PCI:0000:5e:00): 79, pid=4242"),
    ("spaces   and\ttabs", "spaces and tabs"),
]
APART = [
    ("XID: 79", "XID: 13"),
    ("CUDA error 700", "CUDA error 719"),
    ("worker ended with exit code 137", "worker ended with exit code 139"),
    ("killed by signal 9", "killed by signal 11"),
    ("[Errno 28] No space left", "[Errno 13] No space left"),
    ("HTTP 503 from the hub", "HTTP 404 from the hub"),
    ("connection refused", "connection reset"),
]
TRACEBACK = """Traceback (most recent call last):
  File "/srv/suite/tests/test_train.py", line {line}, in {function}
    step()
  File "/srv/venv/lib/python3.11/site-packages/torch/nn/module.py", line 1553, in _call_impl
    return forward()
RuntimeError: boom"""


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_pattern(one: str, other: str) -> None:
    assert fingerprint("T", one, None) == fingerprint("T", other, None)


@pytest.mark.parametrize(("one", "other"), APART)
def test_two_patterns(one: str, other: str) -> None:
    assert fingerprint("T", one, None).fingerprint != fingerprint("T", other, None).fingerprint


def test_type_and_frame_tell_patterns_apart() -> None:
    first = fingerprint("RuntimeError", "boom", TRACEBACK.format(line=3, function="test_a"))
    assert first == fingerprint("RuntimeError", "boom", TRACEBACK.format(line=99, function="test_a"))
    others = [
        fingerprint("RuntimeError", "boom", TRACEBACK.format(line=3, function="test_b")),
        fingerprint("ValueError", "boom", TRACEBACK.format(line=3, function="test_a")),
        fingerprint("RuntimeError", "bang", TRACEBACK.format(line=3, function="test_a")),
    ]
    assert len({pattern.fingerprint for pattern in [first, *others]}) == 4


def test_a_traceback_inside_the_message_is_one() -> None:
    told = "step failed\n" + TRACEBACK.format(line=3, function="test_a")
    assert fingerprint("T", told, None) == fingerprint("T", "step failed", TRACEBACK.format(line=9, function="test_a"))


def test_a_stack_inside_the_message_counts_only_without_a_traceback() -> None:
    told = "step failed\n" + TRACEBACK.format(line=3, function="test_a")
    traceback = TRACEBACK.format(line=9, function="test_b")
    assert fingerprint("T", told, traceback) == fingerprint("T", "step failed", traceback)
    assert fingerprint("T", told, "no frames") == fingerprint("T", told, None)


def test_an_error_without_a_message_has_its_type_as_text() -> None:
    assert fingerprint("Timeout", "", None).text == "Timeout"


STABLE: list[tuple[str, str, str | None, str, str]] = [  # with the fingerprint and the scope
    ("ResourceError", "Failed to allocate GPU memory", None, "98d151e0be08a432", "ba81ff9ab0e9a152"),
    (
        "E",
        "GPU 3 lost, exit code 137",
        TRACEBACK.format(line=3, function="test_a"),
        "0c812b4338593e9d",
        "74b714afc06f1141",
    ),
]


@pytest.mark.parametrize(("type_", "message", "traceback", "expected", "scope"), STABLE)
def test_the_fingerprint_is_stable(type_: str, message: str, traceback: str | None, expected: str, scope: str) -> None:
    """A change here needs a new VERSION: the patterns of a database in use would fall apart."""
    pattern = fingerprint(type_, message, traceback)
    assert (pattern.fingerprint, pattern.scope) == (expected, scope)


OLD: list[tuple[str, str, str | None, str]] = [  # computed by the code of version 1
    ("RuntimeError", "boom", TRACEBACK.format(line=3, function="test_a"), "719d311638f029cb"),
    ("T", "step failed\n" + TRACEBACK.format(line=3, function="test_a"), None, "eeb6613f871d49f6"),
    ("T", TRACEBACK.format(line=3, function="test_a"), None, "df90b05c37c141dd"),
    ("T", "", None, "51f2edc2b4273d58"),
    ("ResourceError", "Failed to allocate GPU memory", None, "a3e141878d5b5a4c"),
    ("HardwareError", "NVRM: Xid (PCI:0000:3b:00): 79, pid=17", None, "48eb7c251c66b180"),
    ("CudaError", "CUDA error: 700 on GPU 3 at 0000:3b:00.0, 12.5 GiB free", "", "408941e198129701"),
    ("E", "killed by signal 9, exit code 137, [Errno 28], HTTP 503", None, "368ddc817925e5e6"),
    ("E", "x", "x\n" * 9000 + '  File "/a/b.py", line 3, in f\n', "9bbc0d816a0c5a0f"),
]


@pytest.mark.parametrize(("type_", "message", "traceback", "expected"), OLD)
def test_the_fingerprint_of_version_1_stays(type_: str, message: str, traceback: str | None, expected: str) -> None:
    assert version_1.fingerprint(type_, message, traceback) == expected


@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "0" * 100_000, ":" * 100_000, "/" * 100_000, "'\"" * 50_000, "0:" * 50_000, "1.1." * 25_000,
     "a@" * 50_000, "aa:" * 30_000, "[" * 100_000, "\0\ud800\u202e" * 1000, "<num>, " * 20_000, "xid " * 20_000,
     'File "a", line 1, in b\n' * 10_000, "\n" * 100_000, "    at a (b:1:1)\n" * 5_000, "#0 0x1 in a ()\n" * 5_000],
)  # fmt: skip
def test_hostile_text_is_bounded(text: str) -> None:
    pattern = fingerprint(text[:50], text, text)
    assert re.fullmatch("[0-9a-f]{16}", pattern.fingerprint)
    assert re.fullmatch("[0-9a-f]{16}", pattern.scope)
    assert len(pattern.text) <= MAX_PATTERN


LONGER = 8  # times; a cost that grows with the square of the length grows by 64
HOSTILE = ["\n", "\r\n", " \n", " ", "\t", "a", "0", "a1", ":", "0:", "-", "a-", "/", "[", "]", "'", '"', '\\"', '"\\', "\\",
           "a.", "a.b.c.", "1,", "1,1,1,", "1.", "a@", "a@b.", "ab:", "<", "<a", "<num>", "<num>, ", "0x", "deadbeef-", "é",
           "xid ", "xid: ", "Xid (PCI:", "CUDA error: ", "CUDA_ERROR", "cudaError", "ncclA", "_ncclA", "code ", "errno[",
           "status=", "http ", "2024-01-01T00:00:00.", "00:00:00,", 'File "', '\n  File "a", line 1', "\n\n  File"]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_cost_of_a_text_grows_with_its_length_alone(monkeypatch: pytest.MonkeyPatch, piece: str) -> None:
    """The bounds of a text are lifted, so that a pattern which goes back over what it read is far outside the limit.
    The least processor time of several runs is taken, so that other processes hardly count."""
    for bound in ("fingerprint.MAX_MASKED_MESSAGE", "frames.MAX_SEARCHED", "frames.MAX_LINES"):
        monkeypatch.setattr(f"exporter.patterns.{bound}", 1_000_000)

    def seconds(length: int, runs: int) -> float:
        found = []
        for run in range(runs):
            text = (piece * length)[:length] + "z" * run  # no run is answered from what an earlier one left in memory
            began = time.thread_time()
            fingerprint("T", text, text)
            found.append(time.thread_time() - began)
        return min(found)

    assert seconds(4_000 * LONGER, 5) < 3 * LONGER * seconds(4_000, 7)


WORDS = ("xid", "Xid ", "(PCI:0000:3b:00): ", "CUDA error", "CUDA error: ", "CUDA_ERROR_", "cudaError", "ncclA", "NCCL",
         "CUDNN_STATUS_", "signal ", "exit code ", "exitcode=", "exit status", "returncode: ", "SIGKILL", "SIGUSR",
         "errno ", "[Errno ", "HTTP/", "HTTP ", "status=", "status code ", "-", "+", "0x", "0X", "x", ".", ":", "/", " ",
         "@", "[", "]", "%", "GiB", "ms", "a", "f", "deadbeef", "T", "Z", "_", "worker", "é", "٣", "=", ",", "\\", "~/",
         "got ", "returned ", "expected ", " != ", " == ", "(", ")", '", "', "float", "int", "utf-", "sha", "conv", "d ",
         "grpc status ", "rc=", "Error ", "error: ", "response ", "sig ", "ORA-", "SQLSTATE[", "test_a_", "lib.so.", "ipv",
         "x86_", "h", "s", "l", "ext", "stage", "bf", "fp", "http", "tls", "tlsv", "code ", ".py:", "a.b", "ERR_HTTP", "Error",
         'HTTP/1.1" status: ', " len: ", "_TLSV", "p2p", "e2e", "k8s", "fixture 'db", "'", "u", "i", "X", "E", "_Z", "Test", "sda")  # fmt: skip
VALUES = ("503", "404", "200", "16", "32", "64", "8", "4", "256", "128", "9", "11", "1", "2", "3", "0", "86", "137")


def test_texts_that_differ_in_digits_alone_are_masked_as_if_none_was_remembered() -> None:
    """What is remembered of texts with the same digits everywhere must never decide about one whose digits matter."""
    chance = random.Random(7)

    def digits() -> str:
        some = "".join(chance.choices("0123456789", k=chance.randint(1, 4)))
        return chance.choice(VALUES) if chance.random() < 0.5 else some

    def text() -> str:
        return "".join(chance.choice(WORDS) if chance.random() < 0.5 else digits() for _ in range(chance.randint(1, 6)))

    for told in (text() for _ in range(20_000)):
        for one in (re.sub("[0-9]", lambda _: chance.choice("0123456789"), told), told):
            assert masked(one) == mask(one)


def test_a_long_text_and_one_that_is_not_unicode_have_a_pattern() -> None:
    assert fingerprint("T", "x 7 " * 900, None) == fingerprint("T", "x 8 " * 900, None)
    assert fingerprint("T", "\ud800 took 5 s", None) == fingerprint("T", "\ud800 took 7 s", None)
