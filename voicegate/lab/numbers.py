"""The carrier's numbers: the one table of how each behaves and what Voicegate must make of it.

The carrier's dialplan is rendered from it, `voicegate lab numbers` prints it, and tests expect it. A new
number is one row here and, unless a person just answers it, one file in `carrier/behaviours/`. What a row
holds is `behaviour`'s business.
"""

from typing import Final

from voicegate.domain.call import Rung
from voicegate.domain.errors import InvalidNumber
from voicegate.domain.hangup_cause import Blame, Outcome
from voicegate.lab.behaviour import Deed, Expected, LabNumber

_DELIVERED: Final = Expected(Outcome.DELIVERED, Rung.ANNOUNCED, Blame.NOBODY)

NUMBERS: Final = (
    LabNumber(
        digits="01",
        name="presses-key",
        behaviour="Rings briefly, is answered, and the person presses the key that is asked for.",
        deed=Deed.PRESS,
        expected=_DELIVERED,
        desk="4021",
    ),
    LabNumber(
        digits="02",
        name="never-presses",
        behaviour="Rings briefly, is answered, and nobody ever presses a key: a machine, perhaps.",
        deed=Deed.LISTEN,
        expected=Expected(Outcome.NO_HUMAN, Rung.MEDIA, Blame.CALLEE),
    ),
    LabNumber(
        digits="03",
        name="busy",
        behaviour="Is busy (SIP 486).",
        deed=Deed.NOTHING,
        expected=Expected(Outcome.BUSY, Rung.NONE, Blame.CALLEE),
        dialplan="busy",
    ),
    LabNumber(
        digits="04",
        name="rings-for-ever",
        behaviour="Rings, and nobody answers.",
        deed=Deed.NOTHING,
        expected=Expected(Outcome.NO_ANSWER, Rung.NONE, Blame.CALLEE),
        dialplan="rings-for-ever",
    ),
    LabNumber(
        digits="05",
        name="hangs-up-midway",
        behaviour="Is answered; the person presses the key and hangs up in the middle of the code.",
        deed=Deed.HANG_UP,
        expected=Expected(Outcome.HUNG_UP, Rung.HUMAN, Blame.CALLEE),
    ),
    LabNumber(
        digits="06",
        name="office",
        behaviour=(
            "An office answers and takes a four-digit extension by DTMF; 4321 rings some seconds, then a "
            "person answers and presses the key; for any other it says sorry and hangs up."
        ),
        deed=Deed.PRESS,
        expected=_DELIVERED,
        dialplan="office",
        extension="4321",
        otherwise=Expected(Outcome.HUNG_UP, Rung.MEDIA, Blame.CALLEE),
    ),
)
"""Every number of the carrier; any other is not in service (SIP 404)."""


def find_number(name: str) -> LabNumber:
    """Return the row with that name.

    Raises:
        InvalidNumber: there is none.
    """
    for number in NUMBERS:
        if number.name == name:
            return number
    raise InvalidNumber(f"The lab has no number named {name}.")
