"""The kinds of text that the scanner in `mask.py` tells apart, besides the codes of `codes.py`.

Repetitions are possessive (`++`, `*+`) or bounded. This limits backtracking, so the time of the scanner is linear in
the length of the message.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from exporter.patterns.codes import STEMS
from exporter.patterns.fields import FIELD, HOLE, NO_FIELD, SEPARATORS, command, field, host, path, process, quoted_path
from exporter.patterns.folds import DAY_OR_MONTH

_NO_NUMBER: Final = r"(?:nan|NaN|NAN|inf|Inf|INF|infinity|Infinity)\b"
_ROOT: Final = r"(?:~?/\w|[A-Za-z]:[\\/]|\\\\)"
_QUOTED: Final = r"""(?:'[^'\n\[\]]{0,80}+'|"[^"\n\[\]]{0,80}+")"""
# A quoted name after one of these words is kept with its digits: fixture 'db2', no attribute 'layer1'.
_NAMING: Final = re.findall(
    r"\w+",
    "argument attribute class column command field fixture function key keyword method module name named option package"
    " parameter symbol table type variable",
)
# Not after the random end of a pod's name, which may have no digit. Kubernetes chooses its letters from these.
_NO_SUFFIX: Final = "(?<!-[bcdfghjklmnpqrstvwxz]{5})"
_NO_URL: Final = r"""\s"'<>()\[\]{}`|\x00"""
_NAMED: Final = "|".join(rf"(?<={word}\ ['\"])" for word in _NAMING)


_PROCESS: Final = r"(?:(?:[Pp]rocess|[Pp]id|[Tt]id|[Tt]ask)\ \d++\ \(|task\ [\w./-]{1,40}:\d|task=[^,]{1,40},pid=)"


class Kind(NamedTuple):
    """`name` is the name of a group of the scanner. `pattern` is a regular expression in verbose form. `replace` is the
    text that replaces a match, or a function that returns it; None if the match is kept."""

    name: str
    pattern: str
    replace: str | Callable[[re.Match[str]], str] | None


# The fast path: a run of words that have only letters, with their separators. It excludes words with which another kind
# may begin.
PLAIN: Final = Kind(
    "plain",
    rf"""(?:
          (?: (?=[jklmquyzKLQUVYZ]) | (?=[abdfB])(?![A-Fa-f]{{8}}) | (?=[ptP])(?!{_PROCESS})
            | (?!(?i:{STEMS})|{DAY_OR_MONTH}|{_NO_NUMBER}|SIG|[hsv]d[a-z]\b|[Cc]omm\b|{_PROCESS}|[A-Fa-f]{{8}}))
          [A-Za-z]++(?:-[A-Za-z]++)*+(?!=|:\S|\[\d){NO_FIELD}{_NO_SUFFIX}
          (?:[\s,;)\]}}>!?]|[.:](?=\s)|[<{{](?=[A-Za-z])|["'](?<!thread\ ['"])(?=[A-Za-z])(?!.:[\\/])
            |\((?=[A-Za-z])(?!n(?:il|ull)\))|\[(?=[A-Za-z])(?![A-Fa-f]{{1,4}}\d{{0,3}}:))*+
        )++""",
    None,
)
# A log record of a request that labels its measurements: `"GET /x HTTP/1.1" status: 200 len: 1893 time: 0.2`. Its
# status is masked as a measurement unless it is 500 or more. Without the labels, the status is a code. Tried before the
# codes.
RECORD: Final = Kind("record", r"""HTTP/\d(?:\.\d)?["']?\ status:\ [1-4]\d\d(?=\ \w{1,20}:\ \d)""", f"HTTP {HOLE}")
# Kinds that begin with a letter and contain a colon. Tried after the codes.
COLON: Final = (
    # https://a.example/x?id=1
    Kind(
        "url",
        rf"""[A-Za-z][\w+.-]{{0,30}}+://(?:\[[0-9A-Fa-f:.]++\])?(?:[^{_NO_URL}.,;:!?]|[.,;:!?](?=[^{_NO_URL}]))*+""",
        HOLE,
    ),
    # C:\Program Files\a.dll
    Kind("drive", rf"""[A-Za-z]:[\\/](?:(?:[^\s\\/:"'<>|,;]++\ ){{0,3}}+[^\s\\/:"'<>|,;]++[\\/]++)*+{FIELD}*+""", path),
    # ipv6:[::1]:80: the prefix of an address
    Kind("ip_prefix", r"ipv[46]:(?=[\d\[%])", HOLE),
    # FF:F2:9F:16:E2 · fe80::1%eth0
    Kind(
        "hex_colons",
        r"""[A-Fa-f](?=[A-Fa-f:]{0,20}+\d|[A-Fa-f]:(?:[A-Fa-f]{2}:){3})[0-9A-Fa-f]{0,7}+(?:::|:[0-9A-Fa-f]{1,4}:)
            (?:[0-9A-Fa-f]{1,4}:{1,2}){0,14}+[0-9A-Fa-f]{0,4}(?!\w)""",
        HOLE,
    ),
    # node-a:30654:36364 [2]: host, process and thread in front of a library's message
    Kind("origin", r"[A-Za-z][\w.-]*+:\d{2,}:\d{2,}(?=\ \[)", HOLE),
    # api.example.com:443 · localhost:8080 · host node-a:22
    Kind(
        "host",
        r"""(?:(?:[A-Za-z_-]++\.)++[A-Za-z]{2,12}+|localhost|(?:(?<=\bhost\ )|(?<=server\ )|(?<=peer\ ))[A-Za-z][\w-]*+)
            (?=:\d{2,5}(?!\d))""",
        host,
    ),
)
# Kinds that begin with a word without a digit.
WORD: Final = (
    # worker_exit_code, sys.exit: the part before a code's label
    Kind("prefix", r"(?:[A-Za-z]++[_.])*?[A-Za-z]++[_.](?=(?i:s?xid|exit|err|status|code|ret|sql|sig))", None),
    # Mar 15 12:34:56 · Sun, 15 Mar: only the names match, because the numbers are other fields
    Kind("date", rf"(?=[ADFJMNOSTW])(?:{DAY_OR_MONTH}[.,]?\s{{1,3}}){{1,3}}+(?=\d)", HOLE + " "),
    # the name of a process: process 17 (python) · task python:17 · task=python,pid=17 · comm python: · a[17]: segfault
    Kind(
        "process",
        rf"""(?:(?={_PROCESS})(?:\w++\ \d++\ \([^()\n]{{1,60}}\)|task\ [\w./-]++:\d++|task=[^,]++)
             | [Cc]omm\b[:=]?\ ?[\w./-]{{1,60}}(?::\ )?
             | [A-Za-z][\w.-]{{0,40}}+\[\d++\](?=:?\ (?:segfault|general|trap)))""",
        process,
    ),
    # sda, vdb: disks
    Kind("disk", r"[hsv]d[a-z]\b(?![\w-])", HOLE),
    # nan
    Kind("no_number", rf"{_NO_NUMBER}{NO_FIELD}", HOLE),
)
# Other fields that begin with a letter.
LETTER: Final = (
    # No module named 'cv2' · has no attribute 'layer1': the name of a module, function or the like
    Kind(
        "identifier",
        rf"""(?<=\ ['"])(?:{_NAMED})[A-Za-z](?:[A-Za-z_.-]|\d{{1,3}}(?!\d))*+(?=['"])""",
        None,
    ),
    # ring sdma1 · ring gfx_0.0.0: the engine of a GPU, without its number
    Kind(
        "engine",
        r"(?<=ring\ )(?P<engine_id>[a-z]{2,8})[\d_.][\w.]*+(?=\ timeout)",
        lambda found: found["engine_id"],
    ),
    Kind("name", rf"[A-Za-z]{FIELD}*+", field),
)
# Kinds that begin with a digit: numbers, times, versions, ids, and lists of them.
DIGIT: Final = (Kind("number", rf"\d{FIELD}*+(?:[ ,:]{{1,2}}\d{FIELD}*+)*+", HOLE),)
# Kinds that begin with another character.
OTHER: Final = (
    # separators of fields with which none of the kinds below begins
    Kind(
        "separators",
        rf"""(?:[\s,;)\]}}{{>`|\x00]|<(?!\ ?\d)|["'](?<!thread\ ['"])(?!{_ROOT})|=(?![\s,;&]|\Z)
            |\[(?!['"\s]|[0-9A-Fa-f.]{{0,15}}+:)|\((?![\s\dn)])|:(?!:|(?<=\s:)\d))++""",
        None,
    ),
    # /srv/a.csv · ../x · ~/x · \\host\share
    Kind("path", rf"(?:(?:~|\.{{1,2}})?/(?=[\w.~*$@%/-])(?:{FIELD}|[=&])++|\\\\{FIELD}++)", path),
    # "/srv/my data/a.csv"
    Kind(
        "path_in_quotes",
        rf"""(?:"(?={_ROOT})(?:[^":\n]|:(?!:)){{2,400}}+"|'(?={_ROOT})(?:[^':\n]|:(?!:)){{2,400}}+')""",
        quoted_path,
    ),
    # thread 'main' panicked
    Kind("thread", r"(?:(?<=thread\ )'[^'\n]{1,60}'(?=\ (?:panicked|\()))", f"'{HOLE}'"),
    # <1s: less than the shortest duration that is shown
    Kind("less_than", r"<(?<![\w<]<)(?=\ ?\d++(?:\.\d++)?\ ?[a-z])", HOLE),
    # [::1]:80 · ::1
    Kind(
        "ip",
        r"""(?:\[(?=[0-9A-Fa-f.]*+:)[0-9A-Fa-f:.]{2,45}+(?:%\w{1,20})?\]|(?<!\w)::
            (?:[0-9A-Fa-f]{1,4}(?:::?|\b)){1,7}+)""",
        HOLE,
    ),
    # listens on :8080 · :::8080
    Kind("port", r":(?<=\s:):{0,2}(?=\d)", HOLE),
    # url: / · '/': the root as a value
    Kind("root", r"""/(?=[\s"',;)]|$)(?:(?<=[=:"']/)|(?<=[=:]\ /))""", HOLE),
    # (nil) · -inf
    Kind("nil", rf"(?:\((?:nil|null)\)|[-+]{_NO_NUMBER}{NO_FIELD})", HOLE),
    # rhost= · user () at: an empty value
    Kind("empty_value", r"(?<=\w)=(?=\s\w++=|\s*+$|[,;&])", f"={HOLE}"),
    Kind("empty_brackets", r"\((?<=\s\()\)", f"({HOLE})"),
    # '['git', 'fetch']' · ['a', 'b']: a list of quoted values. In quotes it is a command, whose program is kept
    Kind("command", rf"\[(?<='\[){_QUOTED}(?:,\ ?{_QUOTED})*+\](?=')", command),
    Kind("quoted_list", rf"\[(?<!\w\[){_QUOTED}(?:,\ ?{_QUOTED})*+\]", f"[{HOLE}]"),
    # [ 12.345678]: blanks that right-align a number
    Kind("padding", r"[\[(]\s+(?=\d)", lambda found: found.group()[0]),
    # -5 · #3 · _x · ключ
    Kind("other_field", rf"(?!\.)[^{SEPARATORS}]{FIELD}*+", field),
    Kind("rest", r"(?:\.++|[\s\S])", None),
)
KINDS: Final = (PLAIN, RECORD, *COLON, *WORD, *LETTER, *DIGIT, *OTHER)
