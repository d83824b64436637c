"""Reads JUnit XML, of which every tool writes its own dialect, as a stream of test results.

    testsuites? ─► testsuite* (nested) ─► testcase* ─► failure | error | skipped | rerunFailure | flakyFailure | …
                                                       each with message, type and a text; system-out, system-err

What is no XML is mended first (xml_mending.py). Of a file that ends early, the results before its end are returned.
Declarations of entities and of document types are refused, so nothing is expanded.
"""

from collections.abc import Callable
from typing import Any, Final
from xml.parsers import expat

from msgspec import Struct, field

from exporter.protocols.bounds import beginning, ending
from exporter.protocols.json_value import MessageError
from exporter.protocols.xml_mending import mended

MAX_CASES: Final = 100_000
MAX_DEPTH: Final = 64
MAX_NAME: Final = 1_024  # characters of a name or another attribute; a message may have more
MAX_TEXT: Final = 65_536  # characters of a text: the first quarter, and the rest from the end
MAX_ATTEMPTS: Final = 100  # problems of one test
MAX_TOTAL: Final = 67_108_864  # characters of all texts that are kept
PROBLEMS: Final = ("failure", "error", "rerunFailure", "rerunError", "flakyFailure", "flakyError")
OUTPUTS: Final = ("system-out", "system-err")


class Text:
    """A text of which the beginning and the end are kept."""

    def __init__(self, most: int = MAX_TEXT) -> None:
        self._most = most
        self._head: list[str] = []
        self._tail: list[str] = []
        self._head_size = self._tail_size = self.cut = 0

    def add(self, text: str) -> None:
        room = max(self._most // 4 - self._head_size, 0)
        if room:
            self._head.append(text[:room])
            self._head_size += len(text[:room])
        if rest := text[room:]:
            self._tail.append(rest)
            self._tail_size += len(rest)
            if self._tail_size > 2 * self._most:
                self._shorten()

    @property
    def value(self) -> str:
        self._shorten()
        head, tail = "".join(self._head), "".join(self._tail)
        if not self.cut:
            return head + tail
        # redaction would not know the half of a token
        words = beginning(head + "x", len(head)), ending("x" + tail, len(tail))
        cut = self.cut + len(head) + len(tail) - sum(map(len, words))
        return f"{words[0]}\n…[cut: {cut:,} characters]…\n{words[1]}"

    def _shorten(self) -> None:
        most = self._most - self._most // 4
        tail = "".join(self._tail)
        self.cut += max(len(tail) - most, 0)
        tail = tail[len(tail) - most :] if most < len(tail) else tail
        self._tail, self._tail_size = [tail], len(tail)


class Problem(Struct):
    """A failed attempt of a test. `kind` is the name of its element."""

    kind: str
    type: str
    message: str
    text: str = ""


class Case(Struct):
    """One `testcase`, or a problem of a suite itself. `outcome` is passed, failed, errors or skipped. `id` is the id of
    the test, once `junit_names.py` has found it."""

    attributes: dict[str, str]
    suite: dict[str, str]
    problems: list[Problem] = field(default_factory=list)
    skipped: bool = False
    output: str = ""
    id: str = ""

    @property
    def outcome(self) -> str:
        kinds = {one.kind for one in self.problems}
        if "error" in kinds:
            return "errors"
        if "failure" in kinds:
            return "failed"
        return "skipped" if self.skipped else "passed"


class Results(Struct):
    """`complete` is False if the file ended early; `why` says where. `root` has the attributes of the root element."""

    cases: list[Case] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    root: dict[str, str] = field(default_factory=dict)
    complete: bool = True
    why: str = ""


def read_junit(body: bytes) -> Results:
    """Returns the results of a file. Raises `MessageError` if it is no JUnit XML at all, or has too many results."""
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(mended(body), True)
    except expat.ExpatError as error:
        if not reader.names_seen:
            raise MessageError(f"not XML: {error}") from None
        reader.results.complete, reader.results.why = False, f"the XML ends early: {error}"
        reader.end_all()
    if not reader.is_junit:
        raise MessageError("not JUnit XML: it has no element testsuite, testsuites or testcase")
    return reader.results


def _refuse(*_: Any) -> None:
    raise MessageError("the XML declares a document type or entities, which are not read")


class _Reader:
    """Makes results of the parser's events. One text is collected at a time: that of the innermost wanted element."""

    def __init__(self) -> None:
        self.results = Results()
        self.names_seen = 0
        self.is_junit = False
        self._names: list[str] = []
        self._suites: list[dict[str, str]] = []
        self._case: Case | None = None
        self._problem: Problem | None = None
        self._text: Text | None = None
        self._outputs: dict[str, str] = {}
        self._total = 0
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {
            "testsuite": self._start_suite, "testcase": self._start_case, "skipped": self._skip,
            "property": self._property,
        }  # fmt: skip

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        self.names_seen += 1
        self._names.append(name)
        if len(self._names) > MAX_DEPTH:
            raise MessageError(f"the XML is nested more than {MAX_DEPTH} levels deep")
        if name in ("testsuites", "testsuite") and not self.results.root:
            self.results.root = _short(attributes)
        self.is_junit = self.is_junit or name in ("testsuites", "testsuite", "testcase")
        if name in PROBLEMS:
            self._start_problem(name, attributes)
        elif name == "stackTrace" or (name in OUTPUTS and self._text is None):  # a problem's own text is blank then
            self._text = Text()
        elif begin := self._starts.get(name):
            begin(attributes)

    def end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        self._names.pop()
        if name in PROBLEMS and self._problem is not None:
            if self._text is not None and not self._problem.text:
                self._problem.text = self._kept(self._text)
            self._problem = self._text = None
        elif name == "stackTrace" and self._problem is not None and self._text is not None:
            self._problem.text, self._text = self._kept(self._text), Text(0)
        elif name in OUTPUTS and self._problem is None and self._text is not None:
            if self._case is not None:
                self._outputs[name] = self._kept(self._text)
            self._text = None
        elif name == "testcase" and self._case is not None:
            self._end_case(self._case)
        elif name == "testsuite" and self._suites:
            self._suites.pop()

    def end_all(self) -> None:
        """Ends what is open where the file ends early."""
        while self._names:
            self.end(self._names[-1])

    def text(self, text: str) -> None:
        if self._text is not None:
            self._text.add(text)

    def _kept(self, text: Text) -> str:
        value = text.value
        self._total += len(value)
        return value if self._total <= MAX_TOTAL else "[cut]"

    def _start_suite(self, attributes: dict[str, str]) -> None:
        around = self._suites[-1] if self._suites else {}
        inherited = {name: around[name] for name in ("hostname", "timestamp") if name in around}
        self._suites.append(inherited | _short(attributes))

    def _start_case(self, attributes: dict[str, str]) -> None:
        self._case = Case(_short(attributes), self._suites[-1] if self._suites else {})
        self._outputs = {}

    def _end_case(self, case: Case) -> None:
        if len(self.results.cases) >= MAX_CASES:
            raise MessageError(f"more than {MAX_CASES} test cases in one file")
        status = case.attributes.get("status", "")
        case.skipped = case.skipped or status in ("notrun", "disabled", "skipped")
        if case.problems:
            case.output = "\n".join(text for text in self._outputs.values() if text.strip())
        self.results.cases.append(case)
        self._case = None

    def _start_problem(self, name: str, attributes: dict[str, str]) -> None:
        problem = Problem(
            name, attributes.get("type", "")[:MAX_NAME], beginning(attributes.get("message", ""), MAX_TEXT)
        )
        if self._case is not None and len(self._case.problems) < MAX_ATTEMPTS:
            self._case.problems.append(problem)
        elif self._case is None and len(self.results.cases) < MAX_CASES:
            suite = self._suites[-1] if self._suites else {}
            self.results.cases.append(Case({"name": suite.get("name", "")}, suite, [problem]))
        self._problem, self._text = problem, Text()

    def _skip(self, _: dict[str, str]) -> None:
        if self._case is not None:
            self._case.skipped = True

    def _property(self, attributes: dict[str, str]) -> None:
        if self._case is None and len(self.results.properties) < 100 and (name := attributes.get("name")):
            self.results.properties.setdefault(name[:MAX_NAME], attributes.get("value", "")[:MAX_NAME])


def _short(attributes: dict[str, str]) -> dict[str, str]:
    return {name[:MAX_NAME]: value[:MAX_NAME] for name, value in list(attributes.items())[:50]}
