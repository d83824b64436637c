"""Parse: the bytes of a request become checked error reports.

msgspec decodes the well-formed ones. A report with a field of another type, and one that only Python's `json` accepts
(NaN, lone surrogates), is read tolerantly: see `exporter.events.tolerant`.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from exporter.events.lenient import loads, replaced
from exporter.events.report import MAX_EVENT_ID, ErrorReport
from exporter.events.tolerant import Dropped, readable
from exporter.events.values import kind
from exporter.ingest.nesting import MAX_DEPTH, NestingError, check_nesting
from exporter.ingest.size_limits import CutReport, SizeLimits, cut_report, without_depth

MAX_LENIENT: Final = 200_000  # commas in a report that only Python's `json` can read
BOM: Final = b"\xef\xbb\xbf"  # programs on Windows put it before UTF-8; RFC 8259 lets a reader ignore it
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")

# What to send instead, in the words of somebody who writes a worker.
_OBJECT: Final = 'send one object, such as {"worker_id": "gpu-node-3", "message": "what happened"}'
_ARRAY: Final = 'send an array, such as [{"worker_id": …}, …], or one report per line as application/x-ndjson'
_WORKER: Final = 'send the name of the worker, such as "gpu-node-3"'
_MESSAGE: Final = 'send what happened, such as "CUDA out of memory"'
_EVENT_ID: Final = "send an id of your own, the same again when you repeat the report, or leave it out"
_FLATTEN: Final = "send what is nested as a string"


class ReportError(ValueError):
    """A report that cannot be accepted. `field` is the path of the wrong value ("" for the whole body); `reason` is
    the label value of the counter of rejected reports."""

    def __init__(self, message: str, *, field: str = "", reason: str = "invalid_field") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.reason = reason


class TooNestedError(ReportError):
    """A report that is nested too deeply, or has too many objects and arrays."""


class _Anything(msgspec.Struct):
    """Decoding it only checks that a text is the JSON of an object."""


_decode = msgspec.json.Decoder(ErrorReport).decode
_decode_anything = msgspec.json.Decoder(_Anything).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def parse_within(body: bytes, limits: SizeLimits) -> tuple[ErrorReport, str, Sequence[Dropped], tuple[str, ...]]:
    """As `parse_report`, for a report that is cut first if it is too large or nested too deeply. Also returns a warning
    for each field that was cut."""
    if len(body) <= limits.field:
        try:
            return (*parse_report(body), ())
        except TooNestedError:
            pass
    cut = _cut(body, limits)
    if cut is None:  # only Python's `json` can read it, if anything
        report, text, dropped = parse_report(body)
        if len(text) <= limits.field or (cut := _cut(text.encode(), limits)) is None:
            return report, text, dropped, ()
    return (*parse_report(cut.body), cut.warnings)


def _cut(body: bytes, limits: SizeLimits) -> CutReport | None:
    """Returns None if `body` is not an object that msgspec can read. Raises `TooNestedError`."""
    try:
        return cut_report(body, limits)
    except RecursionError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    try:
        cut = cut_report(without_depth(body.strip()), limits)
    except NestingError as wrong:
        raise _too_nested(str(wrong)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return cut._replace(warnings=(f"nested more than {MAX_DEPTH} levels deep: cut", *cut.warnings))


def parse_report(body: bytes) -> tuple[ErrorReport, str, Sequence[Dropped]]:
    """Parses the JSON object of one report. Returns the checked report; its JSON text, which is what is stored; and the
    values that could not be read. Raises `ReportError`."""
    dropped: Sequence[Dropped] = ()
    try:
        report = _decode(body)
        text = body.decode()
        # `bytes.replace` searches twice as fast as `count`, which was 5 % of the time of a batch.
        if 2 * len(body) - len(body.replace(b"{", b"")) - len(body.replace(b"[", b"")) > MAX_DEPTH:
            check_nesting(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        report, text, dropped = _parse_tolerantly(body, error)
    except NestingError as error:
        raise _too_nested(str(error)) from None
    if not report.worker_id:
        raise _refused("worker_id", "required, a string that is not empty", _WORKER, dropped)
    if not (report.message or report.type):
        raise _refused("message", "required unless type is given", _MESSAGE, dropped)
    event_id = report.event_id
    if not 0 < len(event_id) <= MAX_EVENT_ID if event_id is not None else dropped and _has("event_id", dropped):
        # Stored without its id, the report would be counted again when it is repeated.
        raise _refused("event_id", f"expected 1 to {MAX_EVENT_ID} characters", _EVENT_ID, dropped)
    return report, text, dropped


def may_be_read(body: bytes) -> bool:
    """Returns False only if `parse_report` refuses `body` for certain. Takes much less time."""
    try:
        _decode_anything(body.removeprefix(BOM))
    except msgspec.ValidationError:
        return False
    except msgspec.DecodeError:
        return body.count(b",") <= MAX_LENIENT
    except RecursionError:
        pass
    return True


def split_reports(body: bytes, *, ndjson: bool) -> list[bytes]:
    """Splits a batch into the JSON of its reports: the items of an array, or the lines of NDJSON. Raises `ReportError`
    if the array itself cannot be read; the items are checked when each is parsed."""
    body = body.removeprefix(BOM)
    if ndjson:
        return [line for line in body.split(b"\n") if line.strip()]
    try:
        return [bytes(item) for item in _decode_items(body)]
    except msgspec.ValidationError:
        raise ReportError(f"expected an array of reports; {_ARRAY}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        items = replaced(_loads(_text(body), error, _ARRAY))
        if not isinstance(items, list):
            raise ReportError(f"expected an array of reports; {_ARRAY}") from None
        return [msgspec.json.encode(item) for item in items]


def _parse_tolerantly(body: bytes, error: Exception) -> tuple[ErrorReport, str, Sequence[Dropped]]:
    """As `parse_report`, for a report that msgspec could not decode, with `error`."""
    if isinstance(error, RecursionError):
        raise _too_nested("nested too deeply") from None
    body = body.removeprefix(BOM)
    text = _text(body)
    lenient = False
    try:
        sent = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as wrong:
        lenient = True
        sent = _loads(text, wrong, _OBJECT)
        if not _is_json(body):
            text = msgspec.json.encode(replaced(sent)).decode()
    if not isinstance(sent, dict):
        raise ReportError(f"expected an object, got {kind(sent)}; {_OBJECT}") from None
    try:
        check_nesting(text.encode())
    except NestingError as wrong:
        raise _too_nested(str(wrong)) from None
    read, dropped = readable(sent)
    return msgspec.convert(replaced(read) if lenient else read, ErrorReport), text, dropped


def _text(body: bytes) -> str:
    if body.startswith(UTF_16):
        raise ReportError("the text is UTF-16; send it as UTF-8", reason="malformed")
    try:
        return body.decode()
    except UnicodeDecodeError as wrong:
        raise ReportError(f"not UTF-8 at byte {wrong.start}; send the text as UTF-8", reason="malformed") from None


def _loads(text: str, error: Exception, advice: str) -> Any:
    """Decodes what only Python's `json` accepts. Raises `ReportError` that tells `error` for everything else."""
    if text.count(",") > MAX_LENIENT:
        raise ReportError(f"not JSON: {error}; {advice}", reason="malformed")
    try:
        return loads(text)
    except RecursionError:
        raise _too_nested("nested too deeply") from None
    except ValueError:
        raise ReportError(f"not JSON: {error}; {advice}", reason="malformed") from None


def _is_json(body: bytes) -> bool:
    try:
        _decode_anything(body)
    except msgspec.DecodeError:
        return False
    return True


def _has(field: str, dropped: Sequence[Dropped]) -> bool:
    return any(one.field == field for one in dropped)


def _refused(field: str, words: str, advice: str, dropped: Sequence[Dropped]) -> ReportError:
    got = "".join([f", got {one.got}" for one in dropped if one.field == field])
    return ReportError(f"{words}{got}; {advice}", field=field)


def _too_nested(words: str) -> TooNestedError:
    return TooNestedError(f"{words}; {_FLATTEN}", reason="malformed")
