"""An attacker's chances as `docs/guessing.md` tells them, computed from the settings as they are at first."""

import re
from datetime import timedelta
from pathlib import Path

from voicegate.config import parse
from voicegate.domain.challenge import DEFAULT_GUESSES
from voicegate.domain.factor import MAX_FAILURES
from voicegate.domain.policy import CallPolicy, GuessPolicy

PAGE = re.sub(r"\s+", " ", (Path(__file__).parents[3] / "docs" / "guessing.md").read_text("utf-8"))
DAY = timedelta(days=1)
RULES = GuessPolicy()
A_DAY = RULES.per_destination * (DAY // RULES.window)


def chance(digits: int, guesses: int) -> float:
    """That one of so many different guesses at fresh codes is right, in percent."""
    return 100 * (1 - float((1 - 0.1**digits) ** guesses))


def test_the_settings_are_the_policys() -> None:
    settings, policy = parse({}).policy, CallPolicy()
    assert timedelta(seconds=settings.guess_window_s) == RULES.window
    assert settings.guesses_per_subscriber == settings.guesses_per_destination == RULES.per_destination
    assert RULES.per_subscriber == RULES.per_destination
    assert settings.guesses_per_client == RULES.alarm_per_client
    assert settings.call_spacing_s == tuple(wait.total_seconds() for wait in policy.call_spacing)


def test_the_page_tells_the_odds_at_one_telephone() -> None:
    assert f"takes {DEFAULT_GUESSES} guesses" in PAGE
    assert f"within {RULES.per_destination} (" in PAGE
    assert f"in no day more than {A_DAY}," in PAGE
    assert f"It takes {A_DAY // DEFAULT_GUESSES} calls" in PAGE
    for digits in (4, 6, 8):
        assert f"| {digits} | {chance(digits, A_DAY):.2g} % |" in PAGE
    assert chance(6, A_DAY) < 0.05


def test_the_page_tells_the_odds_at_a_factor() -> None:
    assert f"locked by {MAX_FAILURES} wrong guesses" in PAGE
    assert f"the chance is {chance(6, MAX_FAILURES):.2g} % in all" in PAGE


def test_the_page_tells_the_odds_at_many_telephones() -> None:
    assert f"six digits, {10_000 * A_DAY / 10**6:.1f} codes" in PAGE
    assert f"past {RULES.alarm_per_client} wrong guesses" in PAGE
    assert f"at most {RULES.alarm_per_client * 24 / 10**6:.2g} codes a day" in PAGE


def test_a_day_has_calls_enough_for_all_of_these_guesses() -> None:
    # Fewer calls than guesses need would make the page's figures a bound that nobody reaches.
    spacing = CallPolicy().call_spacing
    assert DAY // spacing[-1] >= A_DAY // DEFAULT_GUESSES
