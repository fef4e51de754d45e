"""Ranges and countries whose calls prove almost no codes: they are held for a time.

Who is paid for calls lets them ring, or answers them, and enters no code. So the share of codes that were
entered shows an attack that stays below every other limit.

A limit must not become a weapon: a hold is for the client whose calls show it. Only when several clients show
it of the same range, it is held for all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy.decisions import Allow, Deny, DenyReason


@dataclass(frozen=True, slots=True)
class ConversionPolicy:
    """When a range or a country is held."""

    floor: float = 0.05
    """The share of codes that must be entered; 0: nothing is held."""
    window: timedelta = timedelta(hours=6)
    """How long a call counts."""
    min_calls_prefix: int = 200
    """Calls to one range that are enough to judge it."""
    min_calls_country: int = 2000
    """Calls to one country that are enough to judge it."""
    hold: timedelta = timedelta(hours=1)
    """How long it is held."""
    clients: int = 3
    """Clients that must show it before it is held for all."""


@dataclass(frozen=True, slots=True)
class Tally:
    """A client's calls to one range or country."""

    client: str
    """The client."""
    key: str
    """The beginning of the numbers, with its plus sign; or an ISO 3166-1 alpha-2 code."""
    placed: int
    """Calls that reached a network, and whose codes can no longer be entered."""
    verified: int
    """Those whose codes were entered."""


@dataclass(frozen=True, slots=True)
class PrefixHold:
    """A range or a country that is not called for a time."""

    key: str
    """The beginning of the numbers, with its plus sign; or an ISO 3166-1 alpha-2 code."""
    client: str
    """For which client; empty: for all."""
    at: datetime
    """Since when."""
    until: datetime
    """Until when. Calls before this time are not judged again."""
    held_by: str
    """The admin who holds it; empty: what its calls showed."""
    reason: str = field(compare=False)
    """Why, for people."""

    def is_on(self, now: datetime) -> bool:
        """Return whether it holds up calls now."""
        return now < self.until


def keys_of(destination: Destination) -> Sequence[str]:
    """Return what may be held of a destination: each beginning of its number, and its country."""
    number = destination.number
    beginnings = [number[:length] for length in range(2, len(number) + 1)]
    return [*beginnings, destination.country] if destination.country else beginnings


def may_call_range(holds: Iterable[PrefixHold], *, client: str, now: datetime) -> Allow | Deny:
    """Decide whether a client may call a number, by the holds on its `keys_of`."""
    on = [hold for hold in holds if hold.client in ("", client) and hold.is_on(now)]
    if not on:
        return Allow()
    longest = max(on, key=lambda hold: hold.until)
    return Deny(DenyReason.PREFIX_HELD, longest.until - now, rule=f"prefix hold {longest.key}")


def is_low(tally: Tally, policy: ConversionPolicy) -> bool:
    """Return whether too few of a client's codes were entered, of enough calls."""
    enough = policy.min_calls_prefix if tally.key.startswith("+") else policy.min_calls_country
    return tally.placed >= enough and tally.verified < policy.floor * tally.placed


def find_low(tallies: Iterable[Tally], policy: ConversionPolicy) -> Sequence[Tally]:
    """Return what is to be held: each client's own, and for all, with an empty client, what several show."""
    low = sorted((one for one in tallies if is_low(one, policy)), key=lambda one: (one.key, one.client))
    shown = [(key, list(same)) for key, same in groupby(low, key=lambda one: one.key)]
    common = [
        Tally("", key, sum(one.placed for one in same), sum(one.verified for one in same))
        for key, same in shown
        if len(same) >= policy.clients
    ]
    return [*low, *common]
