"""Codes tell faults apart in every spelling, and one code is kept in one spelling."""

import pytest

from exporter.patterns.codes import CODES, number
from exporter.patterns.mask import kept, mask

pytestmark = pytest.mark.dashboard

# Code of the table in codes.py, how it is kept, two values of it, and messages in which {} is the value.
SPELLINGS = [
    ("exit", "exit code {}", "137", "139", [
        "job done, exit code {}", "exit code: {}", "Exit Code:      {}", "step ended exit_code={}", "exit-code: {}",
        "child exited with exit code {}", "child exited with code {}", "script exited with {}", "exited with status {}",
        "exit status {}", "git returned non-zero exit status {}", "poll gave returncode={}", "return code {}", "return code: {}",
        "make said retcode {}", "rc={}", "exitCode: {}", "exitcode: {}", "ExitCode:{}", "then exit {}", "container exited ({})",
        "sys.exit({})", "unit finished with result exit-code {}", '{{"exitCode":{}}}', "worker_exit_code: {}", "[exit code {}]",
    ]),
    ("exit", "exit code {}", "-9", "-11", ["exitcode: {}", "exit code {}", "returncode {}", "return code {}", "exited with {}"]),
    ("exit", "exit code {}", "0xc0000005", "0xc0000409", ["exit code {}", "exited with {}", "exited with code {} after"]),
    ("exit", "exit code {}", "0:9", "1:0", ["job state FAILED ExitCode={}"]),
    ("exit_at_end", "exit code {}", "137", "1", ["stopped with non-zero exit code: Error running in the container: {}"]),
    ("signal_name", "{}", "SIGKILL", "SIGSEGV", ["died from {}", "died from {} (core dumped)", "<Signals.{}: 9>", "{} (9)"]),
    ("errno", "errno {}", "28", "13", ["[Errno {}] x", "errno {}", "errno={}", "errno: {}", "(errno {})", "os error {}", "x (os error {})", "OSError {}: x"]),
    ("errno", "errno {}", "-2", "-3", ["[Errno {}] Name lookup", "errno: {},"]),
    ("windows", "WinError {}", "5", "32", ["[WinError {}] denied", "WinError {}"]),
    ("windows", "HRESULT {}", "0x80004005", "0x80070005", ["HRESULT: {}", "[HRESULT = {} - x]", "HRESULT({})"]),
    ("windows", "NTSTATUS {}", "0xc0000005", "0xc0000008", ["NTSTATUS={}"]),
    ("gpu", "CUDA error {}", "700", "719", [
        "CUDA error {}", "CUDA error: {}", "CUDA error ({})", "CUDA error code={}", "Cuda failure {}", "cuda runtime error ({}) : x",
        "cudaError {}", "cudaError_t {}", "CUresult {}", "CUDA driver error: {}",
    ]),
    ("gpu", "HIP error {}", "2", "100", ["HIP error {}", "hipError {}", "hip error code {}", "HIP failure: {}"]),
    ("gpu", "NCCL error {}", "2", "5", ["NCCL error {}", "NCCL failure {}", "nccl error code: {}"]),
    ("gpu", "CUBLAS error {}", "13", "14", ["cuBLAS error: {}", "cublas status {}"]),
    ("gpu_call", "cuInit failed: {}", "999", "100", ["cuInit failed: {}"]),
    ("gpu_call", "ncclCommInitRank returned {}", "2", "5", ["ncclCommInitRank returned {}"]),
    ("grpc", "gRPC {}", "UNAVAILABLE", "DEADLINE_EXCEEDED", []),
    ("http", "HTTP {}", "503", "401", [
        "HTTP {}", "HTTP/1.1 {}", "HTTP/2 {}", "HTTP status {}", "HTTP status: {}", "HTTP status code {}", "HTTP Error {}: x",
        "HTTP error: {}", "HTTP response code: {}", "Response code {}", "response code {}", "<Response [{}]>", "hub responded with {}",
        '"GET /status HTTP/1.1" {} 182', '"GET /status HTTP/1.1" {} -', "responded with a status of {} ()", "http_status={}",
    ]),
    ("answer", "returned {}", "503", "401", ["hub returned {}", "hub returned {} for it"]),
    ("answer", "got {}", "503", "401", ["expected more, got {}", "got {} from the hub"]),
    ("answer", "expected {}", "200", "204", ["expected {}, was another"]),
    ("compared", "{} != 200", "503", "404", ["{} != 200", "assert {} != 200"]),
    ("status", "status {}", "503", "401", [
        "status {}", "status: {}", "status={}", "status code {}", "status code: {}", "Status Code: {}", "status_code={} path=x",
        "statusCode: {}", '{{"status":{}}}', '{{"status": {}, "x": "y"}}', "statuscode: {}",
    ]),
    ("status", "status {}", "203/EXEC", "217/USER", ["main process exited, code=exited, status={}"]),
    ("exit_negative", "returned {}", "-9", "-11", ["Popen returned {}", "returned {} from the child"]),
    ("sqlstate_alone", "ERROR: SQLSTATE {}", "40001", "40P01", ["ERROR: {}: deadlock", "ERROR:  {}: deadlock"]),
    ("code", "code {}", "E1101", "E1102", ["code={} in x", "code: {}"]),
    ("exit_before", "exit code {}", "1", "2", ["ld returned {} exit status"]),
    ("status", "status {}", "12", "5", ["completion with status={} opcode", "wc status {} (x)"]),
    ("sqlstate", "SQLSTATE {}", "42S02", "40001", ["SQLSTATE[{}]: x", "(SQLSTATE {})", "sqlstate: {}"]),
    ("tuple", "{}", "1045", "1213", ["({}, \"it failed\")", "({}, 'it failed')"]),
    ("tool", "error {}", "TS2304", "TS2345", ["error {}: x"]),
    ("tool", "error[{}]", "E0502", "E0499", ["error[{}]: x"]),
    ("error", "error {}", "700", "719", [
        "error code {}", "error code: {}", "errorCode={}", "error_code: {}", "make: *** [test] Error {}", "error {}", "(error {})",
        'DCGM_FI_DEV_XID_ERRORS{{gpu="0",err_code="{}"}} is set', "it broke: error: {}", "vendor err {}", "Error {}: not yet there",
    ]),
    ("code", "code {}", "28", "13", ["Os {{ code: {}, kind: Full }}", "code={}", "terminated with code {}", "with code {} and"]),
    ("code", "code {}", "0xc0000005", "0xc0000409", ["Exception code: {}", "code {}"]),
    ("answer_alone", "{}", "503", "404", ["trying again ({})"]),
    ("errno_at_end", "{}", "-110", "-12", ["probe failed: {}"]),
    ("errno_at_end", "{}", "-9", "-11", ["{}"]),
]  # fmt: skip
CASES = [(keeps, *values, text) for _, keeps, *values, texts in SPELLINGS for text in texts]
# What is kept is written in another way than in the message: the code, the message, what is kept.
KEPT = [
    ("xid", "NVRM: Xid (PCI:0000:3b:00): 79, pid=17, name=python3, GPU has fallen off the bus", "xid 79"),
    ("xid", "NVRM: Xid\t79", "xid 79"),
    ("xid", "sxid 11012 seen", "sxid 11012"),
    ("xid", "SXid (PCI:0000:c1:00.0): 20034, Fatal", "sxid 20034"),
    ("signal", "killed by signal 9", "SIGKILL"),
    ("signal", "Fatal signal 11 (SIGSEGV), code", "SIGSEGV"),
    ("signal", "signal: 15", "SIGTERM"),
    ("signal", "sig=6", "SIGABRT"),
    ("signal", "signal SIGBUS", "SIGBUS"),
    ("signal", "signal 64", "signal 64"),
    ("signal_name", "died with <Signals.SIGKILL: 9>.", "SIGKILL"),
    ("grpc", '"grpc_status":14', "gRPC UNAVAILABLE"),
    ("grpc", "grpc-status: 4", "gRPC DEADLINE_EXCEEDED"),
    ("grpc", "grpc status 99", "gRPC 99"),
    ("exit", "exit code 3221225477", "exit code 0xc0000005"),
    ("exit", "exit code -1073741819", "exit code 0xc0000005"),
]
XID = [
    "Xid {}", "XID {}", "XID: {}", "Xid={}", "xid({})", "Xid (PCI:0000:3b:00): {}", "Xid (PCI:0000:3b:00.0): {}, x", "Xid (0000:03:00): {}",
    "Xid error {}", "XID error: {}", "XID errors: {}", "XID code {}", "XID_ERRORS={}", "DCGM_FI_DEV_XID_ERRORS {}", "xid_error={}",
    "error_xid {}", "Xid #{}", "Xids {}", 'DCGM_FI_DEV_XID_ERRORS{{gpu="0"}} {}', "caused by previous Xid {}",
]  # fmt: skip
# Numbers near a word that is also a label, which are counts, sizes and ids.
NO_CODE = [
    ("got 404 rows", "got 503 rows"),
    ("returned 200 items", "returned 204 items"),
    ("exit codes of 3 jobs", "exit codes of 5 jobs"),
    ("3 errors", "5 errors"),
    ("error 3 of 10", "error 4 of 10"),
    ("assert 312 == 340", "assert 345 == 350"),
    ("opcode=32 len=0", "opcode=0 len=0"),
    ("status 93%", "status 94%"),
    ("statuses 3", "statuses 4"),
    ("node -9 x", "node -11 x"),
    ("line (17)", "line (18)"),
]


@pytest.mark.parametrize(("keeps", "one", "other", "text"), CASES)
def test_values_are_told_apart(keeps: str, one: str, other: str, text: str) -> None:
    message, different = text.format(one), text.format(other)
    assert mask(message) != mask(different)
    assert keeps.format(one) in kept(message)
    assert keeps.format(other) in kept(different)
    assert all(code in mask(message) for code in kept(message))


@pytest.mark.parametrize("text", XID)
def test_an_xid_is_kept_in_every_spelling(text: str) -> None:
    assert kept(text.format(79)) == ("xid 79",)
    assert kept(text.format("149.38")) == ("xid 149.38",)


@pytest.mark.parametrize(("name", "text", "code"), KEPT)
def test_one_spelling_is_kept(name: str, text: str, code: str) -> None:
    assert code in kept(text)
    assert code in mask(text)


def test_an_xid_keeps_neither_process_nor_bus() -> None:
    old = "NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus."
    for new in (
        "NVRM: Xid (PCI:0000:af:00): 79, pid=17, name=python3, GPU has fallen off the bus.",
        "NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
    ):
        assert mask(new) == mask(old) == "NVRM: xid 79, GPU has fallen off the bus."


@pytest.mark.parametrize(("one", "other"), NO_CODE)
def test_a_count_is_no_code(one: str, other: str) -> None:
    assert mask(one) == mask(other)


def test_several_codes_are_kept_in_their_order() -> None:
    text = "hub said HTTP 502, then the job was killed by signal 9 (exit code 137), Xid 79"
    assert kept(text) == ("HTTP 502", "SIGKILL", "exit code 137", "xid 79")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("137", "137"),
        ("-9", "-9"),
        ("0x5", "5"),
        ("0xC0000005", "0xc0000005"),
        ("3221225477", "0xc0000005"),
        ("-1073741819", "0xc0000005"),
        ("0:9", "0:9"),
    ],
)
def test_one_number_has_one_spelling(text: str, code: str) -> None:
    assert number(text) == code


def test_every_code_has_a_row() -> None:
    assert {name for name, *_ in SPELLINGS} | {name for name, *_ in KEPT} == {code.name for code in CODES}
