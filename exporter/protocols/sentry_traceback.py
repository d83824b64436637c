"""Renders the exceptions of a Sentry event as Python writes a traceback: the oldest frame first, the cause before what
it caused, and the exception that was raised last at the end.

Sentry sends `exception.values` in this order already, and each `stacktrace.frames` with the innermost frame last.
"""

from collections.abc import Iterator
from typing import Any, Final

from exporter.protocols.bounds import beginning
from exporter.protocols.json_value import object_of, objects_of, text_of

MAX_EXCEPTIONS: Final = 20  # the last ones, which are nearest to what was raised
MAX_FRAMES: Final = 150  # of one exception: a third from the outermost, the rest from the innermost
MAX_LINE: Final = 1_000  # characters of one line
MESSAGE: Final = "Message"  # the type of what has none: an event that is only a message, also one with a stack
HEAD: Final = "Traceback (most recent call last):"
CAUSE: Final = "The above exception was the direct cause of the following exception:"
CONTEXT: Final = "During handling of the above exception, another exception occurred:"


def traceback_of(event: dict[str, Any]) -> str:
    """Returns the traceback of an event, "" if it has none."""
    exceptions = objects_of(event.get("exception"))[-MAX_EXCEPTIONS:]
    if exceptions:
        parts = []
        for number, one in enumerate(exceptions):
            if number:
                parts.append(f"\n{_link(exceptions[number - 1])}\n")
            parts += _exception(one, _frames_of_thread(event) if number == len(exceptions) - 1 else [])
        return "\n".join(parts)
    frames = _frames(event) or _frames_of_thread(event)
    return "\n".join([HEAD, *_lines(frames)]) if frames else ""


def exception_line(one: dict[str, Any]) -> str:
    """Returns the last line of a traceback, such as `errors.NoGpu: none left`."""
    type_, module, value = (text_of(one.get(name)) for name in ("type", "module", "value"))
    name = f"{module}.{type_}" if module and type_ and module != "builtins" else type_ or MESSAGE
    return f"{name}: {value}" if value else name


def _exception(one: dict[str, Any], frames_of_thread: list[dict[str, Any]]) -> Iterator[str]:
    frames = _frames(one) or frames_of_thread
    if frames:
        yield HEAD
        yield from _lines(frames)
    yield exception_line(one)


def _link(cause: dict[str, Any]) -> str:
    """Returns the line after an exception that has led to the next one."""
    source = text_of(object_of(cause.get("mechanism")).get("source"))
    return CONTEXT if source == "__context__" else CAUSE


def _frames(one: dict[str, Any]) -> list[dict[str, Any]]:
    frames = object_of(one.get("stacktrace")).get("frames")
    return objects_of(frames)


def _frames_of_thread(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the frames of the thread that crashed, else of the current one."""
    threads = objects_of(event.get("threads"))
    for sign in ("crashed", "current"):
        for thread in threads:
            if thread.get(sign) and (frames := _frames(thread)):
                return frames
    return _frames(threads[0]) if len(threads) == 1 else []


def _lines(frames: list[dict[str, Any]]) -> Iterator[str]:
    for number, one in enumerate(frames):
        if len(frames) > MAX_FRAMES:
            first, left_out = MAX_FRAMES // 3, len(frames) - MAX_FRAMES
            if number == first:
                yield f"  [{left_out} frames were left out]"
            if first <= number < first + left_out:
                continue
        path = text_of(one.get("abs_path")) or text_of(one.get("filename")) or text_of(one.get("module")) or "?"
        line = one.get("lineno")
        place = f", line {line}" if isinstance(line, int) else ", line 0"
        path = path.replace('"', "'").replace("\n", " ")[:MAX_LINE]
        function = (text_of(one.get("function")) or "?").replace("\n", " ")[:MAX_LINE]
        yield f'  File "{path}"{place}, in {function}'
        if code := text_of(one.get("context_line")).strip():
            yield f"    {beginning(code, MAX_LINE)}"
