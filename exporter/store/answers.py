"""Answers to reads, kept for a short time and given again while the data is the same.

An answer is given again if no event was accepted and nothing else changed after it was read, so it has all that the
request has to see. Its time range ended when the answer was read: at most `MAX_AGE_SECONDS`, plus the time that the
database took, before the request.

A request may also say that it takes an answer of some age (`Cache-Control: max-age`, RFC 9111). That may lack newer
events; it never lacks another change, such as a deletion. So many pages cost the database as much as one.
"""

import time
from typing import Final, NamedTuple

MAX_AGE_SECONDS: Final = 2.0  # since the database answered, of an answer that lacks no event
KEPT_SECONDS: Final = 10.0  # since the end of its time range, for requests that take old answers
MAX_ANSWERS: Final = 100
MAX_BYTES: Final = 32 * 2**20  # of JSON, of all kept answers together


class Version(NamedTuple):
    """The state of the data that an answer is read from. `generation` grows with each change that has no log
    position."""

    generation: int
    position: int  # of the log


class Answer:
    """The answer to a read as JSON; several requests may share it. It includes everything up to `version`. `asked` is
    the monotonic time of the `now` of the read, `seconds` is how long the database took, `requests` is how many
    requests got it."""

    __slots__ = ("__weakref__", "answered", "asked", "json", "requests", "seconds", "version")

    def __init__(self, json: bytes, version: Version, asked: float, *, seconds: float = 0.0, requests: int = 0) -> None:
        self.json = json
        self.version = version
        self.asked = asked
        self.answered = time.monotonic()
        self.seconds = seconds
        self.requests = requests

    def age(self) -> float:
        """Returns the seconds since the end of its time range."""
        return time.monotonic() - self.asked


class Answers:
    """The latest answer to each of the newest reads. If a bound is exceeded, the oldest answers are dropped."""

    def __init__(self) -> None:
        self._answers: dict[bytes, Answer] = {}  # the oldest first
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    def current(self, key: bytes, version: Version, max_age: float = 0.0) -> Answer | None:
        """Returns a kept answer that includes everything up to `version`, or is at most `max_age` seconds old and lacks
        only events; None if there is none."""
        answer = self._answers.get(key)
        if answer is None or not (
            (answer.version >= version and time.monotonic() - answer.answered <= MAX_AGE_SECONDS)
            or (max_age and answer.version.generation == version.generation and answer.age() <= max_age)
        ):
            return None
        answer.requests += 1
        return answer

    def latest(self, key: bytes) -> Answer | None:
        """Returns the latest kept answer, which may be outdated."""
        return self._answers.get(key)

    def keep(self, key: bytes, answer: Answer) -> None:
        self._drop(key)
        if len(answer.json) > MAX_BYTES:
            return
        self._answers[key] = answer
        self._bytes += len(answer.json)
        while self._bytes > MAX_BYTES or len(self._answers) > MAX_ANSWERS:
            self._drop(next(iter(self._answers)))
        for old in [one for one, answer in self._answers.items() if answer.age() > KEPT_SECONDS]:
            self._drop(old)

    def _drop(self, key: bytes) -> None:
        if (answer := self._answers.pop(key, None)) is not None:
            self._bytes -= len(answer.json)
