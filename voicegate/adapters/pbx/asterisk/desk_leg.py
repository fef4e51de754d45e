"""A desk with several telephones: all ring, each by a call of its own, and the first that is answered counts.

Why not one Originate: it makes one channel, and `PJSIP_DIAL_CONTACTS` names several for Dial() only, whose
answered channel would be another than the one that we follow and prove things by.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

from voicegate.adapters.pbx.asterisk.leg import AsteriskLeg
from voicegate.application.ports import Clip, DtmfTiming, Leg, LegSignal
from voicegate.domain.call import Answered, Media, Playback
from voicegate.domain.call_outcome import Hangup

_OWN_WORD: Final = frozenset((486, 600, 603))
"""SIP statuses by which a person, or their telephone, declines: they say more than one that only rang."""


class DeskLeg(Leg):
    """The telephones of one desk; fills the port `Leg`."""

    def __init__(self, branches: Sequence[AsteriskLeg], tasks: asyncio.TaskGroup) -> None:
        self._branches = branches
        self._winner: AsteriskLeg | None = None
        self._ends: dict[AsteriskLeg, Hangup] = {}
        self._told: list[LegSignal] = []
        self._news = asyncio.Event()
        for branch in branches:
            tasks.create_task(self._listen(branch), name="desk")

    async def signals(self) -> AsyncIterator[LegSignal]:
        """Yield what happens to the call until its `Hangup`: of the answered telephone, or of the last."""
        seen = 0
        while True:
            news = self._news
            while seen < len(self._told):
                signal = self._told[seen]
                seen += 1
                yield signal
                if isinstance(signal, Hangup):
                    return
            await news.wait()

    async def play(self, clip: Clip, keys: str = "") -> Playback:
        """Play a sound to who answered."""
        return await self._one.play(clip, keys)

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        """Send DTMF digits to who answered."""
        await self._one.send_digits(digits, timing)

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first of `keys` that who answered presses `within` that time, or None."""
        return await self._one.wait_key(keys, within)

    async def media(self) -> Media:
        """Return the packet counts of who answered."""
        return await self._one.media()

    async def hang_up(self) -> None:
        """Ask the PBX to end all of it. Does not wait for it."""
        for branch in self._branches:
            branch.end()

    async def leave(self, apology: Clip) -> None:
        """Apologise to who answered; the others are hung up already."""
        await self._one.leave(apology)

    @property
    def _one(self) -> AsteriskLeg:
        return self._winner or self._branches[0]

    async def _listen(self, branch: AsteriskLeg) -> None:
        async for signal in branch.signals():
            self._take(branch, signal)

    def _take(self, branch: AsteriskLeg, signal: LegSignal) -> None:
        match signal:
            case Answered() if self._winner is None:
                self._winner = branch
                for other in self._branches:
                    if other is not branch:
                        other.end()
                self._tell(signal)
            case Answered():
                # Picked up in the same moment, by another: it is told to end already.
                branch.end()
            case Hangup():
                self._ends[branch] = signal
                if branch is self._winner:
                    self._tell(signal)
                elif self._winner is None and len(self._ends) == len(self._branches):
                    self._tell(max(self._ends.values(), key=lambda end: end.sip_status in _OWN_WORD))
            case _ if self._winner is None and signal not in self._told:
                self._tell(signal)

    def _tell(self, signal: LegSignal) -> None:
        self._told.append(signal)
        self._news.set()
        self._news = asyncio.Event()
