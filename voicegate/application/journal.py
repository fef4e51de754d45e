"""The journal of one call: every step is applied, stored and announced, in that order.

Nothing here decides anything; `domain.call` knows what may happen, `delivery` makes it happen.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import structlog

from voicegate.application.board import Board
from voicegate.application.ports import CallRecord, Clock, TimelineEntry
from voicegate.application.storing import Store
from voicegate.domain import call as calls
from voicegate.domain.call import Call, CallEvent, Ended
from voicegate.domain.challenge import Challenge
from voicegate.domain.hangup_cause import CallOutcome, Hangup

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where journals are kept."""

    store: Store
    """The durable record."""
    board: Board
    """Who is told."""
    clock: Clock
    """What time it is."""


class Journal:
    """One call's journal."""

    def __init__(self, desk: Desk, record: CallRecord) -> None:
        self._desk = desk
        self._entries = list(record.timeline)
        self.call: Call = record.call
        """The call as far as it has come."""

    async def write(self, event: CallEvent) -> None:
        """Let `event` happen: apply, commit, announce.

        Raises:
            InvalidTransition: the event cannot happen now.
            StoreError: it could not be stored.
        """
        self.note(event)
        await self._desk.store.record(CallRecord(self.call, timeline=tuple(self._entries)))
        self._desk.board.announce(self.call.challenge_id)

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
            "cause": hangup.cause,
            "sip_status": hangup.sip_status,
            "gave_up": hangup.gave_up,
        }
        if self.call.is_live:
            self.note(Ended(), detail)
        record = CallRecord(self.call, outcome=outcome, hangup=hangup, timeline=tuple(self._entries))
        await self._desk.store.record(record, change, following=following)
        self._desk.board.announce(self.call.challenge_id)
