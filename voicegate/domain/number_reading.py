"""Turns a number as people and programs write it into E.164 and the extension behind it.

It accepts blanks, hyphens, dots, slashes and parentheses of every script (`writing`), `tel:` URIs (RFC 3966),
and extensions behind a number (`;ext=204`, `x204`, `,,204`). A refusal names the character or what is
missing, and repeats no digit. Possible lengths come from libphonenumber (package phonenumberslite).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumber, ValidationResult

from voicegate.domain.errors import InvalidExtension, InvalidNumber
from voicegate.domain.writing import fold, name_of

MAX_WRITTEN: Final = 64
"""The longest number as it is written, with its extension, in characters."""
_LONGEST_NUMBER: Final = 32

_INTERNAL: Final = re.compile(r"[0-9*#]{2,10}", re.ASCII)
# A SIP account may be named, not numbered. It begins with a letter, so that no pattern of digits takes it.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,31}", re.ASCII)
_SCHEME: Final = re.compile(r"(tel|callto):", re.IGNORECASE)
_PARTS: Final = re.compile(r"([0-9+ .()/-]*)(.*)", re.DOTALL)
_PLUSES_FIRST: Final = re.compile(r"[ (]*\+[^+]*")
_MARK: Final = r"(?:ext(?:ension|n)?|x)[ .:=]*"
_BEHIND: Final = re.compile(rf",? *(?:{_MARK}|\#)(.*)|([,wW].*)", re.IGNORECASE | re.DOTALL)
_BEFORE: Final = re.compile(rf"{_MARK}(?=[^ ])", re.IGNORECASE)
# A tel: URI's, as IANA registers them. But for `ext`, they lead a number with a plus sign nowhere else.
_PARAMETERS: Final = frozenset(
    (
        *(
            "ext",
            "isub",
            "isub-encoding",
            "phone-context",
            "cic",
            "cic-context",
            "cpc",
            "enumdi",
            "npdi",
            "oli",
        ),
        *("premium-rate", "rn", "rn-context", "tgrp", "trunk-context", "verstat"),
    )
)
# The letters of Asterisk's SendDTMF and of Telnyx's API: w pauses 0.5 s, W pauses 1 s.
_DTMF: Final = re.compile(r"[0-9*#A-DwW]", re.ASCII)
MAX_EXTENSION: Final = 32
"""The longest extension, in digits and pauses."""
# A comma in a telephone's address book waits two seconds.
_COMMA: Final = "WW"

_LENGTHS: Final = {
    ValidationResult.TOO_SHORT: "It is too short for a number of its country.",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "It is too short for a number of its country: its area code is "
    "missing.",
    ValidationResult.TOO_LONG: "It is too long for a number of its country.",
    ValidationResult.INVALID_LENGTH: "Numbers of its country have other lengths.",
}
_NO_COUNTRY: Final = "It begins with no country's code."
_NO_PLUS: Final = (
    "It has no plus sign with a country code: write it as +12025550143 (in a URL or a form, %2B is the plus)."
)
_EXTENSION_ELSEWHERE: Final = "An extension goes into a field of its own, or behind the number as ;ext=204."


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a program writes numbers without a plus sign."""

    country: str = ""
    """The country of national numbers, as ISO 3166-1 alpha-2 code; empty: there are no national numbers."""
    plus_is_optional: bool = False
    """May an international number lack its plus sign?"""


def read_number(written: str, style: NumberStyle | None = None) -> tuple[str, str | None]:
    """Return a written number as E.164, or as an internal extension or name, with the landline extension
    behind it.

    Raises:
        InvalidNumber: neither a possible number with a plus sign nor an internal extension or a name.
        InvalidExtension: what stands behind the number is no extension.
    """
    if len(written) > MAX_WRITTEN:
        raise InvalidNumber(f"It has more than {MAX_WRITTEN} characters.")
    text = fold(written).strip(" \t")
    text = _SCHEME.sub("", text, count=1).lstrip(" ")
    if not text:
        raise InvalidNumber("It is empty.")
    is_internal = _INTERNAL.fullmatch(text) or _NAME.fullmatch(text)
    if style is None and is_internal:
        return text, None
    found = _PARTS.fullmatch(text)
    number, behind = found.groups() if found else ("", text)
    if is_internal and (not number or behind):
        return text, None
    extension = _read_behind(behind, after=number)
    try:
        # In a form, a plus sign that nobody escaped arrives as a blank.
        return _to_e164(number, style or NumberStyle(), may_lack_plus=written.startswith(" ")), extension
    except InvalidNumber:
        if is_internal:
            return text, None
        raise


def read_extension(written: str | None) -> str | None:
    """Return an extension as DTMF digits and pauses; None: it is empty.

    Raises:
        InvalidExtension: it has a character that DTMF does not have.
    """
    text = fold(written or "").strip(" \t")
    text = re.sub(r"[ .()-]", "", _BEFORE.sub("", text, count=1) if _BEFORE.match(text) else text)
    text = text.replace(",", _COMMA)
    if stray := next((character for character in text if not _DTMF.fullmatch(character)), None):
        raise InvalidExtension(f"It has {name_of(stray)}. {InvalidExtension()}")
    if len(text) > MAX_EXTENSION:
        raise InvalidExtension
    return text or None


def _read_behind(behind: str, *, after: str) -> str | None:
    """Return the extension that stands behind a number."""
    if not behind:
        return None
    if after and behind.startswith(";"):
        return _read_parameters(behind)
    found = _BEHIND.fullmatch(behind) if after else None
    extension = next((part for part in found.groups() if part), None) if found else None
    if extension is None:
        hint = f" {_EXTENSION_ELSEWHERE}" if after else ""
        raise InvalidNumber(f"It has {name_of(behind[0])}, which no number has.{hint}")
    return read_extension(extension)


def _read_parameters(behind: str) -> str | None:
    """Return the extension in the parameters of a `tel:` URI.

    An unknown parameter may be an extension in another notation: it is refused, not ignored.
    """
    pairs = [part.strip().partition("=") for part in behind.split(";")]
    named = [(name.strip().lower(), value) for name, _, value in pairs if name or value]
    if not {name for name, _ in named} <= _PARAMETERS:
        raise InvalidNumber(f"It is followed by an unknown parameter. {_EXTENSION_ELSEWHERE}")
    values = [value for name, value in named if name == "ext"]
    if len(values) > 1:
        raise InvalidExtension("It is given twice.")
    return read_extension(values[0] if values else None)


def _to_e164(number: str, style: NumberStyle, *, may_lack_plus: bool) -> str:
    if number.count("+") > 1:
        raise InvalidNumber("It has two plus signs.")
    if len(number) > _LONGEST_NUMBER:
        raise InvalidNumber(f"It has more than {_LONGEST_NUMBER} digits and signs between them.")
    if "+" not in number:
        return _formatted(_without_plus(number, style, may_lack_plus=may_lack_plus))
    if not _PLUSES_FIRST.fullmatch(number):
        raise InvalidNumber("Its plus sign is not the first.")
    parsed = _parse(number[number.index("+") :])
    if parsed is None:
        raise InvalidNumber(_NO_COUNTRY)
    return _formatted(parsed)


def _without_plus(number: str, style: NumberStyle, *, may_lack_plus: bool) -> PhoneNumber:
    """Return the one number that digits without a plus sign can mean."""
    digits = re.sub(r"[^0-9]", "", number)
    readings = list(_readings(digits, style))
    if not readings:
        raise InvalidNumber(_NO_PLUS)
    if may_lack_plus and (abroad := _parse(f"+{digits}")) is not None:
        readings.append(abroad)
    valid = [one for one in readings if phonenumbers.is_valid_number(one)]
    # What has the shape of an internal extension is a telephone number only if there is such a one.
    if not valid and _INTERNAL.fullmatch(number):
        raise InvalidNumber(_NO_PLUS)
    if len({_written(one) for one in valid or readings}) > 1:
        raise InvalidNumber(
            "It may mean two numbers: write it with its plus sign (in a form, %2B is the plus)."
        )
    return (valid or readings)[0]


def _readings(digits: str, style: NumberStyle) -> Iterator[PhoneNumber]:
    """Yield the numbers that digits can mean; if one is certain for people of the style's country, only
    that."""
    abroad = _parse(f"+{digits}")
    if not style.country:
        yield from [abroad] if abroad is not None and style.plus_is_optional else []
        return
    national = _parse(digits, style.country)
    own_code = phonenumbers.country_code_for_region(style.country)
    prefix = phonenumbers.ndd_prefix_for_region(style.country, True) or ""
    # Where the prefix is the country's own code, as in +1, it tells nothing.
    has_prefix = prefix not in ("", str(own_code))
    is_dialed_abroad = national is not None and national.country_code != own_code
    if is_dialed_abroad or (has_prefix and digits.startswith(prefix)):
        yield from [national] if national is not None else []
        return
    if digits.startswith(str(own_code)) and abroad is not None and phonenumbers.is_valid_number(abroad):
        yield abroad
        return
    if national is not None and not (has_prefix and style.plus_is_optional):
        yield national
    if abroad is not None and style.plus_is_optional:
        yield abroad


def _parse(text: str, country: str | None = None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None


def _formatted(number: PhoneNumber) -> str:
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason == ValidationResult.INVALID_COUNTRY_CODE:
        raise InvalidNumber(_NO_COUNTRY)
    if reason != ValidationResult.IS_POSSIBLE:
        raise InvalidNumber(_LENGTHS[reason])
    return _written(number)


def _written(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
