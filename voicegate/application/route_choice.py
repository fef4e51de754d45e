"""Chooses a call's route by how trunks and caller IDs fared, and learns that from every call's end.

What was learned is this daemon's own and begins anew with it: a trunk that fails is known after a few calls.
That a caller ID failed at one callee is in the store, and is asked for with the calls that count.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from voicegate.application.ports import Clock
from voicegate.domain.call import Call
from voicegate.domain.call_outcome import CallOutcome, Hangup
from voicegate.domain.challenge import Challenge
from voicegate.domain.classifying import is_blocked
from voicegate.domain.routing import Hop, RouteHints, Routes, find_route
from voicegate.domain.standing import (
    RestRules,
    Sign,
    Standing,
    learn,
    sign_of_caller_id,
    sign_of_trunk,
)

log = structlog.get_logger(__name__)

DEFAULT_MEMORY: Final = timedelta(hours=24)
"""How long it is remembered that a caller ID failed at a callee."""
_PROBE: Final = timedelta(seconds=60)
"""For how long the first call after a rest is the only one: its end tells whether the trunk works again."""


class Standings:
    """How trunks and caller IDs stand, as this daemon saw it."""

    def __init__(self, *, clock: Clock, rules: RestRules) -> None:
        self._clock = clock
        self._rules = rules
        self._trunks: dict[str, Standing] = {}
        self._caller_ids: dict[str, Standing] = {}
        # Which challenge tries a trunk again, and until when others leave that to it.
        self._probes: dict[str, tuple[str, datetime]] = {}

    def note_end(self, call: Call, hangup: Hangup, outcome: CallOutcome) -> None:
        """Learn from an ended call."""
        if call.is_test or call.destination.is_internal:
            return
        blocked = is_blocked(call, hangup)
        self._learn(self._trunks, call.trunk, sign_of_trunk(call, outcome, is_blocked=blocked))
        self._learn(self._caller_ids, call.caller_id, sign_of_caller_id(call, is_blocked=blocked))

    def set_aside_until(self, trunk: str) -> datetime | None:
        """Until when a trunk is set aside; None: it is not."""
        standing = self._trunks.get(trunk, Standing())
        return standing.until if standing.is_resting(self._clock.now(), self._rules) else None

    def resting_trunks(self, challenge_id: str) -> frozenset[str]:
        """Return the trunks to try last for a challenge. Where a rest is over, one call tries the trunk."""
        now = self._clock.now()
        return frozenset(
            name
            for name, standing in list(self._trunks.items())
            if standing.is_resting(now, self._rules)
            or (standing.rests and not self._may_probe(name, challenge_id, now))
        )

    def resting_caller_ids(self) -> Sequence[str]:
        """Return the numbers that networks block."""
        now = self._clock.now()
        return [
            number
            for number, standing in list(self._caller_ids.items())
            if standing.is_resting(now, self._rules)
        ]

    def _may_probe(self, trunk: str, challenge_id: str, now: datetime) -> bool:
        """May a challenge try a trunk whose rest is over? The first that asks may, for a while."""
        owner, until = self._probes.get(trunk, (challenge_id, now))
        if owner != challenge_id and now < until <= now + _PROBE:
            return False
        self._probes[trunk] = (challenge_id, now + _PROBE)
        return True

    def _learn(self, known: dict[str, Standing], name: str, sign: Sign) -> None:
        before = known.get(name, Standing())
        after = learn(before, sign, rules=self._rules, now=self._clock.now())
        if after == before:
            return
        known[name] = after
        if known is not self._trunks:
            return
        if sign is Sign.GOOD:
            self._probes.pop(name, None)
        if after.rests > before.rests:
            self._probes.pop(name, None)
            log.warning("trunk set aside", trunk=name, faults=after.faults, until=after.until)
        elif before.rests and not after.rests:
            log.info("trunk works again", trunk=name)


class RouteChooser:
    """Chooses routes."""

    def __init__(
        self, routes: Routes, standings: Standings, caller_id_memory: timedelta = DEFAULT_MEMORY
    ) -> None:
        self._routes = routes
        self._standings = standings
        self.caller_id_memory = caller_id_memory
        """How long a failed call has the next one to that callee show another caller ID."""

    @property
    def has_caller_ids_to_choose(self) -> bool:
        """Does it matter which caller IDs failed at a callee?"""
        return any(len(trunk.caller_ids) > 1 for trunk in self._routes.trunks)

    def choose(self, challenge: Challenge, failed_caller_ids: Sequence[str] = ()) -> tuple[Hop, ...]:
        """Return the hops to try in order; empty when nothing leads there. `failed_caller_ids` were shown on
        calls to that callee that failed, the newest first."""
        hints = RouteHints(
            key=challenge.id,
            resting=self._standings.resting_trunks(challenge.id),
            failed_caller_ids=(*failed_caller_ids, *self._standings.resting_caller_ids()),
        )
        return find_route(challenge.destination, self._routes, hints)
