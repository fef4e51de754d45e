"""Drive a challenge's call to its end: originate, converse, record the outcome; fail over along the route.

Promises kept here: a call is stored before anything dials. An originate is sent at most once per call. The
next trunk is tried only after a definite failure before the answer that is the trunk's fault (or after a PBX
that sent nothing). Cancelling hangs up. Every call ends in a stored, truthful outcome.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence, Set
from contextlib import suppress
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Final, TypeVar

import structlog

from voicegate.application.after_call import settle
from voicegate.application.announcer import Announcer
from voicegate.application.call_in_progress import CallInProgress, longest_call
from voicegate.application.call_log import CallLog, CallLogs
from voicegate.application.conversation import CallReports, CallTimings, Reporting
from voicegate.application.failover import RedirectPolicy, Untried, left_to_try, may_fail_over
from voicegate.application.pending_call import CallTerms, PendingCall
from voicegate.application.ports import CallRecord, Pbx
from voicegate.application.queueing import CallLimits, CallQueue, QueueTicket
from voicegate.application.stopping import Stopping
from voicegate.domain.call import Call
from voicegate.domain.call_outcome import CallOutcome, GaveUp, Hangup, Outcome
from voicegate.domain.challenge import Challenge
from voicegate.domain.classifying import classify, is_blocked
from voicegate.domain.errors import CallTaken, StoreError
from voicegate.domain.policy import Deny
from voicegate.domain.routing import Hop

log = structlog.get_logger(__name__)
T = TypeVar("T")

# For all calls to be hung up and recorded when the daemon stops.
_CLOSING_WITHIN: Final = timedelta(seconds=15)
_STORE_RETRY: Final = timedelta(seconds=1)


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
        self.pbxs = pbxs
        """The PBXs, by name."""
        self._timings = timings
        self.queue = CallQueue(limits)
        """Which calls are placed now."""
        self.occupancy = self.queue.occupancy
        """Returns how many calls are in progress and in the queue. Safe in any thread."""
        self.take_trunks = self.queue.take_trunks
        """Uses the limits of these trunks from now on, for queued calls too."""
        self._limits = limits
        self._tasks = asyncio.TaskGroup()
        self._in_progress: dict[str, CallInProgress] = {}
        self._delivered: Counter[str] = Counter()
        self.stopping = Stopping()
        self._is_closing = False
        self._reports: CallReports | None = None
        self._redirects: RedirectPolicy | None = None

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
        return self.queue.is_full_for(client)

    def wait_of(self, terms: CallTerms) -> timedelta:
        """Return how long a call may wait for a line."""
        longest = self._limits.queue_timeout
        return longest if terms.ttl is None else min(terms.ttl, longest)

    def longest_call(self, extension: str | None) -> timedelta:
        """Return the longest that a call with this extension (None: without) can last after its answer."""
        return longest_call(self._timings, extension)

    @property
    def reports(self) -> CallReports | None:
        """What takes people's reports of calls; None: calls cannot be reported."""
        return self._reports

    def on_report(self, reports: CallReports) -> None:
        """Let people report calls that are placed from now on."""
        self._reports = reports

    def on_redirect(self, redirects: RedirectPolicy) -> None:
        """Let policy decide about the numbers that far ends redirect calls to."""
        self._redirects = redirects

    def start(self, pending: PendingCall) -> None:
        """Start to deliver a call that is stored. Does not wait."""
        # Now, not in the task: who asks next is to find the queue as it is.
        ttl = pending.terms.ttl
        until = math.inf if ttl is None else asyncio.get_running_loop().time() + ttl.total_seconds()
        place = self.queue.enter(pending.route[0].trunk, pending.challenge.client, until=until)
        self._delivered[pending.challenge.id] += 1
        delivering = self._deliver(pending, place)
        self.stopping.watch(self._tasks.create_task(delivering, name=f"delivery {pending.challenge.id}"))

    def drop(self, pending: PendingCall) -> None:
        """Record that a stored call, which was never started, is not placed. Does not wait."""
        self._tasks.create_task(self._drop(pending), name=f"dropping {pending.challenge.id}")

    def renounce(self, pending: Callable[[], Sequence[PendingCall]]) -> None:
        """Have calls not placed of which it is unknown whether they are stored: who asked was told that they
        are not. Does not wait."""
        self._tasks.create_task(self._renounce(pending), name="renouncing calls")

    async def cancel(self, challenge_id: str) -> bool:
        """Hang up the challenge's call in progress; return whether there is one here."""
        call = self._in_progress.get(challenge_id)
        if call is not None:
            await call.give_up(GaveUp.CANCELED)
        return call is not None

    @property
    def in_progress(self) -> Mapping[str, str]:
        """The ids of the calls in progress, by that of their challenge."""
        return {challenge_id: held.call_log.call.id for challenge_id, held in self._in_progress.items()}

    @property
    def delivered(self) -> Set[str]:
        """The challenges with a call whose end is not stored yet."""
        return self._delivered.keys()

    async def interrupt(self, call_ids: Collection[str]) -> None:
        """End calls in progress that another controller has taken over."""
        for held in list(self._in_progress.values()):
            if held.call_log.call.id in call_ids:
                await held.give_up(GaveUp.INTERRUPTED)

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
                place = self.queue.enter(untried.hops[0].trunk, challenge.client, until=until)
        except CallTaken:
            log.warning("call was taken over by another controller", challenge=challenge.id)
        except Exception:  # one call's trouble must not end the others'
            # Housekeeping settles it at the next start: the store holds it as live.
            log.exception("end of call not stored", challenge=challenge.id)
        finally:
            self._delivered -= Counter([challenge.id])

    async def _drop(self, pending: PendingCall) -> None:
        """End a call as canceled. Runs as a task."""
        call_log = self._calls.open(CallRecord(pending.call), pending.challenge)
        try:
            canceled = Hangup(gave_up=GaveUp.CANCELED)
            await self._close(pending.challenge, call_log, canceled, untried=Untried([]))
        except Exception:  # as in `_deliver`
            log.exception("end of call not stored", challenge=pending.challenge.id)

    async def _renounce(self, pending: Callable[[], Sequence[PendingCall]]) -> None:
        """End those calls that are stored after all. Runs as a task."""
        try:
            stored = await self._record(partial(self._calls.stored_of, pending))
        except Exception:  # as in `_deliver`
            log.exception("end of call not stored")
            return
        for one in stored:
            log.warning("call not placed: its request was refused", call=one.call.id)
            await self._drop(one)

    async def _place(
        self, challenge: Challenge, call: Call, *, hop: Hop, untried: Untried, place: QueueTicket
    ) -> Call | None:
        """Place one call, hold it to its end and record the end; return the next call, if there is to be one.

        The next call uses the first of the untried hops that is left.
        """
        call_log = self._calls.open(CallRecord(call), challenge)
        held = CallInProgress(
            challenge=challenge,
            call_log=call_log,
            hop=hop,
            pbx=self.pbxs[hop.trunk.pbx],
            announcer=self._announcer,
            timings=self._timings,
            reporting=self._reporting(call),
            caps=self.queue.caps_of(hop.trunk),
        )
        self._in_progress[challenge.id] = held
        try:
            if self._is_closing:
                await held.give_up(GaveUp.INTERRUPTED)
            hangup = await self._hold(held, untried, place)
        except CallTaken:
            raise
        except Exception:  # whatever broke, the call must end in the record
            log.exception("call failed", call=call.id)
            hangup = Hangup(gave_up=GaveUp.INTERNAL_ERROR)
        finally:
            self._in_progress.pop(challenge.id, None)
        left = left_to_try(hop, untried.in_time(), is_blocked=is_blocked(call_log.call, hangup))
        untried.hops = [other for other in left if not self._calls.is_drained(other.trunk)]
        return await self._close(challenge, call_log, hangup, untried=untried)

    async def _hold(self, held: CallInProgress, untried: Untried, place: QueueTicket) -> Hangup:
        """Wait for a line and hold a call to its end; wait again where another controller has that line."""
        trunk = held.hop.trunk
        while True:
            async with self.queue.line(place, held.given_up) as has_line:
                is_drained, until = self._calls.is_drained(trunk), untried.until
                if not is_drained:
                    untried.begin(self._limits.failover)
                ended = await held.run(has_line=has_line, is_drained=is_drained)
                if isinstance(ended, Hangup):
                    return ended
                # Nothing was dialed. Before the line is given back here: whoever got it would be refused too.
                self.queue.note_refusal(trunk, ended.retry_after)
            untried.until = until
            place = self.queue.enter_again(place)

    async def _close(
        self, challenge: Challenge, call_log: CallLog, hangup: Hangup, *, untried: Untried
    ) -> Call | None:
        """Record a call's end; return the next call, if there is to be one."""
        hangup = call_log.with_report(hangup)
        outcome = classify(call_log.call, hangup, challenge.human_check)
        if untried.hops and may_fail_over(outcome):
            # In one commit: between two, a redial would find no call in progress, and ring as well.
            next_call = self._calls.new_call(challenge, untried.hops[0], to=call_log.call.destination)
            await self._record(partial(call_log.close, hangup, outcome, following=next_call))
            return next_call
        answer = await self._ask_where_to(call_log.call, hangup, outcome, untried=untried)
        if isinstance(answer, PendingCall):
            untried.redirect(answer.route)
            await self._record(partial(call_log.close, hangup, outcome, following=answer.call))
            return answer.call
        change = partial(settle, outcome=outcome)
        await self._record(partial(call_log.close, hangup, outcome, change=change, refused=answer))
        return None

    async def _ask_where_to(
        self, call: Call, hangup: Hangup, outcome: CallOutcome, *, untried: Untried
    ) -> PendingCall | Deny | None:
        """Return the stored call to where a call was redirected, or why there is none; None: nobody asks."""
        if hangup.forwarded_to is None or outcome.outcome is not Outcome.FORWARDED:
            return None
        if self._redirects is None or not untried.may_redirect():
            return None
        try:
            return await self._redirects.decide(call, hangup.forwarded_to)
        except StoreError:
            log.exception("redirected call not decided", call=call.id)
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
