"""What a report of pytest says, as fields of an error report. Pure functions."""

from __future__ import annotations

import re
from typing import Any

from error_visualization.cut import cut
from error_visualization.pytest_plugin import HANDED_OVER

MOST_MESSAGE = 20_000  # characters
MOST_TRACEBACK = 100_000
MOST_OUTPUT = 8_000  # of one captured stream: its end
_ASSERTION = re.compile(r"assert\b")
_TYPE = re.compile(r"(?:[A-Za-z_][\w.]*\.)?([A-Z]\w*)(?::|$)")
_SUBTESTS = re.compile(r"contains \d+ failed subtests?$")
_TIMEOUT = re.compile(r"(?:Failed: )?Timeout [>(]")


def failure(report: Any) -> dict[str, Any]:
    """Returns type, message, traceback and category (if it is certain) of a failed test or collection."""
    given = handed_over(report)
    text = _text(report)
    message = given.get("message") or _crash_message(report) or _last_line(text) or "failed without a message"
    kind = given.get("type") or _type_of(message)
    fields = {
        "type": kind,
        "message": cut(message, MOST_MESSAGE),
        "traceback": cut(given.get("traceback") or text, MOST_TRACEBACK) or None,
    }
    if _TIMEOUT.match(message):
        fields.update(type="Timeout", error_category="TEST_TIMEOUT")
    elif text.startswith("[XPASS(strict)]"):
        fields.update(type="UnexpectedPass", message=cut(text, MOST_MESSAGE), traceback=None)
        fields["error_category"] = "TEST_FAILURE"
    return fields


def details(report: Any) -> dict[str, Any]:
    """Returns the rest that pytest knows about it: phase, marks, parameters, and the end of the captured output."""
    given = handed_over(report)
    found: dict[str, Any] = {"phase": getattr(report, "when", None) or "collect"}
    found.update({name: given[name] for name in ("marks", "parameters", "pid") if given.get(name)})
    if given.get("traceback"):
        found["representation"] = cut(_text(report), MOST_OUTPUT)
    found["output"] = {name: tail(text, MOST_OUTPUT) for name, text in _sections(report).items()}
    subtest = getattr(report, "context", None)
    if subtest is not None:
        parameters = {str(name): _unquoted(cut(str(value), 200)) for name, value in dict(subtest.kwargs).items()}
        found["subtest"] = {"message": subtest.msg and str(subtest.msg), "parameters": parameters}
    return {name: value for name, value in found.items() if value}


def repeats_subtests(report: Any) -> bool:
    """Returns whether this failure of a test only says that subtests failed, which were reported."""
    return not handed_over(report).get("type") and bool(_SUBTESTS.match(_text(report)))


def handed_over(report: Any) -> dict[str, Any]:
    """Returns what `handover.py` added; {} if a worker did not."""
    given = getattr(report, HANDED_OVER, None)
    return given if isinstance(given, dict) else {}


def tail(text: str, most: int) -> str:
    """Returns the last `most` characters of `text`, and says so if there are more."""
    return text if len(text) <= most else f"… {len(text) - most} characters before\n{text[-most:]}"


def _sections(report: Any) -> dict[str, str]:
    """Returns the captured outputs by name; those of one name are joined."""
    found: dict[str, str] = {}
    for name, text in getattr(report, "sections", ()):
        name = name[len("Captured ") :] if name.startswith("Captured ") else name
        found[name] = found.get(name, "") + str(text)
    return found


def _unquoted(text: str) -> str:
    """Returns `text` without the quotes that the transfer to another process adds."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text


def _text(report: Any) -> str:
    """Returns how pytest represents the error, without the line that names the worker."""
    representation = getattr(report, "longrepr", None)
    return "" if representation is None else str(representation)


def _crash_message(report: Any) -> str:
    crash = getattr(getattr(report, "longrepr", None), "reprcrash", None)
    return str(getattr(crash, "message", "") or "")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _type_of(message: str) -> str:
    if _ASSERTION.match(message):
        return "AssertionError"
    found = _TYPE.match(message)
    return found[1] if found else "Failure"
