"""Which category a report without one gets: every rule, and near misses of every rule."""

import time

import pytest
from conftest import ROOT

from exporter.ingest.category import UNKNOWN, derived_category
from exporter.ingest.category_rules import PROGRAM_XIDS, RESET_XIDS, RULES

pytestmark = pytest.mark.severity

NO = "UNKNOWN_ERROR"
TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 8, in step\n    loss = f(x)\n{}\nmore'
MAX_RETRIES = (
    "HTTPConnectionPool(host='db', port=80): Max retries exceeded with url: /v1 (Caused by NewConnectionError("
    "'<urllib3.connection.HTTPConnection object at 0x7f>: Failed to establish a new connection: {}'))"
)

MESSAGES = [
    # out of memory on a GPU
    ("RESOURCE_EXHAUSTED", "CUDA out of memory. Tried to allocate 2.00 GiB"),
    ("RESOURCE_EXHAUSTED", "CUDA out of memory"),
    ("RESOURCE_EXHAUSTED", "HIP out of memory. Tried to allocate 96.00 MiB. GPU 1 has a total capacity of 64 GiB"),
    ("RESOURCE_EXHAUSTED", "CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA` to enable assertions."),
    ("RESOURCE_EXHAUSTED", "cuda runtime error (2) : out of memory at /build/THCStorage.cu:58"),
    ("RESOURCE_EXHAUSTED", "[rank3]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB"),
    ("RESOURCE_EXHAUSTED", "cuMemAlloc failed: CUDA_ERROR_OUT_OF_MEMORY"),
    ("RESOURCE_EXHAUSTED", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ("RESOURCE_EXHAUSTED", "OOM when allocating tensor with shape[64,1024] and type float"),
    ("RESOURCE_EXHAUSTED", "2026-02-01 10:00:00 ERROR CUDA out of memory"),
    ("RESOURCE_EXHAUSTED", TRACEBACK.format("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1 GiB")),
    (NO, "a test for CUDA out of memory errors"),
    (NO, "CUDA out of memory errors are handled by the retry"),
    (NO, "the log did not contain: CUDA out of memory"),
    (NO, "expected an error: CUDA out of memory"),
    (NO, "simulated: CUDA out of memory"),
    (NO, "the cause was not this: CUDA out of memory"),
    (NO, "f" * 1100 + "\nRuntimeError: CUDA out of memory\n" + "g" * 1100),  # too far from both ends
    ("RESOURCE_EXHAUSTED", "f" * 1100 + "\n" + "g" * 1100 + "\nRuntimeError: CUDA out of memory"),
    (NO, "CUDA out of memory (injected by the chaos monkey)"),
    (NO, "documentation: CUDA out of memory"),
    # XID
    ("HARDWARE_NOT_AVAILABLE", "NVRM: Xid (PCI:0000:3b:00): 79, pid=7, name=python3, GPU has fallen off the bus."),
    ("HARDWARE_NOT_AVAILABLE", "Feb  3 12:00:01 gpu-3 kernel: NVRM: Xid (PCI:0000:3b:00): 48, pid='<unknown>'"),
    ("HARDWARE_NOT_AVAILABLE", "Xid 79"),
    ("HARDWARE_NOT_AVAILABLE", "GPU 3: XID error 95 detected"),
    ("HARDWARE_NOT_AVAILABLE", "health check: XID errors: 119"),
    ("HARDWARE_NOT_AVAILABLE", "xid_error=140"),
    ("HARDWARE_NOT_AVAILABLE", "DCGM_FI_DEV_XID_ERRORS 64"),
    ("HARDWARE_NOT_AVAILABLE", 'alert: DCGM_FI_DEV_XID_ERRORS{gpu="3",err_code="62"} is not 0'),
    ("HARDWARE_NOT_AVAILABLE", "GPU 0000:3B:00.0 has fallen off the bus"),
    ("HARDWARE_NOT_AVAILABLE", "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot"),
    ("HARDWARE_NOT_AVAILABLE", "GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)"),
    (NO, "SXid (PCI:0000:c1:00.0): 79, Non-fatal"),
    (NO, "Xid 790"),
    (NO, "xid 149.79"),
    (NO, "the GPU had 79 xid events"),
    (NO, "see the runbook for Xid 79"),
    (NO, "Xid 79 runbook was updated"),
    (NO, "Process 71 waits for ShareLock on transaction xid 62."),
    (NO, "[RESOLVED] GPU 3: Xid 79"),
    ("HARDWARE_NOT_AVAILABLE", "gpu 3: xid 79"),
    (NO, "ZooKeeper: connection loss, xid: 64, zxid: 0x1"),
    (NO, "DHCP xid 74, server 10.0.0.1"),
    (NO, "GPU recovery action changed from 0x2 (Node Reboot Required) to 0x0 (None)"),
    # an uncorrectable fault
    ("HARDWARE_NOT_AVAILABLE", "CUDA error: uncorrectable ECC error encountered\nCUDA kernel errors might be asynchronously"),
    ("HARDWARE_NOT_AVAILABLE", "cudaErrorECCUncorrectable: uncorrectable ECC error encountered"),
    ("HARDWARE_NOT_AVAILABLE", "CUDA_ERROR_NVLINK_UNCORRECTABLE: uncorrectable NVLink error detected during the execution"),
    (NO, "the number of uncorrectable ECC errors is 0"),
    (NO, "no uncorrectable ECC error"),
    # no GPU
    ("HARDWARE_NOT_AVAILABLE", "RuntimeError: No CUDA GPUs are available"),
    ("HARDWARE_NOT_AVAILABLE", "CUDA error: no CUDA-capable device is detected"),
    ("HARDWARE_NOT_AVAILABLE", "CUDA error: all CUDA-capable devices are busy or unavailable"),
    ("HARDWARE_NOT_AVAILABLE", "Failed to initialize NVML: Driver/library version mismatch"),
    ("HARDWARE_NOT_AVAILABLE", "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU"),
    (NO, "skipped: needs a CUDA-capable device"),
    (NO, "the driver is not loaded"),
    # a fault of the program on a GPU
    ("WORKER_GPU_FAULT", "CUDA error: an illegal memory access was encountered"),
    ("WORKER_GPU_FAULT", "CUDA error: an illegal instruction was encountered"),
    ("WORKER_GPU_FAULT", "CUDA error: the launch timed out and was terminated"),
    ("WORKER_GPU_FAULT", "CUDA error: invalid program counter"),
    ("WORKER_GPU_FAULT", "HIP error: hipErrorIllegalAddress"),
    ("WORKER_GPU_FAULT", "NVRM: Xid (PCI:0000:3b:00): 31, pid=79, name=python3, MMU Fault"),
    ("WORKER_GPU_FAULT", "NVRM: Xid (PCI:0000:3b:00): 13, pid=48, Graphics SM Warp Exception"),
    (NO, "runtime error: load of misaligned address 0x7f3 for type int"),
    (NO, "tests with an illegal memory access are skipped"),
    (NO, "the test expects: CUDA error: device-side assert triggered"),
    (NO, "Xid 31"),
    # killed because memory ran out
    ("WORKER_CRASHED", "OOMKilled"),
    ("WORKER_CRASHED", "Last State: Terminated Reason: OOMKilled Exit Code: 137"),
    ("WORKER_CRASHED", "container trainer was OOMKilled"),
    ("WORKER_CRASHED", "Memory cgroup out of memory: Killed process 4242 (python3) total-vm:81234kB"),
    ("WORKER_CRASHED", "Out of memory: Killed process 4242 (python3)"),
    ("WORKER_CRASHED", "slurmstepd: error: Detected 1 oom_kill event in StepId=123.0."),
    ("WORKER_CRASHED", "Task was killed due to the node running low on memory.\nMemory on the node was 61 GB"),
    ("WORKER_CRASHED", "rank 3 was killed by the OOM killer"),
    (NO, "OOMKilled pods are restarted"),
    (NO, "OOMKilled: false"),
    (NO, "State: OOMKilled:false, ExitCode:1"),
    ("WORKER_CRASHED", "State: OOMKilled:true, ExitCode:137"),
    (NO, "the oom score was adjusted"),
    # signals and exit codes
    ("WORKER_CRASHED", "Segmentation fault (core dumped)"),
    ("WORKER_CRASHED", "Fatal Python error: Segmentation fault"),
    ("WORKER_CRASHED", "Program received signal SIGSEGV, Segmentation fault."),
    ("WORKER_CRASHED", "Signal 11 (SIGSEGV) received by PID 4242"),
    ("WORKER_CRASHED", "Worker exited prematurely: signal 9 (SIGKILL) Job: 3."),
    ("WORKER_CRASHED", "DataLoader worker (pid 4242) is killed by signal: Killed."),
    ("WORKER_CRASHED", "worker gw3 exited with code 137"),
    ("WORKER_CRASHED", "Container trainer terminated with exit code 139"),
    ("WORKER_CRASHED", "Process finished with exit code 139 (interrupted by signal 11: SIGSEGV)"),
    ("WORKER_CRASHED", "failed (exitcode: -9) local_rank: 0 (pid: 4242) of binary: /usr/bin/python"),
    ("WORKER_CRASHED", "Exit code: 137"),
    ("WORKER_CRASHED", "worker exited with code 3221225477"),
    (NO, "expected exit code 137, got 0"),
    (NO, "the worker should exit with code 137"),
    (NO, "exit code 137 is documented"),
    (NO, "worker gw3 exited with code 1"),
    (NO, "worker gw3 exited with code 1370"),
    (NO, "job 137 exited with code 1"),
    (NO, "process 139 terminated by signal 15 (SIGTERM)"),
    (NO, "Command 'gcc a.c' died with <Signals.SIGSEGV: 11>."),
    (NO, "Command 'make test' returned non-zero exit status 139."),
    (NO, "Command 'start process' exited with code 137"),
    (NO, "the handler of SIGSEGV was installed"),
    # a worker or node is gone
    ("WORKER_CRASHED", "[gw0] node down: Not properly terminated"),
    ("WORKER_CRASHED", "worker 'gw1' crashed while running 'tests/test_a.py::test_x'"),
    ("WORKER_CRASHED", "node gpu-7 is not responding"),
    ("WORKER_CRASHED", "*** JOB 12 ON node7 CANCELLED AT 2026-01-01T00:00:00 DUE TO NODE FAILURE, SEE SLURMCTLD LOG"),
    ("WORKER_CRASHED", "DataLoader worker (pid(s) 12, 13) exited unexpectedly"),
    ("WORKER_CRASHED", "The worker died unexpectedly while executing this task."),
    ("WORKER_CRASHED", "node 'alpha' is unreachable"),
    (NO, "node gpu-7 is down for maintenance"),
    (NO, "node gpu-7 is down to 3 replicas"),
    (NO, "Node exporter is down"),
    (NO, "node down: 0"),
    (NO, "Node server not responding"),
    (NO, "fixed: node gpu-7 is down"),
    (NO, "node 3 of the tree was removed"),
    # no space left
    ("RESOURCE_EXHAUSTED", "[Errno 28] No space left on device: '/tmp/x'"),
    ("RESOURCE_EXHAUSTED", "ENOSPC: no space left on device, write"),
    ("RESOURCE_EXHAUSTED", "write /var/lib/registry/x: no space left on device"),
    ("RESOURCE_EXHAUSTED", 'could not extend file "base/16384": No space left on device'),
    ("RESOURCE_EXHAUSTED", "failed to write: No space left on device (os error 28)"),
    ("RESOURCE_EXHAUSTED", "[WinError 112] There is not enough space on the disk: 'D:\\x'"),
    ("RESOURCE_EXHAUSTED", "database or disk is full"),
    (NO, "disk is full: no"),
    (NO, "ENOSPC: System limit for number of file watchers reached, watch '/srv'"),
    (NO, "[Errno 28] inotify watch limit reached"),
    (NO, "inotify_add_watch: no space left on device"),
    (NO, "a message about no space left on device"),
    # DNS
    ("NETWORK_DNS", "[Errno -2] Name or service not known"),
    ("NETWORK_DNS", MAX_RETRIES.format("[Errno -3] Temporary failure in name resolution")),
    ("NETWORK_DNS", "getaddrinfo ENOTFOUND api.example.com"),
    ("NETWORK_DNS", "dial tcp: lookup db.example.com on 10.0.0.2:53: no such host"),
    ("NETWORK_DNS", "curl: (6) Could not resolve host: db.example.com"),
    ("NETWORK_DNS", "page.goto: net::ERR_NAME_NOT_RESOLVED at https://example.com"),
    ("NETWORK_DNS", "failed to resolve host db.example.com"),
    (NO, "the conflict could not be resolved"),
    (NO, "Failed to resolve dependencies"),
    # timeouts
    ("NETWORK_TIMEOUT", "[Errno 110] Connection timed out"),
    ("NETWORK_TIMEOUT", "connect ETIMEDOUT 10.0.0.1:443"),
    ("NETWORK_TIMEOUT", "dial tcp 10.0.0.1:443: i/o timeout"),
    ("NETWORK_TIMEOUT", "HTTPConnectionPool(host='db', port=80): Read timed out. (read timeout=5)"),
    ("NETWORK_TIMEOUT", "[Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7, OpType=ALLREDUCE)"),
    ("NETWORK_TIMEOUT", "Some NCCL operations have failed or timed out. Due to the asynchronous nature"),
    (NO, "test_checkpoint ran longer than 300 s"),
    (NO, "timed out waiting for the element"),
    ("WORKER_GPU_FAULT", "NCCL watchdog thread terminated with exception: CUDA error: an illegal memory access was encountered"),
    # connections
    ("NETWORK_CONNECTION", "[Errno 111] Connection refused"),
    ("NETWORK_CONNECTION", "[Errno 104] Connection reset by peer"),
    ("NETWORK_CONNECTION", "connect ECONNREFUSED 127.0.0.1:5432"),
    ("NETWORK_CONNECTION", "dial tcp 10.0.0.1:443: connect: connection refused"),
    ("NETWORK_CONNECTION", "could not connect to server: Connection refused\n\tIs the server running on host db"),
    ("NETWORK_CONNECTION", MAX_RETRIES.format("[Errno 111] Connection refused")),
    ("NETWORK_CONNECTION", "page.goto: net::ERR_CONNECTION_REFUSED at http://127.0.0.1:3000/"),
    ("NETWORK_CONNECTION", "NCCL error: ncclRemoteError: A call failed possibly due to a network error"),
    (NO, "the page says connection refused in red"),
    (NO, "the pool has no free connection"),
    # other memory
    ("RESOURCE_EXHAUSTED", "[Errno 12] Cannot allocate memory"),
    ("RESOURCE_EXHAUSTED", 'Exception in thread "main" java.lang.RuntimeException: java.lang.OutOfMemoryError: heap'),
    # assertions
    ("TEST_FAILURE", "assert 'connection refused' in text"),
    ("TEST_FAILURE", "assert 'CUDA out of memory' in str(error)\n +  where str(error) = ''"),
    ("TEST_FAILURE", "def test_x():\n>   assert log\nE   assert ''\n\nlog: CUDA out of memory"),
    ("TEST_FAILURE", "AssertionError: expected exit code 137, got 0"),
    ("TEST_FAILURE", "Failed: DID NOT RAISE <class 'ConnectionRefusedError'>"),
    ("TEST_FAILURE", "E   Failed: Timeout >5.0s"),
    (NO, "Failed: job 1234 on node gpu-3"),
    ("RESOURCE_EXHAUSTED", "Failed: CUDA out of memory. Tried to allocate 2.00 GiB"),
    (NO, "asserting the lock"),
    (NO, ""),
    (NO, "GPU lost"),
]  # fmt: skip


@pytest.mark.parametrize(("category", "message"), MESSAGES, ids=[f"{name}-{text[:50]}" for name, text in MESSAGES])
def test_the_message_decides(category: str, message: str) -> None:
    found = derived_category("RuntimeError", message, None)
    assert found.name == category, found
    assert (found.derived is None) == (category == NO)


TYPES = [
    ("RESOURCE_EXHAUSTED", "torch.cuda.OutOfMemoryError"), ("RESOURCE_EXHAUSTED", "java.lang.OutOfMemoryError"),
    ("RESOURCE_EXHAUSTED", "MemoryError"), ("RESOURCE_EXHAUSTED", "OutOfMemoryError.suffix"),
    ("HARDWARE_NOT_AVAILABLE", "pynvml.NVMLError_GpuIsLost"), ("WORKER_CRASHED", "ray.exceptions.WorkerCrashedError"),
    ("WORKER_CRASHED", "concurrent.futures.process.BrokenProcessPool"), ("NETWORK_DNS", "socket.gaierror"),
    ("NETWORK_TIMEOUT", "requests.exceptions.ConnectTimeout"), ("NETWORK_CONNECTION", "ConnectionResetError"),
    ("NETWORK_CONNECTION", "java.net.ConnectException"), ("TEST_FAILURE", "AssertionError"),
    ("TEST_FAILURE", "org.opentest4j.AssertionFailedError"), ("TEST_FAILURE", "_pytest.outcomes.Failed"),
    (NO, "TimeoutError"), (NO, "selenium.common.exceptions.TimeoutException"), (NO, "RuntimeError"), (NO, "OSError"),
    (NO, "NotAnOutOfMemoryErrorAtAll"), (NO, "HardwareError"), (NO, "JobFailed"), (NO, ""), (NO, None),
    (NO, "Failed"), (NO, "Job Failed"), ("WORKER_CRASHED", "OOMKilled"), ("WORKER_CRASHED", "OOMKilling"),
    ("WORKER_CRASHED", "SIGSEGV"), ("WORKER_CRASHED", "NodeNotReady"),
]  # fmt: skip


@pytest.mark.parametrize(("category", "type_"), TYPES)
def test_the_type_decides(category: str, type_: str | None) -> None:
    assert derived_category(type_, "something went wrong", None).name == category


@pytest.mark.parametrize(
    ("category", "frame"),
    [("TEST_FAILURE", 'File "/srv/app/tests/unit/api.py", line 3, in check'),
     ("TEST_FAILURE", 'File "/srv/test_api.py", line 3, in check'),
     ("TEST_FAILURE", 'File "/srv/x.py", line 3, in test_answer'),
     ("TEST_FAILURE", "at com.example.LoginTest.login(LoginTest.java:42)"),
     ("TEST_FAILURE", "at Object.<anonymous> (src/login.spec.ts:12:5)"),
     (NO, 'File "/srv/app/worker.py", line 3, in run'), (NO, 'File "/srv/latest/contest.py", line 3, in attest')],
)  # fmt: skip
def test_an_assertion_with_a_traceback_needs_a_test_in_it(category: str, frame: str) -> None:
    traceback = f"Traceback (most recent call last):\n  {frame}\n    assert lock\nAssertionError: connection refused"
    assert derived_category("AssertionError", "connection refused", traceback).name == category


def test_failed_alone_is_no_assertion() -> None:
    """It is the reason of Kubernetes' events, too."""
    in_test = 'File "/srv/tests/test_api.py", line 3, in test_x\n  File "/x/_pytest/outcomes.py", line 178, in fail'
    elsewhere = 'File "/srv/app/worker.py", line 3, in run'
    assert derived_category("Failed", "the answer is late", in_test).name == "TEST_FAILURE"
    assert derived_category("Failed", "the answer is late", elsewhere) == UNKNOWN
    assert derived_category("Failed", "write /x: no space left on device", elsewhere).name == "RESOURCE_EXHAUSTED"
    assert derived_category("RuntimeError", "Failed: the answer is late", in_test).name == "TEST_FAILURE"
    assert derived_category("RuntimeError", "Failed: connection refused", elsewhere).name == "NETWORK_CONNECTION"


@pytest.mark.parametrize("code", [63, 92, 94, 109, 144, 154, 131, 310])
def test_other_xids_are_no_fault(code: int) -> None:
    assert derived_category("XidError", f"NVRM: Xid (PCI:0000:3b:00): {code}, pid=1", None) == UNKNOWN


@pytest.mark.parametrize("code", RESET_XIDS)
def test_the_reason_names_the_xid(code: int) -> None:
    found = derived_category("XidError", f"NVRM: Xid (PCI:0000:3b:00): {code}, pid=1", None)
    assert found.derived == f"derived from the message: XID {code}, which needs a reset or replacement of the GPU"


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_every_rule_is_needed_and_documented(rule: object) -> None:
    """A message or type of the tables needs the rule; and the documentation has its name and category."""
    assert rule in RULES
    reasons = {derived_category("X", message, None).derived for _, message in MESSAGES}
    reasons |= {derived_category(type_, "", None).derived for _, type_ in TYPES}
    name = rule.name.split("{}")[-1]  # type: ignore[attr-defined]
    assert any(reason and reason.endswith(name) for reason in reasons)
    documented = (ROOT / "docs/severity.md").read_text("utf-8")
    assert f"| `{rule.category}` | {rule.name.replace('{}', '_n_')} |" in documented  # type: ignore[attr-defined]


def test_every_xid_is_documented() -> None:
    for codes in (RESET_XIDS, PROGRAM_XIDS):
        assert f"({', '.join(map(str, codes))})" in (ROOT / "docs/severity.md").read_text("utf-8").replace("\n", " ")


@pytest.mark.parametrize(
    "text",
    ["xid ", "worker exited ", ": connection ", "CUDA ", "expected: CUDA out of memory, ", "node down: ", "a\n",
     "NVRM: Xid (", "DCGM_FI_DEV_XID_ERRORS{", "killed by signal ", "lookup a b", "job failed code ", "xid" + " " * 300],
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    derived_category("X", text * (100_000 // len(text)), None)
    assert time.process_time() - began < 0.05  # a hundred times as long as measured
