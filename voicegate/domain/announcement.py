"""What is said on a call, as a sequence of prompts, digits and pauses, per language.

How the sequence becomes sound is the speech adapter's; the words themselves lie in `sounds/`.
Two sequences are mixed for a call: the invitation, which has no code in it, and one reading of the
announcement. Everything else that is spoken is a prompt as it lies in the pack.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from voicegate.domain.passcode import Passcode

SCREENED: Final = timedelta(seconds=3)
"""Who calls and why is told in so long: by then a telephone that screens calls has made up its mind."""
AFTER_NAME: Final = timedelta(milliseconds=200)
"""The pause between who calls and why."""


class HumanCheck(StrEnum):
    """How a person proves to be one before the code is spoken."""

    RANDOM_KEY = "random_key"
    """A key that is named, another each time: a voicemail cannot press it. The default."""
    ANY_KEY = "any_key"
    """Any key of the telephone."""
    NONE = "none"
    """No check: the code can be spoken to a voicemail."""


class PromptName(StrEnum):
    """The phrases every language's pack has; `sounds/<language>/prompts.toml` holds their words."""

    THIS_IS = "this_is"
    """"This is <service>."; made for each service name."""
    TO_HEAR_YOUR_CODE = "to_hear_your_code"
    """What the key is for: "To hear your code,"."""
    PRESS = "press"
    """What asks for the key: "press"."""
    PRESS_ANY_KEY = "press_any_key"
    """"To hear your code, press any key."."""
    YOUR_CODE_IS = "your_code_is"
    """What stands before the code."""
    NEVER_ASKED = "never_asked"
    """Never to tell this code to anyone, and what to do for whoever did not ask for it."""
    STAR = "star"
    """The key "*", where it is the one to press."""
    PRESS_STAR = "press_star"
    """"To hear the code again, press star"."""
    GOODBYE = "goodbye"
    """The end of a call that did its work."""
    NOT_WANTED = "not_wanted"
    """A polite end: the code is no longer needed."""
    APOLOGY = "apology"
    """Played by the PBX itself when the controller cannot be reached."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A phrase of the language's pack."""

    name: PromptName
    """Which phrase."""
    service: str | None = None
    """Whose introduction, where the phrase is one; None: the house's own."""


@dataclass(frozen=True, slots=True, repr=False)
class Digit:
    """One spoken digit; hidden from `repr`, for it may belong to a code."""

    value: str
    """"0" to "9"."""
    is_code: bool = False
    """Does it belong to the code? The end of the last such digit is what delivery is measured by."""

    def __repr__(self) -> str:
        return "Digit(redacted)"


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence."""

    length: timedelta
    """How long."""


Part = Prompt | Digit | Pause


class Asking(StrEnum):
    """A part of "To hear your code, press 7."; each language says all of them, in an order of its own."""

    TO_HEAR_YOUR_CODE = "to_hear_your_code"
    """The phrase that says what for."""
    PRESS = "press"
    """The phrase that asks for the key."""
    KEY = "key"
    """The key."""


@dataclass(frozen=True, slots=True)
class Phrasing:
    """How a language asks for the key and reads a code."""

    asking: Sequence[Asking]
    """The parts that ask for the key, in the order they are spoken."""
    groups: Mapping[int, Sequence[int]]
    """Code length (4-10) -> the sizes of its groups, in order."""
    digit_pause: timedelta
    """Silence between two digits of a group."""
    group_pause: timedelta
    """Silence between two groups."""


def compose_invitation(
    check: HumanCheck, key: str, phrasing: Phrasing, *, service: str | None = None
) -> tuple[Part, ...]:
    """Return the words that ask a person to press `key`; without a code, safe for any ear."""
    opening: tuple[Part, ...] = (Prompt(PromptName.THIS_IS, service), Pause(AFTER_NAME))
    if check is HumanCheck.RANDOM_KEY:
        gap = Pause(timedelta(milliseconds=120))
        first, *rest = (
            _key(key) if part is Asking.KEY else Prompt(PromptName(part)) for part in phrasing.asking
        )
        return (*opening, first, *(part for following in rest for part in (gap, following)))
    if check is HumanCheck.ANY_KEY:
        return (*opening, Prompt(PromptName.PRESS_ANY_KEY))
    return opening


def is_key(part: Part) -> bool:
    """Is it the part of an invitation at whose end the key has been named?"""
    if isinstance(part, Digit):
        return not part.is_code
    return isinstance(part, Prompt) and part.name in (PromptName.STAR, PromptName.PRESS_ANY_KEY)


def _key(key: str) -> Part:
    return Prompt(PromptName.STAR) if key == "*" else Digit(key)


def compose_reading(passcode: Passcode, phrasing: Phrasing) -> tuple[Part, ...]:
    """Return one reading of the announcement: the code in groups, and that it is nobody else's."""
    parts: list[Part] = [Prompt(PromptName.YOUR_CODE_IS), Pause(phrasing.group_pause)]
    start = 0
    for size in phrasing.groups[len(passcode.digits)]:
        for digit in passcode.digits[start : start + size]:
            parts += [Digit(digit, is_code=True), Pause(phrasing.digit_pause)]
        parts[-1] = Pause(phrasing.group_pause)
        start += size
    return (*parts, Prompt(PromptName.NEVER_ASKED), Pause(timedelta(milliseconds=500)))
