"""Deletes errors on request: in the database; in the log, which keeps the newest events for clients that resume; the
texts of alerts that fire; and the facts of the verdict."""

import asyncio
import datetime as dt
import logging
from typing import Final

import msgspec

from exporter.service import Service
from exporter.store.deletions import Counted, DeleteRequest, Deletion, Matching, noted
from exporter.store.queries import CountErrors, GetError

FORGET_SECONDS: Final = 3.0  # to wait for the readers of the log
FORGET_TRIES: Final = 60
_log: Final = logging.getLogger(__name__)


async def delete(service: Service, request: DeleteRequest, address: str) -> Deletion:
    """Deletes the errors that match, of those accepted until now, or counts them if it is a dry run. `address` is that
    of who asked for it. Raises `StoreError` and `LogError`; some errors may be deleted then."""
    matching = Matching(request, dt.datetime.now(dt.UTC), service.log.last)
    counted = await _count(service, matching)
    found = Deletion(errors=counted.errors, pinned=counted.pinned, dry_run=request.dry_run, number=None)
    if request.dry_run:
        return found
    filters = msgspec.json.encode(noted(request)).decode()
    _log.warning("deletion requested by %s: %d errors match %s", address, found.errors, filters)
    found.number, found.errors = await service.store.delete(matching, address)
    await _forget(service, matching.upto)
    await _forget_texts(service, matching.upto)
    await service.judge.read_again()
    _log.warning("deletion %d is complete: %d errors", found.number, found.errors)
    return found


async def _forget(service: Service, upto: int) -> None:
    """Deletes the events up to a position from the log. Waits up to `FORGET_SECONDS` for the readers of the log: what
    they have not read by then is deleted later, when they have read it and another event is appended."""
    for _ in range(FORGET_TRIES):
        done = min(service.store.position, service.readers.position())
        if done >= upto:
            break
        await asyncio.sleep(FORGET_SECONDS / FORGET_TRIES)
    service.log.trim(done)
    more = True

    def forget() -> None:
        nonlocal more
        more = service.log.forget(upto)

    while more:  # one transaction each, between which reports are appended
        await service.ingest.run_in_log_thread(forget)


async def _forget_texts(service: Service, upto: int) -> None:
    """Removes the texts of deleted errors from the alerts."""
    thresholds = service.settings.thresholds
    gone = set()
    for id_ in service.notifier.errors():
        known = id_ <= min(upto, service.store.position)
        if known and (await service.read(GetError(id=id_, thresholds=thresholds))).decode() is None:
            gone.add(id_)
    service.notifier.forget(gone)


async def _count(service: Service, matching: Matching) -> Counted:
    """Counts all errors that match."""
    total = Counted(0, 0, None)
    while True:
        one = (await service.read(CountErrors(matching=matching, after=total.end))).decode()
        total = Counted(total.errors + one.errors, total.pinned + one.pinned, one.end)
        if total.end is None:
            return total
