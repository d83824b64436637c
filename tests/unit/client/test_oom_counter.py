"""The out-of-memory kills of a control group, in both versions of the control groups, in containers and without."""

import os
from pathlib import Path

import pytest
from error_visualization.oom import OomCounter, groups

pytestmark = pytest.mark.dashboard

V2 = "31 24 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1 = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
CPU = "33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct"
HYBRID = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "folders"),
    [
        ("0::/user.slice/a.scope\n", V2, ["/sys/fs/cgroup/user.slice/a.scope"]),
        ("0::/\n", V2, ["/sys/fs/cgroup"]),
        ("5:cpu,cpuacct:/x\n4:memory:/job/7\n", f"{CPU}\n{V1}", ["/sys/fs/cgroup/memory/job/7"]),
        ("4:memory:/a\n0::/b\n", f"{V1}\n{HYBRID}", ["/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/unified/b"]),
        # a container without a cgroup namespace: its own group is the root of the mount
        ("4:memory:/docker/ab\n", V1.replace(" / ", " /docker/ab "), ["/sys/fs/cgroup/memory"]),
        ("4:memory:/docker/ab/in\n", V1.replace(" / ", " /docker/ab "), ["/sys/fs/cgroup/memory/in"]),
        # a process in a group outside the mount
        ("0::/../other\n", V2.replace(" / ", " /a "), ["/sys/fs/cgroup"]),
        ("0::/a b\n", V2.replace("/sys/fs/cgroup", "/c\\040d"), ["/c d/a b"]),
        ("", V2, []),
        ("nonsense\n", "nonsense", []),
    ],
)
def test_the_folders_of_a_process(cgroup: str, mountinfo: str, folders: list[str]) -> None:
    assert list(groups(cgroup, mountinfo)) == folders


def test_counts_of_both_versions(tmp_path: Path) -> None:
    for name, text in (
        ("memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 0\n"),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"),
    ):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_text(text)
    assert OomCounter(tmp_path / "memory-events").kills() == 2
    assert OomCounter([tmp_path / "nothing", tmp_path / "memory-oom_control"]).kills() == 5
    assert OomCounter(tmp_path / "memory-events" / "memory.events").kills() == 2
    assert OomCounter(tmp_path / "nothing").kills() is None
    assert OomCounter([]).kills() is None


def test_a_process_by_its_id(tmp_path: Path) -> None:
    group = tmp_path / "cgroup" / "job"
    group.mkdir(parents=True)
    (group / "memory.events").write_text("oom_kill 1\n")
    for name in ("7", "self"):
        (tmp_path / name).mkdir()
    (tmp_path / "7" / "cgroup").write_text("0::/job\n")
    (tmp_path / "self" / "mountinfo").write_text(V2.replace("/sys/fs/cgroup", str(tmp_path / "cgroup")))
    counter = OomCounter(7, proc=tmp_path)
    assert counter.kills() == 1
    (group / "memory.events").write_text("oom_kill 4\n")
    assert counter.kills() == 4
    assert OomCounter(8, proc=tmp_path).kills() is None  # no such process


def test_of_this_machine() -> None:
    assert OomCounter(os.getpid()).kills() == OomCounter().kills()
