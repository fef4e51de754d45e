"""Reads a provider's message by the mapping in the settings.

A mapping names fields; a dot goes into an object, a number into a list. A message without a required field is
refused with the field's name; a message without a code, or for another channel, is not an error.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from voicegate.adapters.http import fields, problems
from voicegate.adapters.http.fields import DestinationFields
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.adapters.http.signatures import Signature
from voicegate.application.challenges import ChallengeSpec
from voicegate.domain.code_search import NoCode, Unclear, find_code
from voicegate.domain.number_reading import NumberStyle
from voicegate.domain.passcode import Passcode

_MAX_EVENT: Final = 200


@dataclass(frozen=True, slots=True)
class Mapped:
    """Which fields of a provider's message hold what, and how the provider sends it."""

    number: tuple[str, ...]
    """The fields that may hold the number; the first that a message has is used."""
    code: tuple[str, ...]
    """The fields that may hold the code, of which a message has one; with a pattern, the texts that contain
    it."""
    code_pattern: re.Pattern[str] | None = None
    """The pattern of the code in a text; None: the field holds the code alone."""
    only_when: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values that fields must have for a call, regardless of case; an absent field is not compared."""
    style: NumberStyle | None = None
    """How a number without a plus sign is read; None: it is refused."""
    language: str = ""
    """The field with the language tag; empty: there is none."""
    extension: str = ""
    """The field with the landline extension; empty: there is none."""
    event: str = ""
    """The field that identifies a message when it is repeated; empty: there is none."""
    signature: Signature | None = None
    """How its messages are signed; None: they are not."""
    client: str = ""
    """The client that a signed message without a key counts for; empty: a key is required."""
    is_told_in_text: bool = False
    """Are refusals answered as a sentence for the person who signs in, instead of a problem?"""


@dataclass(frozen=True, slots=True)
class Message:
    """What a message asks for."""

    spec: ChallengeSpec
    """The code and whom to call."""
    event: str | None
    """The provider's id of the message, by which a repetition is recognised; None: it has no id."""
    number_field: str
    """The field that held the number."""


@dataclass(frozen=True, slots=True)
class NotSpoken:
    """The message asks for no call."""

    why: str
    """Why, for people; never repeats a value."""


def read_message(mapped: Mapped, message: object) -> Message | NotSpoken:
    """Return what a message asks for.

    Raises:
        Refused: a field is missing or wrong, or it is not clear which number is the code; names the field.
    """
    for path, allowed in mapped.only_when.items():
        value = _optional(message, path, empty=True)
        if value is not None and value.strip().casefold() not in {one.casefold() for one in allowed}:
            return NotSpoken(f"{path}: has a value for which nobody is called")
    passcode = _passcode(mapped, message)
    if isinstance(passcode, NotSpoken):
        return passcode
    extension = _optional(message, mapped.extension)
    number_field, number = _first(message, mapped.number)
    names = DestinationFields(number_field, mapped.extension or number_field)
    destination = fields.read_destination(number, extension, fields=names, style=mapped.style)
    event = _optional(message, mapped.event)
    if event is not None and len(event) > _MAX_EVENT:
        raise _refused(mapped.event, "is too long")
    language = _optional(message, mapped.language)
    spec = ChallengeSpec(destination, languages=(language,) if language else (), passcode=passcode)
    return Message(spec, event, number_field)


def _passcode(mapped: Mapped, message: object) -> Passcode | NotSpoken:
    paths = mapped.code
    codes: dict[Passcode, str] = {}
    for path, text in _present(message, paths):
        found = _code_in(text, path, mapped.code_pattern)
        if isinstance(found, Passcode):
            codes[found] = path
    if len(codes) > 1:
        raise _refused(", ".join(codes.values()), "hold different codes")
    if codes:
        return next(iter(codes))
    if mapped.code_pattern is None or not any(True for _ in _present(message, paths)):
        raise _refused(" or ".join(paths), "is missing")
    return NotSpoken(f"{' and '.join(paths)}: has no code")


def _code_in(text: str, path: str, pattern: re.Pattern[str] | None) -> Passcode | NoCode:
    if pattern is None:
        return fields.read_passcode(text, path)
    found = find_code(text, pattern)
    if isinstance(found, Unclear):
        raise _refused(path, found.why)
    return found


def _present(message: object, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    for path in paths:
        if (text := _optional(message, path)) is not None:
            yield path, text


def _first(message: object, paths: Sequence[str]) -> tuple[str, str]:
    """Return the first field that is present, and its text.

    Raises:
        Refused: none is present, or it is neither a text nor a whole number.
    """
    found = next(_present(message, paths), None)
    if found is None:
        raise _refused(" or ".join(paths), "is missing")
    return found


def _optional(message: object, path: str, *, empty: bool = False) -> str | None:
    """Return a field's text; None: it is absent, null or, unless empty texts are wanted, empty."""
    if not path:
        return None
    found = message
    for step in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    if found is None or (found == "" and not empty):
        return None
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise _refused(path, "is not a text")
    return str(found)


def _refused(path: str, what: str) -> Refused:
    return Refused(problems.INVALID, f"{path}: {what}", Facts(field=path))
