"""What each kind of PBX gives the call supervisor: a driver of the PBX, and one object for each call.

Only promises. The supervisor and the supervised leg have everything that is the same for every PBX; how a PBX
is asked, and spoken to on an answered call, is in asterisk/ and freeswitch/.
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
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.errors import LegEnded
from voicegate.domain.routing import TrunkState


class CallControlLost(LegEnded):
    """The PBX does not answer on a call, or let go of it: nobody can speak to the called person any more."""


class HangupReply(Enum):
    """The PBX's answer when it is asked to end a channel."""

    ACCEPTED = auto()
    """It will end the channel."""
    NO_SUCH_CHANNEL = auto()
    """It does not have the channel."""
    NO_REPLY = auto()
    """It did not answer, or said that it may not."""


class Tracker(Protocol):
    """What the facts of a call mean, for one kind of PBX. Pure."""

    @property
    def facts(self) -> CallFacts:
        """The facts that every kind of PBX has."""
        ...

    @property
    def is_seen(self) -> bool:
        """Return whether the PBX ever reported the channel or its end."""
        ...

    def due(self, now: float) -> Due:
        """Settle the call if its time is over, and return what must be done."""
        ...

    def miss(self, now: float) -> None:
        """Record that the PBX was asked and does not know the channel."""
        ...


class PbxCall(Protocol):
    """One call, as its kind of PBX handles it: placed, asked for, ended, and spoken on.

    It tells its `tracker` what it learns, and `changes` that there is something new. The methods that speak
    are called by one task at a time, with keys and digits that were checked.
    """

    @property
    def call_id(self) -> str:
        """The id of the call."""
        ...

    @property
    def tracker(self) -> Tracker:
        """What is known of the call."""
        ...

    @property
    def changes(self) -> Changes:
        """Wakes waiting tasks when the tracker has learnt something."""
        ...

    @property
    def can_speak(self) -> bool:
        """Return whether the channel can be spoken on, and has not ended as far as is known."""
        ...

    @property
    def media(self) -> Media:
        """The last packet counts that the channel reported."""
        ...

    @property
    def quality(self) -> CallQuality:
        """What is known of the call's line; complete once the call has ended."""
        ...

    async def originate(self) -> None:
        """Receive the call's events from now on, and send the order, once.

        Raises:
            PbxUnavailable: not connected; nothing was sent.
            PbxRefused: the PBX refused the request; no call was placed.
            ReplyLost: it was sent, and no answer came.
        """
        ...

    def forget(self) -> None:
        """Receive no more events; the call is settled."""
        ...

    async def ask_state(self) -> bool:
        """Ask for the state of the channel and tell the tracker by `find` or `miss`; False: the PBX did not
        say."""
        ...

    async def ask_dialog(self) -> None:
        """Ask for what no event says of the call's SIP dialog, once there is one; called after each event."""
        ...

    async def ask_end(self) -> HangupReply:
        """Ask the PBX to end the channel."""
        ...

    async def clear(self) -> None:
        """Let the PBX remove what it keeps of the call's own sounds; called once nothing is played any
        more."""
        ...

    def let_go(self) -> None:
        """Release what belongs to the call: it is settled, or cannot end while we keep it."""
        ...

    async def count(self) -> Media:
        """Ask for the packet counts and return them; the last known ones if the PBX does not say."""
        ...

    async def play(self, clip: Clip, keys: str) -> Playback:
        """Play a sound until its end or until one of `keys` is pressed.

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
        """Return the first of `keys` that is pressed within this time; None: none was.

        Raises:
            LegEnded: the call ended meanwhile.
        """
        ...

    async def apologise(self, apology: Clip) -> bool:
        """Stop the sound and apologise; True: the PBX does that and hangs up by itself."""
        ...


class PbxDriver(Protocol):
    """One PBX."""

    @property
    def name(self) -> str:
        """The PBX's name in our settings."""
        ...

    @property
    def wire(self) -> str:
        """The connection's protocol, for logs: "AMI"."""
        ...

    @property
    def pace(self) -> ReconnectPolicy:
        """How often the connection is tried and checked."""
        ...

    @property
    def deadline(self) -> timedelta:
        """How long a command may take, and the end of a call at a shutdown."""
        ...

    @property
    def client(self) -> Client:
        """The client that keeps the connection; it informs the `ConnectionListener` that the driver was
        created with."""
        ...

    def listening(self, tasks: asyncio.TaskGroup) -> AbstractAsyncContextManager[None]:
        """Keep open what the PBX connects to, before we connect to it; its tasks run in `tasks`.

        Raises:
            ConfigError: an address cannot be bound.
        """
        ...

    async def write(self, order: Order) -> Sequence[PbxCall]:
        """Return the order as calls to place: one, or one for each telephone of an extension if the PBX rings
        each by its own call.

        The first one has the order's call id. Nothing is placed yet.

        Raises:
            UnsafeValue: the PBX would misread a value.
        """
        ...

    async def ping(self) -> object:
        """Send a request that does nothing, and return when it is answered.

        Raises:
            PbxUnavailable: not connected.
            ReplyLost: no answer came in time.
        """
        ...

    async def await_boot(self) -> None:
        """Wait until the PBX can place calls: during its start it accepts connections before that.

        Raises:
            PbxError: the connection is lost, or the PBX is silent.
        """
        ...

    async def end_stray(self, call_id: str) -> None:
        """End a call that an earlier process or a lost leg left behind, if the PBX has it.

        Raises:
            PbxUnavailable: not connected.
            ReplyLost: it was asked, and no answer came.
        """
        ...

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        """Return the state of each endpoint by its name, as the port `Pbx` does.

        Raises:
            PbxUnavailable: not connected.
            ReplyLost: it was asked, and no answer came.
        """
        ...
