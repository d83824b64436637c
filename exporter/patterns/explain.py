"""Explains patterns for the API: why an error has its pattern, and why two errors have different ones. Pure
functions."""

from typing import Final, NamedTuple

from exporter.patterns.fingerprint import MAX_MASKED_MESSAGE, MAX_PATTERN, VERSION, fingerprint, with_message
from exporter.patterns.frames import NOWHERE, chains, deciding, find_place, is_plain, split
from exporter.patterns.mask import kept, mask

MAX_FRAMES: Final = 100  # frames that an explanation lists
_SHOWN: Final = 80  # characters of a text in a sentence


class ConsideredFrame(NamedTuple):
    """A frame of a stack. `exception` is the type of its exception ("" if unknown), `own` whether it is in the
    project's own code, and `decides` whether it is part of the fingerprint."""

    frame: str
    exception: str
    own: bool
    decides: bool


class Explanation(NamedTuple):
    """The parts of which the fingerprint of an error is made.

    `template` is the masked message, cut to `MAX_PATTERN` characters; the fingerprint depends on all of it. `kept` are
    the codes in the message. `frame` is the place that the stack gives, "" if it gives none. `frames` are the frames
    from which `frame` was chosen: those of the root cause come first, and of one exception the innermost frame comes
    first. `root_cause` is the type of the first exception of a chain; "" if there is no chain, or the type is unknown.
    """

    version: int
    fingerprint: str
    scope: str
    type: str
    template: str
    kept: tuple[str, ...]
    frame: str
    frames: tuple[ConsideredFrame, ...]
    test: str
    root_cause: str


def explain(type_: str, message: str, traceback: str | None) -> Explanation:
    """Returns the parts of which the fingerprint of an error is made. Never raises."""
    pattern = fingerprint(type_, message, traceback)
    place = find_place(traceback) if traceback else NOWHERE
    stack = traceback if traceback and place.frames else ""
    text = message[:MAX_MASKED_MESSAGE]
    if not is_plain(message):
        text, place = with_message(message, place)
        stack = stack or split(message, MAX_MASKED_MESSAGE).stack
    found = chains(stack) if stack else []
    considered: list[ConsideredFrame] = []
    for chain in found:
        decisive = [frame for _, frame in deciding(chain)]
        for raised in chain:
            for frame in raised.frames:
                decides = frame in decisive
                if decides:
                    decisive.remove(frame)
                considered.append(ConsideredFrame(str(frame), raised.type, frame.own, decides))
    return Explanation(
        VERSION,
        pattern.fingerprint,
        pattern.scope,
        type_,
        mask(text)[:MAX_PATTERN] or type_,
        kept(text),
        place.frames,
        tuple(dict.fromkeys(considered))[:MAX_FRAMES],
        place.test,
        ", ".join(dict.fromkeys(chain[0].type for chain in found if len(chain) > 1 and chain[0].type)),
    )


def differences(one: Explanation, other: Explanation) -> list[str]:
    """Returns sentences that say why two errors have different fingerprints; empty if they have the same."""
    if one.fingerprint == other.fingerprint:
        return []
    found = []
    if one.version != other.version:
        found.append(f"The rules of their fingerprints differ: version {one.version} and version {other.version}.")
    if one.type != other.type:
        found.append(f"Their types differ: {_quoted(one.type)} and {_quoted(other.type)}.")
    if one.test != other.test:
        found.append(f"They failed in different tests: {_named(one.test)} and {_named(other.test)}.")
    if one.frame != other.frame:
        found.append(f"They began in different places: {_named(one.frame)} and {_named(other.frame)}.")
    if one.kept != other.kept:
        codes = [", ".join(_only(a.kept, b.kept)) for a, b in ((one, other), (other, one))]
        found.append(f"Their codes differ: {_named(codes[0])} and {_named(codes[1])}.")
    if one.template != other.template:
        first, second = _first_difference(one.template.split(), other.template.split())
        found.append(f"Their texts differ, first at {_quoted(first)} and {_quoted(second)}.")
    return found or [f"Their texts differ after the first {MAX_PATTERN} characters."]


def _first_difference(words: list[str], others: list[str]) -> tuple[str, str]:
    """Returns the first word of each text that differs, with up to two words before and after it."""
    both = min(len(words), len(others))
    at = next((number for number in range(both) if words[number] != others[number]), both)
    first, second = (" ".join(each[max(0, at - 2) : at + 3]) or "the end" for each in (words, others))
    return first, second


def _only(one: tuple[str, ...], other: tuple[str, ...]) -> list[str]:
    return [code for code in one if code not in other] or list(one)


def _named(text: str) -> str:
    return _quoted(text) if text else "none"


def _quoted(text: str) -> str:
    return f"“{text[:_SHOWN]}…”" if len(text) > _SHOWN else f"“{text}”"
