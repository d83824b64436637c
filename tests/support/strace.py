"""Parses the output of `strace -f -y -o FILE`, and checks that each response is sent after its log entry is on disk.

A call is one line, or two lines if other threads ran in between:

    4775  pwrite64(7</db.log>, "…", 673, 12) = 673
    4775  fdatasync(7</db.log> <unfinished ...>
    4771  write(26<socket:[9236]>, "HTTP/1.1 200 OK…", 327) = 327
    4775  <... fdatasync resumed>) = 0

strace stops a thread at the beginning and the end of each call, so the lines are in the order of the events.
"""

import re
from collections.abc import Iterable, Sequence
from math import inf
from pathlib import PurePath
from typing import NamedTuple

CALLS = ("openat", "fdatasync", "fsync", "pwrite64", "pwritev", "pwritev2", "write", "writev", "sendto", "sendmsg")
WRITES = ("pwrite64", "pwritev", "pwritev2", "write", "writev")
ANSWERS = ("write", "writev", "sendto", "sendmsg")
FLUSHES = ("fdatasync", "fsync")
LMDB_META_BYTES = 8_192  # LMDB's file begins with two meta pages; a commit ends with a flushed write to one of them

_WHOLE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+|\?)(.*)")
_UNFINISHED = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|\?)(.*)")
_DESCRIPTOR = re.compile(r"(\d+)<(.*?)>(?=,|$)")
_OPENED = re.compile(r"<(.*)>$")


class Call(NamedTuple):
    """`began` and `ended` are line numbers; `ended` is infinite for a call that never returned. `result` is what the call
    returned (-1 for a failure), `tail` what strace added: the path of a descriptor, or the error."""

    began: float
    ended: float
    name: str
    arguments: str
    result: int
    tail: str

    @property
    def descriptor(self) -> str:
        """The first argument, as `7</path>` or `12<socket:[9236]>`; "" if it is not a descriptor."""
        found = _DESCRIPTOR.match(self.arguments)
        return found.group() if found else ""

    @property
    def path(self) -> str:
        found = _DESCRIPTOR.match(self.arguments)
        return found[2] if found else ""

    @property
    def offset(self) -> float:
        """The file offset of a positioned write; infinite for other calls."""
        last = self.arguments.rpartition(", ")[2]
        return int(last) if self.name.startswith("pwrite") and last.isdigit() else inf


def parse(lines: Iterable[str]) -> list[Call]:
    """Returns the calls in the order in which they began. Ignores lines about signals and exits."""
    calls: list[Call] = []
    unfinished: dict[tuple[str, str], int] = {}  # index in `calls`, by thread and name
    for number, line in enumerate(lines):
        text = line.rstrip("\n")
        if found := _RESUMED.fullmatch(text):
            place = unfinished.pop((found[1], found[2]))
            begun = calls[place]
            arguments = begun.arguments + found[3]
            calls[place] = Call(begun.began, number, begun.name, arguments, _result(found[4]), found[5].strip())
        elif found := _UNFINISHED.fullmatch(text):
            unfinished[found[1], found[2]] = len(calls)
            calls.append(Call(number, inf, found[2], found[3], -1, ""))
        elif found := _WHOLE.fullmatch(text):
            calls.append(Call(number, number, found[2], found[3], _result(found[4]), found[5].strip()))
    return calls


def _result(text: str) -> int:
    return -1 if text == "?" else int(text)


def unflushed(calls: Sequence[Call], log: str, event_ids: Iterable[str], *, meta_bytes: int) -> dict[str, str]:
    """Returns the reason for each of `event_ids` that was acknowledged before it was on disk, or not at all.

    `log` is a regular expression for the complete path of the log. An event is on disk when the first write to the log
    with its event_id is flushed: by an `fdatasync` or `fsync` that began after the end of the write and has ended, or
    because the descriptor was opened with O_DSYNC or O_SYNC. If the log begins with `meta_bytes` of meta pages, the
    next write to them must be flushed, too. A response begins with the write of its status line.
    """
    synchronous: dict[
        str, bool
    ] = {}  # whether a descriptor flushes each write; only one process opens the log for writing
    writes: list[tuple[Call, bool]] = []
    flushes: list[Call] = []
    answer_began: dict[str, float] = {}  # beginning of the newest response, by socket
    answers: list[tuple[float, str]] = []
    for call in calls:
        if call.name == "openat" and "O_RDONLY" not in call.arguments and (opened := _OPENED.match(call.tail)):
            synchronous[f"{call.result}<{opened[1]}>"] = re.search(r"\bO_D?SYNC\b", call.arguments) is not None
        elif re.fullmatch(log, call.path):
            if call.name in WRITES and call.result > 0:
                writes.append((call, synchronous.get(call.descriptor, False)))
            elif call.name in FLUSHES and call.result == 0:
                flushes.append(call)
        elif call.name in ANSWERS:
            if '"HTTP/1.' in call.arguments:
                answer_began[call.descriptor] = call.began if '"HTTP/1.1 200 ' in call.arguments else inf
            answers.append((answer_began.get(call.descriptor, inf), call.arguments))

    def on_disk(write: Call, at_once: bool) -> float:
        return write.ended if at_once else min((f.ended for f in flushes if f.began > write.ended), default=inf)

    def why(event_id: str) -> str:
        answered = min((began for began, content in answers if event_id in content), default=inf)
        if answered == inf:
            return "it was not answered with success"
        carrying = [(call, at_once) for call, at_once in writes if event_id in call.arguments]
        if not carrying:
            return "no write to the log carries it"
        if on_disk(*carrying[0]) > answered:
            return f"answered in line {answered:.0f}, before the write of line {carrying[0][0].began:.0f} was flushed"
        meta = [
            (call, at_once)
            for call, at_once in writes
            if carrying[0][0].ended < call.began and call.offset < meta_bytes
        ]
        if meta_bytes and (not meta or on_disk(*meta[0]) > answered):
            return f"answered in line {answered:.0f}, before the meta page of its commit was flushed"
        return ""

    return {event_id: reason for event_id in event_ids if (reason := why(event_id))}


def folder_flushed(calls: Sequence[Call], log: str) -> bool:
    """Returns whether the folder of the log was flushed after the file was created and before the first response with
    status 200. Otherwise a power cut could remove the file."""
    answered = min(
        (call.began for call in calls if call.name in ANSWERS and '"HTTP/1.1 200 ' in call.arguments), default=inf
    )
    for made in calls:
        opened = _OPENED.match(made.tail)
        if made.name == "openat" and "O_CREAT" in made.arguments and opened and re.fullmatch(log, opened[1]):
            folder = str(PurePath(opened[1]).parent)
            return any(
                call.name == "fsync" and call.path == folder and call.result == 0 and made.ended < call.began
                and call.ended < answered for call in calls
            )  # fmt: skip
    return False
