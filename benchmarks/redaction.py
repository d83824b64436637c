"""Measures redaction: what it finds, what it leaves alone, and what it costs.

    python benchmarks/redaction.py [--misses] [--held-out-misses]

The corpus is in `tests/fixtures/redaction`: texts and reports with marked secrets, and look-alikes without any. Recall
is the share of secrets that are replaced; precision is the share of the replaced places that were secrets. A third of
the lines, chosen by their checksum, is held out: its misses are not to be looked at while rules are changed.

Then it prints the cost of a report in process time: of the reports that `make bench` sends, of those of the corpus, and
of reports of 4 MB that are made to be costly, with how the cost grows when the length doubles.
"""

import argparse
import base64
import json
import random
import re
import statistics
import string
import sys
import time
import uuid
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from exporter.redaction.redact import Redaction

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests/fixtures/redaction"
LONGEST = 4_000_000  # bytes of the costly reports
REPEATS = 5  # of each measurement of a time
_ALNUM = string.ascii_letters + string.digits
_SECRET = re.compile("«(.*?)»", re.DOTALL)


class Case(NamedTuple):
    """One line of the corpus, which is `shown`. `body` is the report's JSON; `secrets` are texts that must not be left
    in it; `rule` is "" for a look-alike."""

    rule: str
    body: bytes
    secrets: tuple[str, ...]
    shown: str
    held_out: bool


class Result(NamedTuple):
    """`found` and `missed` count secrets by rule, `wrong` the marks in look-alikes by rule. `damaged` are cases whose
    surroundings changed."""

    found: Counter[str]
    missed: Counter[str]
    wrong: Counter[str]
    misses: list[str]
    mistakes: list[str]
    damaged: list[str]

    @property
    def recall(self) -> float:
        return self.found.total() / max(1, self.found.total() + self.missed.total())

    @property
    def precision(self) -> float:
        return self.found.total() / max(1, self.found.total() + self.wrong.total())


def corpus() -> list[Case]:
    """Returns all cases, in the order of the files."""
    cases = [_case(rule, text, line, report=False) for rule, text, line in _lines("secrets.txt")]
    cases += [_case(rule, text, line, report=True) for rule, text, line in _lines("reports.txt")]
    for line in _read("lookalikes.txt"):
        cases.append(_case("", line, line, report=line.startswith("{") and _is_json(_filled(line, line))))
    return cases


def run(cases: Sequence[Case]) -> Result:
    """Redacts each case and compares."""
    result = Result(Counter(), Counter(), Counter(), [], [], [])
    for case in cases:
        redaction = Redaction()
        redacted = redaction.redact(case.body)
        if not case.rule:
            if redacted != case.body:
                result.wrong.update(+redaction.counts)
                result.mistakes.append(f"{case.shown}\n      {redacted.decode()}")
            continue
        after = redacted.decode()
        for secret in case.secrets:
            if secret in after:
                result.missed[case.rule] += 1
                result.misses.append(f"{case.rule}: {case.shown}\n      {after}")
            else:
                result.found[case.rule] += 1
        if not _same_around(case, after):
            result.damaged.append(f"{case.shown}\n      {after}")
    return result


def _same_around(case: Case, redacted: str) -> bool:
    """Returns whether each text between the secrets of a case is still there, in its order."""
    at = 0
    rest, after = (json.dumps(json.loads(one), ensure_ascii=False) for one in (case.body, redacted))
    for secret in case.secrets:
        before, _, rest = rest.partition(_as_json(secret))
        place = after.find(before.rstrip('"'), at)
        if place < 0:
            return False
        at = place + len(before.rstrip('"'))
    return after.endswith(rest.lstrip('"'))


def _as_json(secret: str) -> str:
    """Returns a part of a JSON text in the spelling of `json.dumps`."""
    try:
        return json.dumps(json.loads(f'"{secret}"'), ensure_ascii=False)[1:-1]
    except ValueError:
        return secret


def _case(rule: str, text: str, line: str, *, report: bool) -> Case:
    text = _filled(text, line)
    secrets = tuple(_SECRET.findall(text))
    plain = text.replace("«", "").replace("»", "")
    if report:
        body = '{"worker_id":"w","message":"m",' + plain[1:]
    else:
        body = json.dumps({"worker_id": "w", "message": plain}, ensure_ascii=False)
        secrets = tuple(json.dumps(one, ensure_ascii=False)[1:-1] for one in secrets)
    return Case(rule, body.encode(), secrets, line, zlib.crc32(line.encode()) % 3 == 0)


def _filled(text: str, seed: str) -> str:
    text = text.replace("⏎", "\n").replace("⇥", "\t")
    chance = random.Random(seed)
    return re.sub(r"\{\{(uuid|[a-z0-9]+:[0-9:]+)\}\}", lambda match: _made(match[1], chance), text)


def _made(spec: str, chance: random.Random) -> str:
    kind, _, rest = spec.partition(":")
    if kind == "uuid":
        return str(uuid.UUID(int=chance.getrandbits(128), version=4))
    if kind == "card":
        first, _, length = rest.partition(":")
        return _card(first, int(length), chance)
    if kind == "base64":
        return base64.b64encode(chance.randbytes(int(rest) + 3)).decode()[: int(rest)]
    letters = {
        "alnum": _ALNUM, "hex": "0123456789abcdef", "hexupper": "0123456789ABCDEF", "digits": string.digits,
        "upper": string.ascii_uppercase + string.digits, "lower": string.ascii_lowercase + string.digits,
    }[kind]  # fmt: skip
    return "".join(chance.choices(letters, k=int(rest)))


def _card(first: str, length: int, chance: random.Random) -> str:
    digits = first + "".join(chance.choices(string.digits, k=length - 1 - len(first)))
    doubled = [int(one) * (2 if place % 2 == 0 else 1) for place, one in enumerate(reversed(digits))]
    return digits + str(-sum([one // 10 + one % 10 for one in doubled]) % 10)


def _lines(name: str) -> Iterator[tuple[str, str, str]]:
    for line in _read(name):
        rule, _, text = line.partition(" | ")
        yield rule, text, line


def _read(name: str) -> list[str]:
    lines = (CORPUS / name).read_text("utf-8").split("\n")
    return [line for line in lines if line and not line.startswith("# ")]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


# --- cost


def seconds(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Returns the median of the process time of `call`."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return statistics.median(times)


PARTS: dict[str, str] = {
    "a text of words": "the worker lost its node and tries again ",
    "names": "token_count password_length ",
    "secrets": "password=hunter2 ",
    "quotes": 'password=\\"a ',
    "one name": "token",
    "schemes": "://a:b",
    "at signs": "a@b",
    "digits": "4111 1111 ",
    "escapes": "\\\\\\n",
    "dots": "a.token.",
    "hyphens": "--token-",
    "base64": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0",
    "private keys": "-----BEGIN PRIVATE KEY-----\\nQUJD",
    "jwt": "eyJhbGciOiJ.",
    "equals signs": "auth====",
    "brackets": "secret[{(",
    "headers": "Authorization: Digest ",
    "curl": "curl -u ",
}


def costly(part: str, length: int, *, strings: bool) -> bytes:
    """Returns a report of about `length` bytes: one text of `part`, or an array with a string for each."""
    many = max(1, length // (len(part) + 3 * strings))
    if strings:
        return b'{"worker_id":"w","message":"m","a":["' + '","'.join([part] * many).encode() + b'"]}'
    return b'{"worker_id":"w","message":"' + (part * many).encode() + b'"}'


def print_cost() -> None:
    import bodies

    redaction = Redaction()
    usual = bodies.encoded(bodies.sample(2_000))
    each = seconds(lambda: [redaction.redact(one) for one in usual]) / len(usual)
    print(f"\nusual reports of {statistics.mean(map(len, usual)):,.0f} bytes: {each * 1e6:.1f} µs a report")
    for name, some in (("secrets", True), ("look-alikes", False)):
        cases = [json.loads(usual[0]) | json.loads(case.body) for case in corpus() if bool(case.rule) is some]
        encoded = [json.dumps(case).encode() for case in cases]
        each = seconds(lambda some=encoded: [redaction.redact(one) for one in some]) / len(encoded)  # type: ignore[misc]
        hits = sum([redaction._suspicion.search(one) is not None for one in encoded])
        print(
            f"reports of the corpus with {name}: {each * 1e6:.1f} µs a report, {hits} of {len(encoded)} are looked at"
        )
    print(f"\n{'reports of 4 MB':<24}{'one text':>10}{'growth':>8}{'strings':>10}{'growth':>8}")
    for name, part in PARTS.items():
        row = f"{name:<24}"
        for strings in (False, True):
            reports = [costly(part, size, strings=strings) for size in (LONGEST // 2, LONGEST)]
            half, whole = [seconds(partial(redaction.redact, report), 3) for report in reports]
            row += f"{whole * 1e3:>7.0f} ms{whole / max(half, 1e-4):>8.1f}"
        print(row, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measures what redaction finds, and what it costs.")
    parser.add_argument(
        "--misses", action="store_true", help="print misses and mistakes of the lines that are not held out"
    )
    parser.add_argument("--held-out-misses", action="store_true", help="print those of the held-out lines")
    parser.add_argument("--no-cost", action="store_true", help="do not measure times")
    given = parser.parse_args(argv)
    cases = corpus()
    parts: dict[str, Any] = {
        "used for tuning": [case for case in cases if not case.held_out],
        "held out": [case for case in cases if case.held_out],
        "all": cases,
    }
    results = {name: run(part) for name, part in parts.items()}
    for name, shown in (("used for tuning", given.misses), ("held out", given.held_out_misses)):
        if shown:
            for title in ("misses", "mistakes", "damaged"):
                for one in getattr(results[name], title):
                    print(f"{title}: {one}")
    for name, result in results.items():
        texts = len(parts[name])
        print(
            f"{name}: {texts} lines, recall {result.recall:.3f} ({result.missed.total()} missed), "
            f"precision {result.precision:.3f} ({result.wrong.total()} wrong), {len(result.damaged)} damaged"
        )
    total, by_rule = results["all"], defaultdict(str)
    print(f"\n{'rule':<20}{'secrets':>9}{'found':>7}{'wrong':>7}")
    for rule in sorted({*total.found, *total.missed, *total.wrong}, key=str):
        by_rule[rule] = f"{total.found[rule] + total.missed[rule]:>9}{total.found[rule]:>7}{total.wrong[rule]:>7}"
        print(f"{rule:<20}{by_rule[rule]}")
    if not given.no_cost:
        print_cost()
    return 0


if __name__ == "__main__":
    sys.exit(main())
