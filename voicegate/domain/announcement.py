"""What is said on a call, as a sequence of prompts, digits and pauses, per language.

The speech adapter turns the sequence into sound; the words themselves are in `sounds/`. Two sequences are
mixed for a call: the invitation, which has no code in it, and one reading of the code. Everything else that
is spoken is a prompt as it is in its folder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from voicegate.domain.passcode import Passcode

SCREENED: Final = timedelta(seconds=3)
"""Within this time a call says who is calling and why: a telephone that screens calls decides by then."""
AFTER_NAME: Final = timedelta(milliseconds=200)
"""The pause between who is calling and why."""
BEFORE_REPORT: Final = timedelta(milliseconds=500)
"""The pause between the key for the code and what to do if one did not ask for it."""


_BEFORE_DIGIT: Final = timedelta(milliseconds=250)
_AFTER_DIGITS: Final = timedelta(milliseconds=500)
REPORT_KEY: Final = "9"
"""The key of a person who did not ask for the call; no other key that a call asks for is this one."""
OPT_OUT_KEY: Final = "0"
"""The key of a person who wants no more calls, after they reported one; likewise."""


class HumanCheck(StrEnum):
    """What a person must do before the code is spoken."""

    RANDOM_KEY = "random_key"
    """Press a named key, which is another one on each call: a voicemail cannot do it. The default."""
    ANY_KEY = "any_key"
    """Any key of the telephone but those that report a call and stop further ones."""
    NONE = "none"
    """No check: the code can be spoken to a voicemail."""


class PromptName(StrEnum):
    """The phrases of every language; `sounds/<language>/prompts.toml` has their words."""

    THIS_IS = "this_is"
    """"This is <service>."; recorded for each service name."""
    TO_HEAR_YOUR_CODE = "to_hear_your_code"
    """What the key is for: "To hear your code,"."""
    PRESS = "press"
    """The word that asks for the key: "press"."""
    PRESS_ANY_KEY = "press_any_key"
    """"To hear your code, press any key."."""
    YOUR_CODE_IS = "your_code_is"
    """The words before the code."""
    NEVER_ASKED = "never_asked"
    """Never tell this code to anyone; and what to do if you did not ask for it."""
    YOUR_SCREEN_SHOWS = "your_screen_shows"
    """"Your screen shows", before the two digits to compare with the page that asked for the call."""
    DID_NOT_ASK = "did_not_ask"
    """"If you did not ask for this call, press nine."."""
    REPORTED = "reported"
    """The code of this call is no longer valid, because the person said that they did not ask for it."""
    NO_MORE_CALLS = "no_more_calls"
    """"To receive no more calls like this, press zero."."""
    CONFIRM_NO_MORE = "confirm_no_more"
    """"To confirm, press zero again."."""
    CALLS_STOPPED = "calls_stopped"
    """The person will receive no more calls; goodbye."""
    STAR = "star"
    """The key "*", when it is the one to press."""
    PRESS_STAR = "press_star"
    """"To hear the code again, press star"."""
    GOODBYE = "goodbye"
    """The end of a call on which the code was spoken."""
    NOT_WANTED = "not_wanted"
    """A polite end: the code is no longer needed."""
    APOLOGY = "apology"
    """What the PBX itself plays if it cannot reach the controller."""


REPORT_PHRASES: Final = (
    PromptName.DID_NOT_ASK,
    PromptName.REPORTED,
    PromptName.NO_MORE_CALLS,
    PromptName.CONFIRM_NO_MORE,
    PromptName.CALLS_STOPPED,
)
"""What a language must be able to say for its calls to be reported."""
OPTIONAL_PHRASES: Final = (*REPORT_PHRASES, PromptName.YOUR_SCREEN_SHOWS)
"""What a language of one's own need not say; its calls then do without."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A phrase of the language."""

    name: PromptName
    """Which phrase."""
    service: str | None = None
    """The service that introduces itself, if the phrase is an introduction; None: the name in `[service]`."""


@dataclass(frozen=True, slots=True, repr=False)
class Digit:
    """One spoken digit; hidden from `repr`, because it may belong to a code."""

    value: str
    """"0" to "9"."""
    is_code: bool = False
    """Does it belong to the code? A reading is proven by the end of the last such digit."""
    is_key: bool = False
    """Is it the key to press?"""

    def __repr__(self) -> str:
        return "Digit(redacted)"


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence."""

    length: timedelta
    """How long."""


Part = Prompt | Digit | Pause


class Asking(StrEnum):
    """A part of "To hear your code, press 7."; each language says all of them, in its own order."""

    TO_HEAR_YOUR_CODE = "to_hear_your_code"
    """The phrase that says what the key is for."""
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


@dataclass(frozen=True, slots=True)
class Opening:
    """What a call says first."""

    service: str | None = None
    """The service that introduces itself; None: the name in `[service]`."""
    matching_digits: str | None = None
    """The digits that the person's screen shows; None: none."""


PLAIN_OPENING: Final = Opening()
"""The name in `[service]`, and nothing else."""


def compose_invitation(
    check: HumanCheck,
    key: str,
    phrasing: Phrasing,
    *,
    opening: Opening = PLAIN_OPENING,
    is_reportable: bool = False,
) -> tuple[Part, ...]:
    """Return the words that ask a person to press `key`, or to report the call if it `is_reportable`; they
    have no code in them.

    Matching digits are told before the key: who presses it has heard them. With them, why the call is made is
    told later than `SCREENED`.
    """
    first_words: tuple[Part, ...] = (Prompt(PromptName.THIS_IS, opening.service), Pause(AFTER_NAME))
    if opening.matching_digits:
        spoken = (part for digit in opening.matching_digits for part in (Pause(_BEFORE_DIGIT), Digit(digit)))
        first_words = (*first_words, Prompt(PromptName.YOUR_SCREEN_SHOWS), *spoken, Pause(_AFTER_DIGITS))
    # Last, so that whoever wants the code need not hear it out.
    offer: tuple[Part, ...] = (Pause(BEFORE_REPORT), Prompt(PromptName.DID_NOT_ASK)) if is_reportable else ()
    if check is HumanCheck.RANDOM_KEY:
        gap = Pause(timedelta(milliseconds=120))
        first, *rest = (
            _key(key) if part is Asking.KEY else Prompt(PromptName(part)) for part in phrasing.asking
        )
        return (*first_words, first, *(part for following in rest for part in (gap, following)), *offer)
    if check is HumanCheck.ANY_KEY:
        return (*first_words, Prompt(PromptName.PRESS_ANY_KEY), *offer)
    return first_words


def is_key(part: Part) -> bool:
    """Return whether the key has been named at the end of this part of an invitation."""
    if isinstance(part, Digit):
        return part.is_key
    return isinstance(part, Prompt) and part.name in (PromptName.STAR, PromptName.PRESS_ANY_KEY)


def _key(key: str) -> Part:
    return Prompt(PromptName.STAR) if key == "*" else Digit(key, is_key=True)


def compose_reading(passcode: Passcode, phrasing: Phrasing) -> tuple[Part, ...]:
    """Return one reading: the code in groups, and the warning not to tell it to anyone."""
    parts: list[Part] = [Prompt(PromptName.YOUR_CODE_IS), Pause(phrasing.group_pause)]
    start = 0
    for size in phrasing.groups[len(passcode.digits)]:
        for digit in passcode.digits[start : start + size]:
            parts += [Digit(digit, is_code=True), Pause(phrasing.digit_pause)]
        parts[-1] = Pause(phrasing.group_pause)
        start += size
    return (*parts, Prompt(PromptName.NEVER_ASKED), Pause(timedelta(milliseconds=500)))
