"""A PBX whose every call follows a plot that the test writes, promise by promise of the port.

It stands beside the contract suite in `tests/contract/test_pbx.py`, which the real PBX passes too.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from voicegate.application.outbox import Message, SendResult
from voicegate.application.ports import CallAudio, Clip, DtmfTiming, LegSignal, Order
from voicegate.domain.announcement import REPORT_PHRASES, Asking, Part, Phrasing, PromptName
from voicegate.domain.call import Answered, Media, Playback, Rang
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.errors import LegEnded, PbxError
from voicegate.domain.routing import TrunkState

SECOND = timedelta(seconds=1)
INVITATION = Clip("invitation", 8000, SECOND, 8000)
READING = Clip("reading", 16000, 2 * SECOND, 12000)


def full(clip: Clip, **but: object) -> Playback:
    """All of `clip`, as a PBX reports it."""
    values: dict[str, object] = {
        "samples": clip.samples,
        "elapsed": clip.length,
        "packets": int(clip.length.total_seconds() * 50),
    }
    return Playback(**(values | but))  # type: ignore[arg-type]


@dataclass
class ScriptedLeg:
    """One call that does as the plot says."""

    order: Order
    on_play: Callable[[Clip, str], Playback | None] = lambda clip, keys: full(
        clip, key=keys if clip is INVITATION else None
    )
    on_wait: Callable[[str], str | None] = lambda keys: None
    after_hang_up: Hangup = field(default_factory=lambda: Hangup(cause=16))
    counted: Media = field(default_factory=lambda: Media(received=100, sent=100))
    told: "asyncio.Queue[LegSignal]" = field(default_factory=asyncio.Queue)
    done: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, *signals: LegSignal) -> None:
        for signal in signals:
            self.told.put_nowait(signal)
            if isinstance(signal, Hangup):
                self.over.set()

    async def signals(self) -> AsyncIterator[LegSignal]:
        while True:
            signal = await self.told.get()
            yield signal
            if isinstance(signal, Hangup):
                return

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        self.done.append(f"send {digits}")
        if self.over.is_set():
            raise LegEnded

    async def play(self, clip: Clip, keys: str = "") -> Playback:
        self.done.append(f"play {clip.path}")
        await asyncio.sleep(0)
        if self.over.is_set():
            return Playback(0, timedelta(), 0, hung_up=True)
        playback = self.on_play(clip, keys)
        if playback is None:
            await self.over.wait()
            return Playback(0, timedelta(), 0, hung_up=True)
        return playback

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        await asyncio.sleep(0)
        if self.over.is_set():
            raise LegEnded
        return self.on_wait(keys)

    quality = CallQuality(sip_call_id="a1@pbx", codec="ulaw")

    async def media(self) -> Media:
        return self.counted

    async def leave(self, apology: Clip) -> None:
        self.done.append(f"apologise {apology.path}")
        await self.hang_up()

    async def hang_up(self) -> None:
        self.done.append("hang up")
        if not self.over.is_set():
            self.tell(self.after_hang_up)


Plot = Callable[[ScriptedLeg], Awaitable[None]]


async def answers(leg: ScriptedLeg) -> None:
    """The plot of an ordinary call: it rings, and somebody answers."""
    leg.tell(Rang(), Answered())


@dataclass
class ScriptedPbx:
    """Plots are used in turn, the last one for all further calls; an exception refuses the originate."""

    plots: list[Plot | PbxError] = field(default_factory=lambda: [answers])
    legs: list[ScriptedLeg] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    is_connected: bool = True
    states: dict[str, TrunkState] = field(default_factory=lambda: {"carrier": TrunkState.AVAILABLE})
    asked_states: int = 0

    async def reach(self, within: timedelta) -> bool:
        return self.is_connected

    async def ping(self) -> timedelta | None:
        return timedelta(milliseconds=3) if self.is_connected else None

    @asynccontextmanager
    async def originate(self, order: Order) -> AsyncIterator[ScriptedLeg]:
        plot = self.plots[min(len(self.legs), len(self.plots) - 1)]
        leg = ScriptedLeg(order)
        self.legs.append(leg)
        if isinstance(plot, PbxError):
            raise plot
        await plot(leg)
        try:
            yield leg
        finally:
            await leg.hang_up()

    async def hang_up(self, call_id: str) -> None:
        self.orphans.append(call_id)

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        self.asked_states += 1
        return self.states


@dataclass
class ScriptedSpeech:
    """Sounds without sound; remembers what it was asked to say."""

    said: list[tuple[Sequence[Part], Sequence[Part]]] = field(default_factory=list)
    mixed: int = 0
    swept: int = 0
    error: Exception | None = None
    invitation: Clip = INVITATION
    reading: Clip = READING
    can_say_reports: bool = False

    def languages(self) -> Sequence[str]:
        return ("de", "en")

    def phrasing(self, language: str) -> Phrasing:
        groups = {length: (length,) for length in range(4, 11)}
        return Phrasing(tuple(Asking), groups, timedelta(milliseconds=450), timedelta(milliseconds=900))

    def has_prompt(self, language: str, name: PromptName) -> bool:
        return self.can_say_reports or name not in REPORT_PHRASES

    def prompt(self, language: str, name: PromptName) -> Clip:
        return Clip(f"{language}/{name}", 8000, SECOND, 8000)

    @asynccontextmanager
    async def mix(
        self, language: str, invitation: Sequence[Part], reading: Sequence[Part]
    ) -> AsyncIterator[CallAudio]:
        if self.error:
            raise self.error
        self.said.append((invitation, reading))
        self.mixed += 1
        try:
            yield CallAudio(self.invitation, self.reading)
        finally:
            self.mixed -= 1

    async def sweep(self) -> int:
        self.swept += 1
        return 0


@dataclass
class ScriptedReceiver:
    """Takes webhooks' messages, and answers as it is told."""

    answers: list[SendResult] = field(default_factory=list)
    """The next answers; without one it takes the message."""
    taken: list[Message] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message) -> SendResult:
        self.taken.append(message)
        self.news.set()
        return self.answers.pop(0) if self.answers else SendResult(200)
