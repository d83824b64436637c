"""Codes that tell faults apart: how programs write each code, and the one spelling in which masking keeps it.

Each `Code` is one alternative of the scanner in `mask.py`, which tries it at the beginning of each field of a message.
"""

import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

# What may stand between a label and its number: `=`, `: `, ` (`, `": "`, `[`, ` #`.
_GAP: Final = r"""["'\s:=(\[\#]{1,12}+"""
# The number ends here: no unit, fraction or range follows. The number ends in `503: x`, `503,` and `503.`.
_END: Final = r"(?![\w@/\\%]|[.:,-]\d)"
_HEX: Final = r"0[xX][0-9a-fA-F]{1,16}+"
_CODE: Final = rf"(?:{_HEX}|-?\d{{1,10}}+)"
_HTTP: Final = r"(?:10[0-3]|20[0-8]|226|30[0-8]|4(?:0\d|1[0-8]|2[1-689]|31|51|99)|5(?:0[0-8]|1[01]|2[0-6]))"
# What precedes the status of an answer.
ANSWER: Final = rf"(?i:got|received|returned|expected)(?:\ (?:with|an?|http|status|code|error)){{0,4}}+{_GAP}"
# What follows a number after `got` or `returned` if the number is a status and not a count.
_NO_COUNT: Final = r"(?=\s*+(?:$|[^\w\s]|(?:after|and|at|but|by|for|from|in|instead|on|there|to|when|while)\b))"
_NAMES: Final = re.compile(r"\w+")
# Names of signals by their number on Linux, from 1. Numbers of other systems are read as Linux numbers.
_SIGNALS: Final = _NAMES.findall(
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG"
    " XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
# Names of gRPC status codes by number, from 0.
_GRPC: Final = _NAMES.findall(
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED"
    " RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS"
    " UNAUTHENTICATED"
)


class Code(NamedTuple):
    """A kind of code. `first` is the kind of character that it begins with. `stems` is a regular expression of the
    beginnings of its labels, which match in any case; "" if the stems of another code cover them. `spell` returns the
    kept spelling of a match."""

    name: str
    first: Literal["letter", "digit", "other"]
    stems: str
    pattern: str
    spell: Callable[[re.Match[str]], str]


def number(text: str) -> str:
    """Returns a code in one spelling: status codes of Windows as `0x` and 8 hex digits, others in decimal.
    `3221225477`, `-1073741819` and `0xC0000005` are one code. `0:9` (Slurm: exit code and signal) and `E1101` are
    unchanged."""
    if ":" in text or text[0].isupper():
        return text
    value = int(text, 16) if text[:2] in ("0x", "0X") else int(text)
    if value >= 1 << 31 or value < -(1 << 16):
        return f"0x{value % (1 << 32) if value < 0 else value:08x}"
    return str(value)


def _labelled(label: str, group: str) -> Callable[[re.Match[str]], str]:
    return lambda found: f"{label} {number(found[group])}"


def _as_written(found: re.Match[str]) -> str:
    return " ".join(found.group().split())


def _signal(found: re.Match[str]) -> str:
    text = found["signal_id"]
    if not text.isdecimal():
        return text
    value = int(text)
    return f"SIG{_SIGNALS[value - 1]}" if 0 < value <= len(_SIGNALS) else f"signal {value}"


def _xid(found: re.Match[str]) -> str:
    return f"{'sxid' if found['xid_switch'] else 'xid'} {found['xid_id']}"


def _gpu(found: re.Match[str]) -> str:
    library = found["gpu_library"].upper()
    return f"{'CUDA' if library == 'CU' else library} error {number(found['gpu_id'])}"


def _grpc(found: re.Match[str]) -> str:
    value = int(found["grpc_id"])
    return f"gRPC {_GRPC[value] if value < len(_GRPC) else value}"


CODES: Final = (
    # Xid (PCI:0000:3b:00): 79, pid=17, name=python3 · XID errors: 94 · DCGM_FI_DEV_XID_ERRORS 79 · SXid (…): 20034
    Code(
        "xid",
        "letter",
        "s?xid",
        rf"""(?i:(?P<xid_switch>s)?xids?(?:[ _](?:error|err|code|id|number)s?)?+)(?:\s?\(\w{{1,8}}:[\w:.]{{2,24}}\))?+
             (?:\{{[^{{}}\n]{{0,400}}\}})?+{_GAP}(?P<xid_id>\d{{1,6}}(?:\.\d{{1,3}})?){_END}
             (?:,\ ?pid=[^,\n]{{1,40}})?+(?:,\ ?name=[^,\n]{{1,80}})?+""",
        _xid,
    ),
    # exit code 137 · exited with 137 · exit_code=137 · rc=137 · return code: -9 · ExitCode=0:9 (Slurm)
    Code(
        "exit",
        "letter",
        "exit|ret|rc",
        rf"""(?i:exit(?:ed|s|ing)?+(?:[ _-]{{1,2}}(?:with|by|an?|the|non-?zero|exit|return|result)\b){{0,4}}+
                   (?:[ _-]{{0,2}}(?:code|status|value))?+
               | ret(?:urn)?(?:ed)?[ _-]?code | rc){_GAP}(?P<exit_id>\d{{1,3}}:\d{{1,3}}(?!:)|{_CODE}){_END}""",
        _labelled("exit code", "exit_id"),
    ),
    # command terminated with non-zero exit code: Error executing in container: 137
    Code(
        "exit_at_end",
        "letter",
        "",
        rf"(?i:exit[ _-]?(?:code|status))\b[^\d\n]{{0,60}}:\ (?P<exit_at_end_id>\d{{1,3}}){_END}\W{{0,3}}$",
        _labelled("exit code", "exit_at_end_id"),
    ),
    # Popen returned -9
    Code(
        "exit_negative",
        "letter",
        "",
        rf"(?i:returned){_GAP}-\d{{1,3}}{_END}",
        _as_written,
    ),
    # ld returned 1 exit status
    Code(
        "exit_before",
        "digit",
        "",
        r"(?P<exit_before_id>\d{1,3})\ exit\ (?:code|status)\b",
        _labelled("exit code", "exit_before_id"),
    ),
    # signal 9 · sig=9 · signal 9 (SIGKILL)
    Code(
        "signal",
        "letter",
        "sig",
        rf"""(?i:sig(?:nal)?(?:[ ](?:number|no\.?|num))?){_GAP}(?:(?P<signal_id>\d{{1,2}}{_END}|SIG[A-Z]{{2,6}}\d?\b))
             (?:\ ?[(:,]?\ ?(?:SIG[A-Z]{{2,6}}\d?|\d{{1,2}}(?!\w))\)?)?""",
        _signal,
    ),
    # SIGKILL · SIGKILL (9) · Signals.SIGKILL: 9
    Code(
        "signal_name",
        "letter",
        "",
        r"(?:Signals\.)?(?P<signal_name_id>SIG(?!N)[A-Z]{2,6}[12]?)\b(?::\ ?\d{1,2}(?!\w)|\ ?\(\d{1,2}\))?",
        lambda found: found["signal_name_id"],
    ),
    # [Errno 28] · errno: -2 · os error 28
    Code(
        "errno",
        "letter",
        "errno|os",
        rf"(?i:errno|os\ ?error){_GAP}(?P<errno_id>-?\d{{1,5}}){_END}",
        _labelled("errno", "errno_id"),
    ),
    # [WinError 5] · HRESULT: 0x80004005 · NTSTATUS = 0xc0000005
    Code(
        "windows",
        "letter",
        "winerror|hresult|ntstatus",
        rf"(?P<windows_label>(?i:winerror|hresult|ntstatus)){_GAP}(?P<windows_id>{_CODE}){_END}",
        lambda found: f"{found['windows_label']} {number(found['windows_id'])}",
    ),
    # CUDA error: 700 · cuda runtime error (700) · cudaError_t 700 · hip error code 5 · NCCL failure 5 · CUresult 700
    Code(
        "gpu",
        "letter",
        "cu|hip|[nr]ccl|nvml|rocm",
        rf"""(?i:(?P<gpu_library>cuda|hip|[nr]ccl|cublas(?:lt)?|cudnn|cufft|cusparse|cusolver|curand|nvml|rocm|cu)
               (?:[ _-]?(?:runtime|driver|api|error|err|failure|failed|status|result|code|call|returned|with)(?:_t)?+)
               {{1,5}}+){_GAP}(?P<gpu_id>-?\d{{1,5}}){_END}""",
        _gpu,
    ),
    # cuInit failed: 999 · ncclCommInitRank returned 2
    Code(
        "gpu_call",
        "letter",
        "",
        rf"""(?:cu|hip|[nr]ccl|nvml)[A-Z]\w{{1,60}}+(?:\(\))?(?:\ (?:failed|returned|error|with|code|status)){{1,4}}+
             {_GAP}-?\d{{1,5}}{_END}""",
        _as_written,
    ),
    # "grpc_status":14 · grpc-status: 14
    Code(
        "grpc",
        "letter",
        "grpc",
        rf"(?i:grpc[ _-]?(?:status|code)(?:[ _-]code)?){_GAP}(?P<grpc_id>\d{{1,2}}){_END}",
        _grpc,
    ),
    # HTTP 503 · HTTP/1.1 503 · HTTP Error 503: · Response [503] · response code 503 · responded with 503
    Code(
        "http",
        "letter",
        "http|resp",
        rf"""(?i:https?(?:/\d(?:\.\d)?)?+["']?(?:[ _-](?:error|status|response|code|returned|got)){{0,4}}+
               | resp(?:onse)?(?:[ _-]?(?:status|code)){{0,2}}+
               | responded(?:\ (?:with|an?|http|status|error|code|of)){{0,5}}+
             ){_GAP}(?P<http_id>[1-5]\d\d){_END}""",
        _labelled("HTTP", "http_id"),
    ),
    # returned 503 · got 503 from the hub · expected 200, got 404; but not `got 404 rows`
    Code(
        "answer",
        "letter",
        "got|rec|ret|exp",
        rf"{ANSWER}{_HTTP}{_END}{_NO_COUNT}",
        _as_written,
    ),
    # 504 != 200 · 404 == 200
    Code("compared", "digit", "", rf"{_HTTP}\ ?(?:!=|==|is\ not)\ ?{_HTTP}{_END}", _as_written),
    # status_code=503 · "status": 503 · status=12 (InfiniBand) · statusCode: 404 · status=203/EXEC (systemd)
    Code(
        "status",
        "letter",
        "status",
        rf"""(?i:status(?:[ _-]?code)?(?:\ of)?){_GAP}(?:(?P<status_unit>\d{{1,3}}/[A-Z_]{{3,20}}\b)
             | (?P<status_id>0[xX][0-9a-fA-F]{{8}}|-?\d{{1,5}}){_END})""",
        lambda found: f"status {found['status_unit'] or number(found['status_id'])}",
    ),
    # SQLSTATE[42S02] · SQLSTATE: 40001
    Code(
        "sqlstate",
        "letter",
        "sqlstate",
        rf"(?i:sqlstate){_GAP}(?P<sqlstate_id>[0-9A-Z]{{5}})\b",
        lambda found: f"SQLSTATE {found['sqlstate_id']}",
    ),
    # ERROR: 40P01: deadlock detected, as psql prints it
    Code(
        "sqlstate_alone",
        "letter",
        "",
        r"ERROR:\s{1,2}(?P<sqlstate_alone_id>\d[0-9A-Z]{4})(?=:\s)",
        lambda found: f"ERROR: SQLSTATE {found['sqlstate_alone_id']}",
    ),
    # (1045, "Access denied · (406, "PRECONDITION_FAILED: a number and its text as a Python tuple
    Code("tuple", "other", "", r"""\(\d{3,4}(?=,\ ?["'])""", _as_written),
    # error TS2304: · error[E0502] · warning C4996:
    Code(
        "tool",
        "letter",
        "warning",
        r"(?i:error|warning)[\ \[:]{1,2}[A-Z]{1,5}\d{2,5}\b\]?(?=[:\s]|$)",
        _as_written,
    ),
    # error code 700 · Error 137 · (error 28) · err_code="45" · error: 28 at the end
    Code(
        "error",
        "letter",
        "err",
        rf"""(?i:err(?:or)?(?:[ _-]?(?:code|number|num|no|nr|status)["']?{_GAP}
               | ["']?[\s=(\[\#]{{1,4}}+ | :\s?(?=\S{{1,24}}+\W{{0,3}}$)))
             (?P<error_id>{_CODE}){_END}(?!\ (?:of|out|times|more|seconds|ms|bytes)\b)""",
        _labelled("error", "error_id"),
    ),
    # code: 28, kind · code=137 · with code 0xc0000005 · code=E1101
    Code(
        "code",
        "letter",
        "code",
        rf"(?i:code){_GAP}(?P<code_id>{_CODE}|[A-Z]{{1,4}}\d{{2,5}}){_END}",
        _labelled("code", "code_id"),
    ),
    # (503)
    Code("answer_alone", "other", "", rf"\((?=[45]){_HTTP}\)", _as_written),
    # failed: -110 at the end, as kernels write errno; -9 as the whole message
    Code("errno_at_end", "other", "", r"-(?:(?<=:\ -)|(?<!.-))\d{1,3}$", _as_written),
)
STEMS: Final = "|".join(code.stems for code in CODES if code.stems)
