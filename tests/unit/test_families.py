"""Which templates become one family, and which never do. The samples are made up."""

import random
import subprocess
import sys
import time

import pytest

from exporter.patterns import families as module
from exporter.patterns.families import (
    MAX_PIECES,
    MAX_VALUES,
    Family,
    KnownFamilies,
    families,
    representatives,
    why_apart,
)

pytestmark = pytest.mark.dashboard

USERS = ["alice", "bob", "carol", "dave", "erin", "frank"]
# a template and the values of its places
ONE = {
    "users": ("Invalid user {} from <*> port <*>", [USERS]),
    "a user whose name is a verb": ("Invalid user {} from <*> port <*>", [[*USERS, "greg", "hugh", "ivy", "update"]]),
    "placeholders of two kinds": ("worker {} lost", [["<*>", "<test>"]]),
    "a name beside masked ones": ("connection from {} refused by peer", [["<*>", "localhost"]]),
    "a name beside masked ones, at the end": ("cannot resolve host {}", [["<*>", "localhost"]]),
    "what masking replaced in part": ("clock set from {}, offset <*>", [["<*>", "LOCAL(<*>)"]]),
    "values of a key": ("check pass; user={} shell=bash", [["alice", "bob", "carol", "dave"]]),
    "true and false": ("display policy: dozing={} source=app", [["true", "false"]]),
    "null beside a name": ("window focus: owner={} id=<*>", [["null", "launcher"]]),
    "no value beside a masked one": ("lease for client <*> ({}) ended", [["<*>", ""]]),
    "no value beside a name": ("check of login; user={} tty=ssh", [["", "alice"]]),
    "quoted names": ("no module is named '{}'", [["foo", "bar", "baz", "qux"]]),
    "quoted names with blanks": ("no such device: '{}' at <*>", [["laser mouse", "usb audio", "web cam", "hid"]]),
    "classes": ("Binding service {} to client <*>", [["a.b.Sync", "a.b.Mail", "a.c.Clock", "a.c.Dialer"]]),
    "files": ("cannot load library {}, skipped", [["libfoo.so", "libbar.so", "libbaz.so", "libqux.so"]]),
    "programs": (
        "{} - <*> closed, <*> bytes sent, <*> bytes received",
        [["a.exe", "b.exe", "c.exe", "d.exe", "e.exe"]],
    ),
    "singular and plural": ("<*> {} removed from the list", [["entry", "entrys"]]),
    "two places": (
        "mount of share {} by client {} took too long",
        [["alpha", "beta", "gamma", "delta", "eps"], ["lion", "tiger", "puma", "lynx", "cat"]],
    ),
    "two values that are missing": ("check of login; user={} host={} tty=ssh", [["", "alice"], ["", "<*>"]]),
    "values that are built of several pieces": ("lock taken: tag={} mode=<*>", [["null", "Source{<*>}"]]),
    "all values of keys with colons": (
        "disk check: volume: {}, owner: {}, state <*>",
        [["data", "home", "scratch", "var", "opt"], ["alice", "bob", "carol", "dave", "erin"]],
    ),
    "three values of keys": (
        "audit a={} b={} c={}",
        [["u", "v", "w", "x", "y"], ["alice", "bob", "carol", "dave", "erin"], ["mail", "web", "cron", "ssh", "ftp"]],
    ),
    "all values of keys": (
        "login user={} service={} result=<*>",
        [["alice", "bob", "carol", "dave", "erin"], ["mail", "web", "cron", "ssh", "ftp"]],
    ),
}
# words with a meaning, fed at once
APART = {
    "operations of NCCL": (
        "Watchdog caught collective operation timeout: WorkNCCL(OpType={}, NumelIn=<*>)",
        "ALLREDUCE BROADCAST ALLGATHER REDUCE REDUCE_SCATTER SEND RECV ALLTOALL GATHER SCATTER BARRIER _ALLGATHER_BASE",
    ),
    "operations of PyTorch": (
        "timed out in {} after <*>",
        "all_reduce broadcast all_gather reduce_scatter barrier send recv all_to_all gather scatter reduce",
    ),
    "exit codes": ("worker <*> exited with code {}", "1 2 126 127 134 137 139 143 255 -9 -11"),
    "status of cuBLAS": (
        "cuBLAS call failed: {}",
        "CUBLAS_STATUS_ALLOC_FAILED CUBLAS_STATUS_NOT_INITIALIZED CUBLAS_STATUS_EXECUTION_FAILED"
        " CUBLAS_STATUS_INTERNAL_ERROR CUBLAS_STATUS_INVALID_VALUE CUBLAS_STATUS_NOT_SUPPORTED",
    ),
    "errors of CUDA": (
        "kernel launch: {}",
        "cudaErrorIllegalAddress cudaErrorLaunchFailure cudaErrorMemoryAllocation cudaErrorNoDevice cudaErrorAssert",
    ),
    "results of NCCL": (
        "{} in communicator",
        "ncclSystemError ncclInternalError ncclRemoteError ncclInProgress ncclUsage",
    ),
    "errno": ("write to disk: {}", "ENOSPC EIO EACCES EPERM ENOENT EPIPE ETIMEDOUT ECONNRESET ECONNREFUSED EROFS"),
    "exceptions": (
        "loader raised {} in worker <*>",
        "ValueError TypeError KeyError OSError RuntimeError TimeoutError MemoryError builtins.IndexError StopIteration"
        " torch.OutOfMemoryError java.io.IOException",
    ),
    "signals": ("worker <*> killed by {}", "SIGKILL SIGSEGV SIGABRT SIGBUS SIGTERM SIGILL"),
    "status of gRPC": (
        "rpc error: code = {} desc = <*>",
        "UNAVAILABLE DEADLINE_EXCEEDED INTERNAL UNKNOWN CANCELLED ABORTED UNAUTHENTICATED NOT_FOUND",
    ),
    "status of gRPC in Go": (
        "rpc error: code = {} desc = <*>",
        "Unavailable DeadlineExceeded Internal Unknown Canceled Aborted Unauthenticated NotFound PermissionDenied",
    ),
    "reasons of Kubernetes": (
        "container <*> is waiting: {}",
        "CrashLoopBackOff ImagePullBackOff ErrImagePull CreateContainerConfigError OOMKilled Evicted FailedMount"
        " NodeNotReady Unhealthy",
    ),
    "tests": ("{} did not finish in <*>", "test_login test_logout test_pay test_ship test_find test_cart"),
    "states": (
        "link of device <*> is {}",
        "up down idle enabled disabled failed offline degraded unreachable resetting",
    ),
    "outcomes": ("session <*> {} by peer", "closed opened refused reset aborted rejected lost accepted"),
    "methods of HTTP": ("request {} /index took <*>", "GET POST PUT DELETE HEAD PATCH OPTIONS"),
    "methods": ("call of {} took <*>", "setMode getMode onReceive isOpen startScan stopScan hasNext updateView"),
    "negations": ("device <*> is {} ready", "not already never still"),
    "prepositions": ("error {} stream <*>", "in at on from after before during of"),
    "subjects": ("{} failed with a fatal error", " ".join(f"service{letter}" for letter in "abcdefghijklm")),
    "classes as subjects": ("{} lost its connection", "MailView CartView StatusBar ClockFace"),
    "engines in capitals": ("MMU fault of engine {} at <*>", "GRAPHICS COPY VIDEO DISPLAY HOST SECURE"),
    "one word beside masked ones, in a compound": ("worker {} crashed", "<*> process"),
    "one word beside masked ones, in a short text": ("removed {}", "<*> cable"),
    "few values": ("no route for host {} found", "alpha beta gamma"),
}


# words without a meaning, which stay apart for another reason
UNKNOWN = [
    "few values",
    "subjects",
    *(kind for kind in APART if "beside" in kind or "classes" in kind or "engines" in kind),
]


@pytest.mark.parametrize("kind", ONE)
def test_values_become_a_variable(kind: str) -> None:
    template, values = ONE[kind]
    texts = [template.format(*row) for row in zip(*values, strict=True)]
    found = families(texts)
    assert set(found) == set(texts)
    assert len(set(found.values())) == 1
    assert found[texts[0]].template == template.format(*["<*>"] * len(values))


@pytest.mark.parametrize("kind", APART)
def test_words_with_a_meaning_stay_apart(kind: str) -> None:
    template, words = APART[kind]
    assert families([template.format(word) for word in words.split()]) == {}


@pytest.mark.parametrize("kind", [kind for kind in APART if kind not in UNKNOWN])
def test_words_with_a_meaning_stay_apart_beside_a_family(kind: str) -> None:
    """Also when many names in the same place form a family."""
    template, words = APART[kind]
    meant = [template.format(word) for word in words.split()]
    found = families([*meant, *(template.format(f"name.{user}") for user in USERS)])
    ids = [found[text].template if text in found else text for text in meant]
    assert len(set(ids)) == len(meant)


def test_a_family_explains_itself() -> None:
    texts = [f"Cannot log in user {user} from <*>" for user in USERS]
    family = families(texts)[texts[0]]
    assert family.members == tuple(sorted(texts))
    assert family.values == (tuple(USERS),)
    assert "6" in family.reason
    many = families([f"unknown user name{letter}" + " in the list" for letter in "abcdefghijklmnopqrstuvwxyz"])
    assert len(next(iter(many.values())).values[0]) == MAX_VALUES


def test_words_that_stand_after_the_same_noun_elsewhere_count_twice() -> None:
    few = ["alice", "bob", "carol"]
    opened = [f"session opened for user {user} by <*>" for user in few]
    closed = [f"session closed for user {user}" for user in few]
    assert families(opened) == families(closed) == {}
    assert len(set(families(opened + closed).values())) == 2


def test_words_that_are_values_elsewhere_count_twice() -> None:
    few = [f"no key of {user} was found" for user in USERS[:3]]
    assert families(few) == {}
    assert set(few) <= set(families([*few, *(f"greeting {user} at port <*>" for user in USERS)]))


def test_in_quotes_words_are_names() -> None:
    names = ["staging", "update", "nightly", "billing", "east"]
    assert families([f"no queue {name} on this host" for name in names]) == {}
    assert len(families([f"no queue '{name}' on this host" for name in names])) == 5


def test_of_two_places_both_must_vary() -> None:
    assert (
        families([f"for user {user} the {('cache', 'disk')[at % 2]} is small" for at, user in enumerate(USERS)]) == {}
    )


def test_a_path_and_its_end_are_one() -> None:
    assert len(families(["fault at src/a.cu:<*> in block <*>", "fault at a.cu:<*> in block <*>"])) == 2
    assert families([f"fault at {file} in block <*>" for file in ("api/run.cu", "web/run.cu")]) == {}


def test_a_key_is_a_name() -> None:
    assert families([f"set app.{key}=<*> at start" for key in ("home", "arch", "user", "shell", "path", "lang")]) == {}


def test_a_family_needs_few_members_to_judge_new_templates() -> None:
    texts = [f"login of {user} on <*> by {user}" for user in USERS]
    family = families(texts)[texts[0]]
    small = representatives(family)
    assert len(small.members) < len(family.members)
    for text in ("login of zoe on <*> by zoe", "login of zoe on gw by zoe", "login of lost on <*> by zoe"):
        assert (KnownFamilies([family]).family_of(text) is None) == (KnownFamilies([small]).family_of(text) is None)


def test_a_new_template_fits_a_family_by_its_fixed_words() -> None:
    family = families([f"Cannot log in user {user} from <*>" for user in USERS])["Cannot log in user bob from <*>"]
    assert KnownFamilies([family]).family_of("Cannot log in user zoe from <*>") == family
    for other in ("user failed from <*>", "user zoe from home", "user from <*>", "user zoe kay from <*>"):
        assert KnownFamilies([family]).family_of(f"Cannot log in {other}") is None


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("session opened", "session closed", "“opened”"),
        ("a b of d e", "a b c d e", "“of”"),
        ("a b c d", "a b d", "has “c” where the other has “nothing”"),
        ("lion red tall sits", "tiger blue wide sits", "3 places"),
        ("user lion found here", "user puma found here", "Too few"),
        ("nginx went away", "redis went away", "first word"),
        ("same", "same", "type or frame"),
    ],
)
def test_why_two_are_not_one(one: str, other: str, why: str) -> None:
    assert why in why_apart(one, other)
    assert why_apart(one, other).endswith(".")


def _sample() -> list[str]:
    random.seed(7)
    return [template.format(*row) for template, values in ONE.values() for row in zip(*values, strict=True)] + [
        template.format(word) for template, words in APART.values() for word in words.split()
    ]


def test_the_order_and_number_of_templates_play_no_part() -> None:
    texts = _sample()
    expected = families(texts)
    for seed in range(5):
        shuffled = texts * 2
        random.Random(seed).shuffle(shuffled)
        assert families(shuffled) == expected


def test_every_process_finds_the_same_families() -> None:
    code = (
        "import sys, hashlib; from exporter.patterns.families import families;"
        "found = families(sys.stdin.read().splitlines());"
        "print(hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            input="\n".join(_sample()),
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(digests) == 1


def test_a_family_of_many_places_is_compared_in_little_time() -> None:
    places = 60
    family = Family(", ".join(["<*>"] * places) + " end", (", ".join("a" * places) + " end",), (("a",),) * places, "")
    began = time.process_time()
    assert KnownFamilies([family]).family_of(", " * 2_000) is None
    assert KnownFamilies([family]).family_of(", ".join("b" * places) + " end") == family
    assert time.process_time() - began < 0.5


def test_odd_texts_are_no_problem() -> None:
    odd = ["", " ", "<*>", "\0", "((((", "'", '"a', "=", "a=", "é ü", "a\nb", "x " * MAX_PIECES, "<num>…", "\ud800"]
    families(odd)
    for text in odd:
        KnownFamilies([]).family_of(text)
        why_apart(text, odd[0])


@pytest.mark.parametrize("shape", ["grid", "long", "keys", "one bucket"])
def test_two_thousand_templates_take_about_a_second(shape: str) -> None:
    names = [f"n{chr(97 + i // 26)}{chr(97 + i % 26)}x".replace("n", "q") for i in range(200)]
    texts = {
        "grid": [
            f"call {a} of module {b} took long in {c}" for a in names[:20] for b in names[:10] for c in names[:10]
        ],
        "long": [" ".join(random.Random(i).choices(names, k=60)) for i in range(2_000)],
        "keys": [" ".join(f"{k}={random.Random(i).choice(names)}" for k in names[:30]) for i in range(2_000)],
        "one bucket": [f"user {a}{b} is unknown here" for a in names[:50] for b in names[:40]],
    }[shape]
    began = time.process_time()
    families(texts)
    assert time.process_time() - began < 4  # about 1 s on an idle machine


def test_time_grows_linearly() -> None:
    def cost(count: int) -> float:
        texts = [
            f"task {'abcdefgh'[i % 8]} of {''.join(chr(97 + int(d)) for d in str(i))} took long" for i in range(count)
        ]
        times = []
        for _ in range(5):
            began = time.process_time()
            families(texts)
            times.append(time.process_time() - began)
        return min(times)

    assert cost(2_000) < 10 * cost(500)


def test_only_families_with_the_same_first_word_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def family(template: str) -> Family:
        places = template.count("<*>")
        members = tuple(template.replace("<*>", name) for name in ("alice", "bob"))
        return Family(template, members, (("alice", "bob"),) * places, "")

    known = [family(f"{word} <*> is away") for word in ("user", "host", "disk")]
    known += [family("<*> user is away"), family("use<*> is away now"), family("user <*> is <*>")]
    index = KnownFamilies(known)
    for text in ("user carol is away", "host carol is away", "carol user is away", "user is away now", "user", "", " "):
        one_by_one = [found for one in known if (found := KnownFamilies([one]).family_of(text))]
        assert index.family_of(text) == min(one_by_one, key=lambda one: (len(one.values), one.template), default=None)
    compared: list[Family] = []
    monkeypatch.setattr(module, "_fits", lambda text, one: compared.append(one))
    assert index.family_of("disk carol is away") is None
    assert [one.template for one in compared if one.template.startswith(("user", "host"))] == []
    assert known[2] in compared
