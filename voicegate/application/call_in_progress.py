"""One call held to its end: originate, converse, hang up for a reason of ours.

What follows from its end is `delivery`'s.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import structlog

from voicegate.application.announcer import Announcer
from voicegate.application.call_log import CallLog
from voicegate.application.conversation import (
    ANY_KEYS,
    CallTimings,
    Conversation,
    Reporting,
    Script,
    keys_apart_from,
)
from voicegate.application.lines import LineCaps, NoLine
from voicegate.application.ports import Clip, Leg, Order, Pbx
from voicegate.domain.announcement import HumanCheck, PromptName
from voicegate.domain.call import Answered, MediaCounted
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.challenge import Challenge
from voicegate.domain.errors import PbxError, SpeechError
from voicegate.domain.routing import Hop

log = structlog.get_logger(__name__)

# The PBX has the ring timeout itself; ours is for a PBX that forgets it.
_RING_GRACE: Final = timedelta(seconds=5)
# From what the conversation takes for the call's end to a hangup of ours: the PBX's own word comes before.
_SEEING_OFF: Final = timedelta(seconds=4)
# The conversation has its own deadlines; ours is for one that is stuck.
_TALK_GRACE: Final = timedelta(seconds=10)


@dataclass(slots=True, eq=False, kw_only=True)
class CallInProgress:
    """One call: its leg, once there is one, and our reason to end it."""

    challenge: Challenge
    """Whose code it speaks."""
    call_log: CallLog
    """Its log."""
    hop: Hop
    """How it is placed."""
    pbx: Pbx
    """Where it is placed."""
    announcer: Announcer
    """Makes what it says."""
    timings: CallTimings
    """How long it may last."""
    reporting: Reporting | None
    """What a person may say of it; None: nothing."""
    caps: LineCaps
    """How many calls there may be at a time."""
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is a reason to end the call."""
    _leg: Leg | None = None
    _gave_up: GaveUp | None = None
    _conversation: Conversation | None = None
    _talk: "asyncio.Task[None] | None" = None

    async def give_up(self, reason: GaveUp) -> None:
        """End the call for `reason`; if there is a reason already, that one stays."""
        is_first = self._gave_up is None
        self._gave_up = self._gave_up or reason
        self.given_up.set()
        if self._leg is None:
            return
        if is_first and reason is GaveUp.INTERRUPTED and self._talk is not None:
            # Whoever is being spoken to is not cut off without a word, nor spoken to while that is said.
            self._talk.cancel()
            await self._leg.leave(self._apology)
        else:
            await self._leg.hang_up()

    @property
    def _apology(self) -> Clip:
        return self._prompt(PromptName.APOLOGY)

    def _prompt(self, name: PromptName) -> Clip:
        return self.announcer.prompt(self.challenge, name)

    async def run(self, *, has_line: bool, is_drained: bool = False) -> Hangup | NoLine:
        """Place the call and hold it to its end; if there was no free line, it has ended already.

        Another controller may have that line by now: then nothing has happened. `is_drained`: its trunk was
        drained while it waited for a line. Nothing is dialed then.
        """
        with self.call_log.watching_challenge():
            return await self._run(has_line=has_line, is_drained=is_drained)

    async def _run(self, *, has_line: bool, is_drained: bool) -> Hangup | NoLine:
        loop = asyncio.get_running_loop()
        placed_at = loop.time()
        try:
            if self._gave_up or not await self.call_log.is_challenge_open():
                return Hangup(gave_up=self._gave_up or GaveUp.CANCELED)
            if not has_line:
                log.warning(
                    "no line was free within the queue timeout",
                    call=self.call_log.call.id,
                    trunk=self.hop.trunk.name,
                )
                return Hangup(gave_up=GaveUp.QUEUE_TIMEOUT)
            if is_drained:
                log.info("queued call not placed", call=self.call_log.call.id, why="trunk drained")
                return Hangup(is_unreachable=True)
            ended = await self._place()
            if isinstance(ended, NoLine):
                return ended
        except SpeechError:
            log.exception("speech failed", call=self.call_log.call.id)
            return Hangup(gave_up=GaveUp.PLAYBACK_FAILED)
        except PbxError as error:
            log.warning("call not placed", call=self.call_log.call.id, error=str(error))
            return Hangup(gave_up=GaveUp.PBX_UNAVAILABLE)
        after = timedelta(seconds=loop.time() - placed_at)
        return replace(ended, gave_up=self._gave_up or ended.gave_up, after=after)

    async def _place(self) -> Hangup | NoLine:
        call = self.call_log.call
        announcement = self.announcer.compose(
            self.challenge,
            keys_apart_from(call.destination.extension),
            may_report=self.reporting is not None,
        )
        order = Order(call.id, self.hop, self._apology)
        if (refused := await self.call_log.begin(self.caps)) is not None:
            return refused
        if self._gave_up:
            return Hangup(gave_up=self._gave_up)
        async with AsyncExitStack() as stack:
            self._leg = await stack.enter_async_context(self.pbx.originate(order))
            if self._gave_up:
                await self._leg.hang_up()
            # Mixed while it rings: the code is on (memory) disk no longer than the call.
            audio = await stack.enter_async_context(self.announcer.mix(announcement))
            check = self.challenge.human_check
            script = Script(
                check=check,
                keys=announcement.key if check is HumanCheck.RANDOM_KEY else ANY_KEYS,
                audio=audio,
                prompt=self._prompt,
                is_wanted=self.call_log.may_be_open,
                packet=self.hop.trunk.packet,
                reporting=self.reporting if announcement.is_reportable else None,
            )
            return await self._converse_until_end(self._leg, script)

    async def _converse_until_end(self, leg: Leg, script: Script) -> Hangup:
        """Record what the PBX reports until the call ends; start the conversation when the call is
        answered."""
        trunk = self.hop.trunk
        ended = Hangup(gave_up=GaveUp.PBX_LOST)
        async with asyncio.TaskGroup() as tasks:
            progress = tasks.create_task(self._expire(trunk.progress_timeout, GaveUp.PROGRESS_TIMEOUT))
            deadline = tasks.create_task(self._expire(trunk.ring_timeout + _RING_GRACE, GaveUp.RING_TIMEOUT))
            timers = [progress, tasks.create_task(self.call_log.store_steps())]
            async for signal in leg.signals():
                progress.cancel()
                if isinstance(signal, Hangup):
                    ended = signal
                    break
                await self.call_log.write(signal)
                if isinstance(signal, Answered):
                    deadline.cancel()
                    deadline = tasks.create_task(self._expire(self._longest_talk(), GaveUp.TIME_CAP))
                    self._talk = tasks.create_task(self._converse(leg, script))
                    timers.append(tasks.create_task(self._hang_up_after_conversation(leg, self._talk)))
            for timer in (*timers, deadline):
                timer.cancel()
            if self._talk is not None:
                # What it still has to note of the end takes moments.
                await asyncio.wait((self._talk,), timeout=_TALK_GRACE.total_seconds())
                self._talk.cancel()
        ended, media = replace(ended, quality=leg.quality), await leg.media()
        if self.call_log.call.evidence.answered:
            self.call_log.note(MediaCounted(media))
        if self._conversation is not None:
            ended = replace(ended, nothing_sent=self._conversation.nothing_sent(media))
        return ended

    def _longest_talk(self) -> timedelta:
        return self.timings.longest_for(self.call_log.call.destination.extension) + _TALK_GRACE

    async def _converse(self, leg: Leg, script: Script) -> None:
        self._conversation = Conversation(leg, self.call_log, script=script, timings=self.timings)
        reason = await self._conversation.hold()
        if reason is not None:
            await self.give_up(reason)

    async def _hang_up_after_conversation(self, leg: Leg, talk: "asyncio.Task[None]") -> None:
        """Hang up when the conversation is over: it may be over because the far end is gone."""
        await asyncio.wait((talk,))
        if talk.cancelled():
            return  # who broke it off ends the call
        await asyncio.sleep(_SEEING_OFF.total_seconds())
        await leg.hang_up()

    async def _expire(self, after: timedelta, reason: GaveUp) -> None:
        await asyncio.sleep(after.total_seconds())
        await self.give_up(reason)


def longest_call(timings: CallTimings, extension: str | None) -> timedelta:
    """Return the longest that a call with this extension (None: without) can last after its answer."""
    return timings.longest_for(extension) + _TALK_GRACE + _SEEING_OFF
