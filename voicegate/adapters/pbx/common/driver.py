"""What a kind of PBX gives the call supervisor: a driver of the PBX, and one object for each call.

Promises only. The supervisor and the supervised leg keep everything that is the same for every PBX; how a
PBX is asked, and spoken to on an answered call, belongs to asterisk/ and freeswitch/.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from enum import Enum, auto
from typing import Protocol

from voicegate.adapters.pbx.common.call_facts import CallFacts, Due
from voicegate.adapters.pbx.common.changes import Changes
from voicegate.adapters.pbx.common.connection import Client, ReconnectPolicy
from voicegate.application.ports import Clip, DtmfTiming, Order
from voicegate.domain.call import Media, Playback
from voicegate.domain.errors import LegEnded
from voicegate.domain.routing import TrunkState


class CallControlLost(LegEnded):
    """The PBX does not answer on a call, or let go of it: nobody is left to speak to the called person."""


class HangupReply(Enum):
    """What a PBX says when it is asked to end a channel."""

    ACCEPTED = auto()
    """It will."""
    NO_SUCH_CHANNEL = auto()
    """It does not have the channel."""
    NO_REPLY = auto()
    """Nothing, or that it may not."""


class Tracker(Protocol):
    """What a kind of PBX makes of a call's facts. Pure."""

    @property
    def facts(self) -> CallFacts:
        """Those that every PBX shares."""
        ...

    @property
    def is_seen(self) -> bool:
        """Did the PBX ever speak of the channel, or of its end?"""
        ...

    def due(self, now: float) -> Due:
        """Settle what time settles, and return what has to be done."""
        ...

    def miss(self, now: float) -> None:
        """Note that the PBX, asked, does not know the channel."""
        ...


class PbxCall(Protocol):
    """One call as its kind of PBX handles it: placed, asked for, ended, and spoken on.

    It tells its `tracker` what it learns, and `changes` that it did. The speaking half is called by one at a
    time, with keys and digits that were checked.
    """

    @property
    def call_id(self) -> str:
        """Whose."""
        ...

    @property
    def tracker(self) -> Tracker:
        """What is known of it."""
        ...

    @property
    def changes(self) -> Changes:
        """Told whenever the tracker learnt something."""
        ...

    @property
    def can_speak(self) -> bool:
        """Is the channel ours, and alive as far as known?"""
        ...

    @property
    def media(self) -> Media:
        """The packet counts as last told."""
        ...

    async def originate(self) -> None:
        """Take the call's events from now on, and send the order, once.

        Raises:
            PbxUnavailable: not connected; nothing was sent.
            PbxRefused: the PBX refused the request; no call was placed.
            ReplyLost: sent, and no answer came.
        """
        ...

    def forget(self) -> None:
        """Take no more events; the call is settled."""
        ...

    async def ask_state(self) -> bool:
        """Ask how the channel is and tell the tracker by `find` or `miss`; False when the PBX did not say."""
        ...

    async def ask_end(self) -> HangupReply:
        """Ask the PBX to end the channel."""
        ...

    def let_go(self) -> None:
        """Release what belongs to the call: it is settled, or does not end while we hold on to it."""
        ...

    async def count(self) -> Media:
        """Ask for the packet counts and return them; the last known ones when the PBX does not say."""
        ...

    async def play(self, clip: Clip, keys: str) -> Playback:
        """Play a sound until its end, or one of `keys`.

        Raises:
            LegEnded: the call had ended before.
        """
        ...

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        """Send DTMF digits; return when all are sent.

        Raises:
            LegEnded: the call ended meanwhile.
        """
        ...

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first of `keys` pressed `within` that time, or None.

        Raises:
            LegEnded: the call ended meanwhile.
        """
        ...

    async def apologise(self, apology: Clip) -> bool:
        """Break off what is said and apologise; True: the PBX does that, and hangs up, by itself."""
        ...


class PbxDriver(Protocol):
    """One PBX."""

    @property
    def name(self) -> str:
        """The PBX's name in our config."""
        ...

    @property
    def wire(self) -> str:
        """The connection's protocol, for logs: "AMI"."""
        ...

    @property
    def pace(self) -> ReconnectPolicy:
        """How often the connection is tried and proved."""
        ...

    @property
    def deadline(self) -> timedelta:
        """How long a command may take, and a call's end at a shutdown."""
        ...

    @property
    def client(self) -> Client:
        """Who keeps the connection; tells the `ConnectionListener` that the driver was made with."""
        ...

    def listening(self, tasks: asyncio.TaskGroup) -> AbstractAsyncContextManager[None]:
        """Hold open what the PBX connects to, before we connect to it; its tasks live in `tasks`.

        Raises:
            ConfigError: an address cannot be bound.
        """
        ...

    async def write(self, order: Order) -> Sequence[PbxCall]:
        """Return the order as calls to be placed: one, or one for each telephone of an extension where the
        PBX rings them by a call each. The first has the order's call id. Nothing is placed yet.

        Raises:
            UnsafeValue: a value would be misread by the PBX.
        """
        ...

    async def await_boot(self) -> None:
        """Wait until the PBX can place calls: one that starts lets us in before.

        Raises:
            PbxError: the connection is gone, or silent.
        """
        ...

    async def end_stray(self, call_id: str) -> None:
        """End a call that an earlier process, or a lost leg, left behind, if the PBX has it.

        Raises:
            PbxUnavailable: not connected.
            ReplyLost: asked, and no answer came.
        """
        ...

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        """Return the state of each endpoint by its name, in the words of the port `Pbx`.

        Raises:
            PbxUnavailable: not connected.
            ReplyLost: asked, and no answer came.
        """
        ...
