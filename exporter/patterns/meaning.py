"""Which words say what happened, so that two texts which differ in one of them are two patterns. Pure functions.

The words are those of our field and of English in general: outcomes, states, negations, prepositions, numerals of a
fault. Endings are used where they are regular, so that the lists stay short.
"""

import re
from functools import lru_cache
from typing import Final

REMEMBERED: Final = 16_384  # words whose judgement is cached

_GRAMMAR: Final = """
    no not yes ok none never any all both only already still again too also
    a an the this that is are was were be been has have had do does did can could will would should must may
    and or but if when while because than as so
    on off in out up down at by to from of for with without within into onto over under before after between during
    through until since against via per about
"""
_OUTCOMES: Final = """
    begin begun end start stop run ran ready busy idle dead alive lost left gone found sent kept made read written broke
    broken open close shut shutdown startup restart reboot online offline healthy unhealthy stable unstable good bad
    fatal critical warning warn info debug error fail failure fault panic abort exit kill crash hang hung stuck reset retry
    timeout success full empty high low slow fast missing unknown invalid illegal valid corrupt available unavailable
    unreachable unable able pending complete incomplete active inactive present absent primary secondary master slave
    leader follower read-only readonly allow deny denied reject refuse grant accept enable disable connect disconnect
    login logout create delete remove add update cancel send receive recv write load unload mount unmount lock unlock
    acquire release bind listen accept commit rollback push pull get put post patch head options
"""
# Collective operations, and the parts of names of faults.
_OPERATION: Final = re.compile(
    r"_?(?:all|reduce|gather|scatter|broadcast|barrier|send|recv|coalesced|base|to|into|tensor|_)+_?", re.IGNORECASE
)
_FAULT: Final = re.compile(
    r"""
      (?i:error|exception|fail(?:ed|ure)?|fault|warning|timeout|interrupt|abort)(?:s|Code|Status)?$  # TypeError
    | (?:Expired|Exceeded|Denied|Refused|NotFound|Killed|Evicted|BackOff|Unavailable|NotReady)
    | ^E[A-Z]{3,}\d*$ | ^SIG[A-Z]{2,}\d*$                                       # errno and signal names
    | ^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$                                           # constants, such as CUBLAS_STATUS_…
    | ^(?:cuda|hip|nccl|cublas|cudnn|nvml)[A-Z]                                 # cudaErrorIllegalAddress
    | ^test_|_test$|(?:^|\.|::)Test[A-Z]|::test                                 # the id of a test
    """,
    re.VERBOSE,
)
_WORDS: Final = frozenset((_GRAMMAR + _OUTCOMES).split())
_VERB: Final = re.compile(r"[a-z]{2,}(?:ed|ing|ly|able|ible)s?", re.IGNORECASE)
_CORE: Final = re.compile(r"^\W+|\W+$")
_INSIDE: Final = re.compile(r"[\s,;:=()\[\]{}\"'|]+")


@lru_cache(REMEMBERED)
def has_meaning(word: str) -> bool:
    """Returns whether a word, or any word of a quoted text, says what happened, so that it never is a variable.

    A word with a digit has meaning, because masking left the digit in place: it is part of a code.
    """
    return any(map(_one, _INSIDE.split(word)))


def _one(word: str) -> bool:
    if any(map(str.isdigit, word)):
        return True
    core = _CORE.sub("", word)
    return bool(
        core.lower() in _WORDS
        or _VERB.fullmatch(core)
        or _FAULT.search(core)
        or (len(core) > 3 and _OPERATION.fullmatch(core))
    )


def is_symbol(word: str) -> bool:
    """Returns whether a word is written in capitals only, as the constants of an enumeration are."""
    return len(word) > 1 and word.isupper()
