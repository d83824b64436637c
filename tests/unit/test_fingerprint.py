"""What folds into one pattern, what stays apart, and that no input is too much."""

import random
import re
import time

import pytest

from exporter.patterns.fingerprint import MAX_PATTERN, _pattern, fingerprint, mask, top_frame

pytestmark = pytest.mark.dashboard

SAME = [
    ("Worker gw7 crashed", "Worker gw12 crashed"),
    ("GPU 3 lost at 0000:3b:00.0", "GPU 0 lost at 0000:5e:00.0"),
    ("no answer from 10.0.3.17:29500 for 31 s", "no answer from 10.1.2.3:29501 for 1800.5 s"),
    ("Tried to allocate 2.50 GiB (79.15 GiB total)", "Tried to allocate 512.00 MiB (23.70 GiB total)"),
    ("job 1f3a9b2c4d5e failed", "job 0a9b8c7d6e5f failed"),
    ("run 550e8400-e29b-41d4-a716-446655440000 died", "run 6fa459ea-ee8a-3ca4-894e-db77e160355e died"),
    ("at 2026-03-15T12:34:56.789Z it broke", "at 2025-01-01 00:00:00 it broke"),
    ("cannot open '/scratch/run-1/a.json'", "cannot open '/data/b/c.txt'"),
    ("object at 0x7f3a2c", "object at 0xDEADBEEF01"),
    ("shapes [1, 2, 3] differ", "shapes [4, 5, 6, 7] differ"),
    ("mail to a.b@c.example failed", "mail to x@y.example failed"),
    ("GET https://a.example/x?id=1 refused", "GET http://b.example/y refused"),
    ("Xid (PCI:0000:3b:00): 79, pid=17", "Xid (PCI:0000:5e:00): 79, pid=4242"),
    ("temp 91 °C", "temp 85°C"),
    ("blk_-1608999687919862906 lost", "blk_38865049064139660 lost"),
    ("spaces   and\ttabs", "spaces and tabs"),
]
APART = [
    ("NVRM: Xid (PCI:0000:3b:00): 79, pid=1", "NVRM: Xid (PCI:0000:3b:00): 48, pid=1"),
    ("XID: 79", "XID: 13"),
    ("CUDA error 700", "CUDA error 719"),
    ("CUDA_ERROR_ILLEGAL_ADDRESS", "CUDA_ERROR_LAUNCH_FAILED"),
    ("CUDNN_STATUS_1 now", "CUDNN_STATUS_2 now"),
    ("worker ended with exit code 137", "worker ended with exit code 139"),
    ("killed by signal 9", "killed by signal 11"),
    ("[Errno 28] No space left", "[Errno 13] No space left"),
    ("HTTP 503 from the hub", "HTTP 404 from the hub"),
    ("OpType=ALLREDUCE timed out", "OpType=BROADCAST timed out"),
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
    assert mask(one) == mask(other)
    assert fingerprint("T", one, None) == fingerprint("T", other, None)


@pytest.mark.parametrize(("one", "other"), APART)
def test_two_patterns(one: str, other: str) -> None:
    assert fingerprint("T", one, None).fingerprint != fingerprint("T", other, None).fingerprint


def test_type_and_frame_tell_patterns_apart() -> None:
    first = fingerprint("RuntimeError", "boom", TRACEBACK.format(line=3, function="test_a"))
    assert first == fingerprint("RuntimeError", "boom", TRACEBACK.format(line=99, function="test_a"))
    assert (
        first.fingerprint
        != fingerprint("RuntimeError", "boom", TRACEBACK.format(line=3, function="test_b")).fingerprint
    )
    assert (
        first.fingerprint != fingerprint("ValueError", "boom", TRACEBACK.format(line=3, function="test_a")).fingerprint
    )


def test_the_frame_is_the_projects_own() -> None:
    assert top_frame(TRACEBACK.format(line=3, function="test_a")) == "test_train.py:test_a"
    only_foreign = 'File "C:\\py\\Lib\\site-packages\\x.py", line 1, in f'
    assert top_frame(only_foreign) == "x.py:f"
    assert top_frame("no frames") == ""


def test_a_traceback_inside_the_message_is_one() -> None:
    told = "step failed\n" + TRACEBACK.format(line=3, function="test_a")
    assert fingerprint("T", told, None) == fingerprint("T", "step failed", TRACEBACK.format(line=9, function="test_a"))


def test_an_error_without_a_message_has_its_type_as_text() -> None:
    assert fingerprint("Timeout", "", None).text == "Timeout"


def test_the_fingerprint_is_stable() -> None:
    """A change here needs a new VERSION: the patterns of a database in use would fall apart."""
    assert fingerprint("ResourceError", "Failed to allocate GPU memory", None).fingerprint == "a3e141878d5b5a4c"


def test_no_digit_but_of_a_kept_token_is_left() -> None:
    text = " ".join(one for pair in SAME for one in pair if "Xid" not in one)
    assert not re.search(r"\d", mask(text)), mask(text)


@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "0" * 100_000, ":" * 100_000, "/" * 100_000, "'\"" * 50_000, "0:" * 50_000, "1.1." * 25_000,
     "a@" * 50_000, "aa:" * 30_000, "[" * 100_000, "\0\ud800\u202e" * 1000, "<num>, " * 20_000, "xid " * 20_000,
     'File "a", line 1, in b\n' * 10_000],
)  # fmt: skip
def test_hostile_text_is_bounded(text: str) -> None:
    pattern = fingerprint(text[:50], text, text)
    assert re.fullmatch("[0-9a-f]{16}", pattern.fingerprint)
    assert len(pattern.text) <= MAX_PATTERN
    assert fingerprint(text[:50], text + "1", text) == pattern or len(text) < 4_000


LONGER = 8  # times; a cost that grows with the square of the length grows by 64
HOSTILE = ["\n", "\r\n", " \n", " ", "\t", "a", "0", "a1", ":", "0:", "-", "a-", "/", "[", "]", "'", '"', '\\"', '"\\', "\\",
           "a.", "a.b.c.", "1,", "1,1,1,", "1.", "a@", "a@b.", "ab:", "<", "<a", "<num>", "<num>, ", "0x", "deadbeef-", "é",
           "xid ", "xid: ", "Xid (PCI:", "CUDA error: ", "CUDA_ERROR", "cudaError", "ncclA", "_ncclA", "code ", "errno[",
           "status=", "http ", "2024-01-01T00:00:00.", "00:00:00,", 'File "', '\n  File "a", line 1', "\n\n  File"]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_cost_of_a_text_grows_with_its_length_alone(monkeypatch: pytest.MonkeyPatch, piece: str) -> None:
    """The bounds of a text are lifted, so that a pattern which goes back over what it read is far outside the limit.
    The least processor time of several runs is taken, so that other processes hardly count."""
    for bound in ("MAX_MASKED_MESSAGE", "MAX_SEARCHED_TRACEBACK", "MAX_REMEMBERED"):
        monkeypatch.setattr(f"exporter.patterns.fingerprint.{bound}", 1_000_000)

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
         "@", "[", "]", "%", "GiB", "ms", "a", "f", "deadbeef", "T", "Z", "_", "worker", "é", "٣", "=", ",", "\\", "~/")  # fmt: skip


def test_texts_that_differ_in_digits_alone_are_told_apart_as_if_none_was_remembered() -> None:
    """What is remembered of texts with the same digits everywhere must never decide about one whose digits matter."""
    chance = random.Random(7)

    def digits() -> str:
        return "".join(chance.choices("0123456789", k=chance.randint(1, 4)))

    def text() -> str:
        return "".join(chance.choice(WORDS) if chance.random() < 0.5 else digits() for _ in range(chance.randint(1, 6)))

    for told in (text() for _ in range(20_000)):
        for one in (told, re.sub("[0-9]", lambda _: chance.choice("0123456789"), told)):
            assert fingerprint("T", one, None) == _pattern.__wrapped__("T", one, "")


def test_a_long_text_and_one_that_is_not_unicode_have_a_pattern() -> None:
    assert fingerprint("T", "x 7 " * 900, None) == fingerprint("T", "x 8 " * 900, None)
    assert fingerprint("T", "\ud800 took 5 s", None) == fingerprint("T", "\ud800 took 7 s", None)
