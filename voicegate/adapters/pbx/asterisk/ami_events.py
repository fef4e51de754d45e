"""Turns AMI events into typed facts about a channel; no other file names an AMI header of an event.

Needed in `manager.conf`, with `read = call` and `write = call,originate`, one line each of
`eventfilter(action(include),name(NAME)) =` for: OriginateResponse, Newstate, DialBegin, DialState, DialEnd,
HangupRequest, Hangup, Hold, Unhold. All others are dropped here before they cost more. Source: Asterisk 22,
the documentation of each event; 22.10.1 for their content.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from panoramisk.message import Message


class ChannelState(IntEnum):
    """The channel states that matter (Asterisk: `enum ast_channel_state`)."""

    OTHER = -1
    DOWN = 0
    RINGING = 5
    UP = 6


REASON_TIMEOUT: Final = 3
"""OriginateResponse's reason when nobody answered within its Timeout."""


@dataclass(frozen=True, slots=True)
class Originated:
    """OriginateResponse: the originate has ended, or the call was answered."""

    channel_id: str
    """Our call id; empty: the PBX did not say."""
    action_id: str
    """The action id of the Originate."""
    is_answered: bool
    """Was the call answered?"""
    reason: int | None
    """Asterisk's reason: 3 timeout, 4 answer, 0 failure."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    """Newstate, or a line of a Status list: the channel has this state."""

    channel_id: str
    """Our call id."""
    state: ChannelState
    """Its state."""


@dataclass(frozen=True, slots=True)
class DialChanged:
    """DialBegin, DialState or DialEnd: the progress of dialing."""

    channel_id: str
    """Our call id."""
    status: str
    """Empty at the beginning, then RINGING, PROGRESS, PROCEEDING, then ANSWER, BUSY, NOANSWER and others."""
    forward: str = field(default="", repr=False)
    """The number to which the far end redirects the call; empty: it does not."""


@dataclass(frozen=True, slots=True)
class HangupRequested:
    """HangupRequest: the far end asks to end the channel. The channel may continue in the dialplan."""

    channel_id: str
    """Our call id."""
    cause: int | None
    """Q.850 cause."""
    sip_status: int | None
    """The SIP status of a failure before the answer."""


@dataclass(frozen=True, slots=True)
class ChannelEnded:
    """Hangup: the channel is gone."""

    channel_id: str
    """Our call id."""
    cause: int | None
    """Q.850 cause; 0: the PBX has none."""
    sip_status: int | None
    """The SIP status of a failure before the answer."""


@dataclass(frozen=True, slots=True)
class HoldChanged:
    """Hold or Unhold: the far end put us on hold, or ended that."""

    channel_id: str
    """Our call id."""
    is_held: bool
    """Is it on hold now?"""


AmiEvent = Originated | StateChanged | DialChanged | HangupRequested | ChannelEnded | HoldChanged


def read_event(message: Message) -> AmiEvent | None:
    """Return the fact in a message; None: it is not an event that we use."""
    reader = _READERS.get(text_of(message, "Event"))
    return reader(message) if reader is not None else None


def text_of(message: Message, key: str) -> str:
    """Return a header's value; empty: it is missing; the first one if it is repeated."""
    value = message.get(key, "")
    # So panoramisk gives a header that comes twice, as any with a line end smuggled into it could.
    if isinstance(value, list):
        value = value[0]
    return str(value)


def texts_of(message: Message, key: str) -> Sequence[str]:
    """Return all values of a header that may be repeated, in their order."""
    value = message.get(key, [])
    return [str(each) for each in (value if isinstance(value, list) else [value])]


def number_of(message: Message, key: str) -> int | None:
    """Return a header's number; None: it is missing or not a number."""
    text = text_of(message, key).strip()
    # Bounded: int() takes any length, and Asterisk sends no such number.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def state_of(message: Message) -> ChannelState:
    """Return the channel state in a message."""
    number = number_of(message, "ChannelState")
    known = {state.value: state for state in ChannelState}
    return known.get(-1 if number is None else number, ChannelState.OTHER)


def _read_originated(message: Message) -> AmiEvent:
    return Originated(
        channel_id=text_of(message, "Uniqueid"),
        action_id=text_of(message, "ActionID"),
        is_answered=text_of(message, "Response") == "Success",
        reason=number_of(message, "Reason"),
    )


def _read_state(message: Message) -> AmiEvent:
    return StateChanged(text_of(message, "Uniqueid"), state_of(message))


def _read_dial(message: Message) -> AmiEvent:
    return DialChanged(
        # An originate has no calling channel: ours is the one that is dialed.
        channel_id=text_of(message, "DestUniqueid"),
        status=text_of(message, "DialStatus"),
        forward=text_of(message, "Forward"),
    )


def _read_hangup_request(message: Message) -> AmiEvent:
    # "TechCause" is the SIP status; a BYE has none.
    return HangupRequested(
        text_of(message, "Uniqueid"), number_of(message, "Cause"), number_of(message, "TechCause")
    )


def _read_hangup(message: Message) -> AmiEvent:
    return ChannelEnded(
        text_of(message, "Uniqueid"), number_of(message, "Cause"), number_of(message, "TechCause")
    )


def _read_hold(message: Message) -> AmiEvent:
    return HoldChanged(text_of(message, "Uniqueid"), text_of(message, "Event") == "Hold")


_READERS: Final[Mapping[str, Callable[[Message], AmiEvent]]] = {
    "OriginateResponse": _read_originated,
    "Newstate": _read_state,
    # Lines of a list pass the event filters by themselves: 22.10.1.
    "Status": _read_state,
    "DialBegin": _read_dial,
    "DialState": _read_dial,
    "DialEnd": _read_dial,
    "HangupRequest": _read_hangup_request,
    "Hangup": _read_hangup,
    "Hold": _read_hold,
    "Unhold": _read_hold,
}
