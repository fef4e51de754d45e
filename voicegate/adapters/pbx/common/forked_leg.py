"""An extension whose telephones each ring by their own call: the first one that is answered counts.

For a PBX that cannot ring several telephones by one call: see its driver's `write`, which knows the
telephones.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

from voicegate.adapters.pbx.common.changes import Changes
from voicegate.adapters.pbx.common.supervised_leg import SupervisedLeg
from voicegate.application.ports import Clip, DtmfTiming, Leg, LegSignal
from voicegate.domain.call import Answered, Media, Playback
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.call_quality import CallQuality

_OWN_WORD: Final = frozenset((486, 600, 603))
"""SIP statuses with which a person, or their telephone, declines: they say more than a telephone that only
rang."""


class ForkedLeg(Leg):
    """The telephones of one extension; implements the port `Leg`."""

    def __init__(self, branches: Sequence[SupervisedLeg], tasks: asyncio.TaskGroup) -> None:
        self._branches = branches
        self._winner: SupervisedLeg | None = None
        self._ends: dict[SupervisedLeg, Hangup] = {}
        self._told: list[LegSignal] = []
        self._changes = Changes()
        for branch in branches:
            tasks.create_task(self._listen(branch), name="desk")

    async def signals(self) -> AsyncIterator[LegSignal]:
        """Yield what happens to the call until its `Hangup`: of the answered telephone, or of the last
        one."""
        seen = 0
        while True:
            # Taken before the look: while a signal is handed on, another may be told.
            change = self._changes.next
            while seen < len(self._told):
                signal = self._told[seen]
                seen += 1
                yield signal
                if isinstance(signal, Hangup):
                    return
            await change.wait()

    async def play(self, clip: Clip, keys: str = "") -> Playback:
        """Play a sound to the telephone that answered."""
        return await self._one.play(clip, keys)

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        """Send DTMF digits to the telephone that answered."""
        await self._one.send_digits(digits, timing)

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first of `keys` pressed on the answered telephone within this time; None: none was."""
        return await self._one.wait_key(keys, within)

    async def media(self) -> Media:
        """Return the packet counts of the telephone that answered."""
        return await self._one.media()

    @property
    def quality(self) -> CallQuality:
        """What is known of the line of the telephone that answered."""
        return self._one.quality

    async def hang_up(self) -> None:
        """Ask the PBX to end all its calls, without waiting for the end."""
        for branch in self._branches:
            await branch.hang_up()

    async def leave(self, apology: Clip) -> None:
        """Apologise to the telephone that answered; the others were hung up before."""
        await self._one.leave(apology)

    @property
    def _one(self) -> SupervisedLeg:
        return self._winner or self._branches[0]

    async def _listen(self, branch: SupervisedLeg) -> None:
        async for signal in branch.signals():
            await self._take(branch, signal)

    async def _take(self, branch: SupervisedLeg, signal: LegSignal) -> None:
        match signal:
            case Answered() if self._winner is None:
                self._winner = branch
                for other in self._branches:
                    if other is not branch:
                        await other.hang_up()
                self._tell(signal)
            case Answered():
                # Picked up in the same moment, by another: it is told to end already.
                await branch.hang_up()
            case Hangup():
                self._ends[branch] = signal
                # The winner's end is the call's; those of the others are our doing.
                if branch is self._winner:
                    self._tell(signal)
                elif self._winner is None and len(self._ends) == len(self._branches):
                    self._tell(max(self._ends.values(), key=lambda end: end.sip_status in _OWN_WORD))
            case _ if self._winner is None and signal not in self._told:
                self._tell(signal)

    def _tell(self, signal: LegSignal) -> None:
        self._told.append(signal)
        self._changes.tell()
