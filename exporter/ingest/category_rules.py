"""The rules that derive the category of a report without one from its type and message. `category.py` applies them.

A rule must match only if there is no doubt. So its phrases match only where programs write them: at the start of a line
or after ": ", "] " and the like (`START`), and at the end of a line or before punctuation or a preposition (`END`).
Prose that mentions the words ("a test for CUDA out of memory errors") does not match.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

# XIDs for which NVIDIA's catalogue says that the GPU has to be reset or the machine has to be restarted. Not included
# are XIDs that an application causes (13, 31, 43, 45, 68, 69, …) or may cause (109), that a restart of the application
# clears (94), that need no action at once (63, 92), or whose action depends on further values (144 to 150).
RESET_XIDS: Final = (46, 48, 62, 64, 74, 79, 95, 110, 119, 120, 136, 140, 143, 156, 158)
# XIDs of a fault in what a program ran on the GPU, which the kernel writes for that program.
PROGRAM_XIDS: Final = (13, 31, 43, 45, 68, 69)

START: Final = r"(?:^|(?<=[:\])>|,=] )|(?<=- )|(?<=ERROR )|(?<=FATAL )|(?<=CRITICAL ))"
END: Final = (
    r"(?=$|[.,:;!)\]}'\"|[]|\s*\(|\s+\[|\s+-\s"
    r"|\s+(?:on|in|at|while|when|during|for|from|to|of|by|after|with|trying|signal)\b)"
)
_XID: Final = rf"({'|'.join(map(str, RESET_XIDS))})(?!\d|\.\d)"
# In lower case, it is also the number of a transaction or of a request (PostgreSQL, ZooKeeper, NFS, DHCP).
_XID_WORD: Final = r"(?:(?<![a-z])(?<!transaction )(?-i:X(?:ID|id))|\b(?:gpu|nvidia)\b.{0,40}?\bxid|xid(?=[ _]?error))"
_AFTER_XID: Final = r"(?=$|[.,:;!)\]}]|\s*\(|\s+(?:on|at|detected|occurred|reported|received|GPU|pid)\b)"
_CODE: Final = r"(?:13[245679]|-(?:4|6|7|8|9|11)|3221225477|0xC0000005)(?!\w|\.\d)"  # 128 + signal, -signal, Windows
_FATAL: Final = r"SIG(?:SEGV|KILL|BUS|ABRT|ILL|FPE)"
_SIGNAL: Final = rf"(?:{_FATAL}|(?:signal )?(?:number )?(?:4|6|7|8|9|11)(?!\w|\.\d)|Segmentation fault|Bus error)"
_ENDED: Final = r"\b(?:exit(?:ed|s)?|terminated|finished|died|failed|crashed|killed|stopped|ended|completed)\b"
# The beginning of a line about a worker or a part of one. Lines about a command do not match, because the worker still
# runs after its command failed.
_PART: Final = (
    r"^(?!command\b).{0,120}?"
    r"\b(?:worker|node|rank|process|container|pod|job|task|executor|trainer|child|agent|replica|runner|instance)s?\b"
    r".{0,80}?"
)
_NAME: Final = r"""(?: (?=\S{0,60}[\d.'"-])\S{1,60})"""  # of a node, not a word: a "node exporter" is no node


@dataclass(frozen=True)
class Rule:
    """Derives `category`, with `name` as the reason. It matches a type if one of its words is in `types`
    (`torch.cuda.OutOfMemoryError` has three words), or a line of the message that matches `pattern`. The pattern is
    tried only if the message, in lower case, has one of `gates`, which is cheap to check. `{}` in `name` stands for the
    group of the pattern."""

    category: str
    name: str
    types: frozenset[str]
    gates: tuple[str, ...]
    source: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when it is first needed: all together take 30 ms of each start, one takes 3 ms at most."""
        return re.compile(self.source, re.IGNORECASE)


def _rule(category: str, name: str, *, gates: str, phrases: str = "", anywhere: str = "", types: str = "") -> Rule:
    """Returns a rule. `phrases` and `anywhere` have one regular expression per line; those of `phrases` match only
    between `START` and `END`. `gates` are separated by "|", `types` by blanks."""
    patterns = [line.strip() for line in anywhere.splitlines() if line.strip()]
    if phrases:
        patterns.append(f"{START}(?:{'|'.join([line.strip() for line in phrases.strip().splitlines()])}){END}")
    return Rule(category, name, frozenset(types.split()), tuple(gates.split("|")), "|".join(patterns))


# A failed assertion: the types of the usual test frameworks, and the texts of pytest.
ASSERTIONS: Final = frozenset(
    {"AssertionError", "AssertionFailedError", "ComparisonFailure", "MultipleFailuresError", "TestFailure"}
)
ASSERTION_TEXT: Final = re.compile(
    r"(?:E +)?(?:assert |AssertionError\b|Failed: (?:DID NOT |Timeout [>(])|_pytest\.outcomes\.Failed\b)|E +Failed: "
)
# pytest's `Failed`. Kubernetes gives the same reason for an image that cannot be pulled, and many messages begin with
# the word, so it counts only with a test in the traceback.
FAILED: Final = "Failed"
FAILED_TEXT: Final = re.compile(r"Failed: ")
# Names in a traceback that show that a test ran: files and functions named by the conventions of pytest, unittest, Go,
# JUnit and the frameworks for JavaScript.
IN_A_TEST: Final = re.compile(
    r"[\\/]tests?[\\/]|\btest_\w+\.py|\w_tests?\.\w|\bconftest\.py|\bin test|_pytest|[\\/]unittest[\\/]|\btests?/"
    r"|\.(?:test|spec)\.[cm]?[jt]sx?\b|\w(?:Tests?|Spec|IT)\.(?:java|kt|scala|cs)\b"
)

RULES: Final[tuple[Rule, ...]] = (
    _rule(
        "RESOURCE_EXHAUSTED",
        "out of memory on a GPU",
        phrases=r"""
            (?:CUDA|HIP|ROCm|XPU|MPS|GPU)\b[^.;'"]{0,30}\bout of memory
            CUDA_ERROR_OUT_OF_MEMORY
            cudaErrorMemoryAllocation
            hipErrorOutOfMemory
            CU(?:BLAS|DNN|SOLVER|SPARSE)_STATUS_ALLOC_FAILED
            OOM when allocating tensor
            RESOURCE_EXHAUSTED: out of memory
        """,
        gates="out of memory|out_of_memory|memoryallocation|alloc_failed|oom when|outofmemory",
    ),
    _rule(
        "HARDWARE_NOT_AVAILABLE",
        "XID {}, which needs a reset or replacement of the GPU",
        anywhere=rf"""
            NVRM: Xid \([^)]{{1,40}}\): {_XID}
            {_XID_WORD}(?:s|[ _]?errors?|[ _]code)?\s?(?:\([^)]{{1,40}}\))?\s?[:=#(]?\s{{0,3}}{_XID}{_AFTER_XID}
            XID_ERRORS\{{[^}}]{{0,200}}err_code="{_XID}"
        """,
        gates="xid",
    ),
    _rule(
        "HARDWARE_NOT_AVAILABLE",
        "the GPU is lost or needs a reset",
        phrases=r"""
            (?:the )?GPU(?: \S+)? (?:has )?fallen off the bus
            (?:the )?GPU is lost
        """,
        anywhere=r"recovery action changed from .{1,40} to 0x\w+ \((?:Drain and Reset|GPU Reset|Node Reboot)",
        types="NVMLError_GpuIsLost",
        gates="fallen off the bus|gpu is lost|recovery action changed",
    ),
    _rule(
        "HARDWARE_NOT_AVAILABLE",
        "an uncorrectable fault of a GPU",
        phrases=r"""
            uncorrectable (?:ECC|NVLink) error (?:encountered|detected during the execution)
            hardware stack error
            CUDA_ERROR_(?:ECC_UNCORRECTABLE|NVLINK_UNCORRECTABLE|HARDWARE_STACK_ERROR)
            cudaError(?:ECCUncorrectable|NvlinkUncorrectable|HardwareStackError)
            hipErrorECCNotCorrectable
        """,
        gates="uncorrectable|notcorrectable|hardware stack|hardware_stack|hardwarestack",
    ),
    _rule(
        "HARDWARE_NOT_AVAILABLE",
        "no GPU can be used",
        phrases=r"""
            no (?:CUDA|HIP) GPUs are available
            no (?:CUDA|ROCm)-capable device is detected
            all CUDA-capable devices are busy or unavailable
            (?:CUDA|HIP)_ERROR_NO_DEVICE
            cudaError(?:NoDevice|DevicesUnavailable|InsufficientDriver)
            hipErrorNoDevice
            CUDA driver version is insufficient for CUDA runtime version
            found no NVIDIA driver on your system
            NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver
            failed to initialize NVML: .+
        """,
        types="NVMLError_DriverNotLoaded NVMLError_LibRmVersionMismatch",
        gates="gpus are available|capable device|no_device|nodevice|devicesunavailable|driver|initialize nvml",
    ),
    _rule(
        "WORKER_GPU_FAULT",
        "XID {}, a fault of the program on a GPU",
        anywhere=rf"NVRM: Xid \([^)]{{1,40}}\): ({'|'.join(map(str, PROGRAM_XIDS))})(?!\d|\.\d)",
        gates="xid",
    ),
    _rule(
        # Those after which, as CUDA's documentation says, the process has to be ended.
        "WORKER_GPU_FAULT",
        "a fault of the program on a GPU, after which it cannot use the GPU",
        phrases=r"""
            device-side assert triggered
            an illegal (?:memory access|instruction) was encountered
            unspecified launch failure
            misaligned address
            invalid program counter
            the launch timed out and was terminated
            CUDA_ERROR_(?:ASSERT|ILLEGAL_(?:ADDRESS|INSTRUCTION)|INVALID_(?:ADDRESS_SPACE|PC)|MISALIGNED_ADDRESS)
            CUDA_ERROR_LAUNCH_(?:FAILED|TIMEOUT)
            cudaError(?:Assert|Illegal(?:Address|Instruction)|Invalid(?:AddressSpace|Pc)|MisalignedAddress)
            cudaErrorLaunch(?:Failure|Timeout)
            hipError(?:Assert|IllegalAddress|LaunchFailure|LaunchTimeOut)
        """,
        gates="device-side assert|error_assert|errorassert|illeg|launch|misaligned|program counter|r_invalid|rinvalid",
    ),
    _rule(
        "WORKER_CRASHED",
        "killed because memory ran out",
        phrases=r"""
            (?:Memory cgroup )?out of memory: Killed process(?: \d+)?
            OOM[ -]?Killed(?: exit code:? 137)?
            (?:[\w.-]+ )?invoked oom-killer
            oom-kill
            Detected \d+ oom[-_]kill events?
            (?:the )?(?:task|worker|node) was killed due to the node running low on memory
        """,
        anywhere=rf"""
            (?:reason\W{{1,3}}|\b(?:was|been|got) )OOM[ -]?Killed\b{END}
            \bkilled by the (?:kernel |cgroup |kernel's |Linux )?(?:OOM|out[ -]of[ -]memory)[ -](?:killer|handler)
        """,
        types="OOMKilled OOMKilling",
        gates="oom|out of memory: killed|low on memory|of-memory handler|of memory killer",
    ),
    _rule(
        "WORKER_CRASHED",
        "ended by a signal",
        phrases=rf"""
            (?:Fatal Python error: )?(?:Segmentation fault|Bus error)(?: \(core dumped\))?
            (?:signal )?SIG(?:SEGV|BUS)
            (?:Program |Process )?(?:received|caught|got)(?: fatal)?(?: signal)? {_FATAL}
            signal \d+ \({_FATAL}\) received
            {_ENDED}(?: \w+){{0,3}} (?:by|with|on|due to):? (?:signal[: ]*)?<?(?:Signals\.)?{_SIGNAL}
        """,
        anywhere=rf"""
            {_PART}{_ENDED}(?: \w+){{0,3}}? ?(?:by|with|on|due to|:)?:? ?(?:signal[: ]*){_SIGNAL}
            {_PART} is killed by signal: (?:Killed|Segmentation fault|Bus error)
        """,
        types="SIGSEGV SIGBUS",
        gates="segmentation fault|bus error|sigsegv|sigbus|sigkill|sigabrt|signal",
    ),
    _rule(
        "WORKER_CRASHED",
        "exit code of a crash or a kill",
        phrases=rf"""
            (?:{_ENDED}:? )?\(?(?:with )?(?:exit ?(?:code|status)|exitcode|rc)(?: is|:| =|=)? ?{_CODE}
            exited (?:with )?{_CODE}
        """,
        anywhere=rf"{_PART}{_ENDED}.{{0,30}}?\b(?:code|status|exitcode|with|:)[:= ]{{1,3}}{_CODE}{END}",
        gates="exit|code|status",
    ),
    _rule(
        "WORKER_CRASHED",
        "a worker or node is gone",
        phrases=rf"""
            node{_NAME}?(?: is)? (?:down|unreachable|not responding|lost)(?! for maintenance| to \d)
            node down: (?!(?:0|no|none|false)\b).+
            (?:worker|node) \S{{1,60}} (?:is |has |status is now:? )*(?:crashed|died|NodeNotReady)
            NodeNotReady
            worker \S{{1,60}} crashed while running \S+
            the (?:actor|worker|node|raylet) died(?: unexpectedly)?(?: before .+)?
            a (?:worker )?process in the process pool was terminated abruptly.*
        """,
        anywhere=r"""
            \bDUE TO NODE FAILURE\b
            ^DataLoader worker \(pid\(?s?\)? [\d, ]+\) exited unexpectedly
        """,
        types="""NodeNotReady WorkerCrashedError ActorDiedError NodeDiedError BrokenProcessPool WorkerLostError
            KilledWorker""",
        gates="node|crashed|died|abruptly|exited unexpectedly",
    ),
    _rule(
        "RESOURCE_EXHAUSTED",
        "no space left on a disk",
        phrases=r"""
            (?<!inotify_add_watch: )no space left on device
            ENOSPC(?!: System limit)
            there is not enough space on the disk
            (?:database or )?disk is full
        """,
        gates="no space left|enospc|not enough space on the disk|disk is full",
    ),
    _rule(
        "NETWORK_DNS",
        "a host name is not resolved",
        phrases=r"""
            Name or service not known
            Temporary failure in name resolution
            nodename nor servname provided.*
            getaddrinfo (?:ENOTFOUND|EAI_AGAIN|failed).*
            (?:lookup \S+(?: on \S+)?: )?no such host
            could not resolve host(?:name)?.*
            (?:failed to resolve|cannot resolve) host(?:name)? \S+
            NXDOMAIN
        """,
        anywhere=r"\bnet::ERR_NAME_NOT_RESOLVED\b",
        types="gaierror NameResolutionError UnknownHostException ClientConnectorDNSError",
        gates="name or service|name resolution|nodename nor|getaddrinfo|no such host|resolve|nxdomain|err_name_not",
    ),
    _rule(
        "NETWORK_TIMEOUT",
        "a connection or a collective operation timed out",
        phrases=r"""
            connection (?:to \S+(?: port \d+)? )?timed out
            (?:connect |read )?ETIMEDOUT(?: \S+)?
            (?:(?:dial|read|write) (?:tcp|udp) \S+: )?i/o timeout
            read timed out
            \[Errno (?:60|110)\] operation timed out
            Watchdog caught collective operation timeout
            some NCCL operations have failed or timed out
            timed out after \d+ (?:seconds|ms) waiting for clients
        """,
        anywhere=r"\bnet::ERR_(?:CONNECTION_)?TIMED_OUT\b",
        types="""ConnectTimeout ConnectTimeoutError ReadTimeout ReadTimeoutError ConnectionTimeout
            ConnectionTimeoutError SocketTimeoutException SocketTimeoutError ServerTimeoutError""",
        gates="timed out|etimedout|i/o timeout|operation timeout|timed_out",
    ),
    _rule(
        "NETWORK_CONNECTION",
        "a connection was refused, reset or lost",
        phrases=r"""
            connection (?:refused|reset|aborted)(?: by (?:remote )?(?:peer|host))?
            connection closed by (?:remote )?(?:peer|host)
            (?:connect |read |write )?(?:ECONNREFUSED|ECONNRESET|ECONNABORTED|EHOSTUNREACH|ENETUNREACH)(?: \S+)?
            no route to host
            network is unreachable
            (?:remote end|server) closed connection without response
            ncclRemoteError
            NET/IB ?: Got completion
        """,
        anywhere=r"""
            \bnet::ERR_CONNECTION_(?:REFUSED|RESET|CLOSED|ABORTED)\b
            \bnet::ERR_(?:INTERNET_DISCONNECTED|NETWORK_CHANGED)\b
        """,
        types="""ConnectionError ConnectionRefusedError ConnectionResetError ConnectionAbortedError NewConnectionError
            ConnectException NoRouteToHostException ClientConnectorError ServerDisconnectedError RemoteDisconnected
            DistNetworkError""",
        gates="connection|econn|unreach|no route to host|ncclremoteerror|net/ib|err_",
    ),
    _rule(
        "RESOURCE_EXHAUSTED",
        "out of memory",
        phrases=r"""
            java\.lang\.OutOfMemoryError
            MemoryError
            \[Errno 12\] cannot allocate memory
            DefaultCPUAllocator: can't allocate memory
            std::bad_alloc
        """,
        types="OutOfMemoryError CUDAOutOfMemoryError MemoryError ResourceExhaustedError OutOfMemoryException",
        gates="memoryerror|cannot allocate memory|can't allocate memory|bad_alloc",
    ),
)
