"""Whom to call: a telephone number in E.164 form, or an internal extension of the PBX, or a name there.

Both hide themselves in `repr`, so that logs, traces and errors never show a whole number. Whether a number
exists and may be called is decided in `policy`, the trunk in `routing`; how a number may be written is in
`number_reading`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

from voicegate.domain.errors import InvalidExtension
from voicegate.domain.number_reading import NumberStyle, read_extension, read_number

# What separates an extension's digits, or ends them: another spelling of it, not another extension.
_NO_DIGITS = re.compile(r"[^0-9A-D]", re.ASCII)

HIDDEN = "•"
"""What stands in the place of each character that is hidden."""
_SHORTEST_SHOWN = 8
_SHORTEST_NUMBER = 7


def mask(number: str) -> str:
    """Return `number` with only its first two and last two characters shown; a short one is hidden
    completely."""
    if len(number) < _SHORTEST_SHOWN:
        return HIDDEN * len(number)
    return f"{number[:2]}{HIDDEN * (len(number) - 4)}{number[-2:]}"


@dataclass(frozen=True, slots=True, repr=False)
class Destination:
    """A telephone to ring, with the digits to send after the answer."""

    number: str
    """E.164 with its plus sign, or an internal extension of the PBX (2-10 of 0-9, *, #), or a name there."""
    extension: str | None = None
    """Landline extension, sent by DTMF after the answer; `w` pauses 0.5 s, `W` 1 s."""

    @classmethod
    def parse(
        cls, number: str, extension: str | None = None, *, style: NumberStyle | None = None
    ) -> "Destination":
        """Return the destination of a request, in any usual notation of number and extension; an empty
        extension is none.

        `style` says what a number without a plus sign means; None: only an internal extension.

        Raises:
            InvalidNumber: neither a possible number with a plus sign nor an internal extension or a name.
            InvalidExtension: the landline extension has a character that DTMF does not have, or is given
                twice.
        """
        found, behind = read_number(number, style)
        given = read_extension(extension)
        if given is not None and behind not in (None, given):
            raise InvalidExtension("It differs from the extension that is written after the number.")
        return cls(found, given or behind)

    @property
    def telephone(self) -> str:
        """The telephone that rings, the same for every spelling of its extension: the number and, after a
        comma, the extension's digits without pauses, `*` and `#`."""
        digits = _NO_DIGITS.sub("", self.extension or "")
        return f"{self.number},{digits}" if digits else self.number

    @property
    def is_internal(self) -> bool:
        """Return whether this is an extension of the PBX itself, which is never dialed through a trunk."""
        return not self.number.startswith("+")

    @property
    def lacks_plus(self) -> bool:
        """Return whether this internal extension is probably a telephone number without its plus sign."""
        return self.is_internal and self.number.isdecimal() and len(self.number) >= _SHORTEST_NUMBER

    @property
    def country(self) -> str | None:
        """The number's country as ISO 3166 code; None: it has none, or it is unknown."""
        # Of an old number only the beginning and the end may be kept.
        if self.is_internal or HIDDEN in self.number:
            return None
        return _country_of(self.number)

    @property
    def masked(self) -> str:
        """The number as it may be shown to people and written to logs."""
        return mask(self.number)

    def __repr__(self) -> str:
        return f"Destination({self.masked}{' + extension' if self.extension else ''})"

    __str__ = __repr__


# Asked for several times with each call, and of a pure function.
@lru_cache(maxsize=1024)
def _country_of(number: str) -> str | None:
    return phonenumbers.region_code_for_number(phonenumbers.parse(number))
