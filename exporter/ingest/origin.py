"""Which run, test and devices an error belongs to: the texts of a report that become columns to filter and rank by.
Pure.

The name of a device is what identifies it best: its UUID, else its serial number with its kind, else its place in the
worker, such as "worker-7 gpu 0000:3b:00.0".
"""

from typing import Final, NamedTuple

from exporter.events.plain_text import plain_text
from exporter.events.report import MAX_DEVICES, MAX_LABEL, MAX_TEST_ID, DeviceContext, ErrorReport, RunContext

SEPARATOR: Final = "\x1f"  # between the names of several devices; no name has it
_LIMITS: Final = {"id": MAX_LABEL, "job": MAX_LABEL, "suite": MAX_LABEL, "branch": MAX_LABEL, "commit": MAX_LABEL,
                  "user": MAX_LABEL}  # fmt: skip


class Origin(NamedTuple):
    """The columns of a report's run, test and devices. `warnings` name what was cut or left out."""

    run: str | None = None
    job: str | None = None
    suite: str | None = None
    branch: str | None = None
    commit: str | None = None
    user: str | None = None
    test: str | None = None
    devices: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


NOWHERE: Final = Origin()


def origin(report: ErrorReport, worker: str) -> Origin:
    """Returns where a report of `worker` comes from. An empty text is as none."""
    if report.run is None and report.test is None and not report.devices:
        return NOWHERE
    warnings: list[str] = []
    run = run_labels(report.run, warnings)
    test = label(report.test.id if report.test else None, MAX_TEST_ID, "test.id", warnings)
    sent = report.devices or []
    if len(sent) > MAX_DEVICES:
        warnings.append(f"devices: only the first {MAX_DEVICES} of {len(sent):,} can be searched for")
    named = {name for one in sent[:MAX_DEVICES] if (name := device_name(one, worker)) is not None}
    return Origin(
        run["id"], run["job"], run["suite"], run["branch"], run["commit"], run["user"], test, tuple(sorted(named)),
        tuple(warnings),
    )  # fmt: skip


def run_labels(run: RunContext | None, warnings: list[str]) -> dict[str, str | None]:
    """Returns the texts of a run by the name of their field. Adds a warning for each that is cut."""
    return {name: label(getattr(run, name, None), most, f"run.{name}", warnings) for name, most in _LIMITS.items()}


def label(text: str | None, most: int, field: str, warnings: list[str]) -> str | None:
    """Returns a text without control characters, in `most` characters; None for an empty one. Adds a warning if it is
    cut."""
    plain = _plain(text)
    if len(plain) > most:
        warnings.append(f"{field}: only the first {most:,} of {len(plain):,} characters can be searched for")
        return plain[:most]
    return plain or None


def device_name(device: DeviceContext, worker: str) -> str | None:
    """Returns what a device is called in columns; None if nothing identifies it."""
    kind, uuid, serial, pci = map(_plain, (device.kind, device.uuid, device.serial, device.pci))
    if uuid:
        return uuid[:MAX_LABEL]
    if serial:
        return f"{kind} {serial}".strip()[:MAX_LABEL]
    place = pci.lower() or ("" if device.index is None else str(device.index))
    return " ".join(part for part in (worker, kind, place) if part)[:MAX_LABEL] if place else None


def _plain(text: str | None) -> str:
    """Returns a text on one line, without control characters."""
    if not text:
        return ""
    if text.isprintable():
        return text.strip()
    return "".join([char if char.isprintable() else " " for char in plain_text(text)]).strip()
