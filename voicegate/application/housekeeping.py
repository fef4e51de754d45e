"""What time and accidents leave behind: expired challenges, calls orphaned by a restart, stray sounds."""

import asyncio
from datetime import timedelta
from functools import partial

import structlog

from voicegate.application.delivery import World, settle
from voicegate.application.journal import Journal
from voicegate.application.ports import CallRecord
from voicegate.domain.errors import PbxError
from voicegate.domain.hangup_cause import GaveUp, Hangup, classify

log = structlog.get_logger(__name__)

INTERVAL = timedelta(seconds=10)


async def settle_orphans(world: World) -> int:
    """End every call that an earlier run of the controller left live, truthfully; return how many.

    Nobody is called again for them: what they had proved stands, all else is `interrupted`.
    """
    orphans = await world.desk.store.live_calls()
    for orphan in orphans:
        await _settle(world, orphan)
    await world.speech.sweep()
    return len(orphans)


async def tidy_for_ever(world: World) -> None:
    """Expire challenges as their time comes, until cancelled."""
    while True:
        try:
            expired = await world.desk.store.expire(world.desk.clock.now())
        except Exception:  # a task's root: the next round may fare better
            log.exception("not tidied")
            expired = 0
        if expired:
            log.info("expired", challenges=expired)
        await asyncio.sleep(INTERVAL.total_seconds())


async def _settle(world: World, orphan: CallRecord) -> None:
    for pbx in world.pbxs.values():
        try:
            await pbx.hang_up(orphan.call.id)
        except PbxError as error:
            log.warning("orphan not hung up", call=orphan.call.id, error=str(error))
    record = await world.desk.store.challenge(orphan.call.challenge_id)
    if record is None:
        return
    hangup = Hangup(gave_up=GaveUp.INTERRUPTED)
    outcome = classify(orphan.call, hangup, record.challenge.human_check)
    journal = Journal(world.desk, orphan)
    await journal.close(hangup, outcome, change=partial(settle, outcome=outcome))
