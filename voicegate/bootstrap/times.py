"""A call's timings as configured, compared with the length of its sounds: settings that would cut off a sound
are refused."""

import math
from datetime import timedelta
from typing import Final

from voicegate.adapters.speech.mixer import Mixer
from voicegate.application.call_in_progress import longest_call
from voicegate.application.conversation import OPT_OUT_WAIT, READINGS, CallTimings
from voicegate.application.ports import DtmfTiming
from voicegate.application.queueing import CallLimits
from voicegate.config import Settings
from voicegate.domain.announcement import (
    REPORT_PHRASES,
    HumanCheck,
    Opening,
    Part,
    Pause,
    Phrasing,
    Prompt,
    PromptName,
    compose_invitation,
    compose_reading,
)
from voicegate.domain.errors import ConfigError
from voicegate.domain.passcode import MAX_LENGTH, Passcode

# The PBX's own time between two sounds, and a busy host's.
_BETWEEN: Final = timedelta(seconds=1)
# All digits take the same time, so any code will do.
_LONGEST_CODE: Final = Passcode("0" * MAX_LENGTH)
_TWO_DIGITS: Final = "00"
Sound = tuple[Part, ...]


def timings(settings: Settings) -> CallTimings:
    """Return the timings of answered calls, as configured."""
    call = settings.call
    return CallTimings(
        human_timeout=timedelta(seconds=call.human_timeout_s),
        human_timeout_extension=timedelta(seconds=call.human_timeout_extension_s),
        time_cap=timedelta(seconds=call.time_cap_s),
        time_cap_extension=timedelta(seconds=call.time_cap_extension_s),
        extension_delay=timedelta(milliseconds=call.extension_delay_ms),
        dtmf=DtmfTiming(
            timedelta(milliseconds=call.digit_tone_ms), timedelta(milliseconds=call.digit_gap_ms)
        ),
    )


def longest(settings: Settings, extension: str | None) -> timedelta:
    """Return the longest that a call with this extension (None: without) can last after its answer."""
    return longest_call(timings(settings), extension)


def check_times(settings: Settings, speech: Mixer) -> None:
    """Refuse timings that are too short for a language's sounds.

    Raises:
        ConfigError: one is too short; the message names it and the time needed.
    """
    call = settings.call
    for name, given, needed, what in (
        ("time_cap_s", call.time_cap_s, _readings, f"to say a code of {MAX_LENGTH} digits {READINGS} times"),
        ("time_cap_extension_s", call.time_cap_extension_s, _readings, f"to say a code {READINGS} times"),
        ("human_timeout_s", call.human_timeout_s, _invitations, "to ask for the key"),
        ("human_timeout_extension_s", call.human_timeout_extension_s, _invitations, "to ask for the key"),
    ):
        for language in speech.languages():
            digits = _TWO_DIGITS if speech.has_prompt(language, PromptName.YOUR_SCREEN_SHOWS) else None
            whole = needed(
                speech.phrasing(language),
                is_reportable=_is_reportable(settings, speech, language),
                opening=Opening(matching_digits=digits),
            )
            longest = max(
                sum((speech.length_of(language, parts) + _BETWEEN for parts in sounds), timedelta())
                for sounds in whole
            )
            if given < longest.total_seconds():
                least = math.ceil(longest.total_seconds())
                raise ConfigError(
                    f"call.{name}: {given:g} is too short: {what} takes {least} s in {language!r}"
                )


def _is_reportable(settings: Settings, speech: Mixer, language: str) -> bool:
    return settings.reports.enabled and all(speech.has_prompt(language, name) for name in REPORT_PHRASES)


def _readings(phrasing: Phrasing, *, is_reportable: bool, opening: Opening) -> tuple[tuple[Sound, ...], ...]:
    """Return what is said after a key was pressed or, without a human check, from the answer on."""
    del opening
    # Digits to compare are not counted: the time between sounds is given amply enough for them too.
    first_words = compose_invitation(HumanCheck.NONE, "", phrasing)
    reading = compose_reading(_LONGEST_CODE, phrasing)
    code = (
        first_words,
        *(reading,) * READINGS,
        (Prompt(PromptName.PRESS_STAR),),
        (Prompt(PromptName.GOODBYE),),
    )
    offers = (PromptName.NO_MORE_CALLS, PromptName.CONFIRM_NO_MORE)
    report = (
        (Prompt(PromptName.REPORTED),),
        *((Prompt(offer), Pause(OPT_OUT_WAIT)) for offer in offers),
        (Prompt(PromptName.CALLS_STOPPED),),
    )
    return (code, report) if is_reportable else (code,)


def _invitations(
    phrasing: Phrasing, *, is_reportable: bool, opening: Opening
) -> tuple[tuple[Sound, ...], ...]:
    """Return each invitation that asks for a key."""
    checks = (HumanCheck.RANDOM_KEY, HumanCheck.ANY_KEY)
    return tuple(
        (compose_invitation(check, "1", phrasing, is_reportable=is_reportable, opening=opening),)
        for check in checks
    )


def call_limits(settings: Settings) -> CallLimits:
    """Return the limits of calls in progress, as configured."""
    call = settings.call
    return CallLimits(
        call.max_in_progress,
        call.max_queued,
        queue_timeout=timedelta(seconds=call.queue_timeout_s),
        failover=timedelta(seconds=settings.routing.failover_within_s),
    )
