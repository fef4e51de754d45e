"""How a call can end, and what each Q.850 cause and SIP status means: outcome, blame, retry safe.

What happened on the call counts too: see `classifying`.

Sources: ITU-T Q.850 (causes), RFC 3261 section 21 and the IANA registry of SIP response codes, RFC 3398 (how
the two map), and what Asterisk 22.10.1 reported when each was provoked. The SIP status is used before the
Q.850 cause, because a PBX derives the cause from it and loses detail.

"Retry safe" means: another call placed at once cannot ring the person twice for one request. It does not mean
that another call is useful; failover also needs the trunk to be at fault.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from voicegate.domain.call_quality import CallQuality


class Outcome(StrEnum):
    """How a call ended."""

    DELIVERED = "delivered"
    """The code was played to its last sample, and where the human check is on, a person had pressed the
    key."""
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    """It rang, or the far network spoke, and nobody answered in time."""
    UNAVAILABLE = "unavailable"
    """The far network knows the number but cannot reach the telephone now: switched off, no coverage."""
    REJECTED = "rejected"
    """The called person, or their telephone, declined."""
    INVALID_NUMBER = "invalid_number"
    FORWARDED = "forwarded"
    """The far end redirected the call to another number; we never follow."""
    INCOMPATIBLE = "incompatible"
    """No codec or media format in common."""
    TRUNK_REFUSED = "trunk_refused"
    """The carrier refused the call: credentials, rights, caller ID, a malformed request."""
    TRUNK_FAILED = "trunk_failed"
    """The carrier accepted the call but could not connect it: congestion, failure, overload."""
    TRUNK_UNREACHABLE = "trunk_unreachable"
    """The PBX knew at once that the trunk is down: no INVITE is waiting for an answer."""
    TRUNK_SILENT = "trunk_silent"
    """No ringing and no early media in time. The INVITE may still arrive, so this is never retried."""
    HUNG_UP = "hung_up"
    """Answered, and the far end hung up before the code was spoken."""
    NO_HUMAN = "no_human"
    """Answered, and nobody pressed the key: perhaps a machine."""
    NO_MEDIA = "no_media"
    """The code was spoken without a human check, and there is no sign that the far end received or sent
    anything."""
    PLAYBACK_FAILED = "playback_failed"
    """A sound could not be played, or was not sent: missing file, hold, no usable codec."""
    CONTROLLER_UNREACHABLE = "controller_unreachable"
    """Answered, and the PBX could not hand the call to the controller."""
    PBX_UNAVAILABLE = "pbx_unavailable"
    """The PBX was not connected or refused the request: nothing was dialed."""
    QUEUE_TIMEOUT = "queue_timeout"
    """All lines that the call may use were busy for too long: nothing was dialed."""
    PBX_LOST = "pbx_lost"
    """The PBX went away during the call."""
    REPORTED = "reported"
    """The called person said, by a key, that they had not asked for the call; the code was not spoken."""
    CANCELED = "canceled"
    """The backend canceled the request, or the code was entered or expired meanwhile."""
    INTERRUPTED = "interrupted"
    """The controller stopped during the call."""
    INTERNAL_ERROR = "internal_error"
    """An error in Voicegate."""


class Blame(StrEnum):
    """Where to look first."""

    CALLEE = "callee"
    NUMBER = "number"
    TRUNK = "trunk"
    US = "us"
    UNKNOWN = "unknown"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The outcome of a call."""

    outcome: Outcome
    """How the call ended."""
    blame: Blame
    """Where to look first."""
    retry_safe: bool
    """Can another call be placed at once without ringing the person twice?"""


class GaveUp(StrEnum):
    """Why we ended a call, or saw it end without a reason from the far end."""

    RING_TIMEOUT = "ring_timeout"
    PROGRESS_TIMEOUT = "progress_timeout"
    NO_KEY = "no_key"
    REPORTED = "reported"
    TIME_CAP = "time_cap"
    FINISHED = "finished"
    CANCELED = "canceled"
    PLAYBACK_FAILED = "playback_failed"
    CONTROLLER_UNREACHABLE = "controller_unreachable"
    PBX_UNAVAILABLE = "pbx_unavailable"
    QUEUE_TIMEOUT = "queue_timeout"
    PBX_LOST = "pbx_lost"
    INTERRUPTED = "interrupted"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True)
class Hangup:
    """How a channel ended, as the PBX reported it."""

    cause: int | None = None
    """Q.850 cause; None: unknown; 0: the PBX had none."""
    sip_status: int | None = None
    """Final SIP status of a call that failed before the answer; None: unknown."""
    is_unreachable: bool = False
    """Did the PBX know before dialing that the trunk is down, and send nothing?"""
    gave_up: GaveUp | None = None
    """Our own reason; None: the far end ended the call."""
    forwarded_to: str | None = field(default=None, repr=False)
    """The number that a redirection (SIP 3xx) names, as the far end writes it; None: none, or the PBX does
    not tell it."""
    after: timedelta | None = None
    """From the originate to the end; None: not measured."""
    nothing_sent: Blame | None = None
    """Who is to blame that nothing we played was sent: the called person, who had us on hold all the time, or
    the trunk. None: something was sent, or too little was played to tell."""
    quality: CallQuality | None = None
    """How well its audio travelled; None: nothing was dialed."""


_V = CallOutcome
_O = Outcome
_B = Blame

BUSY: Final = _V(_O.BUSY, _B.CALLEE, retry_safe=True)
NO_ANSWER: Final = _V(_O.NO_ANSWER, _B.CALLEE, retry_safe=True)
UNAVAILABLE: Final = _V(_O.UNAVAILABLE, _B.CALLEE, retry_safe=True)
REJECTED: Final = _V(_O.REJECTED, _B.CALLEE, retry_safe=True)
INVALID_NUMBER: Final = _V(_O.INVALID_NUMBER, _B.NUMBER, retry_safe=True)
FORWARDED: Final = _V(_O.FORWARDED, _B.CALLEE, retry_safe=True)
INCOMPATIBLE: Final = _V(_O.INCOMPATIBLE, _B.TRUNK, retry_safe=True)
TRUNK_REFUSED: Final = _V(_O.TRUNK_REFUSED, _B.TRUNK, retry_safe=True)
TRUNK_FAILED: Final = _V(_O.TRUNK_FAILED, _B.TRUNK, retry_safe=True)
TRUNK_UNREACHABLE: Final = _V(_O.TRUNK_UNREACHABLE, _B.TRUNK, retry_safe=True)
# An INVITE without any reply is repeated for 32 s, and a late 200 would ring a second telephone.
TRUNK_SILENT: Final = _V(_O.TRUNK_SILENT, _B.TRUNK, retry_safe=False)
OUR_CALLER_ID: Final = _V(_O.TRUNK_REFUSED, _B.US, retry_safe=True)
# The network took our number for a nuisance: another trunk that shows the same one is refused alike.
BLOCKED: Final = TRUNK_REFUSED

SIP_FAILURES: Final[Mapping[int, CallOutcome]] = {
    # 3xx: the far end chose another destination. Asterisk would follow; our dialplan stops it.
    **dict.fromkeys((300, 301, 302, 305, 380), FORWARDED),
    400: TRUNK_REFUSED,
    401: TRUNK_REFUSED,
    402: TRUNK_REFUSED,
    403: TRUNK_REFUSED,  # decided: carriers answer so for rights, caller ID and funds, not for a person
    404: INVALID_NUMBER,
    405: TRUNK_REFUSED,
    406: INCOMPATIBLE,
    407: TRUNK_REFUSED,
    410: INVALID_NUMBER,  # gone: the number was changed or given up
    412: TRUNK_REFUSED,
    413: TRUNK_REFUSED,
    414: TRUNK_REFUSED,
    415: INCOMPATIBLE,
    416: TRUNK_REFUSED,
    417: TRUNK_REFUSED,
    420: TRUNK_REFUSED,
    421: TRUNK_REFUSED,
    422: TRUNK_REFUSED,
    423: TRUNK_REFUSED,
    424: TRUNK_REFUSED,
    425: TRUNK_REFUSED,
    428: OUR_CALLER_ID,  # RFC 8224: an Identity header is wanted for the number we show
    429: TRUNK_REFUSED,
    430: TRUNK_FAILED,
    433: OUR_CALLER_ID,  # RFC 5079: anonymous callers are refused
    436: OUR_CALLER_ID,
    437: OUR_CALLER_ID,
    438: OUR_CALLER_ID,
    439: TRUNK_REFUSED,
    440: TRUNK_FAILED,
    469: TRUNK_REFUSED,
    470: TRUNK_REFUSED,
    481: TRUNK_FAILED,
    482: TRUNK_FAILED,
    483: TRUNK_FAILED,
    484: INVALID_NUMBER,
    485: INVALID_NUMBER,
    486: BUSY,
    488: INCOMPATIBLE,
    489: TRUNK_REFUSED,
    491: TRUNK_FAILED,
    493: INCOMPATIBLE,
    494: TRUNK_REFUSED,
    500: TRUNK_FAILED,
    501: TRUNK_FAILED,
    502: TRUNK_FAILED,
    503: TRUNK_FAILED,
    504: TRUNK_FAILED,
    505: TRUNK_FAILED,
    513: TRUNK_FAILED,
    555: TRUNK_FAILED,
    580: INCOMPATIBLE,
    600: BUSY,
    603: REJECTED,  # decided: a person's "decline"; for the network's, see `is_blocked`
    604: INVALID_NUMBER,
    606: INCOMPATIBLE,
    607: REJECTED,  # RFC 8197: the person marked us as unwanted
    608: BLOCKED,  # RFC 8688: an intermediary's analytics rejected the number we show
}
"""SIP failures that are clear by themselves; 408, 480 and 487 depend on what happened on the call."""

Q850_CAUSES: Final[Mapping[int, CallOutcome]] = {
    1: INVALID_NUMBER,  # unallocated number
    2: TRUNK_FAILED,  # no route to specified transit network
    3: TRUNK_FAILED,  # decided: "no route to destination" is the network's lack, the number may be right
    4: INVALID_NUMBER,  # special information tone
    5: INVALID_NUMBER,  # misdialled trunk prefix
    6: TRUNK_FAILED,  # channel unacceptable
    7: TRUNK_FAILED,  # call awarded in an established channel
    8: TRUNK_FAILED,  # preemption
    9: TRUNK_FAILED,  # preemption, circuit reserved
    14: TRUNK_FAILED,  # query on release: ported number
    17: BUSY,
    20: UNAVAILABLE,  # subscriber absent
    21: REJECTED,  # call rejected; with SIP 403 or 407 the status decided already
    22: INVALID_NUMBER,  # number changed
    23: FORWARDED,  # redirection to new destination
    24: REJECTED,  # rejected due to a feature at the destination
    25: TRUNK_FAILED,  # exchange routing error
    26: TRUNK_FAILED,  # non-selected user clearing
    27: UNAVAILABLE,  # destination out of order
    28: INVALID_NUMBER,  # invalid number format
    29: TRUNK_REFUSED,  # facility rejected
    30: TRUNK_FAILED,  # response to status enquiry
    34: TRUNK_FAILED,  # no circuit available
    38: TRUNK_FAILED,  # network out of order
    39: TRUNK_FAILED,
    40: TRUNK_FAILED,
    41: TRUNK_FAILED,  # temporary failure
    42: TRUNK_FAILED,  # switching equipment congestion
    43: TRUNK_FAILED,
    44: TRUNK_FAILED,  # requested circuit not available
    46: TRUNK_FAILED,
    47: TRUNK_FAILED,  # resource unavailable
    49: TRUNK_FAILED,
    50: TRUNK_REFUSED,  # facility not subscribed
    52: TRUNK_REFUSED,  # outgoing calls barred
    53: TRUNK_REFUSED,
    54: TRUNK_REFUSED,  # incoming calls barred
    55: TRUNK_REFUSED,
    57: TRUNK_REFUSED,  # bearer capability not authorized
    58: INCOMPATIBLE,  # bearer capability not available; also a 200 with an unusable SDP
    62: TRUNK_FAILED,
    63: TRUNK_FAILED,  # service not available
    65: INCOMPATIBLE,  # bearer capability not implemented
    66: INCOMPATIBLE,
    69: TRUNK_REFUSED,  # facility not implemented
    70: INCOMPATIBLE,
    79: TRUNK_FAILED,  # service not implemented
    81: TRUNK_FAILED,
    82: TRUNK_FAILED,
    83: TRUNK_FAILED,
    84: TRUNK_FAILED,
    85: TRUNK_FAILED,
    86: TRUNK_FAILED,
    87: TRUNK_REFUSED,  # not a member of the closed user group
    88: INCOMPATIBLE,  # incompatible destination
    90: TRUNK_REFUSED,  # non-existent closed user group
    91: TRUNK_FAILED,
    95: TRUNK_FAILED,
    96: TRUNK_FAILED,
    97: TRUNK_FAILED,
    98: TRUNK_FAILED,
    99: TRUNK_FAILED,
    100: TRUNK_FAILED,
    101: TRUNK_FAILED,
    102: TRUNK_FAILED,  # recovery on timer expiry
    103: TRUNK_FAILED,
    110: TRUNK_FAILED,
    111: TRUNK_FAILED,  # protocol error
    127: TRUNK_FAILED,  # interworking
}
"""Q.850 causes that are clear by themselves; 16, 18, 19 and 31 depend on what happened on the call."""
