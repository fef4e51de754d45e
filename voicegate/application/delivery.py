"""Drive a challenge's call to its end: originate, converse, record the outcome; fail over along the route.

Promises kept here: a call is stored before anything dials. An originate is sent at most once per call. The
next trunk is tried only after a definite failure before the answer that is the trunk's fault (or after a PBX
that sent nothing). Cancelling hangs up. Every call ends in a stored, truthful outcome.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Final, TypeVar

import structlog

from voicegate.application.after_call import settle
from voicegate.application.announcer import Announcer
from voicegate.application.call_log import CallLog, CallLogs
from voicegate.application.conversation import (
    ANY_KEYS,
    CallReports,
    CallTimings,
    Conversation,
    Reporting,
    Script,
    keys_apart_from,
)
from voicegate.application.failover import Untried, left_to_try, may_fail_over
from voicegate.application.pending_call import PendingCall
from voicegate.application.ports import CallRecord, Clip, Leg, Order, Pbx
from voicegate.application.queueing import CallLimits, CallQueue, Occupancy, QueueTicket
from voicegate.application.stopping import Stopping
from voicegate.domain.announcement import HumanCheck, PromptName
from voicegate.domain.call import Answered, Call, MediaCounted, Originated
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.challenge import Challenge
from voicegate.domain.classifying import classify, is_blocked
from voicegate.domain.errors import PbxError, SpeechError, StoreError
from voicegate.domain.routing import Hop

log = structlog.get_logger(__name__)
T = TypeVar("T")

# The PBX has the ring timeout itself; ours is for a PBX that forgets it.
_RING_GRACE: Final = timedelta(seconds=5)
# From what the conversation takes for the call's end to a hangup of ours: the PBX's own word comes before.
_SEEING_OFF: Final = timedelta(seconds=4)
# The conversation has its own deadlines; ours is for one that is stuck.
_TALK_GRACE: Final = timedelta(seconds=10)
# For all calls to be hung up and recorded when the daemon stops.
_CLOSING_WITHIN: Final = timedelta(seconds=15)
_STORE_RETRY: Final = timedelta(seconds=1)


@dataclass(slots=True, eq=False, kw_only=True)
class _CallInProgress:
    """One call: its leg, once there is one, and our reason to end it."""

    challenge: Challenge
    call_log: CallLog
    hop: Hop
    pbx: Pbx
    announcer: Announcer
    timings: CallTimings
    reporting: Reporting | None
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

    async def run(self, *, has_line: bool, is_drained: bool = False) -> Hangup:
        """Place the call and hold it to its end; if there was no free line, it has ended already.

        `is_drained`: its trunk was drained while it waited for a line. Nothing is dialed then.
        """
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
            hangup = await self._place()
        except SpeechError:
            log.exception("speech failed", call=self.call_log.call.id)
            return Hangup(gave_up=GaveUp.PLAYBACK_FAILED)
        except PbxError as error:
            log.warning("call not placed", call=self.call_log.call.id, error=str(error))
            return Hangup(gave_up=GaveUp.PBX_UNAVAILABLE)
        after = timedelta(seconds=loop.time() - placed_at)
        return replace(hangup, gave_up=self._gave_up or hangup.gave_up, after=after)

    async def _place(self) -> Hangup:
        call = self.call_log.call
        announcement = self.announcer.compose(
            self.challenge,
            keys_apart_from(call.destination.extension),
            may_report=self.reporting is not None,
        )
        order = Order(call.id, self.hop, self._apology)
        await self.call_log.write(Originated())
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
                is_wanted=self.call_log.is_challenge_open,
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
            timers = [progress]
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


class Delivery:
    """All calls in progress; an async context manager that ends them when it is left."""

    def __init__(
        self,
        *,
        calls: CallLogs,
        announcer: Announcer,
        pbxs: Mapping[str, Pbx],
        timings: CallTimings,
        limits: CallLimits,
    ) -> None:
        self._calls = calls
        self._announcer = announcer
        self._pbxs = pbxs
        self._timings = timings
        self._queue = CallQueue(limits)
        self._failover = limits.failover
        self._tasks = asyncio.TaskGroup()
        self._in_progress: dict[str, _CallInProgress] = {}
        self.stopping = Stopping()
        self._is_closing = False
        self._reports: CallReports | None = None

    async def __aenter__(self) -> "Delivery":
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_closing = True
        in_progress = list(self._in_progress.values())
        await asyncio.gather(*(call.give_up(GaveUp.INTERRUPTED) for call in in_progress))
        # Told of the body's error or cancellation, the group would cancel its tasks before they record their
        # calls' ends; and an error would become a group.
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_WITHIN.total_seconds()):
                await self._tasks.__aexit__(None, None, None)

    def is_full_for(self, client: str) -> bool:
        """Return whether so many calls are queued that another one of this client is refused. Safe in any
        thread."""
        return self._queue.is_full_for(client)

    def occupancy(self) -> Occupancy:
        """Return how many calls are in progress and in the queue. Safe in any thread."""
        return self._queue.occupancy()

    def longest_call(self, extension: str | None) -> timedelta:
        """Return the longest that a call with this extension (None: without) can last after its answer."""
        return longest_call(self._timings, extension)

    def on_report(self, reports: CallReports) -> None:
        """Let people report calls that are placed from now on."""
        self._reports = reports

    def start(self, pending: PendingCall) -> None:
        """Start to deliver a call that is stored. Does not wait."""
        # Now, not in the task: who asks next is to find the queue as it is.
        ttl = pending.terms.ttl
        until = math.inf if ttl is None else asyncio.get_running_loop().time() + ttl.total_seconds()
        place = self._queue.enter(pending.route[0].trunk, pending.challenge.client, until=until)
        delivering = self._deliver(pending, place)
        self.stopping.watch(self._tasks.create_task(delivering, name=f"delivery {pending.challenge.id}"))

    def drop(self, pending: PendingCall) -> None:
        """Record that a stored call, which was never started, is not placed. Does not wait."""
        self._tasks.create_task(self._drop(pending), name=f"dropping {pending.challenge.id}")

    async def cancel(self, challenge_id: str) -> None:
        """Hang up the challenge's call in progress, if there is one."""
        call = self._in_progress.get(challenge_id)
        if call is not None:
            await call.give_up(GaveUp.CANCELED)

    async def _deliver(self, pending: PendingCall, place: QueueTicket) -> None:
        """Try the route's hops in order, each with its own call. Runs as a task."""
        challenge, queued, untried = pending.challenge, pending.call, Untried(list(pending.route))
        try:
            while untried.hops:
                hop = untried.hops.pop(0)
                following = await self._place(challenge, queued, hop=hop, untried=untried, place=place)
                if following is None:
                    return
                queued, until = following, min(place.until, untried.until)
                place = self._queue.enter(untried.hops[0].trunk, challenge.client, until=until)
        except Exception:  # one call's trouble must not end the others'
            # Housekeeping settles it at the next start: the store holds it as live.
            log.exception("end of call not stored", challenge=challenge.id)

    async def _drop(self, pending: PendingCall) -> None:
        """End a call as canceled. Runs as a task."""
        call_log = self._calls.open(CallRecord(pending.call), pending.challenge)
        try:
            await self._close(pending.challenge, call_log, Hangup(gave_up=GaveUp.CANCELED))
        except Exception:  # as in `_deliver`
            log.exception("end of call not stored", challenge=pending.challenge.id)

    async def _place(
        self, challenge: Challenge, call: Call, *, hop: Hop, untried: Untried, place: QueueTicket
    ) -> Call | None:
        """Place one call, hold it to its end and record the end; return the next call, if there is to be one.

        The next call uses the first of the untried hops that is left.
        """
        call_log = self._calls.open(CallRecord(call), challenge)
        held = _CallInProgress(
            challenge=challenge,
            call_log=call_log,
            hop=hop,
            pbx=self._pbxs[hop.trunk.pbx],
            announcer=self._announcer,
            timings=self._timings,
            reporting=self._reporting(call),
        )
        self._in_progress[challenge.id] = held
        try:
            if self._is_closing:
                await held.give_up(GaveUp.INTERRUPTED)
            async with self._queue.line(place, held.given_up) as has_line:
                is_drained = self._calls.is_drained(hop.trunk)
                if not is_drained:
                    untried.begin(self._failover)
                hangup = await held.run(has_line=has_line, is_drained=is_drained)
        except Exception:  # whatever broke, the call must end in the record
            log.exception("call failed", call=call.id)
            hangup = Hangup(gave_up=GaveUp.INTERNAL_ERROR)
        finally:
            self._in_progress.pop(challenge.id, None)
        left = left_to_try(hop, untried.in_time(), is_blocked=is_blocked(call_log.call, hangup))
        untried.hops = [other for other in left if not self._calls.is_drained(other.trunk)]
        following = untried.hops[0] if untried.hops else None
        return await self._close(challenge, call_log, hangup, following=following)

    async def _close(
        self, challenge: Challenge, call_log: CallLog, hangup: Hangup, *, following: Hop | None = None
    ) -> Call | None:
        """Record a call's end; return the next call, if there is to be one."""
        hangup = call_log.with_report(hangup)
        outcome = classify(call_log.call, hangup, challenge.human_check)
        if following is not None and may_fail_over(outcome):
            # In one commit: between two, a redial would find no call in progress, and ring as well.
            next_call = self._calls.new_call(challenge, following)
            await self._record(partial(call_log.close, hangup, outcome, following=next_call))
            return next_call
        await self._record(partial(call_log.close, hangup, outcome, change=partial(settle, outcome=outcome)))
        return None

    async def _record(self, work: Callable[[], Awaitable[T]]) -> T:
        """Record a call's end or its report; try again while the database cannot be used."""
        while True:
            try:
                return await work()
            except StoreError:
                if self._is_closing:
                    raise
                log.exception("end or report of call not stored yet")
            await asyncio.sleep(_STORE_RETRY.total_seconds())

    def _reporting(self, call: Call) -> Reporting | None:
        reports = self._reports
        if reports is None:
            return None
        return Reporting(
            report=partial(self._take_down, partial(reports.report, call)),
            opt_out=partial(self._take_down, partial(reports.opt_out, call)),
        )

    async def _take_down(self, work: Callable[[], Awaitable[bool]]) -> bool:
        """Store what a person said on a call, also if they hang up meanwhile."""

        async def to_its_end() -> bool:
            try:
                return await self._record(work)
            except Exception:  # a task of its own, whose trouble must not end calls
                log.exception("report of call not stored")
                return False

        return await asyncio.shield(self._tasks.create_task(to_its_end()))


def longest_call(timings: CallTimings, extension: str | None) -> timedelta:
    """Return the longest that a call with this extension (None: without) can last after its answer."""
    return timings.longest_for(extension) + _TALK_GRACE + _SEEING_OFF
