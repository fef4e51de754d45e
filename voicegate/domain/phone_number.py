"""Whom to call: a telephone number in E.164 form, or an internal extension of the PBX or its name.

Both redact themselves in `repr`, so that logs, traces and errors never show a whole number.
Whether a number is one that exists, and may be called, is `policy`'s question, through which trunk is
`routing`'s; how one may be written is `number_reading`'s.
"""

import re
from dataclasses import dataclass

import phonenumbers

from voicegate.domain.errors import InvalidExtension
from voicegate.domain.number_reading import NumberStyle, read_extension, read_number

# What separates an extension's digits, or ends them: another spelling of it, not another extension.
_NO_DIGITS = re.compile(r"[^0-9A-D]", re.ASCII)

_SHORTEST_SHOWN = 8
_SHORTEST_NUMBER = 7


def mask(number: str) -> str:
    """Return `number` with all but its first two and last two characters hidden; a short one wholly."""
    if len(number) < _SHORTEST_SHOWN:
        return "•" * len(number)
    return f"{number[:2]}{'•' * (len(number) - 4)}{number[-2:]}"


@dataclass(frozen=True, slots=True, repr=False)
class Destination:
    """A telephone to ring, with the digits to send after it answers."""

    number: str
    """E.164 with its plus sign, or an internal extension of the PBX (2-10 of 0-9, *, #) or its name."""
    extension: str | None = None
    """Landline extension, sent by DTMF after answer; `w` and `W` pause 0.5 and 1 s."""

    @classmethod
    def parse(
        cls, number: str, extension: str | None = None, *, style: NumberStyle | None = None
    ) -> "Destination":
        """Return the destination that a request names, however its number and extension are written; an empty
        extension is none. `style` says what a number without a plus sign means; None: nothing but an
        internal extension.

        Raises:
            InvalidNumber: no possible number with a plus sign, nor shaped like an extension or a name.
            InvalidExtension: the landline extension has a character that DTMF does not, or is given twice.
        """
        found, behind = read_number(number, style)
        given = read_extension(extension)
        if given is not None and behind not in (None, given):
            raise InvalidExtension("It differs from the extension that is written after the number.")
        return cls(found, given or behind)

    @property
    def telephone(self) -> str:
        """What rings, the same however its extension is spelled: the number and, after a comma, the digits
        of the extension, without pauses, `*` and `#`."""
        digits = _NO_DIGITS.sub("", self.extension or "")
        return f"{self.number},{digits}" if digits else self.number

    @property
    def is_internal(self) -> bool:
        """Is this an extension of the PBX itself, never dialed through a trunk?"""
        return not self.number.startswith("+")

    @property
    def lacks_plus(self) -> bool:
        """Is this an internal extension that is rather a telephone number without its plus sign?"""
        return self.is_internal and self.number.isdecimal() and len(self.number) >= _SHORTEST_NUMBER

    @property
    def country(self) -> str | None:
        """The number's country, by its ISO 3166 code; None: it has none, or none that is known."""
        return (
            None if self.is_internal else phonenumbers.region_code_for_number(phonenumbers.parse(self.number))
        )

    @property
    def masked(self) -> str:
        """The number as it may be shown to people and written to logs."""
        return mask(self.number)

    def __repr__(self) -> str:
        return f"Destination({self.masked}{' + extension' if self.extension else ''})"

    __str__ = __repr__
