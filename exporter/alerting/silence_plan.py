"""Which silences an Alertmanager should have, and what to change if it has others. Pure.

    muted patterns ─┐
                    ├─► plan() ─► create, replace or expire silences
    its silences  ──┘

A silence of ours is found again by the end of its comment, which names the service and the number of the mute: nothing
but the mutes has to be remembered, and what a crash left is put right.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct, field

from exporter.events.event import isoformat
from exporter.store.states import StateChange

ROLLING: Final = dt.timedelta(hours=1)  # a silence of a mute without an end, which is renewed in time
RENEW: Final = dt.timedelta(minutes=30)  # before its end
BY_HAND: Final = dt.timedelta(seconds=2)  # a silence that ended this soon after its last change was ended by somebody
ENDED_BY_HAND: Final = "the silence was ended in Alertmanager"


class Matcher(Struct, rename="camel"):
    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


class Status(Struct):
    state: str = ""


class Held(Struct, rename="camel"):
    """A silence as Alertmanager returns it."""

    id: str
    matchers: list[Matcher]
    starts_at: dt.datetime
    ends_at: dt.datetime
    updated_at: dt.datetime
    status: Status = field(default_factory=Status)
    comment: str = ""


class Wanted(NamedTuple):
    """A silence that should exist: of the mute `number` of the pattern with the fingerprint `anchor`. `until` is aware;
    None: until the mute ends. `noted` is what the database has: the id of the silence, and why there is none."""

    anchor: str
    number: int
    names: tuple[str, ...]
    by: str
    until: dt.datetime | None
    note: str
    noted: tuple[str | None, str | None] = (None, None)

    @property
    def is_ended(self) -> bool:
        """Whether somebody ended the silence. Alertmanager forgets that after `--data.retention`."""
        return self.noted[1] == ENDED_BY_HAND


class Plan(NamedTuple):
    """What to do. `posts` are silences to create or replace, `expire` the ids of those to end. `kept` has the ids of
    silences that are right, by the anchor of the pattern, and `ended` the anchors of those that somebody ended."""

    posts: list[tuple[Wanted, dict[str, Any]]]
    expire: list[str]
    kept: dict[str, str]
    ended: list[str]


def wanted(change: StateChange) -> Wanted:
    """Returns the silence of a muted pattern."""
    until = change.until.replace(tzinfo=dt.UTC) if change.until else None
    errors = change.state.errors_left is not None
    note = " and ".join([*(["until then"] if until else []), *(["until more errors"] if errors else [])])
    noted = change.state.silence_id, change.state.silence_error
    return Wanted(change.anchor, change.number, change.names, change.state.by or "", until, note, noted)


def plan(
    mutes: Iterable[Wanted], held: Sequence[Held], labels: Mapping[str, str], service: str, now: dt.datetime
) -> Plan:
    """Compares what should be with what is. `labels` are those of every alert of this service, which comments name
    `service`; `now` is aware. Of several right silences the one with the first id is kept, because the members of a
    cluster list them in different orders: two members that keep different ones would expire both. Nobody ended a
    silence of a mute of which none is noted: the service did, when another state took the place of the mute."""
    ours: dict[int, list[Held]] = {}
    of_mute = re.compile(rf"\[mute (\d+) of {re.escape(service)}\]\Z")
    for one in sorted(held, key=lambda one: one.id):
        if mark := of_mute.search(one.comment):
            ours.setdefault(int(mark[1]), []).append(one)
    result = Plan([], [], {}, [])
    for mute in mutes:
        some = ours.pop(mute.number, [])
        active = [one for one in some if one.status.state != "expired"]
        matchers = matchers_of(mute, labels)
        right = [one for one in active if _set(one.matchers) == _set(matchers) and _lasts(one, mute, now)]
        if right:
            result.kept[mute.anchor] = right[0].id
            result.expire.extend(one.id for one in active if one is not right[0])
        elif not active and (mute.is_ended or (mute.noted[0] and _is_ended(some))):
            result.ended.append(mute.anchor)
        else:
            result.posts.append((mute, _post(mute, matchers, service, active[0] if active else None, now)))
            result.expire.extend(one.id for one in active[1:])
    result.expire.extend(one.id for some in ours.values() for one in some if one.status.state != "expired")
    return result


def matchers_of(mute: Wanted, labels: Mapping[str, str]) -> list[Matcher]:
    """Returns the matchers of the alerts of a pattern: of those alone that this service pushes."""
    names = mute.names
    if len(names) == 1:
        own = Matcher("fingerprint", names[0])
    else:
        own = Matcher("fingerprint", "|".join(map(re.escape, names)), is_regex=True)
    return [own, Matcher("source", "push"), *(Matcher(name, value) for name, value in labels.items() if value)]


def _post(mute: Wanted, matchers: list[Matcher], service: str, old: Held | None, now: dt.datetime) -> dict[str, Any]:
    """Returns a new silence, or one instead of `old`. Alertmanager changes that one in place if only the end differs;
    with another start it would expire it and make a new one."""
    comment = f"muted by {mute.by} in Error Visualization, {mute.note} [mute {mute.number} of {service}]"
    return {
        **({"id": old.id} if old else {}),
        "matchers": [
            {"name": one.name, "value": one.value, "isRegex": one.is_regex, "isEqual": one.is_equal} for one in matchers
        ],
        "startsAt": isoformat(old.starts_at if old else now),
        "endsAt": isoformat(mute.until or now + ROLLING),
        "createdBy": mute.by,
        "comment": comment,
    }


def _is_ended(expired: Sequence[Held]) -> bool:
    """Returns whether somebody ended the last of these silences. Earlier ones were ended by the service, too: when it
    replaced them, or when there were two."""
    if not expired:
        return False
    last = max(expired, key=lambda one: one.ends_at)
    return last.ends_at - last.updated_at < BY_HAND


def _lasts(one: Held, mute: Wanted, now: dt.datetime) -> bool:
    """Returns whether a silence ends when it should."""
    if mute.until is None:
        return one.ends_at - now > RENEW
    return abs((one.ends_at - mute.until).total_seconds()) < 1


def _set(matchers: Iterable[Matcher]) -> set[tuple[str, str, bool, bool]]:
    return {(one.name, one.value, one.is_regex, one.is_equal) for one in matchers}
