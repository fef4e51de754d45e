"""What became of the calls that services asked for: one by one, and how many of their codes were entered.

A client sees its own, an admin all. Calls to test numbers count for nothing here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from voicegate.application.storing import Attempt, AttemptFilter, Store
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.client import Asker
from voicegate.domain.phone_number import Destination


@dataclass(frozen=True, slots=True)
class Summary:
    """How calls fared together."""

    attempts: int
    """How many."""
    converted: int
    """How many of them had their code entered."""


class Attempts:
    """The questions about services' calls."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, asker: Asker, wanted: AttemptFilter, limit: int) -> Sequence[Attempt]:
        """Return the newest calls first."""
        return await self._store.attempts(_own(asker, wanted), limit)

    async def find(self, asker: Asker, call_id: str) -> Attempt | None:
        """Return one call, to a test number too; None: no service asked for such a one."""
        record = await self._store.call(call_id)
        found = None if record is None else await self._store.challenge(record.call.challenge_id)
        if record is None or found is None:
            return None
        challenge = found.challenge
        if challenge.service is None or not asker.owns(challenge.client):
            return None
        is_newest = found.calls[-1].call.id == call_id
        return Attempt(record, challenge, is_newest and challenge.state is ChallengeState.VERIFIED)

    async def summarise(self, asker: Asker, wanted: AttemptFilter, country: str | None = None) -> Summary:
        """Return how the calls fared, to one country if given."""
        counted = [
            entry
            for entry in await self._store.conversions(_own(asker, wanted))
            if country is None or Destination(entry.number).country == country
        ]
        return Summary(sum(entry.attempts for entry in counted), sum(entry.converted for entry in counted))


def _own(asker: Asker, wanted: AttemptFilter) -> AttemptFilter:
    return wanted if asker.is_admin else replace(wanted, client=asker.name)
