"""What the lab knows about one of the carrier's numbers; the numbers themselves are in `numbers`.

Numbers come from ranges that regulators keep for fiction and that libphonenumber holds valid: NANPA's
555-0100 to 555-0199 in every area code, Ofcom's 020 7946 0000 to 0999. The last two digits choose the
behaviour; the others are free, so that parallel calls can each have another number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from voicegate.domain.call import EvidenceLevel
from voicegate.domain.call_outcome import Blame, Outcome


class Action(StrEnum):
    """What the person at the telephone does."""

    PRESS = "press"
    """Listens for the requested key, and presses it."""
    LISTEN = "listen"
    """Listens, and does nothing."""
    HANG_UP = "hang-up"
    """Presses the key, and hangs up when some digits of the code were heard."""
    HANG_UP_AT_END = "hang-up-at-end"
    """Presses the key, and hangs up at the last digit of the first reading."""
    PRESS_WRONG_FIRST = "press-wrong-first"
    """Presses the key next to the requested one, and then the requested one."""
    REPEAT = "repeat"
    """Presses the key, and `*` in the middle of the second reading."""
    HOLD = "hold"
    """Presses the key, and puts the caller on hold for some seconds during the first reading."""
    REPORT = "report"
    """Presses 9 instead of the requested key, and 0 at both offers to stop further calls."""
    NOTHING = "nothing"
    """Nobody is there."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What Voicegate must report of a call."""

    outcome: Outcome
    """The outcome."""
    evidence: EvidenceLevel
    """The strongest evidence."""
    blame: Blame
    """Where to look first."""


@dataclass(frozen=True, slots=True)
class LabNumber:
    """One behaviour of a telephone."""

    digits: str
    """The last two digits of the numbers with this behaviour."""
    name: str
    """The behaviour's name, and its context in the carrier's dialplan."""
    behaviour: str
    """What happens, in a sentence."""
    action: Action
    """What the person at the telephone does."""
    expected: Expected
    """What Voicegate must report of a call to it."""
    dialplan: str = "person"
    """Its file `carrier/behaviours/<dialplan>.conf.j2`; "person": rings, is answered, then the action."""
    extension: str | None = None
    """The extension that its office has; None: it takes none."""
    otherwise: Expected | None = None
    """What Voicegate must report after any other extension; None: it takes none."""
    sip_status: int | None = None
    """The SIP status that ends the call before the answer; None: none does."""
    endpoint: Mapping[str, str] = field(default_factory=dict)
    """How its endpoint at the carrier (pjsip.conf) differs from the others; empty: not at all."""
    desk: str | None = None
    """The company's own extension with this behaviour, for internal routes."""

    @property
    def pattern(self) -> str:
        """The numbers with this behaviour, as people write them."""
        return f"+1 NXX 555 01{self.digits}, +44 20 7946 0x{self.digits}"

    @property
    def example(self) -> str:
        """One of those numbers, in E.164."""
        return self.american()

    def american(self, area: str = "202") -> str:
        """Return the number in an area code of North America."""
        return f"+1{area}55501{self.digits}"

    def british(self, spare: int = 0) -> str:
        """Return the London number with `spare` (0-9) as its free digit."""
        return f"+442079460{spare}{self.digits}"

    @property
    def request_uri(self) -> str:
        """A regular expression for the SIP URIs of calls to it."""
        return f"^sip:[+0-9]*(55501|79460.){self.digits}@"

    @property
    def dialed(self) -> Mapping[str, str]:
        """Asterisk's patterns of those numbers in every format of a trunk, each with the expression that
        makes it E.164."""
        us, gb = f"NXX55501{self.digits}", f"79460X{self.digits}"
        return {
            f"_+1{us}": "${EXTEN}",
            f"_1{us}": "+${EXTEN}",
            f"_{us}": "+1${EXTEN}",
            f"_+4420{gb}": "${EXTEN}",
            f"_4420{gb}": "+${EXTEN}",
            f"_020{gb}": "+44${EXTEN:1}",
        } | ({self.desk: "${EXTEN}"} if self.desk else {})
