"""What must hold after any fault: one question, asked by every test of faults.

No call is without an outcome, no challenge is stuck, nobody was called twice, no sound is left over, and the
daemon's memory is back where it was. Asked through the API, so of any database and any PBX.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegate.client import ApiError, AsyncClient, Call, Unreachable, Verification
from voicegate.lab.deadlines import within

GROWTH_MB: Final = 32
"""What a daemon may hold more than before: a page of its allocator here, a longer queue there; no leak grows
so little in a whole flood."""
MOST_CALLS: Final = 500


@dataclass(frozen=True, slots=True)
class Memory:
    """How much memory a process had."""

    process: int
    """Its id."""
    before_mb: float

    @classmethod
    def of(cls, process: int) -> "Memory":
        """That of a process as it is now."""
        return cls(process, resident_mb(process))


@dataclass(frozen=True, slots=True)
class Settled:
    """What was found."""

    verifications: Sequence[Verification]
    """Of all calls, oldest first."""
    grown_mb: float = 0.0
    """How much memory the daemon has more than before."""

    @property
    def outcomes(self) -> Counter[str | None]:
        return Counter(call.outcome for one in self.verifications for call in one.calls)


async def assert_all_is_settled(
    client: AsyncClient,
    *,
    audio: Path | None = None,
    rung: Iterable[str] = (),
    memory: Memory | None = None,
    seconds: float = 60,
) -> Settled:
    """Wait until no call is in progress, then fail unless all is as it must be.

    `audio` is the folder of calls' sounds, `rung` the number of each call that reached a telephone, once for
    each time; `seconds` is how long the calls may take to end.
    """
    calls = await _ended(client, seconds)
    verifications = [await client.verification(name) for name in dict.fromkeys(_verification_ids(calls))]
    faults = [fault for one in verifications for fault in _faults(one)]
    faults += [f"{number} rang {times} times" for number, times in Counter(rung).items() if times > 1]
    if audio is not None:
        faults += [f"{file.name} is left over" for file in audio.glob("**/*.wav")]
    grown = 0.0 if memory is None else resident_mb(memory.process) - memory.before_mb
    if grown > GROWTH_MB:
        faults.append(f"{grown:.0f} MB more memory than before")
    assert not faults, "\n".join(faults)
    return Settled(verifications, grown)


def resident_mb(process: int) -> float:
    """The memory of a process that is resident, by the kernel (proc(5))."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def _verification_ids(calls: Sequence[Call]) -> Iterable[str]:
    return (call.verification_id for call in reversed(calls))


async def _ended(client: AsyncClient, seconds: float) -> Sequence[Call]:
    """All calls, newest first, once none is in progress; or as they are when the time is over."""
    calls: Sequence[Call] = []
    try:
        async with within(seconds):
            while not calls or any(call.state != "ended" for call in calls):
                await asyncio.sleep(0.1)
                try:
                    calls = await client.calls(MOST_CALLS, test_numbers=True)
                except (ApiError, Unreachable):
                    continue  # it is not back yet
    except TimeoutError:
        assert calls, "no calls are known"
    assert len(calls) < MOST_CALLS, "more calls than one page shows"
    return calls


def _faults(verification: Verification) -> list[str]:
    """What is wrong with a verification and its calls, in words."""
    found = []
    if verification.status == "delivering":
        found.append(f"{verification.id} is stuck: it is still being delivered")
    for call, following in zip(verification.calls, [*verification.calls[1:], None], strict=True):
        found += _faults_of_call(call)
        if following is not None and not call.retry_safe:
            found.append(f"{verification.id} was called again after {call.id} ({call.outcome})")
    return found


def _faults_of_call(call: Call) -> list[str]:
    found = []
    if call.state != "ended" or call.outcome is None or call.blame is None:
        found.append(f"{call.id} has no outcome: it is {call.state}")
    if [step.seq for step in call.timeline] != list(range(len(call.timeline))):
        found.append(f"{call.id} has gaps in its timeline: {[step.seq for step in call.timeline]}")
    if [step.event for step in call.timeline].count("ended") != 1 and call.state == "ended":
        found.append(f"{call.id} did not end once")
    if [step.event for step in call.timeline].count("originated") > 1:
        found.append(f"{call.id} was originated twice")
    return found
