"""The log of one call: every step is applied, stored and announced, in that order.

It decides nothing: `domain.call` says which steps are possible, `delivery` makes them happen.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from functools import cache
from typing import Final

import structlog

from voicegate.application.change_notifier import ChangeNotifier, Signal, SignalKind
from voicegate.application.lines import LineCaps, NoLine
from voicegate.application.observing import NOBODY, Observer
from voicegate.application.outbox import Message, Outgoing, Told
from voicegate.application.pending_call import PendingCall
from voicegate.application.ports import CallRecord, Clock, Entropy, TimelineEntry
from voicegate.application.receipts import NewReceipt, Receipts
from voicegate.application.route_choice import Standings
from voicegate.application.store_port import Store
from voicegate.domain import call as calls
from voicegate.domain.call import Call, CallEvent, Ended, Media, Originated, Reported
from voicegate.domain.call_outcome import CallOutcome, GaveUp, Hangup
from voicegate.domain.challenge import Challenge
from voicegate.domain.errors import CallTaken, StoreError
from voicegate.domain.phone_number import Destination, mask
from voicegate.domain.policy import Deny
from voicegate.domain.routing import Hop, Trunk

log = structlog.get_logger(__name__)
# A line that is not wanted is cheapest if it is not begun.
_stdlib_log = logging.getLogger(__name__)

REPORTED: Final = "reported"
"""The step of a call that the called person reported."""
_STORED_EVERY_S: Final = 0.2
"""So late can a step be on disk, and be seen by those who follow the call."""

_NO_NUMBER: Final = re.compile(r"[^0-9A-Za-z+*#]")


def _until_next_storing(now: float) -> float:
    """Return how long to wait, in seconds of the loop's time, until steps are stored."""
    # All calls at the same moments: the store then writes many calls' steps in one commit.
    return _STORED_EVERY_S - now % _STORED_EVERY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDependencies:
    """What every call's log uses."""

    store: Store
    """Where steps are stored."""
    notifier: ChangeNotifier
    """Wakes who waits for a change."""
    clock: Clock
    """The time."""
    standings: Standings
    """Learns from calls' ends."""
    outgoing: Outgoing
    """Composes messages to webhooks."""
    receipts: Receipts | None = None
    """Composes receipts; None: they are switched off."""
    observer: Observer = NOBODY
    """Is told of calls' ends."""


class CallLog:
    """One call's log."""

    def __init__(self, record: CallRecord, challenge: Challenge, dependencies: LogDependencies) -> None:
        self._store = dependencies.store
        self._notifier = dependencies.notifier
        self._clock = dependencies.clock
        self._standings = dependencies.standings
        self._outgoing = dependencies.outgoing
        self._receipts = dependencies.receipts
        self._observer = dependencies.observer
        self._challenge = challenge
        self._entries = list(record.timeline)
        self._messages: list[Message] = []
        self.call: Call = record.call
        """The call as it is now."""
        self._has_news = asyncio.Event()
        self._changed = asyncio.Event()
        self._open_until: datetime | None = None

    @contextmanager
    def watching_challenge(self) -> Iterator[None]:
        """Hear of the challenge's changes while the context lasts: `is_challenge_open` needs it, and reads
        the challenge once and after each change by others."""
        with self._notifier.watching(self.call.challenge_id) as self._changed:
            self._changed.set()
            yield

    async def begin(self, caps: LineCaps) -> NoLine | None:
        """Store that the call is originated now, and announce it; or return why it may not begin yet.

        Raises:
            StoreError: it could not be stored.
            CallTaken: another controller has taken it over.
        """
        before, entries, messages = self.call, len(self._entries), len(self._messages)
        self.note(Originated())
        record, told = CallRecord(self.call, timeline=tuple(self._entries)), tuple(self._messages)
        refused = await self._store.begin(record, caps, Told(told))
        if refused is not None:
            self.call = before
            del self._entries[entries:], self._messages[messages:]
            return refused
        self._follow_commit(told)
        return None

    async def write(self, event: CallEvent) -> None:
        """Apply an event to the call; `store_steps` stores and announces it, or else the end of the call.

        Does not wait for that: a person who hears a code is not cut off because of the database. Only a
        report is stored at once, before its effects are: else a restart between the two would not know why
        the code is void.

        Raises:
            InvalidTransition: the event cannot happen in this state.
        """
        self.note(event)
        self._has_news.set()
        if isinstance(event, Reported):
            await self._try_to_store()

    async def store_steps(self) -> None:
        """Store and announce steps soon after they happen, until cancelled.

        A step that cannot be stored is stored with the next one, or at the latest with the end.
        """
        while True:
            await self._has_news.wait()
            await asyncio.sleep(_until_next_storing(asyncio.get_running_loop().time()))
            await self._try_to_store()

    async def _try_to_store(self) -> None:
        self._has_news.clear()
        try:
            record, messages = CallRecord(self.call, timeline=tuple(self._entries)), tuple(self._messages)
            await self._store.record(record, told=Told(messages))
        except (StoreError, CallTaken) as error:
            log.warning("steps of call not stored yet", call=self.call.id, error=str(error))
            return
        self._follow_commit(messages)

    def with_report(self, hangup: Hangup) -> Hangup:
        """Return how the call ended; one that was reported ended for that reason, whatever hung it up."""
        is_reported = any(entry.event == REPORTED for entry in self._entries)
        return replace(hangup, gave_up=GaveUp.REPORTED) if is_reported else hangup

    async def is_challenge_open(self) -> bool:
        """Return whether the challenge of this call is open, so that its code can still be entered.

        Raises:
            StoreError: it could not be read.
        """
        if self._changed.is_set():
            # Before the reading: what changes meanwhile is read the next time.
            self._changed.clear()
            try:
                self._open_until = await self._store.open_until(self.call.challenge_id)
            except BaseException:
                self._changed.set()
                raise
        return self._open_until is not None and self._clock.now() < self._open_until

    async def may_be_open(self) -> bool:
        """Return whether the challenge is open, as far as the database can be asked: a person who is on the
        telephone is not cut off because of it."""
        try:
            return await self.is_challenge_open()
        except StoreError as error:
            log.warning("challenge of call not read", call=self.call.id, error=str(error))
            return True

    def note(self, event: CallEvent, detail: Mapping[str, object] | None = None) -> None:
        """Apply an event to the call; it is stored with the next one that is written, or the end."""
        now = self._clock.now()
        self.call = calls.step(self.call, event, now)
        name = _name_of(type(event).__name__)
        self._entries.append(
            TimelineEntry(
                seq=len(self._entries) + 1,
                at=now,
                state=self.call.state,
                event=name,
                detail=_detail_of(event) if detail is None else detail,
            )
        )
        self._messages += self._outgoing.of_step(self.call, self._challenge, self._entries[-1])
        if self.call.is_live and _stdlib_log.isEnabledFor(logging.DEBUG):
            log.debug("call changed", call=self.call.id, event_name=name, state=str(self.call.state))

    async def close(
        self,
        hangup: Hangup,
        outcome: CallOutcome,
        *,
        change: Callable[[Challenge], Challenge] | None = None,
        following: Call | None = None,
        refused: Deny | None = None,
    ) -> None:
        """End the call with its outcome; in the same commit change its challenge and add its next call.

        `refused`: why it is not followed to where it was redirected. May be repeated after an error.

        Raises:
            StoreError: it could not be stored.
            CallTaken: another controller has taken it over, and records its end.
        """
        detail = {
            "outcome": str(outcome.outcome),
            # 0 is no cause of Q.850: the PBX says that it has none.
            "cause": hangup.cause or None,
            "sip_status": hangup.sip_status,
            "gave_up": hangup.gave_up,
            **_redirection(hangup, refused),
        }
        if self.call.is_live:
            self.note(Ended(), detail)
            if self._standings.note_end(self.call, hangup, outcome):
                self._tell_of_trunk()
        messages = tuple(self._messages)
        record = CallRecord(self.call, outcome=outcome, hangup=hangup, timeline=tuple(self._entries))
        told = Told(messages, self._receipt_of(record))
        await self._store.record(record, change, following=following, told=told, can_wait=True)
        self._follow_commit(messages)
        self._observer.call_ended(record, self._challenge)
        if told.receipt is not None:
            self._observer.receipt_made()
        self._notifier.tell(Signal(SignalKind.LINE_FREED))
        log.info(
            "call ended",
            call=self.call.id,
            challenge=self.call.challenge_id,
            destination=self.call.destination.masked,
            trunk=self.call.trunk,
            caller_id=mask(self.call.caller_id),
            blame=str(outcome.blame),
            evidence=self.call.evidence.strongest.name.lower(),
            **detail,
        )

    def _receipt_of(self, record: CallRecord) -> NewReceipt | None:
        if self._receipts is None or self.call.is_test:
            return None
        return self._receipts.of_end(record, self._challenge, self._clock.now())

    def _tell_of_trunk(self) -> None:
        until = self._standings.set_aside_until(self.call.trunk)
        self._messages += self._outgoing.of_trunk(self.call.trunk, at=self._clock.now(), until=until)

    def _follow_commit(self, messages: Sequence[Message]) -> None:
        # Others may have been added while these were stored.
        del self._messages[: len(messages)]
        self._outgoing.stored(messages)
        self._notifier.announce(self.call.challenge_id, apart_from=self._changed)


@cache
def _name_of(kind: str) -> str:
    """Return what a step is called in timelines: ReadingStarted is reading_started."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


def _detail_of(event: CallEvent) -> Mapping[str, object]:
    # Not `asdict` for all: it copies each value, and those of an event cannot change.
    values = ((one.name, getattr(event, one.name)) for one in fields(event))
    return {name: asdict(value) if isinstance(value, Media) else value for name, value in values}


def _redirection(hangup: Hangup, refused: Deny | None) -> Mapping[str, object]:
    """Return what the record says of a redirection: nothing where there was none."""
    if hangup.forwarded_to is None:
        return {}
    # The far end may write anything there.
    told: dict[str, object] = {"forwarded_to": mask(_NO_NUMBER.sub("", hangup.forwarded_to))}
    return told if refused is None else told | {"refused": str(refused.reason)}


class CallLogs:
    """Creates calls and opens their logs."""

    def __init__(self, dependencies: LogDependencies, entropy: Entropy) -> None:
        self._dependencies = dependencies
        self._entropy = entropy

    def new_call(self, challenge: Challenge, hop: Hop, to: Destination | None = None) -> Call:
        """Return a queued call of `challenge` over `hop`; it must be stored before it is started.

        `to`: where it was redirected; None: the challenge's own destination.
        """
        return Call(
            id=self._entropy.new_id("call"),
            challenge_id=challenge.id,
            destination=to or challenge.destination,
            trunk=hop.trunk.name,
            caller_id=hop.caller_id.number,
            created_at=self._dependencies.clock.now(),
            is_test=hop.trunk.is_test,
        )

    async def stored_of(self, pending: Callable[[], Sequence[PendingCall]]) -> Sequence[PendingCall]:
        """Return those calls that are stored, once all that was to be stored before is stored or not.

        Raises:
            StoreError: it cannot be told now.
        """
        store = self._dependencies.store
        # A write, behind which nothing that came earlier is on its way any more.
        await store.transact(lambda _: None)
        return [one for one in pending() if await store.call(one.call.id) is not None]

    def is_drained(self, trunk: Trunk) -> bool:
        """Return whether a trunk gets no new calls."""
        return trunk.name in self._dependencies.standings.drains.trunks

    def open(self, record: CallRecord, challenge: Challenge) -> CallLog:
        """Return the log of a stored call of `challenge`, to continue it."""
        return CallLog(record, challenge, self._dependencies)
