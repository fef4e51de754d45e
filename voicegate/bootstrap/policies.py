"""The policy of calls and guesses, from the settings."""

import re
from datetime import timedelta

from voicegate.application.reports import ReportRules
from voicegate.config import Settings
from voicegate.config.prefix_list import read_prefixes
from voicegate.config.rate_list import read_rates
from voicegate.domain.errors import ConfigError
from voicegate.domain.policy import (
    CallPolicy,
    ConversionPolicy,
    GuessPolicy,
    PrefixRules,
    SpendPolicy,
    VelocityPolicy,
)
from voicegate.domain.policy.spend import Cap, SpendKind, to_micros


def call_spacing(settings: Settings) -> tuple[timedelta, ...]:
    """Return how long a client waits between calls to a number, as configured."""
    spacing = settings.policy.call_spacing_s
    waits = spacing if isinstance(spacing, tuple) else (spacing,)
    return tuple(timedelta(seconds=wait) for wait in waits)


def call_policy(settings: Settings) -> CallPolicy:
    """Return the policy of calls and guesses, as configured. Blocks while it reads lists.

    Raises:
        ConfigError: a list cannot be read, or a line of it is wrong; names file and line.
    """
    policy = settings.policy
    return CallPolicy(
        frozenset(policy.allowed_countries),
        policy.max_calls,
        number_check=policy.number_check,
        voip_numbers=policy.voip_numbers,
        company_numbers=policy.company_numbers,
        prefixes=prefix_rules(settings),
        call_spacing=call_spacing(settings),
        call_window=timedelta(seconds=policy.call_window_s),
        calls_per_number=policy.calls_per_number,
        call_lock_after=policy.call_lock_after,
        velocity=VelocityPolicy(
            window=timedelta(seconds=policy.velocity_window_s),
            per_prefix=policy.calls_per_prefix,
            per_country=policy.calls_per_country,
            per_subscriber=policy.calls_per_subscriber,
            per_end_user_ip=policy.calls_per_end_user_ip,
            per_client=policy.calls_per_client,
            per_system=policy.calls_per_system,
            sequential_numbers=policy.sequential_numbers,
        ),
        guesses=GuessPolicy(
            window=timedelta(seconds=policy.guess_window_s),
            per_subscriber=policy.guesses_per_subscriber,
            per_destination=policy.guesses_per_destination,
            alarm_per_client=policy.guesses_per_client,
        ),
        conversion=conversion_policy(settings),
        spend=spend_policy(settings),
        trusted_calls_per_number=policy.trusted_calls_per_number,
        trusted_guesses_per_destination=policy.trusted_guesses_per_destination,
        follows_redirects=policy.follow_redirects,
        support_contact=settings.service.support_contact,
        test_numbers=test_pattern(settings),
    )


def conversion_policy(settings: Settings) -> ConversionPolicy:
    """Return when ranges are held, as configured."""
    policy = settings.policy
    return ConversionPolicy(
        floor=policy.conversion_floor,
        window=timedelta(seconds=policy.conversion_window_s),
        min_calls_prefix=policy.conversion_calls_prefix,
        min_calls_country=policy.conversion_calls_country,
        hold=timedelta(seconds=policy.conversion_hold_s),
        clients=policy.conversion_clients,
    )


def spend_policy(settings: Settings) -> SpendPolicy:
    """Return what calls may cost, as configured. Blocks on reading the rates.

    Raises:
        ConfigError: the rates cannot be read, or a line of them is wrong, or money is capped without them.
    """
    spend = settings.spend
    rates = read_rates(spend.rates_file, settings.trunks)
    caps = {
        SpendKind.TRUNK: Cap(spend.minutes_per_trunk, to_micros(spend.money_per_trunk)),
        SpendKind.COUNTRY: Cap(spend.minutes_per_country, to_micros(spend.money_per_country)),
        SpendKind.PREFIX: Cap(spend.minutes_per_prefix, to_micros(spend.money_per_prefix)),
        SpendKind.CLIENT: Cap(spend.minutes_per_client, to_micros(spend.money_per_client)),
        SpendKind.SUBSCRIBER: Cap(spend.minutes_per_subscriber, to_micros(spend.money_per_subscriber)),
    }
    policy = SpendPolicy(rates, {kind: cap for kind, cap in caps.items() if cap != Cap()})
    if policy.needs_prices and not rates.by_prefix:
        raise ConfigError("spend.rates_file: is missing; spend.money_per_* need the prices")
    return policy


def report_rules(settings: Settings) -> ReportRules | None:
    """Return what a report of a call does, as configured; None: calls cannot be reported."""
    reports = settings.reports
    if not reports.enabled:
        return None
    cooling = timedelta(seconds=reports.cooling_s) if reports.cooling_s else None
    return ReportRules(cooling=cooling, locks_factor=reports.lock_factor)


def prefix_rules(settings: Settings) -> PrefixRules:
    """Return the denied ranges of numbers, as configured. Blocks while it reads the list.

    Raises:
        ConfigError: the list cannot be read, or a line of it is wrong; names file and line.
    """
    policy = settings.policy
    own = dict.fromkeys(policy.denied_prefixes, "denied by the settings")
    denied = {**read_prefixes(policy.denied_prefixes_file), **own}
    return PrefixRules(denied, frozenset(policy.allowed_prefixes))


def test_pattern(settings: Settings) -> re.Pattern[str] | None:
    """Return the pattern of test numbers, which ring no telephone; None: there are none."""
    numbers = settings.test_numbers
    return re.compile(re.escape(numbers.prefix) + "[0-9]{2}", re.ASCII) if numbers.enabled else None
