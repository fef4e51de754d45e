"""ESL events as typed facts about a channel; the border past which no header name is spelled.

Subscribed: `EVENTS`, of our own channels only, by the `FILTERS`; a call id begins with `call_`. Each costs
some 6 kB. Left out: CHANNEL_HANGUP and PLAYBACK_*, whose facts CHANNEL_EXECUTE_COMPLETE and
CHANNEL_HANGUP_COMPLETE repeat. Source: FreeSWITCH 1.10.12, `switch_channel.c`, `switch_ivr_play_say.c`,
`switch_core_media.c`, and recorded sessions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Final

from voicegate.adapters.pbx.freeswitch.esl_wire import Event
from voicegate.adapters.pbx.freeswitch.sdp import is_on_hold
from voicegate.domain.call import Media

EVENTS: Final = (
    "CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_PARK CHANNEL_HOLD "
    "CHANNEL_UNHOLD CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE DTMF RECV_RTCP_MESSAGE BACKGROUND_JOB"
)
"""What is subscribed."""
CALL: Final = "voicegate_call"
"""The channel variable that says whose call it is."""
FILTERS: Final = ("Unique-ID /^call_/", f"variable_{CALL} /^call_/", "Job-Command originate")
"""Of that, what is sent: an event passes when any of them fits."""


class Step(Enum):
    """How far a channel has come."""

    CREATED = auto()
    RINGING = auto()
    EARLY_MEDIA = auto()
    ANSWERED = auto()
    PARKED = auto()
    """Answered, and ours to speak to."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The channel came that far."""

    channel_id: str
    """Our call id."""
    step: Step
    """How far."""
    channel: str = ""
    """The PBX's id of it."""


@dataclass(frozen=True, slots=True)
class HoldChanged:
    """The far end put us on hold, or took us back."""

    channel_id: str
    """Our call id."""
    is_held: bool
    """On hold now?"""


@dataclass(frozen=True, slots=True)
class ReportedBack:
    """RTCP came from the far end."""

    channel_id: str
    """Our call id."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A DTMF digit came from the far end."""

    channel_id: str
    """Our call id."""
    key: str
    """Which."""


@dataclass(frozen=True, slots=True)
class Executed:
    """An application that we asked for came to its end."""

    channel_id: str
    """Our call id."""
    execution_id: str
    """As we named it."""
    response: str
    """FILE PLAYED, FILE NOT FOUND or PLAYBACK ERROR."""
    samples: int
    """Sent of the file, at `rate`."""
    rate: int | None
    """The channel's; None when it has no codec."""
    terminator: str
    """The key that broke it off; "" when none did."""
    is_hung_up: bool
    """Had the channel ended by then?"""


@dataclass(frozen=True, slots=True)
class Ended:
    """The channel is gone."""

    channel_id: str
    """Our call id."""
    cause: int | None
    """Q.850."""
    name: str
    """FreeSWITCH's name of the cause."""
    sip_status: int | None
    """The SIP status that ended the call, or of its failure."""
    is_local: bool
    """Did no SIP reply ever come?"""
    is_by_pbx: bool
    """Did the PBX end it, by a BYE or CANCEL of its own? Told to by us, or by whoever else may tell it."""
    media: Media
    """The last counts."""
    channel: str = ""
    """The PBX's id of it."""
    is_refused: bool = True
    """Is the status of a call that failed the far end's? What FreeSWITCH makes up after a 200 is none."""


@dataclass(frozen=True, slots=True)
class JobDone:
    """The originate came to an end, or to an answer."""

    job_id: str
    """As we named it."""
    is_ok: bool
    """Answered?"""
    reason: str
    """FreeSWITCH's name of the cause when it was not."""


ChannelEvent = Moved | HoldChanged | ReportedBack | KeyPressed | Executed | Ended
EslEvent = ChannelEvent | JobDone

_STEPS: Final[Mapping[str, Step]] = {
    "CHANNEL_CREATE": Step.CREATED,
    "CHANNEL_PROGRESS": Step.RINGING,
    "CHANNEL_PROGRESS_MEDIA": Step.EARLY_MEDIA,
    "CHANNEL_ANSWER": Step.ANSWERED,
    "CHANNEL_PARK": Step.PARKED,
}
_PROTOCOL_CAUSE: Final = "sip:"
_SENT: Final = frozenset(("send_bye", "send_cancel"))
_REALLY: Final[Mapping[int, int]] = {904: 401}
"""What the far end said where FreeSWITCH tells a status of its SIP library's making: 904 when name and
password were wanted once more, after we had given them. A 407 would be told so too."""


def read_event(event: Event) -> EslEvent | None:
    """Return the fact that an event tells; None for events that are not ours to know."""
    name = event.text("Event-Name")
    if name in _STEPS:
        return Moved(_call_of(event), _STEPS[name], event.text("Unique-ID"))
    reader = _READERS.get(name)
    return reader(event) if reader is not None else None


def read_executed(event: Event) -> Executed:
    """Return what became of the application that a CHANNEL_EXECUTE_COMPLETE, or a `uuid_dump`, tells of."""
    return Executed(
        channel_id=_call_of(event),
        execution_id=event.text("Application-UUID"),
        response=event.text("variable_current_application_response"),
        # What was sent; `playback_samples` is what was read ahead. Neither is set anew for a file that is
        # not found.
        samples=event.number("variable_playback_last_offset_pos") or 0,
        rate=event.number("Channel-Write-Codec-Rate"),
        terminator=event.text("variable_playback_terminator_used"),
        # A hangup in mid-file says PLAYBACK ERROR, and so does a channel without media.
        is_hung_up=event.text("Answer-State") == "hangup",
    )


def read_step(dump: Event) -> Step:
    """Return how far the channel of a `uuid_dump` has come."""
    state = dump.text("Answer-State")
    if state == "answered":
        # A channel that runs an application is in our hands; one that was just answered runs none yet.
        return Step.PARKED if dump.text("variable_current_application") else Step.ANSWERED
    if state == "early":
        return Step.EARLY_MEDIA
    return Step.RINGING if dump.text("Channel-Call-State") == "RINGING" else Step.CREATED


def read_media(event: Event) -> Media:
    """Return the counts in a CHANNEL_HANGUP_COMPLETE, or in a `uuid_dump` after `uuid_set_media_stats`."""
    return Media(
        received=event.number("variable_rtp_audio_in_packet_count"),
        sent=event.number("variable_rtp_audio_out_packet_count"),
        reports_back=bool(event.number("variable_rtp_audio_rtcp_packet_count")),
    )


def read_packet(dump: Event) -> timedelta | None:
    """Return how much audio a packet holds, as both sides agreed and a `uuid_dump` shows; None: not yet."""
    # As agreed in SDP, and not as the endpoint was told to offer.
    milliseconds = dump.number("variable_rtp_use_codec_ptime")
    return timedelta(milliseconds=milliseconds) if milliseconds else None


def is_held_as_agreed(dump: Event) -> bool:
    """Does the far end hear nothing of us, as its own last SDP has it that a `uuid_dump` shows?"""
    return is_on_hold(dump.text("variable_switch_r_sdp"))


def has_key_events(dump: Event) -> bool:
    """Did both sides agree on keys as events (RFC 4733), as a `uuid_dump` shows?"""
    return bool(dump.text("variable_rtp_2833_recv_payload"))


def may_miss_key_events(dump: Event) -> bool:
    """Do keys likely come under a payload type of which FreeSWITCH hears none?

    What it waits for stays the number that it offered at 8 kHz, whatever the far end agrees to for a codec
    of another rate. A far end may send and want different ones, so this is no proof.
    """
    agreed, awaited = (dump.text(f"variable_rtp_2833_{way}_payload") for way in ("send", "recv"))
    return agreed != awaited and dump.text("variable_rtp_use_codec_rate") != "8000"


def _call_of(event: Event) -> str:
    """Return whose call a channel's event is; one without variables is of a channel named as its call."""
    # Events of DTMF and RTCP have no variables, unless `verbose_events` was executed.
    return event.text(f"variable_{CALL}") or event.text("Unique-ID")


def _read_hold(event: Event) -> EslEvent:
    return HoldChanged(_call_of(event), event.text("Event-Name") == "CHANNEL_HOLD")


def _read_report(event: Event) -> EslEvent:
    return ReportedBack(_call_of(event))


def _read_key(event: Event) -> EslEvent:
    return KeyPressed(_call_of(event), event.text("DTMF-Digit"))


def _read_ended(event: Event) -> EslEvent:
    return Ended(
        channel_id=_call_of(event),
        cause=event.number("variable_hangup_cause_q850"),
        name=event.text("Hangup-Cause"),
        # What the far end sent; our own timeout and cancel have only `sip_invite_failure_status` 487.
        sip_status=_status_of(event),
        # What FreeSWITCH made up (503 where nobody is, 408 for who is silent) comes from no host.
        is_local=not event.text("variable_sip_reply_host"),
        is_by_pbx=event.text("variable_sip_hangup_disposition") in _SENT,
        media=read_media(event),
        channel=event.text("Unique-ID"),
        is_refused=bool(event.text("variable_sip_invite_failure_status")),
    )


def _status_of(event: Event) -> int | None:
    status = event.number("variable_sip_term_status")
    # A 302 that was stopped has its status only there: "sip:302".
    told = event.text("variable_proto_specific_hangup_cause").removeprefix(_PROTOCOL_CAUSE)
    if status is None and len(told) == 3 and told.isdigit():
        return int(told)
    return None if status is None else _REALLY.get(status, status)


def _read_job(event: Event) -> EslEvent:
    # The body is "+OK uuid" or "-ERR cause".
    outcome, _, reason = event.body.strip().partition(" ")
    return JobDone(event.text("Job-UUID"), outcome == "+OK", reason)


_READERS: Final[Mapping[str, Callable[[Event], EslEvent]]] = {
    "CHANNEL_HOLD": _read_hold,
    "CHANNEL_UNHOLD": _read_hold,
    "CHANNEL_EXECUTE_COMPLETE": read_executed,
    "CHANNEL_HANGUP_COMPLETE": _read_ended,
    "DTMF": _read_key,
    "RECV_RTCP_MESSAGE": _read_report,
    "BACKGROUND_JOB": _read_job,
}
