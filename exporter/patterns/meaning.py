"""Decides whether a word says what happened. Texts that differ in such a word are different patterns. Pure functions.

The lists have technical and general English words: outcomes, states, negations, prepositions, codes. Regular word forms
are recognised by their ending, so that the lists stay short.
"""

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final

REMEMBERED: Final = 16_384  # words whose judgement is cached


class Meaning(IntEnum):
    """How much a word says about what happened."""

    NONE = 0  # a name or a value, such as `alice`
    NAME_TOO = 1  # usually says what happened, but may be a name, such as `update` and `staging`
    ALWAYS = 2  # a state, an outcome, a negation, an error, a code: never a value


_GRAMMAR: Final = """
    no not yes ok now never any all both only already still again too also a an the this that is are was were be been
    has have had do does did can can't cannot could will would should must may and or but if when while because than
    as so it its on off in out up down at by to from of for with without within into onto over under before after
    between during through until since against via per about upon
"""
_STATES: Final = """
    begun ran ready busy idle dead alive lost left gone found sent kept made read-only readonly written broke broken
    shut online offline healthy unhealthy stable unstable good bad fatal critical warning fault panic abort exit kill
    crash hang hung stuck timeout success full empty high low slow fast missing unknown invalid illegal valid corrupt
    available unavailable unreachable unable able pending complete incomplete active inactive present absent primary
    secondary overflow underflow leak
"""
_VERBS: Final = """
    begin end start stop run open close shutdown startup restart reboot warn info debug reset retry master slave
    leader follower allow deny reject refuse grant accept enable disable connect disconnect login logout create
    delete remove add update cancel send receive recv read write load unload mount unmount lock unlock acquire
    release bind listen commit rollback push pull get set put post patch head options wait
    boot sync init initialize terminate
"""
_WORDS: Final = (
    dict.fromkeys(_VERBS.split(), Meaning.NAME_TOO)
    | dict.fromkeys(_GRAMMAR.split(), Meaning.ALWAYS)
    | dict.fromkeys(_STATES.split(), Meaning.ALWAYS)
)
_IS_GRAMMAR: Final = frozenset(_GRAMMAR.split())
_PART: Final = re.compile("[-_]")
# Collective operations: allreduce, ALL_GATHER, _reduce_scatter_base, …
_OPERATION: Final = re.compile(
    r"_?(?:all_?(?:reduce|gather|to_?all)|reduce(?:_?scatter)?|scatter|gather|broadcast|barrier|send|recv)"
    r"(?:_?(?:base|into|tensor|coalesced|object|list))*+",
    re.IGNORECASE,
)
_FAULT: Final = re.compile(
    r"""
      (?i:error|exception|fail)                                                               # TypeError
    | \w(?:Fault|Warning|Timeout|Interrupt|Abort|Exit)s?$ | ^Stop(?:Async)?Iteration$         # KeyboardInterrupt
    | (?:Expired|Exceeded|Denied|Refused|NotFound|Killed|Evicted|BackOff|Unavailable|NotReady)  # CrashLoopBackOff
    | ^Err[A-Z] | ^E[A-Z]{3,}$ | ^SIG[A-Z]{2,}$                                               # ErrImagePull, ENOENT
    | ^[A-Z]+(?:_[A-Z]+)+$ | (?i:_status_)                                                    # CUBLAS_STATUS_…
    | ^(?:cuda|hip|nccl|cublas|cudnn|nvml)[A-Z]                                               # cudaSuccess
    | ^test_ | _test$ | (?:^|[.:/])Test[A-Z] | \.py:: | ::[Tt]est  # the id of a test
    """,
    re.VERBOSE,
)
_METHOD: Final = re.compile(r"([a-z]+)[A-Z]")
_PARTICIPLE: Final = re.compile(r"[a-z]{2,}ed", re.IGNORECASE)
_ENDING: Final = re.compile(r"([a-z]{2,})(?:ing|ly|able|ible)", re.IGNORECASE)
_CORE: Final = re.compile(r"^\W+|\W+$")
_INSIDE: Final = re.compile(r"""[\s,;:=()\[\]{}"|]+""")


@lru_cache(REMEMBERED)
def meaning(word: str) -> Meaning:
    """Returns the meaning of a word. If `word` is several words, returns the greatest of their meanings."""
    return max(map(_meaning, _INSIDE.split(word)))


def _meaning(word: str) -> Meaning:
    if any(map(str.isdigit, word)):
        return Meaning.ALWAYS  # masking keeps digits only in codes and terms
    core = _CORE.sub("", word)
    if _PARTICIPLE.fullmatch(core) or _FAULT.search(core) or _OPERATION.fullmatch(core):
        return Meaning.ALWAYS
    lower = core.lower()
    if is_symbol(core) and lower in _WORDS:
        return Meaning.ALWAYS  # GET
    if lower in _WORDS:
        return _WORDS[lower]
    if (found := _METHOD.match(core)) and found[1] in _WORDS:
        return Meaning.ALWAYS  # setMode
    if found := _ENDING.fullmatch(lower):
        stem = found[1]
        known = any(verb in _WORDS for verb in (stem, stem[:-1], f"{stem}e"))  # starting, resetting, writing
        return Meaning.ALWAYS if known else Meaning.NAME_TOO
    parts = [lower.removesuffix("s"), *(part for part in _PART.split(lower) if part not in _IS_GRAMMAR)]
    return max(_WORDS.get(part, Meaning.NONE) for part in parts)  # warnings, oom-kill, disk_write


def is_symbol(word: str) -> bool:
    """Returns whether a word has only capital letters and underscores, like a constant of an enumeration."""
    return len(word) > 1 and word.isupper() and word.replace("_", "").isalpha()
