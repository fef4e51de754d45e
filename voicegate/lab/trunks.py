"""The trunks from the lab's PBX to the carrier: the one table of them, and of the results of calls.

If anybody is at the far end, it is a person who presses the key. `voicegate lab trunks` prints the table,
tests expect it, and `LabSettings.trunks` chooses which of them the controller uses, in which order. The PBX
has an endpoint of the same name for each: `carrier` and those of an honest carrier are our own examples in
`dialplan/`, the others are `odd-trunks` in `company/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voicegate.domain.call import EvidenceLevel
from voicegate.domain.call_outcome import Blame, Outcome
from voicegate.lab.behaviour import Expected

ACCOUNT: Final = "8271"
"""The company's account at the carrier, where the carrier requires one."""
PASSWORD: Final = "only-on-loopback"  # noqa: S105 - opens a carrier that is not there for others
"""The password of that account."""


@dataclass(frozen=True, slots=True)
class LabTrunk:
    """One trunk to the carrier."""

    name: str
    """Its name in the controller's settings, and of its endpoint at the PBX."""
    behaviour: str
    """What is special about it, in a sentence."""
    expected: Expected
    """What Voicegate must report of a call over it."""
    sip_status: int | None = None
    """The SIP status that ends each call over it; None: none does."""
    fails_over: bool = False
    """Is the route's next trunk tried then? Only if this call certainly rang no telephone."""


_DELIVERED: Final = Expected(Outcome.DELIVERED, EvidenceLevel.ANNOUNCED, Blame.NOBODY)

TRUNKS: Final = (
    LabTrunk(
        name="carrier",
        behaviour="Knows the company by its address; everything in the clear.",
        expected=_DELIVERED,
    ),
    LabTrunk(
        name="secure",
        behaviour="Signalling by TLS, with a certificate that the PBX checks; audio by SRTP or not at all.",
        expected=_DELIVERED,
    ),
    LabTrunk(
        name="registered",
        behaviour="The PBX registers, and proves on each call who it is (digest authentication).",
        expected=_DELIVERED,
    ),
    LabTrunk(
        name="locked-out",
        behaviour="The same, and the PBX has a wrong password (SIP 401).",
        expected=Expected(Outcome.TRUNK_REFUSED, EvidenceLevel.NONE, Blame.TRUNK),
        sip_status=401,
        fails_over=True,
    ),
    LabTrunk(
        name="full",
        behaviour="The carrier never has a line free (SIP 503).",
        expected=Expected(Outcome.TRUNK_FAILED, EvidenceLevel.NONE, Blame.TRUNK),
        sip_status=503,
        fails_over=True,
    ),
    LabTrunk(
        name="unplugged",
        behaviour="Nobody is at its address, and the PBX knows, for it looks (qualify_frequency, ping).",
        expected=Expected(Outcome.TRUNK_UNREACHABLE, EvidenceLevel.NONE, Blame.TRUNK),
        fails_over=True,
    ),
    LabTrunk(
        name="nobody",
        behaviour="Nobody is at its address, and the PBX does not look: a late answer is still possible. "
        "FreeSWITCH hears of it from the host: trunk_unreachable, and the next trunk is tried.",
        expected=Expected(Outcome.TRUNK_SILENT, EvidenceLevel.NONE, Blame.TRUNK),
    ),
    LabTrunk(
        name="crossing",
        behaviour="Rings until we give up; the person picks up so late that answer and cancel cross (glare).",
        expected=Expected(Outcome.NO_ANSWER, EvidenceLevel.NONE, Blame.CALLEE),
    ),
    LabTrunk(
        name="unusable",
        behaviour="Rings; a person picks up, and the answer names no codec of those that we offered.",
        expected=Expected(Outcome.INCOMPATIBLE, EvidenceLevel.ANSWERED, Blame.TRUNK),
        sip_status=488,
    ),
)
"""Every trunk of the lab's PBX."""
QUALIFIED: Final[Mapping[str, bool]] = {
    "carrier": True,
    "secure": True,
    "registered": True,
    "unplugged": False,
}
"""The trunks that the PBX checks, and whether it finds them up."""
