"""Turns ESL events into typed facts about a channel; no other file names a header of an event.

Subscribed: `EVENTS`, of our own channels only, by the `FILTERS`; a call id begins with `call_`. Each event
has about 6 kB. Not subscribed: CHANNEL_HANGUP and PLAYBACK_*, because CHANNEL_EXECUTE_COMPLETE and
CHANNEL_HANGUP_COMPLETE have the same facts. Source: FreeSWITCH 1.10.12, `switch_channel.c`,
`switch_ivr_play_say.c`, `switch_core_media.c`, and recorded sessions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from typing import Final

from voicegate.adapters.pbx.freeswitch.esl_wire import Event
from voicegate.adapters.pbx.freeswitch.sdp import is_on_hold
from voicegate.domain.call import Media
from voicegate.domain.call_quality import CallQuality

EVENTS: Final = (
    "CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_PARK CHANNEL_HOLD "
    "CHANNEL_UNHOLD CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE DTMF RECV_RTCP_MESSAGE BACKGROUND_JOB"
)
"""The subscribed events."""
CALL: Final = "voicegate_call"
"""The channel variable with the call id."""
FILTERS: Final = ("Unique-ID /^call_/", f"variable_{CALL} /^call_/", "Job-Command originate")
"""Which of them are sent: an event passes if any filter fits."""


class Step(Enum):
    """The progress of a channel."""

    CREATED = auto()
    RINGING = auto()
    EARLY_MEDIA = auto()
    ANSWERED = auto()
    PARKED = auto()
    """Answered, and ready to be spoken on."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The channel has reached this step."""

    channel_id: str
    """Our call id."""
    step: Step
    """The step."""
    channel: str = ""
    """The PBX's id of the channel."""


@dataclass(frozen=True, slots=True)
class HoldChanged:
    """The far end put us on hold, or ended that."""

    channel_id: str
    """Our call id."""
    is_held: bool
    """Is it on hold now?"""


@dataclass(frozen=True, slots=True)
class Report:
    """What the far end reports by RTCP of the packets that it got; None: nothing."""

    lost: int | None = None
    """How many it missed."""
    jitter: timedelta | None = None
    """How unevenly they arrived."""
    round_trip: timedelta | None = None
    """From us to the far end and back."""


@dataclass(frozen=True, slots=True)
class ReportedBack:
    """RTCP came from the far end."""

    channel_id: str
    """Our call id."""
    report: Report = Report()
    """What it says."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A DTMF digit came from the far end."""

    channel_id: str
    """Our call id."""
    key: str
    """The digit."""


@dataclass(frozen=True, slots=True)
class Executed:
    """An application that we started has ended."""

    channel_id: str
    """Our call id."""
    execution_id: str
    """The id that we gave it."""
    response: str
    """FILE PLAYED, FILE NOT FOUND or PLAYBACK ERROR."""
    samples: int
    """Samples of the file that were sent, at `rate`."""
    rate: int | None
    """The sample rate of the channel; None: it has no codec."""
    terminator: str
    """The key that stopped it; empty: none did."""
    is_hung_up: bool
    """Had the channel ended by then?"""


@dataclass(frozen=True, slots=True)
class Ended:
    """The channel is gone."""

    channel_id: str
    """Our call id."""
    cause: int | None
    """Q.850 cause."""
    name: str
    """FreeSWITCH's name of the cause."""
    sip_status: int | None
    """The SIP status that ended the call, or of its failure."""
    is_local: bool
    """Did no SIP reply ever come?"""
    is_by_pbx: bool
    """Did the PBX end it by its own BYE or CANCEL? On our command, or on somebody else's."""
    media: Media
    """The last packet counts."""
    channel: str = ""
    """The PBX's id of the channel."""
    quality: CallQuality = field(default_factory=CallQuality)
    """What the channel says of its line."""
    forwarded_to: str | None = field(default=None, repr=False)
    """The number to which the far end redirects; None: it does not, or names none."""
    is_refused: bool = True
    """Does the status of a failed call come from the far end? FreeSWITCH makes one up after a 200."""


@dataclass(frozen=True, slots=True)
class JobDone:
    """The originate has ended, or the call was answered."""

    job_id: str
    """The id that we gave it."""
    is_ok: bool
    """Was it answered?"""
    reason: str
    """FreeSWITCH's name of the cause, if it was not answered."""


ChannelEvent = Moved | HoldChanged | ReportedBack | KeyPressed | Executed | Ended
EslEvent = ChannelEvent | JobDone

_STEPS: Final[Mapping[str, Step]] = {
    "CHANNEL_CREATE": Step.CREATED,
    "CHANNEL_PROGRESS": Step.RINGING,
    "CHANNEL_PROGRESS_MEDIA": Step.EARLY_MEDIA,
    "CHANNEL_ANSWER": Step.ANSWERED,
    "CHANNEL_PARK": Step.PARKED,
}
_RTCP_UNITS: Final = 8000
"""RTCP counts jitter by the clock of the codec (RFC 3550); that of G.711, G.722 and G.729 is 8 kHz."""
_DAY: Final = 86400.0
_PROTOCOL_CAUSE: Final = "sip:"
_SENT: Final = frozenset(("send_bye", "send_cancel"))
_REALLY: Final[Mapping[int, int]] = {904: 401}
"""What the far end really sent when FreeSWITCH reports a status of its SIP library: 904 when the far end
asked again for name and password after we had sent them. A 407 would be reported in the same way."""


def read_event(event: Event) -> EslEvent | None:
    """Return the fact in an event; None: it is not an event that we use."""
    name = event.text("Event-Name")
    if name in _STEPS:
        return Moved(_call_of(event), _STEPS[name], event.text("Unique-ID"))
    reader = _READERS.get(name)
    return reader(event) if reader is not None else None


def read_executed(event: Event) -> Executed:
    """Return the result of the application in a CHANNEL_EXECUTE_COMPLETE or a `uuid_dump`."""
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
    """Return the step of the channel in a `uuid_dump`."""
    state = dump.text("Answer-State")
    if state == "answered":
        # A channel that runs an application is in our hands; one that was just answered runs none yet.
        return Step.PARKED if dump.text("variable_current_application") else Step.ANSWERED
    if state == "early":
        return Step.EARLY_MEDIA
    return Step.RINGING if dump.text("Channel-Call-State") == "RINGING" else Step.CREATED


def read_media(event: Event) -> Media:
    """Return the packet counts in a CHANNEL_HANGUP_COMPLETE, or in a `uuid_dump` after
    `uuid_set_media_stats`."""
    return Media(
        received=event.number("variable_rtp_audio_in_packet_count"),
        sent=event.number("variable_rtp_audio_out_packet_count"),
        reports_back=bool(event.number("variable_rtp_audio_rtcp_packet_count")),
    )


def read_quality(event: Event) -> CallQuality:
    """Return what a CHANNEL_HANGUP_COMPLETE says of the line, without the far end's report.

    Not used: in 1.10.12, `skip_packet_count` counts a far end's silence too, `flaw_total` has penalties of
    FreeSWITCH's own, and of jitter there is the variance only. So what came in has counts of packets alone.
    """
    media = read_media(event)
    return CallQuality(
        sip_call_id=event.text("variable_sip_call_id") or None,
        codec=event.text("variable_rtp_use_codec_name") or None,
        packets_sent=media.sent,
        packets_received=media.received,
    )


def read_packet(dump: Event) -> timedelta | None:
    """Return how much audio a packet carries, as both sides agreed, from a `uuid_dump`; None: not agreed
    yet."""
    # As agreed in SDP, and not as the endpoint was told to offer.
    milliseconds = dump.number("variable_rtp_use_codec_ptime")
    return timedelta(milliseconds=milliseconds) if milliseconds else None


def is_held_as_agreed(dump: Event) -> bool:
    """Return whether the far end does not receive our audio, by its own last SDP in a `uuid_dump`."""
    return is_on_hold(dump.text("variable_switch_r_sdp"))


def has_key_events(dump: Event) -> bool:
    """Return whether both sides agreed on keys as events (RFC 4733), from a `uuid_dump`."""
    return bool(dump.text("variable_rtp_2833_recv_payload"))


def may_miss_key_events(dump: Event) -> bool:
    """Return whether keys probably come with a payload type that FreeSWITCH does not hear.

    FreeSWITCH waits for the number that it offered at 8 kHz, whatever the far end agreed to for a codec of
    another rate. A far end may send and accept different numbers, so this is no proof.
    """
    agreed, awaited = (dump.text(f"variable_rtp_2833_{way}_payload") for way in ("send", "recv"))
    return agreed != awaited and dump.text("variable_rtp_use_codec_rate") != "8000"


def _call_of(event: Event) -> str:
    """Return the call id of a channel's event; without variables, the channel's own id is the call id."""
    # Events of DTMF and RTCP have no variables, unless `verbose_events` was executed.
    return event.text(f"variable_{CALL}") or event.text("Unique-ID")


def _read_hold(event: Event) -> EslEvent:
    return HoldChanged(_call_of(event), event.text("Event-Name") == "CHANNEL_HOLD")


def _read_report(event: Event) -> EslEvent:
    jitter, round_trip = event.text("Source0-Jitter"), event.text("Rtt0-Avg")
    return ReportedBack(
        _call_of(event),
        Report(
            lost=event.number("Source0-Lost"),
            jitter=_duration(jitter, _RTCP_UNITS),
            round_trip=_duration(round_trip, 1) or None,
        ),
    )


def _duration(text: str, units: int) -> timedelta | None:
    """Return a duration counted in so many units a second; None: it is not one."""
    try:
        value = float(text) / units
    except ValueError:
        return None
    # False also for what is not a number.
    return timedelta(seconds=value) if 0 <= value < _DAY else None


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
        quality=read_quality(event),
        # Of several contacts the first: 1.10.12 lists them in the far end's order.
        forwarded_to=event.text("variable_sip_redirect_contact_user_0") or None,
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
