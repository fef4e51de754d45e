"""How a trunk's calls went in a window of time, in the trade's own figures; pure.

The answer-seizure ratio is that of ITU-T E.411: calls that were answered, of those that were sent to the
trunk. The post-dial delay counts from the originate to the first ringing, early media or answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class TrunkFigures:
    """The sums of a trunk's calls that were sent to it and have ended."""

    trunk: str
    """The trunk's name."""
    country: str = ""
    """Where they went, as ISO 3166-1 alpha-2 code; empty: anywhere, or to no country."""
    placed: int = 0
    """Calls."""
    answered: int = 0
    """Of those, how many were answered."""
    verified: int = 0
    """How many of their codes were entered."""
    failed: int = 0
    """How many the trunk failed, before the answer or after it."""
    keys_asked: int = 0
    """How many asked a person for a key."""
    keys_pressed: int = 0
    """How many of those got one."""
    delays: int = 0
    """How many have a post-dial delay."""
    delay: timedelta = timedelta()
    """The sum of those."""
    talk: timedelta = timedelta()
    """How long the answered ones lasted from the answer on, together."""

    @property
    def answer_seizure_ratio(self) -> float | None:
        """Answered calls among all, 0 to 1; None: there were none."""
        return _share(self.answered, self.placed)

    @property
    def verified_ratio(self) -> float | None:
        """Calls whose code was entered among all."""
        return _share(self.verified, self.placed)

    @property
    def key_press_share(self) -> float | None:
        """Calls on which a key came among those that asked for one."""
        return _share(self.keys_pressed, self.keys_asked)

    @property
    def post_dial_delay(self) -> timedelta | None:
        """The average; None: no call gave a sign of life."""
        return self.delay / self.delays if self.delays else None

    @property
    def call_duration(self) -> timedelta | None:
        """The average of the answered calls; None: there were none."""
        return self.talk / self.answered if self.answered else None

    def plus(self, other: "TrunkFigures") -> "TrunkFigures":
        """Return the figures of both together, of this one's trunk and country."""
        return replace(
            self,
            placed=self.placed + other.placed,
            answered=self.answered + other.answered,
            verified=self.verified + other.verified,
            failed=self.failed + other.failed,
            keys_asked=self.keys_asked + other.keys_asked,
            keys_pressed=self.keys_pressed + other.keys_pressed,
            delays=self.delays + other.delays,
            delay=self.delay + other.delay,
            talk=self.talk + other.talk,
        )


@dataclass(frozen=True, slots=True)
class KeyAlarm:
    """When a trunk's share of key presses is too small, as where its DTMF gets lost."""

    floor: float = 0.2
    """Below this share, 0 to 1; 0: never."""
    window: timedelta = timedelta(hours=1)
    """Of the calls in this time up to now."""
    calls: int = 20
    """With fewer calls that asked for a key, nothing is said."""

    def is_due(self, figures: TrunkFigures) -> bool:
        """Return whether these figures are a reason for the alarm."""
        share = figures.key_press_share
        return share is not None and figures.keys_asked >= self.calls and share < self.floor


def total(trunk: str, parts: Iterable[TrunkFigures]) -> TrunkFigures:
    """Return a trunk's figures for all countries together."""
    whole = TrunkFigures(trunk)
    for part in parts:
        if part.trunk == trunk:
            whole = whole.plus(part)
    return whole


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
