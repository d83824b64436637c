"""Lines of plain text: which of them are errors, by the word that loggers put in front."""

from __future__ import annotations

import re
from typing import Final

from error_visualization.pipe.entry import SEVERITIES, Entry

_GLOG: Final = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w./-]+:\d+\] (.*)")
_WORD: Final = r"EMERG(?:ENCY)?|ALERT|CRIT(?:ICAL)?|FATAL|PANIC|SEVERE|ERROR|ERR|WARN(?:ING)?|NOTICE|INFO|DEBUG|TRACE"
# At the start or after a bracket: "ERROR: …", "[main] ERROR …"; after a name, if both are set off: "app - ERROR - …".
_LEVEL: Final = re.compile(
    rf"(?:[\[(<][^\])>]{{1,60}}[\])>][ |:-]*)?[\[(<|]?\s?({_WORD})\b[\])>|]?(?:\s|[:|]|$)[\s:|-]*"
    rf"|\S{{1,80}}(?: - | \| |:|: ?\[| \[)({_WORD})(?: - | ?\| |\]|:)[\s:|-]*"
)
_LOWER: Final = re.compile(rf"(?:{_WORD})(?:\[\w+\])?: |\[(?:{_WORD})\] ", re.IGNORECASE)
_TIME: Final = re.compile(r"[\[(]?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)[\])]?[\s|-]*")


def entry(line: str) -> Entry:
    """Returns the entry of a line; its severity is None if no level is written in it."""
    glog = _GLOG.match(line)
    if glog:
        return Entry(glog[2], SEVERITIES[glog[1].lower()])
    time = _TIME.match(line)
    rest = line[time.end() :] if time else line
    found = _LEVEL.match(rest)
    severity, message = None, rest
    if found:
        severity, message = SEVERITIES[(found[1] or found[2]).lower()], rest[found.end() :] or rest
    else:
        lower = _LOWER.match(rest)
        if lower:
            severity = SEVERITIES.get(re.sub(r"\W.*", "", lower[0].strip("[ ")).lower())
            message = rest[lower.end() :] if lower[0].startswith("[") else rest
    return Entry(message, severity, time[1] if time else None)
