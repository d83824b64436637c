"""A Sentry event becomes one error report; what has no field of its own is kept under `sentry`.

    worker_id       tags.worker_id | server_name | contexts.device.name | "sentry-project-PROJECT"
    type            the type of the last exception, which was raised last | "Message"
    message         its value | logentry.formatted | logentry.message with its params | message
    traceback       rendered (sentry_traceback.py)
    timestamp, event_id                as sent; `event_id` makes a repeat count once
    error_category, hardware_type      tags of these names
    run             tags run_id, job, suite, commit, branch, user, url; `release` if it is a commit
    test            tags test, test_file, test_attempt, test_outcome

The level does not decide the severity, since every SDK chooses it differently: `sentry.level` keeps it, and our rules
judge what happened.
"""

from typing import Any, Final

from exporter.protocols.bounds import Bounds, beginning
from exporter.protocols.identity import commit_of, named, without_empty
from exporter.protocols.json_value import object_of, objects_of, read_object, text_of
from exporter.protocols.sentry_traceback import MESSAGE, exception_line, traceback_of

MAX_TEXT: Final = 1_000_000  # characters of a message; the service cuts what is longer than it stores
MAX_PARAMS: Final = 100
NO_MESSAGE: Final = "an event without a message"
LAST_FRAMES: Final = 3  # whose local variables are kept
RUN: Final = {
    "id": ("run_id", "run.id", "run"), "job": ("job", "run.job"), "suite": ("suite", "run.suite"),
    "commit": ("commit", "run.commit", "git.commit"), "branch": ("branch", "run.branch", "git.branch"),
    "user": ("run.user",), "url": ("run_url", "run.url"),
}  # fmt: skip
TEST: Final = {
    "id": ("test", "test_id", "test.id"), "file": ("test_file", "test.file"),
    "outcome": ("test_outcome", "test.outcome"),
}  # fmt: skip
WORKER: Final = ("worker_id", "worker")
# Counted as lost at the client. Of other categories (transactions, sessions) nothing is wanted here.
LOST: Final = ("error", "default", "security", "internal")
REASONS: Final = (
    "queue_overflow", "cache_overflow", "buffer_overflow", "ratelimit_backoff", "network_error", "send_error",
    "internal_sdk_error", "sample_rate", "before_send", "event_processor", "backpressure", "invalid", "other",
)  # fmt: skip
MAX_LOST: Final = 1_000_000_000


def report_of(payload: bytes, project: str, envelope: dict[str, Any]) -> dict[str, Any]:
    """Returns the error report of the JSON of an event. `envelope` is the header of its envelope, {} for none. Raises
    `MessageError`."""
    event = read_object(payload)
    tags = tags_of(event)
    contexts = object_of(event.get("contexts"))
    exceptions = objects_of(event.get("exception"))
    last = exceptions[-1] if exceptions else {}
    message = text_of(last.get("value")) or _message(event)
    type_ = text_of(last.get("type")) or MESSAGE
    event_id = text_of(event.get("event_id")) or text_of(envelope.get("event_id"))
    run = named(RUN, tags.get)
    if "commit" not in run and (commit := commit_of(text_of(event.get("release")))):
        run["commit"] = commit
    hardware = text_of(tags.get("hardware_type"))
    return without_empty({
        "worker_id": _worker(event, tags, contexts, project),
        "type": type_,
        "message": message[:MAX_TEXT] or ("" if exceptions else NO_MESSAGE),
        "traceback": traceback_of(event),
        "timestamp": event.get("timestamp"),
        "event_id": event_id.replace("-", "")[:256],
        "error_category": text_of(tags.get("error_category")),
        "system_context": _system(event, contexts),
        "hardware_context": {"hardware_type": hardware} if hardware else None,
        "run": run,
        "test": named(TEST, tags.get),
        "sentry": _rest(event, tags, contexts, project, exceptions),
    })  # fmt: skip


def tags_of(event: dict[str, Any]) -> dict[str, Any]:
    """Returns the tags, which are an object or a list of pairs."""
    tags = event.get("tags")
    if isinstance(tags, dict):
        return tags
    pairs = tags if isinstance(tags, list) else []
    return {str(pair[0]): pair[1] for pair in pairs if isinstance(pair, list) and len(pair) == 2}


def lost_at_client(payload: bytes) -> dict[str, int]:
    """Returns how many errors a client says it has lost, by reason, from a `client_report`. Raises `MessageError`."""
    found: dict[str, int] = {}
    for one in objects_of(read_object(payload).get("discarded_events")):
        quantity, reason = one.get("quantity"), text_of(one.get("reason"))
        if text_of(one.get("category")) in LOST and isinstance(quantity, int) and 0 < quantity <= MAX_LOST:
            reason = reason if reason in REASONS else "other"
            found[reason] = found.get(reason, 0) + int(quantity)
    return found


def _worker(event: dict[str, Any], tags: dict[str, Any], contexts: dict[str, Any], project: str) -> str:
    names = [
        *(tags.get(name) for name in WORKER),
        event.get("server_name"),
        object_of(contexts.get("device")).get("name"),
    ]
    return next((name for one in names if (name := text_of(one).strip())), f"sentry-project-{project[:64]}")


def _message(event: dict[str, Any]) -> str:
    entry = event.get("logentry")
    if not isinstance(entry, dict):
        found = event.get("message")
        entry = found if isinstance(found, dict) else {"message": found if found is not None else entry}
    formatted = text_of(entry.get("formatted"))
    return formatted or _formatted(text_of(entry.get("message")), entry.get("params"))


def _formatted(message: str, params: Any) -> str:
    """Puts `params` in the places of `%s`, as the server of Sentry does; other places stay."""
    values = params[:MAX_PARAMS] if isinstance(params, list) else []
    parts = message.split("%s", len(values))
    if not values or len(parts) != len(values) + 1:
        return message
    return "".join([text + str(value)[:1_000] for text, value in zip(parts, [*values, ""], strict=True)])


def _system(event: dict[str, Any], contexts: dict[str, Any]) -> dict[str, Any]:
    runtime, system = object_of(contexts.get("runtime")), object_of(contexts.get("os"))
    is_python = text_of(runtime.get("name")).lower() in ("cpython", "pypy", "python")
    return without_empty({
        "hostname": text_of(event.get("server_name")),
        "platform": text_of(system.get("name")),
        "architecture": text_of(object_of(contexts.get("device")).get("arch")),
        "python_version": text_of(runtime.get("version")) if is_python else "",
    })  # fmt: skip


def _rest(
    event: dict[str, Any],
    tags: dict[str, Any],
    contexts: dict[str, Any],
    project: str,
    exceptions: list[dict[str, Any]],
) -> dict[str, Any]:
    """Returns what fits no field, within the limits; the most telling first, because it has the room."""
    bounds = Bounds()
    names = (
        "level",
        "logger",
        "environment",
        "release",
        "dist",
        "platform",
        "server_name",
        "transaction",
        "fingerprint",
    )
    kept: dict[str, Any] = {name: bounds.keep(event[name]) for name in names if name in event}
    kept["project"] = project[:64]
    kept["tags"] = bounds.keep(tags)
    kept["contexts"] = bounds.keep(contexts)
    kept["extra"] = bounds.keep(object_of(event.get("extra")))
    kept["exceptions"] = bounds.keep(
        [{"exception": beginning(exception_line(one), 200), "mechanism": one.get("mechanism")} for one in exceptions],
        newest=True,
    )
    kept["locals"] = bounds.keep(_locals(exceptions))
    kept["breadcrumbs"] = bounds.keep(objects_of(event.get("breadcrumbs")), newest=True)
    kept["threads"] = bounds.keep(
        [
            {name: one.get(name) for name in ("id", "name", "crashed", "current")}
            for one in objects_of(event.get("threads"))
        ]
    )
    kept["user"] = bounds.keep(object_of(event.get("user")))
    kept["request"] = bounds.keep(_request(object_of(event.get("request"))))
    kept["sdk"] = bounds.keep(object_of(event.get("sdk")))
    return without_empty(kept)


def _request(sent: dict[str, Any]) -> dict[str, Any]:
    """Returns a request whose headers and parameters are members of objects, and whose cookies are one text, because
    redaction knows secrets by the name of a member. SDKs may send pairs instead."""
    request = {name: _members(value) for name, value in sent.items()}
    cookies = request.pop("cookies", None)
    if isinstance(cookies, dict):
        cookies = "; ".join(f"{name}={text_of(value)}" for name, value in cookies.items())
    return request | ({"cookie": cookies} if cookies else {})


def _members(value: Any) -> Any:
    """Returns a list of pairs as an object; of a name that comes again, all values. Anything else stays."""
    if not isinstance(value, list) or not all(isinstance(one, list) and len(one) == 2 for one in value):
        return value
    members: dict[str, Any] = {}
    for name, one in value:
        name = text_of(name)
        members[name] = [members[name], one] if name in members else one
    return members


def _locals(exceptions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the local variables of the innermost frames of the last exception, innermost first."""
    frames = objects_of(object_of(exceptions[-1].get("stacktrace")).get("frames")) if exceptions else []
    return [
        {"function": one.get("function"), "vars": one["vars"]}
        for one in reversed(frames[-LAST_FRAMES:])
        if isinstance(one.get("vars"), dict)
    ]
