"""Whom to call: a telephone number in E.164 form, or an internal extension of the PBX or its name.

Both redact themselves in `repr`, so that logs, traces and errors never show a whole number.
Whether a number is one that exists, and may be called, is `policy`'s question, through which trunk is
`routing`'s. Which lengths are possible is libphonenumber's knowledge (package phonenumberslite).
"""

import re
from dataclasses import dataclass
from typing import Final

import phonenumbers

from voicegate.domain.errors import InvalidExtension, InvalidNumber

# Separated as people write it: digits, blanks, dots, hyphens, parentheses.
_WRITTEN = re.compile(r"\+[1-9][0-9 .()-]{5,30}", re.ASCII)
_INTERNAL = re.compile(r"[0-9*#]{2,10}", re.ASCII)
# A SIP account may be named, not numbered. It begins with a letter, so that no pattern of digits takes it.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,31}", re.ASCII)
# The letters of Asterisk's SendDTMF and of Telnyx's API: w pauses 0.5 s, W pauses 1 s.
MAX_EXTENSION: Final = 32
_EXTENSION = re.compile(rf"[0-9*#A-DwW]{{1,{MAX_EXTENSION}}}", re.ASCII)

_SHORTEST_SHOWN = 8


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
    def parse(cls, number: str, extension: str | None = None) -> "Destination":
        """Return the destination that a request names, its number as E.164 however it was separated.

        Raises:
            InvalidNumber: no possible number with a plus sign, nor shaped like an extension or a name.
            InvalidExtension: the landline extension has a character that DTMF does not.
        """
        if extension is not None and not _EXTENSION.fullmatch(extension):
            raise InvalidExtension
        is_internal = _INTERNAL.fullmatch(number) or _NAME.fullmatch(number)
        return cls(number if is_internal else _normalise(number), extension)

    @property
    def is_internal(self) -> bool:
        """Is this an extension of the PBX itself, never dialed through a trunk?"""
        return not self.number.startswith("+")

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


def _normalise(written: str) -> str:
    if not _WRITTEN.fullmatch(written):
        raise InvalidNumber
    try:
        number = phonenumbers.parse(written)
    except phonenumbers.NumberParseException:
        raise InvalidNumber from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidNumber
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
