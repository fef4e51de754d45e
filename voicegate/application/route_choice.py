"""Chooses a call's route by how trunks and caller IDs did, and learns from the end of every call.

What it learns belongs to this daemon and is lost when it stops: a failing trunk is known again after a few
calls. Failures of a caller ID at one called number are in the store, and are read with the calls that count.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from voicegate.application.current_routes import CurrentRoutes
from voicegate.application.ports import Clock, Pbx
from voicegate.application.trunk_drains import Drains
from voicegate.domain.call import Call
from voicegate.domain.call_outcome import CallOutcome, Hangup
from voicegate.domain.challenge import Challenge
from voicegate.domain.classifying import is_blocked
from voicegate.domain.policy.spend import NO_RATES, Rates
from voicegate.domain.routing import Hop, RouteHints, find_route
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
"""How long a failure of a caller ID at a called number is remembered."""
_SHOWN_BY: Final = 3
"""Who has calls to one number fail shows nothing of others' calls: only so many numbers show that a trunk is
down."""
_PROBE: Final = timedelta(seconds=60)
"""After a rest, only one call may use the trunk for this time: its end tells whether the trunk works
again."""


class Standings:
    """How trunks and caller IDs did, as this daemon saw it."""

    def __init__(self, *, clock: Clock, rules: RestRules) -> None:
        self._clock = clock
        self._rules = rules
        self.drains = Drains()
        """The trunks that an admin has drained."""
        self.unreachable: frozenset[str] = frozenset()
        """The trunks that their PBX said it does not reach, when it was last asked."""
        self.long_unreachable: frozenset[str] = frozenset()
        """Those of which it said so the time before, too: a PBX that has just started has yet to look."""
        self._trunks: dict[str, Standing] = {}
        # Whose calls failed by a trunk's fault since one succeeded, a few of them.
        self._failed: dict[str, set[str]] = {}
        self._caller_ids: dict[str, Standing] = {}
        # Which challenge tries a trunk again, and until when others leave that to it.
        self._probes: dict[str, tuple[str, datetime]] = {}

    def note_end(self, call: Call, hangup: Hangup, outcome: CallOutcome) -> bool:
        """Learn from an ended call; return whether its trunk is set aside by it, or works again."""
        if call.is_test or call.destination.is_internal or call.trunk in self.drains.trunks:
            # A drained one's calls end by what an admin does to it.
            return False
        before = self._trunks.get(call.trunk, Standing()).rests
        blocked = is_blocked(call, hangup)
        sign = sign_of_trunk(call, outcome, is_blocked=blocked)
        self._learn(self._trunks, call.trunk, sign)
        self._note_failed(call, sign)
        self._learn(self._caller_ids, call.caller_id, sign_of_caller_id(call, is_blocked=blocked))
        after = self._trunks.get(call.trunk, Standing()).rests
        # It may be set aside anew while it is tried: that is no news.
        return (before > 0) != (after > 0)

    def set_aside_until(self, trunk: str) -> datetime | None:
        """Until when a trunk is set aside; None: it is not."""
        standing = self._trunks.get(trunk, Standing())
        return standing.until if standing.is_resting(self._clock.now(), self._rules) else None

    def is_down(self, trunk: str) -> bool:
        """Return whether it is known that a trunk can take no call: its PBX says so, or it is set aside and
        calls to several numbers failed in a row."""
        has_failed = len(self._failed.get(trunk, ())) >= _SHOWN_BY
        return trunk in self.long_unreachable or (has_failed and self.set_aside_until(trunk) is not None)

    def resting_trunks(self, challenge_id: str) -> frozenset[str]:
        """Return the trunks to try last for a challenge. After a rest, one call may try the trunk."""
        now = self._clock.now()
        return self.unreachable | frozenset(
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
        """Return whether a challenge may try a trunk whose rest is over: the first that asks may, for a
        while."""
        owner, until = self._probes.get(trunk, (challenge_id, now))
        if owner != challenge_id and now < until <= now + _PROBE:
            return False
        self._probes[trunk] = (challenge_id, now + _PROBE)
        return True

    def _note_failed(self, call: Call, sign: Sign) -> None:
        if sign is Sign.GOOD:
            self._failed.pop(call.trunk, None)
        elif sign is not Sign.NONE:
            failed = self._failed.setdefault(call.trunk, set())
            if len(failed) < _SHOWN_BY:
                failed.add(call.destination.number)

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
        self,
        routes: CurrentRoutes,
        standings: Standings,
        caller_id_memory: timedelta = DEFAULT_MEMORY,
        *,
        pbxs: Mapping[str, Pbx],
    ) -> None:
        self._routes = routes
        self._standings = standings
        self._pbxs = pbxs
        self.caller_id_memory = caller_id_memory
        """After a failed call, how long the next one to that number shows another caller ID."""

    @property
    def has_caller_ids_to_choose(self) -> bool:
        """Return whether it matters which caller IDs failed at a called number."""
        return any(len(trunk.caller_ids) > 1 for trunk in self._routes.trunks)

    def choose(
        self, challenge: Challenge, failed_caller_ids: Sequence[str] = (), rates: Rates = NO_RATES
    ) -> tuple[Hop, ...]:
        """Return the hops to try, in order; empty: no trunk can reach it.

        `failed_caller_ids` were shown on calls to that number that failed, newest first. By the `rates`, the
        cheaper of trunks that are alike comes first.
        """
        trunks = (trunk.name for trunk in self._routes.trunks)
        hints = RouteHints(
            key=challenge.id,
            resting=self._standings.resting_trunks(challenge.id),
            drained=frozenset(self._standings.drains.trunks),
            failed_caller_ids=(*failed_caller_ids, *self._standings.resting_caller_ids()),
            prices=rates.compare(trunks, challenge.destination.number),
        )
        return find_route(challenge.destination, self._routes.now, hints)

    def has_way(self, route: Sequence[Hop]) -> bool:
        """Return whether a hop may take a call, as far as is known without asking: its PBX is connected, and
        its trunk not known to be down."""
        return any(
            self._pbxs[hop.trunk.pbx].is_connected and not self._standings.is_down(hop.trunk.name)
            for hop in route
        )

    def is_drained(self, challenge: Challenge) -> bool:
        """Return whether trunks lead to it, and all of them are drained."""
        undrained = find_route(challenge.destination, self._routes.now)
        return bool(undrained) and {hop.trunk.name for hop in undrained} <= self._standings.drains.trunks
