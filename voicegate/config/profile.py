"""The profile `nist-800-63b-4`: what the settings must not contradict, by the clauses of the standard.

Source: NIST SP 800-63B-4, Authentication and Authenticator Management (July 2025),
https://pages.nist.gov/800-63-4/sp800-63b.html. Section 3.1.3 is about out-of-band authenticators, 3.1.3.3
about those by telephone (PSTN), 3.2.2 about rate limiting, 3.2.7 about replay, 3.2.9 about restricted
authenticators, 3.2.12 about random values, 4.1.2 about binding after enrollment. All numbers were compared
with the final text as NIST publishes it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from voicegate.config.shapes import Settings
from voicegate.domain.errors import ConfigError

NIST: Final = "nist-800-63b-4"
"""The profile's name."""
MIN_DIGITS: Final = 6
"""Digits that a code must have."""
MAX_LIFETIME_S: Final = 600
"""Seconds that a code may count."""
STANDARD: Final = "NIST SP 800-63B-4"
"""The standard's name."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What an organisation itself must provide, for no program can."""

    clause: str
    """The section of the standard."""
    text: str
    """What is to be done."""


DUTIES: Final[Mapping[str, Duty]] = {
    "alternatives": Duty(
        "3.2.9 (1) and 3.1.3.3",
        "offer everybody another authenticator of the same level, without a telephone line",
    ),
    "notice": Duty(
        "3.2.9 (2)",
        "tell people what is less safe about calls, and which alternatives there are (the hosted pages do)",
    ),
    "risk_assessment": Duty("3.2.9 (3)", "assess the risk of calls for people and those who rely on them"),
    "migration_plan": Duty("3.2.9 (4)", "have a plan for when calls are no longer acceptable"),
    "binding": Duty(
        "3.1.3.3 and 4.1.2",
        "set or change a telephone only as a new authenticator is bound",
    ),
}
"""What an organisation itself must provide, by the name in `policy.profile_provisions`."""


def check_profile(settings: Settings) -> None:
    """Check that no setting contradicts the profile, if one is set.

    Raises:
        ConfigError: one does; names the setting and the clause.
    """
    if settings.policy.profile == NIST:
        for setting, why, clause in contradictions(settings):
            raise ConfigError(
                f'{setting}: {why}, as policy.profile = "{NIST}" demands ({STANDARD}, {clause})'
            )


def contradictions(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield each setting that contradicts the profile, with what it must be and the clause."""
    lengths = {"passcode.length": settings.passcode.length}
    lifetimes = {"passcode.lifetime_s": settings.passcode.lifetime_s}
    for name, entry in settings.twilio.items():
        lengths[f"twilio.{name}.code_length"] = entry.code_length
        lifetimes[f"twilio.{name}.lifetime_s"] = entry.lifetime_s
    for setting, digits in lengths.items():
        if digits < MIN_DIGITS:
            yield setting, f"must be {MIN_DIGITS} or more", "3.1.3.2"
    for setting, seconds in lifetimes.items():
        if seconds > MAX_LIFETIME_S:
            yield setting, f"must be {MAX_LIFETIME_S} or less", "3.1.3.2"
    if settings.test_numbers.enabled:
        yield "test_numbers.enabled", "must be false, for their code is known", "3.1.3.2"
