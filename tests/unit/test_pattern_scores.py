"""How well messages are grouped into patterns: the scores themselves, our own labelled set, and made-up logs of kinds
that the rules were not made with."""

import importlib.util
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from exporter.patterns.mask import mask

pytestmark = pytest.mark.dashboard

ROOT = Path(__file__).parents[2]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_of_patterns", ROOT / "benchmarks/patterns.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


benchmark = _load()


@pytest.mark.parametrize(
    ("truth", "found", "accuracy", "f1"),
    [
        ("aabbc", "xxyyz", 1, 1),
        ("aabbc", "xxyzz", 2 / 5, 2 * 1 / 6),  # one of b is with c
        ("aabbc", "xwyyz", 3 / 5, 2 * 2 / 7),  # a is split
        ("aabb", "xxxx", 0, 0),
        ("a", "x", 1, 1),
    ],
)
def test_scores_count_patterns_that_are_exact(truth: str, found: str, accuracy: float, f1: float) -> None:
    score = benchmark.score(truth, found)
    assert score.accuracy == pytest.approx(accuracy)
    assert score.f1 == pytest.approx(f1)


def test_our_own_set_is_grouped() -> None:
    masked, joined = benchmark.own_scores()
    assert joined.accuracy >= OWN_ACCURACY
    assert joined.f1 >= OWN_F1
    assert joined.accuracy > masked.accuracy


OWN_ACCURACY, OWN_F1 = 0.79, 0.73  # a little below what was measured

NAMES = "alice bob carol dave erin frank root backup www-data svc.mail update guest".split()  # noqa: SIM905
CLASSES = ["a.demo.Mail", "a.demo.Clock", "a.demo.Player", "b.shop.Main", "b.shop.Cart", "c.view.Toast", "c.Dialer"]
VALUES: dict[str, Callable[[random.Random], str]] = {
    "user": lambda r: r.choice(NAMES),
    "number": lambda r: str(r.randrange(100_000)),
    "address": lambda r: ".".join(str(r.randrange(1, 255)) for _ in range(4)),
    "hex": lambda r: hex(r.randrange(1 << 40)),
    "bool": lambda r: r.choice(["true", "false"]),
    "class": lambda r: r.choice(CLASSES),
    "view": lambda r: r.choice(["StatusBar", "LauncherModel", "KeyguardView", "MailView", "CartView", "ClockFace"]),
    "program": lambda r: r.choice(["a.exe", "mail.exe", "sync.exe", "chat.exe", "news.exe", "backup.exe"]),
    "host": lambda r: r.choice(["a.example.com", "db-1.lan", "localhost", "gw7", "files.example.org"]),
    "path": lambda r: "/" + "/".join(r.choice(["srv", "data", "www", "log"]) for _ in range(r.randrange(1, 5))),
}
LOGS = {
    "logins": """
        Invalid user {user} from {address}
        Failed password for invalid user {user} from {address} port {number}
        Failed password for {user} from {address} port {number}
        Accepted key for {user} from {address} port {number}
        Connection closed by {address}
        Connection reset by {address}
        session opened for user {user} by (uid={number})
        session closed for user {user}
        name {host} does not belong to {address}: possible attack
    """,
    "phone": """
        take lock: flags={hex}, tag="{view}", owner={class}, source=null, uid={number}
        give lock: id={number} tag={view}
        start activity: cmp={class} from uid {number}
        bind {class} to {class} connected={bool}
        window {hex} is visible: {bool}
        screen animation finished: {bool}
        Skipped {number} frames, too much work on the main thread
        permission of process {number} was denied for {class}
    """,
    "proxy": """
        {program} - {host}:{number} opened through proxy {host}:{number}
        {program} - {host}:{number} closed, {number} bytes sent, {number} bytes received, lifetime {number} s
        {program} - {host}:{number} error: cannot connect to proxy {host}:{number}
    """,
    "web server": """
        [client {address}] file does not exist: {path}
        [client {address}] index forbidden by rule: {path}
        child {number} started in slot {number}
        caught signal, shutting down
        resuming normal operations
        user {user} not found: {path}
    """,
    "coordinator": """
        Established session {hex} with timeout {number} for client /{address}:{number}
        Closed socket of client /{address}:{number} which had session {hex}
        Expiring session {hex}, timeout of {number} ms exceeded
        Accepted socket from /{address}:{number}
        Interrupted while waiting for a message
        environment:app.home={path}
        environment:app.arch=amd64
    """,
}


@pytest.mark.parametrize(("count", "accuracy", "f1"), [(2_000, 0.98, 0.95), (400, 0.97, 0.95)])
def test_made_up_logs_are_grouped(count: int, accuracy: float, f1: float) -> None:
    scores = []
    for name in LOGS:
        r = random.Random(name)
        templates = [line.strip() for line in LOGS[name].strip().splitlines()]
        truth = r.choices(templates, [1 / (1 + at) for at in range(len(templates))], k=count)
        lines = [template.format_map({key: make(r) for key, make in VALUES.items()}) for template in truth]
        ids = benchmark.with_families([""] * count, [mask(line) for line in lines])
        scores.append(benchmark.score(truth, ids))
    assert sum(score.accuracy for score in scores) / len(scores) >= accuracy
    assert sum(score.f1 for score in scores) / len(scores) >= f1
