"""Cleans up: expired challenges, calls that a restart left behind, forgotten sound files."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from voicegate.application.after_call import settle
from voicegate.application.announcer import has_key
from voicegate.application.audit import Audit
from voicegate.application.call_log import REPORTED, CallLog, CallLogs
from voicegate.application.conversation import CallReports
from voicegate.application.ports import CallRecord, Clock, Keyring, Pbx, Speech
from voicegate.application.receipts import Cut, Receipts
from voicegate.application.retention import Kept, Retention
from voicegate.application.store_port import Store, Transaction
from voicegate.domain import challenge as challenges
from voicegate.domain.call import Call
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.challenge import OPEN_STATES, Challenge, ChallengeEvent, ChallengeState
from voicegate.domain.classifying import classify
from voicegate.domain.client import Principal
from voicegate.domain.errors import PbxError

log = structlog.get_logger(__name__)

INTERVAL = timedelta(seconds=10)
BATCH = 500
"""Rows of a table that one transaction deletes; takes about ten milliseconds."""
PAUSE = timedelta(milliseconds=50)
"""The pause between two such transactions."""


async def settle_orphans(
    *,
    store: Store,
    calls: CallLogs,
    pbxs: Collection[Pbx],
    speech: Speech,
    reports: CallReports | None = None,
) -> int:
    """End every call that an earlier run of the daemon left open, with a truthful outcome; return how many.

    No telephone is called again. What a call had proved stands; otherwise its outcome is `interrupted`. A
    report of which only the key is stored is made good by `reports`; None: calls cannot be reported.
    """
    orphans = await store.live_calls()
    for orphan in orphans:
        record = await store.challenge(orphan.call.challenge_id)
        if record is not None:
            await settle_orphan(orphan, record.challenge, calls=calls, pbxs=pbxs, reports=reports)
    await speech.sweep()
    return len(orphans)


async def settle_orphan(
    orphan: CallRecord,
    challenge: Challenge,
    *,
    calls: CallLogs,
    pbxs: Collection[Pbx],
    reports: CallReports | None,
) -> None:
    """End a call that its controller left open, with a truthful outcome; no telephone is called again.

    Raises:
        StoreError: it could not be stored.
        CallTaken: another controller has taken it over meanwhile.
    """
    await _hang_up(orphan.call, pbxs)
    if reports is not None and _is_report_missing(orphan, challenge):
        await reports.report(orphan.call)
    await _settle(calls.open(orphan, challenge), challenge)


def _is_report_missing(orphan: CallRecord, challenge: Challenge) -> bool:
    """Return whether a call was reported, and what follows from it was not stored."""
    is_reported = any(entry.event == REPORTED for entry in orphan.timeline)
    return is_reported and challenge.state is not ChallengeState.REPORTED


async def void_keyless(*, store: Store, keyring: Keyring, clock: Clock, audit: Audit) -> int:
    """Cancel every open challenge whose code cannot be derived any more, because its key is gone; return how
    many.

    Each gets an audit entry.
    """
    void = [challenge for challenge in await store.open_challenges() if not has_key(keyring, challenge)]
    for challenge in void:
        await store.transact(partial(_void, challenge_id=challenge.id, now=clock.now(), audit=audit))
    return len(void)


def _void(tx: Transaction, *, challenge_id: str, now: datetime, audit: Audit) -> None:
    record = tx.challenge(challenge_id)
    if record is None or record.challenge.state not in OPEN_STATES:
        return
    challenge = record.challenge
    tx.save_challenge(challenges.step(challenge, ChallengeEvent.CANCELED))
    owner = Principal(challenge.client, frozenset(), request_id="")
    entry = audit.entry(
        owner, now, action="verification.void", decision="key_gone", about=challenge.destination
    )
    tx.audit(replace(entry, subject=challenge_id))


async def tidy_for_ever(
    *, store: Store, clock: Clock, retention: Retention, receipts: Receipts | None = None
) -> None:
    """Expire challenges when their time is over and delete what is old, until cancelled."""
    while True:
        try:
            expired = await store.expire(clock.now())
            purged = await _purge(store, retention.kept(clock.now()))
            if receipts is not None:
                now = clock.now()
                purged += await _cut(store, receipts.cut(now - retention.receipts, now, BATCH))
        except Exception:  # a task's root: the next round may fare better
            log.exception("housekeeping failed")
            expired = purged = 0
        if expired:
            log.info("challenges expired", challenges=expired)
        if purged:
            log.info("old rows deleted", rows=purged)
        await asyncio.sleep(INTERVAL.total_seconds())


async def _purge(store: Store, kept: Kept) -> int:
    """Delete what is old in batches; return how many rows. Other writes run between two batches."""
    purged = 0
    while deleted := await store.purge(kept, BATCH):
        purged += deleted
        await asyncio.sleep(PAUSE.total_seconds())
    return purged


async def _cut(store: Store, cut: Cut) -> int:
    """Delete old receipts in batches; return how many. Other writes run between two batches."""
    deleted = 0
    while count := await store.transact(lambda tx: tx.cut_receipts(cut)):
        deleted += count
        await asyncio.sleep(PAUSE.total_seconds())
    return deleted


async def _hang_up(call: Call, pbxs: Collection[Pbx]) -> None:
    for pbx in pbxs:
        try:
            await pbx.hang_up(call.id)
        except PbxError as error:
            log.warning("orphaned channel not hung up", call=call.id, error=str(error))


async def _settle(call_log: CallLog, challenge: Challenge) -> None:
    hangup = call_log.with_report(Hangup(gave_up=GaveUp.INTERRUPTED))
    outcome = classify(call_log.call, hangup, challenge.human_check)
    await call_log.close(hangup, outcome, change=partial(settle, outcome=outcome))
