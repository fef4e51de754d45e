"""What time and accidents leave behind: expired challenges, calls orphaned by a restart, stray sounds."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from voicegate.application.call_log import CallLog
from voicegate.application.delivery import World, passcode_of, settle
from voicegate.application.ports import CallRecord, Keyring
from voicegate.application.store_port import AuditEntry, Kept, Transaction
from voicegate.domain import challenge as challenges
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.challenge import OPEN_STATES, Challenge, ChallengeEvent
from voicegate.domain.classifying import classify
from voicegate.domain.errors import KeyFileError, PbxError

log = structlog.get_logger(__name__)

INTERVAL = timedelta(seconds=10)
BATCH = 500
"""Rows of a table that one transaction deletes: some ten milliseconds."""
PAUSE = timedelta(milliseconds=50)
"""Between two such transactions."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is over is kept."""

    calls: timedelta = timedelta(days=90)
    """Challenges with their calls, from the challenge's end; factors that were reset, from then."""
    timelines: timedelta = timedelta(days=90)
    """Steps of calls."""
    audit: timedelta = timedelta(days=365)
    """Audit entries."""
    recent: timedelta = timedelta(days=1)
    """Idempotency keys and wrong guesses: longer than any window."""

    def kept(self, now: datetime) -> Kept:
        """Return what is kept at `now`."""
        return Kept(
            calls=now - self.calls,
            timelines=now - self.timelines,
            audit=now - self.audit,
            recent=now - self.recent,
        )


async def settle_orphans(world: World) -> int:
    """End every call that an earlier run of the controller left live, truthfully; return how many.

    Nobody is called again for them: what they had proved stands, all else is `interrupted`.
    """
    orphans = await world.desk.store.live_calls()
    for orphan in orphans:
        await _settle(world, orphan)
    await world.speech.sweep()
    return len(orphans)


async def void_keyless(world: World) -> int:
    """Take back every open challenge whose code no key fits any more, for nobody can be told it or prove it;
    return how many. Each has its audit entry."""
    void = [
        challenge
        for challenge in await world.desk.store.open_challenges()
        if not has_key(world.keyring, challenge)
    ]
    for challenge in void:
        await world.desk.store.transact(partial(_take_back, world=world, challenge_id=challenge.id))
    return len(void)


def has_key(keyring: Keyring, challenge: Challenge) -> bool:
    """Has the keyring the key that an open challenge's code was made with?"""
    try:
        passcode_of(challenge, keyring)
    except KeyFileError:
        return False
    return True


def _take_back(tx: Transaction, *, world: World, challenge_id: str) -> None:
    record = tx.challenge(challenge_id)
    if record is None or record.challenge.state not in OPEN_STATES:
        return
    challenge = record.challenge
    tx.save_challenge(challenges.step(challenge, ChallengeEvent.CANCELED))
    tx.audit(
        AuditEntry(
            world.desk.clock.now(),
            challenge.client,
            request_id="",
            action="verification.void",
            decision="key_gone",
            subject=challenge_id,
            number=challenge.destination.masked,
            number_digest=world.keyring.number_digests(challenge.destination.number)[0],
        )
    )


async def tidy_for_ever(world: World, retention: Retention) -> None:
    """Expire challenges as their time comes and delete what is old, until cancelled."""
    while True:
        try:
            expired = await world.desk.store.expire(world.desk.clock.now())
            purged = await _purge(world, retention)
        except Exception:  # a task's root: the next round may fare better
            log.exception("housekeeping failed")
            expired = purged = 0
        if expired:
            log.info("expired", challenges=expired)
        if purged:
            log.info("purged", rows=purged)
        await asyncio.sleep(INTERVAL.total_seconds())


async def _purge(world: World, retention: Retention) -> int:
    """Delete what is old, batch by batch; return how many rows. Between two batches others write."""
    kept, purged = retention.kept(world.desk.clock.now()), 0
    while deleted := await world.desk.store.purge(kept, BATCH):
        purged += deleted
        await asyncio.sleep(PAUSE.total_seconds())
    return purged


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
    call_log = CallLog(world.desk, orphan)
    await call_log.close(hangup, outcome, change=partial(settle, outcome=outcome))
