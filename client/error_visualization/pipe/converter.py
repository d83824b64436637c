"""Lines of a log → reports. One thread."""

from __future__ import annotations

import datetime as dt
import time as clock
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from error_visualization.kernel import recognise
from error_visualization.pipe import json_lines, kernel_lines, syslog, text
from error_visualization.pipe.entry import ERROR, Entry
from error_visualization.stacks import Joiner, Stack, find_all

FORMATS: Final = ("auto", "ndjson", "syslog", "kmsg", "text")
MAX_SOURCES: Final = 100  # programs whose lines are joined to stack traces at one time

Fields = dict[str, Any]


class Converter:
    """`push` each line, `flush` when no line came for a while and at the end. Both return reports without worker and
    time of receipt, in the order of the lines of each program. `every`: reports lines that are no errors, too."""

    def __init__(
        self, format_: str = "auto", *, every: bool = False, boot_id: str | None = None,
        now: Callable[[], dt.datetime] = dt.datetime.now,
    ) -> None:  # fmt: skip
        self._format, self._every, self._boot_id, self._now = format_, every, boot_id, now
        self._sources: OrderedDict[object, _Source] = OrderedDict()

    def push(self, line: str) -> list[Fields]:
        line = line.rstrip("\r\n")
        if self._format in ("auto", "ndjson") and line.lstrip()[:1] == "{":
            found = json_lines.decode(line)
            if found is not None:
                return self._object(found)
        entry = self._read(line)
        if entry is None:
            entry = Entry(line)
            return self._joined(None, entry) if self._format != "kmsg" or self._every else []
        if entry.kernel:
            return self._judge(entry, None)
        said = entry.fields.get("syslog", {})
        return self._joined((said.get("host"), said.get("program"), said.get("pid")), entry)

    def flush(self, idle: float = 0.0) -> list[Fields]:
        """Returns what is held for lines that might still come, of the programs without a line for `idle` seconds."""
        before = clock.monotonic() - idle
        quiet = [source for source in self._sources.values() if source.touched <= before]
        return [fields for source in quiet for fields in self._reports(source.flush())]

    def _object(self, found: Mapping[str, Any]) -> list[Fields]:
        inner = json_lines.unwrapped(found)
        if inner is not None:
            time = found.get("time")
            entry = self._read(inner.rstrip("\n")) or Entry(inner.rstrip("\n"))
            return self._joined("log", entry._replace(time=time if isinstance(time, str) else entry.time))
        if json_lines.is_report(found):
            return [dict(found)]
        entry = json_lines.entry(found)
        return self._judge(entry, None)

    def _read(self, line: str) -> Entry | None:
        if self._format in ("auto", "kmsg"):
            entry = kernel_lines.entry(line)
            if entry:
                return entry
        return syslog.entry(line, self._now()) if self._format in ("auto", "syslog", "kmsg") else None

    def _joined(self, key: object, entry: Entry) -> list[Fields]:
        if "\n" in entry.message:
            return self._judge(entry, None)
        source = self._sources.get(key)
        ended: list[Fields] = []
        if source is None:
            if len(self._sources) >= MAX_SOURCES:
                ended = self._reports(self._sources.popitem(last=False)[1].flush())
            source = self._sources[key] = _Source()
        self._sources.move_to_end(key)
        return ended + self._reports(source.push(entry))

    def _reports(self, pairs: list[tuple[Entry, Stack | None]]) -> list[Fields]:
        return [fields for entry, stack in pairs for fields in self._judge(entry, stack)]

    def _judge(self, entry: Entry, stack: Stack | None) -> list[Fields]:
        """Returns the report of an entry, none if it is no error."""
        event = recognise(entry.message) if entry.kernel else None
        bad = entry.severity is not None and entry.severity <= ERROR
        if not (event or stack or bad or self._every) or not (entry.message.strip() or stack):
            return []
        fields: Fields = event.fields(entry.message) if event else {}
        fields = {
            "type": _type(entry), "message": entry.message, **_plain_fields(entry), **fields,
            "kernel": {**entry.fields.get("kernel", {}), **fields.get("kernel", {})} or None,
            "timestamp": entry.time, "log_severity": entry.severity,
        }  # fmt: skip
        if stack is None and "\n" in entry.message:
            stack = next(iter(find_all(entry.message)[-1:]), None)
        if stack:
            if entry.message not in stack.text:
                fields["log_message"] = entry.message
            fields |= {"type": stack.type, "message": stack.message or stack.type, "traceback": stack.text}
        elif entry.fields.get("traceback"):
            inside = next(iter(find_all(str(entry.fields["traceback"]))[-1:]), None)
            fields["type"] = entry.fields.get("type") or (inside.type if inside else fields["type"])
        sequence = entry.fields.get("kernel", {}).get("sequence")
        if self._boot_id and sequence is not None:
            fields["event_id"] = f"{self._boot_id}-{sequence}"
        return [{name: value for name, value in fields.items() if value not in (None, "", {})}]


def _type(entry: Entry) -> str:
    if entry.kernel:
        return "KernelError"
    if entry.severity is None or entry.severity > ERROR:
        return "LogLine"
    return "LogError" if entry.severity == ERROR else "LogCritical"


def _plain_fields(entry: Entry) -> Fields:
    return {name: value for name, value in entry.fields.items() if name != "kernel"}


class _Source:
    """The lines of one program: joins those of a stack trace, and the error line right before it."""

    def __init__(self) -> None:
        self._joiner = Joiner()
        self._entries: deque[Entry] = deque()  # of the lines that the joiner holds
        self.touched = 0.0
        self._error: Entry | None = None  # an error that waits for its stack trace

    def push(self, entry: Entry) -> list[tuple[Entry, Stack | None]]:
        self._entries.append(entry)
        self.touched = clock.monotonic()
        return self._take(self._joiner.push(entry.message))

    def flush(self) -> list[tuple[Entry, Stack | None]]:
        pairs = self._take(self._joiner.flush())
        self._entries.clear()
        return pairs + self._ended()

    def _take(self, items: list[str | Stack]) -> list[tuple[Entry, Stack | None]]:
        pairs: list[tuple[Entry, Stack | None]] = []
        for item in items:
            if isinstance(item, Stack):
                first = self._entries.popleft()
                for _ in range(item.text.count("\n")):
                    self._entries.popleft()
                pairs.append((self._error or first, item))
                self._error = None
                continue
            pairs += self._ended()
            entry = _graded(self._entries.popleft())
            if entry.severity is not None and entry.severity <= ERROR:
                self._error = entry
            else:
                pairs.append((entry, None))
        return pairs

    def _ended(self) -> list[tuple[Entry, Stack | None]]:
        error, self._error = self._error, None
        return [(error, None)] if error else []


def _graded(entry: Entry) -> Entry:
    """Returns the entry with the severity and the time that its text says, if its format did not."""
    if entry.severity is not None:
        return entry
    said = text.entry(entry.message)
    return entry._replace(
        severity=said.severity,
        message=said.message if said.severity is not None else entry.message,
        time=entry.time if entry.time is not None else said.time,
    )
