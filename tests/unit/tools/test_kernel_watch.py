"""Following the kernel's log: each fault once, over restarts and crashes at any moment."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from error_visualization.agent.cursor import Cursor, CursorFile
from error_visualization.agent.lines import Dmesg, Journal, Kmsg
from error_visualization.agent.open_log import open_log
from error_visualization.agent.watch import Watch
from error_visualization.pipe import kernel_lines
from kernel_log import LINK_DOWN, Fault, kernel_log, microseconds

pytestmark = pytest.mark.dashboard
BOOT = "b00t"


class CrashError(Exception):
    """The agent's process ends at once."""


class Agent:
    """Agents that follow one log one after the other. `got` are the reports that reached the disk."""

    def __init__(self, folder: Path, text: str) -> None:
        self.log, self.cursor = folder / "kmsg", CursorFile(folder / "cursor.json")
        self.log.write_text(text)
        self.got: list[Mapping[str, Any]] = []
        self.crash_before = self.crash_after = -1
        self.refuse = 0

    def report(self, fields: Mapping[str, Any]) -> bool:
        if len(self.got) == self.crash_before:
            raise CrashError
        if self.refuse:
            self.refuse -= 1
            return False
        self.got.append(fields)
        if len(self.got) == self.crash_after:
            raise CrashError
        return True

    def run(self, steps: int = 1_000, boot: str = BOOT, save: bool = True) -> Watch:
        source = open_log(str(self.log), boot, self.cursor.load())
        watch = Watch(source, self.cursor, boot, self.report)
        try:
            for _ in range(steps):
                before = watch.lines
                if watch.step(0) and watch.lines == before:
                    break
            if save:
                watch.save()
        finally:
            source.close()
        return watch

    def stored(self) -> list[Any]:
        """Returns what the service has: an event id once."""
        return list({fields["event_id"]: (fields["type"], fields["message"]) for fields in self.got}.values())


def truth(faults: list[Fault]) -> list[Any]:
    return [(fault.type, fault.line) for fault in faults]


def test_each_fault_once(tmp_path: Path) -> None:
    text, faults = kernel_log(4_000, seed=1, links=False)
    agent = Agent(tmp_path, text)
    watch = agent.run()
    assert agent.stored() == truth(faults)
    assert len(agent.got) == len(faults)
    assert (watch.lines, watch.faults, watch.lost) == (4_000, len(faults), 0)
    agent.run()
    assert len(agent.got) == len(faults)


@pytest.mark.parametrize("seed", range(5))
def test_none_is_lost_and_none_doubled_over_crashes(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    text, faults = kernel_log(2_000, seed=seed, links=False)
    agent = Agent(tmp_path, text)
    for _ in range(60):
        agent.crash_before = agent.crash_after = -1
        if rng.random() < 0.5:
            agent.crash_before = len(agent.got) + rng.randrange(3)
        else:
            agent.crash_after = len(agent.got) + rng.randrange(1, 4)
        try:
            agent.run(steps=rng.randrange(1, 4), save=rng.random() < 0.5)
        except CrashError:
            continue
    agent.crash_before = agent.crash_after = -1
    agent.run()
    assert agent.stored() == truth(faults)
    assert len(agent.got) - len(faults) <= 60  # at most the newest report again after each crash


def test_what_the_spool_does_not_take_is_tried_again(tmp_path: Path) -> None:
    text, faults = kernel_log(400, seed=3, links=False)
    agent = Agent(tmp_path, text)
    agent.refuse = 5
    agent.run()
    assert agent.stored() == truth(faults)


def test_lines_written_later_and_in_parts(tmp_path: Path) -> None:
    text, faults = kernel_log(300, seed=4, links=False)
    agent = Agent(tmp_path, "")
    source = Kmsg(str(agent.log), BOOT, None)
    watch = Watch(source, agent.cursor, BOOT, agent.report)
    with agent.log.open("a") as log:
        for start in range(0, len(text), 333):
            log.write(text[start : start + 333])
            log.flush()
            watch.step(0)
    watch.step(0)
    source.close()
    assert agent.stored() == truth(faults)


def test_another_start_of_the_kernel_begins_anew(tmp_path: Path) -> None:
    text, faults = kernel_log(200, seed=5, links=False)
    agent = Agent(tmp_path, text)
    agent.run()
    agent.run(boot="0ther")
    assert len(agent.got) == 2 * len(faults)
    assert len(agent.stored()) == 2 * len(faults)


def test_overwritten_lines_are_told(tmp_path: Path) -> None:
    text, _ = kernel_log(100, seed=6, links=False)
    more, _ = kernel_log(100, seed=7, first=700, links=False)
    agent = Agent(tmp_path, text)
    agent.run()
    agent.log.write_text(more)
    watch = agent.run()
    gaps = [fields for fields in agent.got if fields["type"] == "KernelLogOverrun"]
    assert [fields["message"][:9] for fields in gaps] == ["500 lines"]
    assert watch.lost == 500


def test_a_damaged_cursor_is_none(tmp_path: Path) -> None:
    file = CursorFile(tmp_path / "cursor.json")
    for content in ("", "{", "[]", '{"source": 1}'):
        file.path.write_text(content)
        assert file.load() is None
    file.save(Cursor("kmsg", BOOT, "7"))
    assert file.load() == Cursor("kmsg", BOOT, "7")
    assert list(tmp_path.iterdir()) == [file.path]


def test_a_link_that_goes_down_again_and_again_flaps(tmp_path: Path) -> None:
    seconds = (0, 100, 200, 1_000, 1_100)
    began = microseconds(1_200)
    agent = Agent(tmp_path, "".join(f"3,{n},{began + s * 1_000_000},-;{LINK_DOWN}\n" for n, s in enumerate(seconds)))
    agent.run()
    assert [fields["type"] for fields in agent.got] == [
        "mlx5 link down",
        "mlx5 link down",
        "mlx5 link flaps",
        "mlx5 link down",
        "mlx5 link down",
    ]


def test_at_the_first_start_old_lines_are_not_reported(tmp_path: Path) -> None:
    agent = Agent(tmp_path, f"3,1,1000000,-;{LINK_DOWN}\n3,2,100000000000,-;{LINK_DOWN}\n")
    source = open_log(str(agent.log), BOOT, None)
    start = source._start  # type: ignore[attr-defined]
    watch = Watch(source, agent.cursor, BOOT, agent.report, now=lambda: start + 100_001)
    watch.step(0)
    source.close()
    assert [fields["event_id"] for fields in agent.got] == [f"{BOOT}-2"]


def test_the_device_of_a_fault_is_completed(tmp_path: Path) -> None:
    agent = Agent(tmp_path, f"3,1,{microseconds()},-;NVRM: Xid (PCI:0000:3b:00): 48, pid=1, name=x\n")
    source = open_log(str(agent.log), BOOT, None)
    watch = Watch(
        source, agent.cursor, BOOT, agent.report, lambda pci: {"uuid": "GPU-1"} if pci == "0000:3b:00.0" else {}
    )
    watch.step(0)
    source.close()
    assert agent.got[0]["devices"] == [{"kind": "gpu", "pci": "0000:3b:00.0", "uuid": "GPU-1"}]


def script(folder: Path, text: str) -> str:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\necho \"$@\" > {folder}/arguments\ncat <<'END'\n{text}\nEND\nexec sleep 60\n")
    path.chmod(0o755)
    return str(path)


def test_the_journal(tmp_path: Path) -> None:
    lines = '{"__CURSOR":"s=1","MESSAGE":"x","__REALTIME_TIMESTAMP":"1700000000000000","PRIORITY":"3","_BOOT_ID":"b"}\nnot json'
    source = Journal("s=0", script(tmp_path, lines))
    (line,) = source.read(5)
    source.close()
    assert (line.place, line.entry.message, line.entry.severity, line.entry.time) == ("s=1", "x", 3, 1_700_000_000.0)
    assert line.event_id.startswith("b-")
    assert "--after-cursor s=0" in (tmp_path / "arguments").read_text()


def test_dmesg(tmp_path: Path) -> None:
    source = Dmesg(
        BOOT, "12.500000", script(tmp_path, "kern  :err   : [   12.400000] old\nkern  :err   : [   12.500000] new")
    )
    (line,) = source.read(5)
    source.close()
    assert (line.place, line.entry.message, line.entry.severity) == ("12.500000", "new", 3)


def test_a_program_that_ends_is_an_error(tmp_path: Path) -> None:
    source = Dmesg(BOOT, None, "true")
    with pytest.raises(OSError, match="dmesg ended"):
        source.read(5)
    source.close()


def test_lines_have_the_time_of_a_clock_that_was_set_after_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Agent(tmp_path, "")
    monkeypatch.setattr(kernel_lines, "started_at", lambda: 0.0)  # 1970: no clock yet
    source = Kmsg(str(agent.log), BOOT, None)
    watch = Watch(source, agent.cursor, BOOT, agent.report, now=lambda: 1_800_000_100.0)
    monkeypatch.setattr(kernel_lines, "started_at", lambda: 1_800_000_000.0)
    agent.log.write_text("3,1,5000000,-;NVRM: Xid (PCI:0000:3b:00): 79, GPU\n")
    watch.step(0)
    watch.close()
    assert [fields["timestamp"] for fields in agent.got] == [1_800_000_005.0]
