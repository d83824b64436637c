"""Reads stacks whose frames begin with `at`: Java and other JVM languages, JavaScript, .NET. Pure functions.

java.lang.RuntimeException: wrapped             Error: wrapped
    at com.acme.Job.run(Job.java:12)                at run (/srv/app/job.js:12:3) {
    ... 3 more                                    [cause]: Error: no
Caused by: java.io.IOException: no                    at read (file:///srv/app/disk.js:3:1)
    at com.acme.Disk.read(Disk.java:3)
                                                AggregateError: all failed
System.IO.IOException: no                           at main (/srv/app/job.js:9:1) {
   at Acme.Disk.Read(String p) in C:\\x.cs:line 3  [errors]: [
                                                    Error: no
                                                        at read (/srv/app/disk.js:3:1)
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from exporter.patterns.stack import Chain, Frame, Raised, frame, function_name, type_name

MAX_LINE: Final = 500  # characters; longer lines hold no frame
MAX_LEAVES: Final = 20  # errors of an aggregate that are read
_JVM: Final = re.compile(r"(?:[\w.@$-]*+/)*+([\w$.<>-]++)\(([^()]*+)\)")
_JVM_PLACE: Final = re.compile(
    r"(?:[\w$-]++\.(?:java|kt|kts|scala|groovy|clj))(?::\d++)?+$|Native Method$|Unknown Source$|<"
)
_JVM_LIBRARY: Final = re.compile(
    r"(?:java|javax|jdk|sun|com\.sun|kotlin|kotlinx|scala|clojure|groovy|org\.codehaus\.groovy|org\.junit|junit|org\.testng"
    r"|org\.gradle|worker\.org\.gradle|org\.apache\.maven|org\.mockito|org\.springframework|org\.openqa\.selenium|io\.netty"
    r"|reactor|org\.apache\.(?:catalina|tomcat|spark|hadoop|http)|com\.google\.common|jenkins|hudson)\."
)
_NET_LIBRARY: Final = ("System.", "Microsoft.", "NUnit.", "Xunit.", "MSTest.", "lambda_method")
_MARKS: Final = ("Caused by: ", "[cause]: ", "cause: ", "[errors]: ", "Suppressed: ")
_GECKO: Final = re.compile(r"([^\s@]{0,200}+)@([a-z][a-z-]{2,20}+://[^\s]{1,400}?):\d++:\d++$")


class _Block(NamedTuple):
    mark: str  # "[cause]: ", "[errors]: ", or "-" for a suppressed exception; "" if it has none
    type: str
    frames: list[Frame]


def read_at(text: str) -> list[Chain]:
    """Returns the chain of the exception, or one chain for each error of an aggregate; empty if there is no frame."""
    blocks = _blocks(text)
    chain = [Raised(block.type, tuple(block.frames), True) for block in blocks if block.mark not in ("[errors]: ", "-")]
    chain.reverse()
    if chain:
        chain[-1] = chain[-1]._replace(is_cause=False)
    leaves = [
        (Raised(block.type, tuple(block.frames), True), *chain) for block in blocks if block.mark == "[errors]: "
    ][:MAX_LEAVES]
    if not any(block.frames for block in blocks):
        return []
    return list(leaves) or [tuple(chain)]


def _blocks(text: str) -> Sequence[_Block]:
    blocks, mark, header, headed = [_Block("", "", [])], "", "", True
    for line in text.split("\n"):
        content = line.strip()
        one = None
        if content.startswith("at "):
            one = _frame(content[3 : MAX_LINE + 3])
        elif "@" in content and len(content) < MAX_LINE:
            found = _GECKO.match(content)
            one = frame(found[2], found[1]) if found else None
        if one is not None:
            if headed and (mark or not blocks[-1].type):
                if mark or blocks[-1].frames:
                    blocks.append(_Block(mark, type_name(header), []))
                else:
                    blocks[-1] = _Block("", type_name(header), [])
                mark = mark if mark == "[errors]: " else ""
            headed = False
            blocks[-1].frames.append(one)
        elif content and not content.startswith(("...", "---", "at ", "}", "]")):
            found_mark = next((one for one in _MARKS if content.startswith(one)), None)
            if found_mark:
                mark = "[cause]: " if "ause" in found_mark else "-" if found_mark == "Suppressed: " else found_mark
                header, headed = content[len(found_mark) : MAX_LINE], True
            elif not headed or mark in ("", "[errors]: "):
                header, headed = content[:MAX_LINE], True
        elif content[:1] in ("}", "]") and mark == "[errors]: ":
            headed = True
    return blocks


def _frame(call: str) -> Frame | None:
    """Returns the frame of a call, the text after `at `; None if it names neither a file nor a class."""
    call = call.rstrip(" {,")
    found = _JVM.match(call)
    if found and _JVM_PLACE.match(found[2]):
        class_, _, method = found[1].rpartition(".")
        return Frame(function_name(class_), function_name(method), not _JVM_LIBRARY.match(found[1]))
    net, _, place = call.rpartition(" in ")
    if net and ":line " in place:
        return frame(place.rpartition(":line ")[0], net.partition("(")[0])
    function, _, place = call.partition(" (") if call.endswith(")") else ("", "", call)
    if place.startswith("eval at"):
        return Frame("<eval>", function, own=False)
    path, _, line = place.rstrip(")").rpartition(":")
    if path and line.isdigit():
        before, _, row = path.rpartition(":")
        return frame(before if before and row.isdigit() else path, _js_function(function))
    if found and "." in found[1] and " " not in found[1]:
        class_, _, method = found[1].rpartition(".")
        return Frame(class_, method, not class_.startswith(_NET_LIBRARY))
    return None


def _js_function(function: str) -> str:
    for word in ("async ", "new "):
        function = function.removeprefix(word)
    return function or "<anonymous>"
