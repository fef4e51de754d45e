"""The carrier's numbers: the one table of how each behaves and what Voicegate must report of it.

The carrier's dialplan is rendered from it, `voicegate lab numbers` prints it, and tests expect it. A new
number is one row here and, unless a person simply answers it, one file in `carrier/behaviours/`. The fields
of a row are in `behaviour`.
"""

from typing import Final

from voicegate.domain.call import EvidenceLevel
from voicegate.domain.call_outcome import Blame, Outcome
from voicegate.domain.errors import InvalidNumber
from voicegate.lab.behaviour import Action, Expected, LabNumber

_DELIVERED: Final = Expected(Outcome.DELIVERED, EvidenceLevel.ANNOUNCED, Blame.NOBODY)

_REFUSED: Final = Expected(Outcome.TRUNK_REFUSED, EvidenceLevel.NONE, Blame.TRUNK)
_CARRIER_FAILED: Final = Expected(Outcome.TRUNK_FAILED, EvidenceLevel.NONE, Blame.TRUNK)
_NO_SUCH_NUMBER: Final = Expected(Outcome.INVALID_NUMBER, EvidenceLevel.NONE, Blame.NUMBER)
_SORRY: Final = Expected(Outcome.HUNG_UP, EvidenceLevel.MEDIA, Blame.CALLEE)

PREMIUM: Final = "+449098790000"
"""The number to which `forwards` sends its callers, one of Ofcom's premium numbers for fiction: nobody may
dial it."""

NUMBERS: Final = (
    LabNumber(
        digits="01",
        name="presses-key",
        behaviour="Rings briefly, is answered, and the person presses the key that is asked for.",
        action=Action.PRESS,
        expected=_DELIVERED,
        desk="4021",
    ),
    LabNumber(
        digits="02",
        name="never-presses",
        behaviour="Rings briefly, is answered, and nobody ever presses a key: a machine, perhaps.",
        action=Action.LISTEN,
        expected=Expected(Outcome.NO_HUMAN, EvidenceLevel.MEDIA, Blame.CALLEE),
    ),
    LabNumber(
        digits="03",
        name="busy",
        behaviour="Is busy (SIP 486).",
        action=Action.NOTHING,
        expected=Expected(Outcome.BUSY, EvidenceLevel.NONE, Blame.CALLEE),
        dialplan="refused",
        sip_status=486,
    ),
    LabNumber(
        digits="04",
        name="rings-for-ever",
        behaviour="Rings, and nobody answers.",
        action=Action.NOTHING,
        expected=Expected(Outcome.NO_ANSWER, EvidenceLevel.NONE, Blame.CALLEE),
        dialplan="rings-for-ever",
    ),
    LabNumber(
        digits="05",
        name="hangs-up-midway",
        behaviour="Is answered; the person presses the key and hangs up in the middle of the code.",
        action=Action.HANG_UP,
        expected=Expected(Outcome.HUNG_UP, EvidenceLevel.HUMAN, Blame.CALLEE),
    ),
    LabNumber(
        digits="06",
        name="office",
        behaviour=(
            "An office answers and takes a four-digit extension by DTMF; 4321 rings some seconds, then a "
            "person answers and presses the key; for any other it says sorry and hangs up."
        ),
        action=Action.PRESS,
        expected=_DELIVERED,
        dialplan="office",
        extension="4321",
        otherwise=_SORRY,
    ),
    LabNumber(
        digits="07",
        name="rejects",
        behaviour="Rings briefly, and the person declines the call (SIP 603).",
        action=Action.NOTHING,
        expected=Expected(Outcome.REJECTED, EvidenceLevel.NONE, Blame.CALLEE),
        dialplan="rejects",
        sip_status=603,
    ),
    LabNumber(
        digits="08",
        name="unallocated",
        behaviour="Belongs to nobody (SIP 404).",
        action=Action.NOTHING,
        expected=_NO_SUCH_NUMBER,
        dialplan="refused",
        sip_status=404,
    ),
    LabNumber(
        digits="09",
        name="congested",
        behaviour="The carrier has no line free (SIP 503).",
        action=Action.NOTHING,
        expected=_CARRIER_FAILED,
        dialplan="refused",
        sip_status=503,
    ),
    LabNumber(
        digits="10",
        name="forbidden",
        behaviour="The carrier does not let us call there (SIP 403).",
        action=Action.NOTHING,
        expected=_REFUSED,
        dialplan="refused",
        sip_status=403,
    ),
    LabNumber(
        digits="11",
        name="announces-failure",
        behaviour="The carrier says in early media (SIP 183) that there is no such number; then SIP 404.",
        action=Action.NOTHING,
        expected=_NO_SUCH_NUMBER,
        dialplan="announces-failure",
        sip_status=404,
    ),
    LabNumber(
        digits="12",
        name="rings-in-early-media",
        behaviour="Rings audibly only (SIP 183, no 180), is answered, and the person presses the key.",
        action=Action.PRESS,
        expected=_DELIVERED,
        dialplan="rings-in-early-media",
    ),
    LabNumber(
        digits="13",
        name="forwards",
        behaviour="Sends its callers to a premium number (SIP 302).",
        action=Action.NOTHING,
        expected=Expected(Outcome.FORWARDED, EvidenceLevel.NONE, Blame.CALLEE),
        dialplan="forwards",
        sip_status=302,
    ),
    LabNumber(
        digits="14",
        name="rings-late",
        behaviour="Is silent for ten seconds (post-dial delay), rings, and the person presses the key.",
        action=Action.PRESS,
        expected=_DELIVERED,
        dialplan="rings-late",
    ),
    LabNumber(
        digits="15",
        name="silent-trunk",
        behaviour="The carrier takes the call (SIP 100), and then says nothing.",
        action=Action.NOTHING,
        expected=Expected(Outcome.TRUNK_SILENT, EvidenceLevel.NONE, Blame.TRUNK),
        dialplan="silent-trunk",
    ),
    LabNumber(
        digits="16",
        name="voicemail",
        behaviour="A voicemail answers, greets, beeps and records.",
        action=Action.LISTEN,
        expected=Expected(Outcome.NO_HUMAN, EvidenceLevel.MEDIA, Blame.CALLEE),
        dialplan="voicemail",
    ),
    LabNumber(
        digits="17",
        name="mute",
        behaviour="Is answered, and no audio ever comes from there; RTCP says that ours arrives.",
        action=Action.LISTEN,
        expected=Expected(Outcome.NO_HUMAN, EvidenceLevel.MEDIA, Blame.CALLEE),
        dialplan="mute",
    ),
    LabNumber(
        digits="18",
        name="hangs-up-at-once",
        behaviour="Is answered, and hung up in the same moment.",
        action=Action.NOTHING,
        expected=Expected(Outcome.HUNG_UP, EvidenceLevel.ANSWERED, Blame.CALLEE),
        dialplan="hangs-up-at-once",
    ),
    LabNumber(
        digits="19",
        name="hangs-up-at-end",
        behaviour="Is answered; the person presses the key and hangs up at the code's last digit.",
        action=Action.HANG_UP_AT_END,
        expected=_DELIVERED,
    ),
    LabNumber(
        digits="20",
        name="presses-wrong-first",
        behaviour="Is answered; the person presses another key than the one asked for, and then that.",
        action=Action.PRESS_WRONG_FIRST,
        expected=_DELIVERED,
    ),
    LabNumber(
        digits="21",
        name="wants-repeat",
        behaviour="Is answered; the person presses the key, and * in the middle of the second reading.",
        action=Action.REPEAT,
        expected=_DELIVERED,
    ),
    LabNumber(
        digits="22",
        name="presses-by-info",
        behaviour="Is answered; the key that the person presses comes by SIP INFO.",
        action=Action.PRESS,
        expected=_DELIVERED,
        dialplan="presses-by-info",
    ),
    LabNumber(
        digits="23",
        name="speaks-g729",
        behaviour="Can speak G.729 only, which we do not offer (SIP 488).",
        action=Action.NOTHING,
        expected=Expected(Outcome.INCOMPATIBLE, EvidenceLevel.NONE, Blame.TRUNK),
        endpoint={"allow": "!all,g729"},
        sip_status=488,
    ),
    LabNumber(
        digits="24",
        name="no-media",
        behaviour="Is answered, our audio gets lost on its way there, and nothing comes back, not even RTCP.",
        action=Action.LISTEN,
        expected=Expected(Outcome.NO_HUMAN, EvidenceLevel.ANSWERED, Blame.CALLEE),
        dialplan="mute",
        # Its RTP listens at 127.0.0.1, as the carrier's transport does: at this address nobody listens.
        # Nor does it end by itself, for want of packets, before we do.
        endpoint={"media_address": "127.0.0.2", "rtp_timeout": "0"},
    ),
    LabNumber(
        digits="25",
        name="holds-midway",
        behaviour="Is answered; the person presses the key and holds us for four seconds in mid-code.",
        action=Action.HOLD,
        expected=_DELIVERED,
        # Hold is a re-INVITE then, instead of music.
        endpoint={"moh_passthrough": "yes"},
    ),
    LabNumber(
        digits="26",
        name="presses-in-band",
        behaviour="Is answered; the key that the person presses comes only as tones in the audio.",
        action=Action.PRESS,
        expected=_DELIVERED,
        endpoint={"dtmf_mode": "inband"},
    ),
    LabNumber(
        digits="27",
        name="speaks-ulaw",
        behaviour="Speaks G.711 µ-law only; the person presses the key.",
        action=Action.PRESS,
        expected=_DELIVERED,
        endpoint={"allow": "!all,ulaw"},
    ),
    LabNumber(
        digits="28",
        name="speaks-alaw",
        behaviour="Speaks G.711 A-law only; the person presses the key.",
        action=Action.PRESS,
        expected=_DELIVERED,
        endpoint={"allow": "!all,alaw"},
    ),
    LabNumber(
        digits="29",
        name="speaks-g722",
        behaviour="Speaks G.722 (wideband) only; the person presses the key.",
        action=Action.PRESS,
        expected=_DELIVERED,
        endpoint={"allow": "!all,g722"},
    ),
    LabNumber(
        digits="30",
        name="speaks-opus",
        behaviour="Speaks Opus only; the person presses the key.",
        action=Action.PRESS,
        expected=_DELIVERED,
        endpoint={"allow": "!all,opus"},
    ),
    LabNumber(
        digits="31",
        name="office-in-opus",
        behaviour="The office again, which speaks Opus only.",
        action=Action.PRESS,
        expected=_DELIVERED,
        dialplan="office",
        extension="4321",
        otherwise=_SORRY,
        endpoint={"allow": "!all,opus"},
    ),
    LabNumber(
        digits="32",
        name="wants-no-calls",
        behaviour="Is answered; the person did not ask for the call: presses 9, and then 0 twice.",
        action=Action.REPORT,
        expected=Expected(Outcome.REPORTED, EvidenceLevel.HUMAN, Blame.NOBODY),
    ),
)
"""Every number of the carrier; all others are not in service (SIP 404)."""


def find_number(name: str) -> LabNumber:
    """Return the row with that name.

    Raises:
        InvalidNumber: there is none.
    """
    for number in NUMBERS:
        if number.name == name:
            return number
    raise InvalidNumber(f"The lab has no number named {name}.")
