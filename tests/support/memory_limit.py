"""A control group with a limit of memory, of both versions, for tests of out-of-memory kills."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


@contextlib.contextmanager
def memory_limit(mebibytes: int) -> Iterator[tuple[str, ...] | None]:
    """Yields a command that runs another one in the group; None where no group can be made."""
    version1 = (V1 / "memory.limit_in_bytes").exists()
    group = (V1 if version1 else V2) / f"error-visualization-test-{uuid4().hex[:8]}"
    limits = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes") if version1 else ("memory.max", "memory.swap.max")
    try:
        group.mkdir()
        (group / limits[0]).write_text(str(mebibytes * 2**20))
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        yield None
        return
    with contextlib.suppress(OSError):  # without swap accounting
        (group / limits[1]).write_text(str(mebibytes * 2**20) if version1 else "0")
    try:
        yield ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh")
    finally:
        for _ in range(100):  # its processes have ended, but may not be reaped yet
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.05)
