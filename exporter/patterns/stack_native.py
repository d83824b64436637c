"""Reads stacks of compiled programs: Go, Rust, C++ (gdb, sanitizers, PyTorch, glog). Pure functions.

goroutine 7 [running]:              thread 'main' panicked at src/net.rs:42:13:
main.(*T).close(0xc000012345)       stack backtrace:
        /src/app/index.go:99 +0x1d     0: rust_begin_unwind
                                                 at /rustc/9fc6b431/library/std/src/panicking.rs:652:5
                                       1: app::net::poll
                                                 at ./src/net.rs:8:9

#1  0x00007f in Disk::read (this=0x1) at /src/disk.cc:12        frame #1: c10::Error::Error(int) + 0x57 (0x7f in /x.so)
#2 0x55e in Disk::read(int) /src/disk.cc:12:3                       @     0x7f1234 Disk::read()
"""

import re
from typing import Final

from exporter.patterns.stack import Chain, Frame, Raised, frame, function_name

MAX_LINE: Final = 1_000  # characters of a line that are read
_GOROUTINE: Final = re.compile(r"^goroutine \d++ (?:gp=\S++ m=\S++ (?:mp=\S++ )?+)?+\[[^\n]*+\n", re.MULTILINE)
_GO_PLACE: Final = re.compile(r"\s++(\S[^\n:]*+):\d++")
_PANIC: Final = re.compile(
    r"^[^\S\n]*+thread '[^'\n]{0,200}+'(?: \(\d++\))?+ panicked at (?:'([^\n]{0,1000})', )?"
    r"([^\s:][^\n:]{0,300}+):\d++:\d++:?+\n?+",
    re.MULTILINE,
)
_NUMBERED: Final = re.compile(r"\s*+\d++:\s++(?:0x[0-9a-f]++ - )?+(\S[^\n]*+)")
_RUST_PLACE: Final = re.compile(r"\s++at (\S[^\n]*?)(?::\d++){1,2}+\s*+$")
_RUST_LIBRARY: Final = re.compile(
    r"<?(?:&mut |dyn )?+(?:std|core|alloc|rust_begin|__rust|_?__?libc|backtrace|test)(?:::|_|$)|_start$|clone"
)
_CALL: Final = re.compile(
    r"\s*+(?:frame )?+(?:#(\d++):?+|@|(\d++)[#:])\s++(?:0x[0-9a-fA-F]++(?: in|:)?+\s++)?+(\S[^\n]*+)"
)
_CPP_LIBRARY: Final = re.compile(
    r"(?:c10|c10d|at|torch|caffe2|std|boost|absl|google|testing|v8|node|gloo|pybind11|base::debug|nvidia|cub|thrust)::"
    r"|__\w|_?Py[A-Z_]|cuda[A-Z]|nccl[A-Z]|operator (?:new|delete)"
    r"|(?:_start|start_thread|clone3?|raise|abort|gsignal|pthread_\w+|memcpy|malloc|free)$"
)
_UNKNOWN: Final = ("??", "<unknown", "(unknown", "0x", "[")


def read_go(text: str) -> list[Chain]:
    """Returns the chain of the first goroutine, which is the one that failed; empty if there is none. Frames above the
    last `panic(` are left out, because they belong to the handling of the first panic. The outermost frame is the
    function that created the goroutine."""
    began = _GOROUTINE.search(text)
    if began is None:
        return []
    frames: list[Frame] = []
    call = ""
    for line in text[began.end() :].split("\n"):
        if not line.strip():
            break
        found = _GO_PLACE.match(line[:MAX_LINE])
        if found and call:
            if call.startswith(("panic(", "runtime.gopanic")):
                frames = []
            else:
                name = call.removeprefix("created by ").partition(" in goroutine ")[0]
                name = name if name != call else call.rpartition("(")[0] or call
                frames.append(frame(found[1], name.rpartition("/")[2]))
        call = "" if found else line[:MAX_LINE].strip()
    return [(Raised("", tuple(frames)),)]


def read_rust(text: str) -> list[Chain]:
    """Returns the chain of the first panic. If its backtrace has no own frame, the place of the panic becomes the
    innermost frame. Empty if there is neither a panic nor a backtrace."""
    frames, call = [], ""
    panic = _PANIC.search(text)
    began = text.lower().find("stack backtrace:")
    for line in text[began:].split("\n") if began >= 0 else ():
        place = _RUST_PLACE.match(line[:MAX_LINE]) if call else None
        if place:
            frames.append(frame(place[1], call)._replace(function=function_name(call)))
            call = ""
            continue
        found = _NUMBERED.match(line[:MAX_LINE])
        if found:
            if call:
                frames.append(_rust(call))
            call = found[1]
    if call:
        frames.append(_rust(call))
    if panic and not any(one.own for one in frames):
        frames = [frame(panic[2], ""), *frames]
    return [(Raised("", tuple(frames)),)] if frames else []


def without_panic(text: str) -> str:
    """Returns the text of a message without `thread 'main' panicked at src/x.rs:1:2:`."""
    return _PANIC.sub(lambda found: f"{found[1]}\n" if found[1] else "", text)


def read_native(text: str) -> list[Chain]:
    """Returns the chain of the first stack of a C or C++ program, without frames that have no name; empty if there is
    none."""
    frames: list[Frame] = []
    last = -1
    for line in text.split("\n"):
        found = _CALL.match(line[:MAX_LINE])
        if not found:
            continue
        number = int(found[1] or found[2] or last + 1) if len(found[1] or found[2] or "") < 6 else last + 1
        if number <= last and frames:
            break
        last = number
        call, path = _cpp_place(found[3].rstrip())
        name = _cpp_name(call)
        if name:
            one = frame(path, name)
            frames.append(one._replace(own=one.own and not _CPP_LIBRARY.match(name)))
    return [(Raised("", tuple(frames)),)] if frames else []


def _rust(call: str) -> Frame:
    return Frame("", function_name(call), not _RUST_LIBRARY.match(call))


def _cpp_place(call: str) -> tuple[str, str]:
    """Returns the call without its place, and the file or library that the place names ("" if there is no place)."""
    for before, after in ((" at ", ":"), (" from /", ""), (" (0x", " in "), (" (/", "+0x"), (" [0x", "]")):
        head, found, place = call.rpartition(before)
        if found and after in place:
            if before == " (0x":
                return head, place.partition(after)[2].rstrip(")")
            return head, found[-1].strip("[(x ") + (place.partition(after)[0] if after else place)
    head, _, place = call.rpartition(" ")
    return (head, place.partition(":")[0]) if ":" in place and ("/" in place or ".c" in place) else (call, "")


def _cpp_name(call: str) -> str:
    """Returns the name of the function, without arguments, template arguments and offset; "" if it is unknown."""
    if call.startswith(_UNKNOWN):
        return ""
    name: list[str] = []
    depth = 0
    for letter in call.replace("(anonymous namespace)", "{}").replace("operator()", "operator{}")[:400]:
        if letter == "<":
            depth += 1
        elif letter == ">":
            depth = max(0, depth - 1)
        elif depth == 0:
            if letter in "(+ " and name:
                break
            name.append(letter)
    return "".join(name)
