"""Whom to call: a telephone number in E.164 form or an internal extension of the PBX.

Both redact themselves in `repr`, so that logs, traces and errors never show a whole number.
Whether a number may be called is `policy`'s question, through which trunk is `routing`'s.
Validity and number types are libphonenumber's (package phonenumberslite).
"""

import re
from dataclasses import dataclass

import phonenumbers

from voicegate.domain.errors import InvalidExtension, InvalidNumber

_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_INTERNAL = re.compile(r"[0-9*#]{2,10}", re.ASCII)
# The letters of Asterisk's SendDTMF and of Telnyx's API: w pauses 0.5 s, W pauses 1 s.
_EXTENSION = re.compile(r"[0-9*#A-DwW]{1,32}", re.ASCII)

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
    """E.164 with its plus sign, or an internal extension of the PBX (2-10 of 0-9, *, #)."""
    extension: str | None = None
    """Landline extension, sent by DTMF after answer; `w` and `W` pause 0.5 and 1 s."""

    @classmethod
    def parse(cls, number: str, extension: str | None = None) -> "Destination":
        """Return the destination that a request names.

        Raises:
            InvalidNumber: neither a valid E.164 number nor shaped like an internal extension.
            InvalidExtension: the landline extension has a character that DTMF does not.
        """
        if extension is not None and not _EXTENSION.fullmatch(extension):
            raise InvalidExtension
        if not (_is_valid_e164(number) or _INTERNAL.fullmatch(number)):
            raise InvalidNumber
        return cls(number, extension)

    @property
    def is_internal(self) -> bool:
        """Is this an extension of the PBX itself, never dialed through a trunk?"""
        return not self.number.startswith("+")

    @property
    def country(self) -> str | None:
        """Whose number it is, as ISO 3166-1 alpha-2 code; None: of no country, or an internal extension."""
        if self.is_internal:
            return None
        return phonenumbers.region_code_for_number(phonenumbers.parse(self.number))

    @property
    def masked(self) -> str:
        """The number as it may be shown to people and written to logs."""
        return mask(self.number)

    def __repr__(self) -> str:
        return f"Destination({self.masked}{' + extension' if self.extension else ''})"

    __str__ = __repr__


def _is_valid_e164(number: str) -> bool:
    if not _E164.fullmatch(number):
        return False
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
