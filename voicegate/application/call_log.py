"""The log of one call: every step is applied, stored and announced, in that order.

Nothing here decides anything; `domain.call` knows what may happen, `delivery` makes it happen.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import structlog

from voicegate.application.change_notifier import ChangeNotifier
from voicegate.application.ports import CallRecord, Clock, TimelineEntry
from voicegate.application.store_port import Store
from voicegate.domain import call as calls
from voicegate.domain.call import Call, CallEvent, Ended, Originated
from voicegate.domain.call_outcome import CallOutcome, Hangup
from voicegate.domain.challenge import Challenge
from voicegate.domain.errors import StoreError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where call logs are kept."""

    store: Store
    """The durable record."""
    notifier: ChangeNotifier
    """Who is told."""
    clock: Clock
    """What time it is."""


class CallLog:
    """One call's log."""

    def __init__(self, desk: Desk, record: CallRecord) -> None:
        self._desk = desk
        self._entries = list(record.timeline)
        self.call: Call = record.call
        """The call as far as it has come."""

    async def write(self, event: CallEvent) -> None:
        """Let `event` happen: apply, commit, announce.

        A step that cannot be stored now is stored with the next one that can, at the latest with the end:
        nobody who is listening to a code is cut off for it. Only that the call begins must be stored.

        Raises:
            InvalidTransition: the event cannot happen now.
            StoreError: the beginning could not be stored.
        """
        self.note(event)
        is_beginning = isinstance(event, Originated)
        try:
            record = CallRecord(self.call, timeline=tuple(self._entries))
            await self._desk.store.record(record, can_wait=is_beginning)
        except StoreError as error:
            if is_beginning:
                raise
            log.warning("call's step not stored yet", call=self.call.id, error=str(error))
            return
        self._desk.notifier.announce(self.call.challenge_id)

    def note(self, event: CallEvent, detail: Mapping[str, object] | None = None) -> None:
        """Let `event` happen, and leave storing it to the next `write` or `close`."""
        now = self._desk.clock.now()
        self.call = calls.step(self.call, event, now)
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
        self._entries.append(
            TimelineEntry(
                seq=len(self._entries) + 1,
                at=now,
                state=self.call.state,
                event=name,
                detail=asdict(event) if detail is None else detail,
            )
        )
        if self.call.is_live:
            log.info("call", call=self.call.id, event_name=name, state=str(self.call.state))

    async def close(
        self,
        hangup: Hangup,
        outcome: CallOutcome,
        *,
        change: Callable[[Challenge], Challenge] | None = None,
        following: Call | None = None,
    ) -> None:
        """End the call with its verdict; in the same commit change its challenge, add its next call. May
        be repeated when it failed.

        Raises:
            StoreError: it could not be stored.
        """
        detail = {
            "outcome": str(outcome.outcome),
            # 0 is no cause of Q.850: the PBX says that it has none.
            "cause": hangup.cause or None,
            "sip_status": hangup.sip_status,
            "gave_up": hangup.gave_up,
        }
        if self.call.is_live:
            self.note(Ended(), detail)
        record = CallRecord(self.call, outcome=outcome, hangup=hangup, timeline=tuple(self._entries))
        await self._desk.store.record(record, change, following=following, can_wait=True)
        self._desk.notifier.announce(self.call.challenge_id)
        log.info(
            "call ended",
            call=self.call.id,
            challenge=self.call.challenge_id,
            destination=self.call.destination.masked,
            trunk=self.call.trunk,
            blame=str(outcome.blame),
            evidence=self.call.evidence.strongest.name.lower(),
            **detail,
        )
