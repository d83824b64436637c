"""Made-up templates: those of `ONE` must become one family for each kind, those of `APART` must not."""

USERS = ["alice", "bob", "carol", "dave", "erin", "frank"]
# a template and the values of its places
ONE = {
    "users": ("Invalid user {} from <*> port <*>", [USERS]),
    "a user whose name is a verb": ("Invalid user {} from <*> port <*>", [[*USERS, "greg", "hugh", "ivy", "update"]]),
    "placeholders of two kinds": ("worker {} lost", [["<*>", "<test>"]]),
    "a name beside masked ones": ("connection from {} refused by peer", [["<*>", "localhost"]]),
    "a name beside masked ones, at the end": ("cannot resolve host {}", [["<*>", "localhost"]]),
    "what masking replaced in part": ("clock set from {}, offset <*>", [["<*>", "LOCAL(<*>)"]]),
    "values of a key": ("check pass; user={} shell=bash", [["alice", "bob", "carol", "dave"]]),
    "true and false": ("display policy: dozing={} source=app", [["true", "false"]]),
    "null beside a name": ("window focus: owner={} id=<*>", [["null", "launcher"]]),
    "no value beside a masked one": ("lease for client <*> ({}) ended", [["<*>", ""]]),
    "no value beside a name": ("check of login; user={} tty=ssh", [["", "alice"]]),
    "quoted names": ("no module is named '{}'", [["foo", "bar", "baz", "qux"]]),
    "quoted names with blanks": ("no such device: '{}' at <*>", [["laser mouse", "usb audio", "web cam", "hid"]]),
    "classes": ("Binding service {} to client <*>", [["a.b.Sync", "a.b.Mail", "a.c.Clock", "a.c.Dialer"]]),
    "files": ("cannot load library {}, skipped", [["libfoo.so", "libbar.so", "libbaz.so", "libqux.so"]]),
    "programs": (
        "{} - <*> closed, <*> bytes sent, <*> bytes received",
        [["a.exe", "b.exe", "c.exe", "d.exe", "e.exe"]],
    ),
    "singular and plural": ("<*> {} removed from the list", [["entry", "entrys"]]),
    "two places": (
        "mount of share {} by client {} took too long",
        [["alpha", "beta", "gamma", "delta", "eps"], ["lion", "tiger", "puma", "lynx", "cat"]],
    ),
    "two values that are missing": ("check of login; user={} host={} tty=ssh", [["", "alice"], ["", "<*>"]]),
    "values that are built of several pieces": ("lock taken: tag={} mode=<*>", [["null", "Source{<*>}"]]),
    "all values of keys with colons": (
        "disk check: volume: {}, owner: {}, state <*>",
        [["data", "home", "scratch", "var", "opt"], ["alice", "bob", "carol", "dave", "erin"]],
    ),
    "three values of keys": (
        "audit a={} b={} c={}",
        [["u", "v", "w", "x", "y"], ["alice", "bob", "carol", "dave", "erin"], ["mail", "web", "cron", "ssh", "ftp"]],
    ),
    "all values of keys": (
        "login user={} service={} result=<*>",
        [["alice", "bob", "carol", "dave", "erin"], ["mail", "web", "cron", "ssh", "ftp"]],
    ),
}
# words with a meaning, fed at once
APART = {
    "operations of NCCL": (
        "Watchdog caught collective operation timeout: WorkNCCL(OpType={}, NumelIn=<*>)",
        "ALLREDUCE BROADCAST ALLGATHER REDUCE REDUCE_SCATTER SEND RECV ALLTOALL GATHER SCATTER BARRIER _ALLGATHER_BASE",
    ),
    "operations of PyTorch": (
        "timed out in {} after <*>",
        "all_reduce broadcast all_gather reduce_scatter barrier send recv all_to_all gather scatter reduce",
    ),
    "exit codes": ("worker <*> exited with code {}", "1 2 126 127 134 137 139 143 255 -9 -11"),
    "status of cuBLAS": (
        "cuBLAS call failed: {}",
        "CUBLAS_STATUS_ALLOC_FAILED CUBLAS_STATUS_NOT_INITIALIZED CUBLAS_STATUS_EXECUTION_FAILED"
        " CUBLAS_STATUS_INTERNAL_ERROR CUBLAS_STATUS_INVALID_VALUE CUBLAS_STATUS_NOT_SUPPORTED",
    ),
    "errors of CUDA": (
        "kernel launch: {}",
        "cudaErrorIllegalAddress cudaErrorLaunchFailure cudaErrorMemoryAllocation cudaErrorNoDevice cudaErrorAssert",
    ),
    "results of NCCL": (
        "{} in communicator",
        "ncclSystemError ncclInternalError ncclRemoteError ncclInProgress ncclUsage",
    ),
    "errno": ("write to disk: {}", "ENOSPC EIO EACCES EPERM ENOENT EPIPE ETIMEDOUT ECONNRESET ECONNREFUSED EROFS"),
    "exceptions": (
        "loader raised {} in worker <*>",
        "ValueError TypeError KeyError OSError RuntimeError TimeoutError MemoryError builtins.IndexError StopIteration"
        " torch.OutOfMemoryError java.io.IOException",
    ),
    "signals": ("worker <*> killed by {}", "SIGKILL SIGSEGV SIGABRT SIGBUS SIGTERM SIGILL"),
    "status of gRPC": (
        "rpc error: code = {} desc = <*>",
        "UNAVAILABLE DEADLINE_EXCEEDED INTERNAL UNKNOWN CANCELLED ABORTED UNAUTHENTICATED NOT_FOUND",
    ),
    "status of gRPC in Go": (
        "rpc error: code = {} desc = <*>",
        "Unavailable DeadlineExceeded Internal Unknown Canceled Aborted Unauthenticated NotFound PermissionDenied",
    ),
    "reasons of Kubernetes": (
        "container <*> is waiting: {}",
        "CrashLoopBackOff ImagePullBackOff ErrImagePull CreateContainerConfigError OOMKilled Evicted FailedMount"
        " NodeNotReady Unhealthy",
    ),
    "tests": ("{} did not finish in <*>", "test_login test_logout test_pay test_ship test_find test_cart"),
    "states": (
        "link of device <*> is {}",
        "up down idle enabled disabled failed offline degraded unreachable resetting",
    ),
    "outcomes": ("session <*> {} by peer", "closed opened refused reset aborted rejected lost accepted"),
    "methods of HTTP": ("request {} /index took <*>", "GET POST PUT DELETE HEAD PATCH OPTIONS"),
    "methods": ("call of {} took <*>", "setMode getMode onReceive isOpen startScan stopScan hasNext updateView"),
    "negations": ("device <*> is {} ready", "not already never still"),
    "prepositions": ("error {} stream <*>", "in at on from after before during of"),
    "subjects": ("{} failed with a fatal error", " ".join(f"service{letter}" for letter in "abcdefghijklm")),
    "classes as subjects": ("{} lost its connection", "MailView CartView StatusBar ClockFace"),
    "engines in capitals": ("MMU fault of engine {} at <*>", "GRAPHICS COPY VIDEO DISPLAY HOST SECURE"),
    "one word beside masked ones, in a compound": ("worker {} crashed", "<*> process"),
    "one word beside masked ones, in a short text": ("removed {}", "<*> cable"),
    "few values": ("no route for host {} found", "alpha beta gamma"),
}


# words without a meaning, which stay apart for another reason
UNKNOWN = [
    "few values",
    "subjects",
    *(kind for kind in APART if "beside" in kind or "classes" in kind or "engines" in kind),
]
