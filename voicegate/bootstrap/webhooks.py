"""Who is told what, as the settings say: webhooks, and how their messages are sent."""

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from voicegate.adapters.webhooks.addresses import IpNetwork
from voicegate.adapters.webhooks.sender import HttpSender, Receiver
from voicegate.adapters.webhooks.signing import read_keys
from voicegate.application.ports import Clock
from voicegate.application.webhook_delivery import SendingRules
from voicegate.bootstrap.app import App
from voicegate.config import Settings, secret_path
from voicegate.domain.errors import ConfigError
from voicegate.domain.webhook import RetryRules, Webhook

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def webhooks(settings: Settings) -> tuple[Webhook, ...]:
    """Return who is told what, as configured."""
    return tuple(
        Webhook(name, entry.client or None, frozenset(entry.events))
        for name, entry in settings.webhooks.items()
    )


def sending_rules(settings: Settings) -> SendingRules:
    """Return how messages are sent, as configured."""
    rules = settings.webhook_delivery
    return SendingRules(
        at_once=rules.max_connections,
        retries=RetryRules(
            first=timedelta(seconds=rules.retry_s),
            longest=timedelta(seconds=rules.retry_max_s),
            give_up_after=timedelta(seconds=rules.give_up_after_s),
        ),
    )


def receivers(settings: Settings) -> Mapping[str, Receiver]:
    """Return where each webhook's messages go, as configured."""
    return {
        name: Receiver(
            url=entry.url,
            secret_file=secret_path(entry.secret_file),
            ca_file=Path(entry.ca_file) if entry.ca_file else None,
        )
        for name, entry in settings.webhooks.items()
    }


async def take_webhooks(settings: Settings, app: App, sender: HttpSender) -> None:
    """Tell these webhooks from now on, and no others; what is under way to one that is gone is broken off."""
    await sender.take(receivers(settings))
    app.webhooks.take(webhooks(settings))
    app.webhook_delivery.take_webhooks(list(settings.webhooks))


def webhook_sender(settings: Settings, clock: Clock) -> HttpSender:
    """Return what sends messages, as configured."""
    rules = settings.webhook_delivery
    return HttpSender(
        receivers(settings),
        clock=clock,
        timeout=timedelta(seconds=rules.timeout_s),
        connections=rules.max_connections,
        allowed_networks=_allowed_networks(settings),
    )


def check_webhooks(settings: Settings) -> None:
    """Look at what the settings say of webhooks. Blocks on reading the secrets.

    Raises:
        ConfigError: an URL, a network or a secret is none; names the setting.
    """
    _allowed_networks(settings)
    for name, entry in settings.webhooks.items():
        scheme = urlsplit(entry.url).scheme
        if scheme == "http" and not settings.webhook_delivery.http_on_loopback:
            fix = "https://, or webhook_delivery.http_on_loopback for a receiver on this machine"
            raise ConfigError(f"webhooks.{name}.url: anybody could read it on its way: {fix}")
        try:
            read_keys(secret_path(entry.secret_file))
        except ConfigError as error:
            raise ConfigError(f"webhooks.{name}.secret_file: {error}") from None
        if entry.ca_file and not Path(entry.ca_file).is_file():
            raise ConfigError(f"webhooks.{name}.ca_file: {entry.ca_file} does not exist")


def _allowed_networks(settings: Settings) -> tuple[IpNetwork, ...]:
    rules = settings.webhook_delivery
    try:
        allowed = tuple(map(ipaddress.ip_network, rules.allowed_networks))
    except ValueError as error:
        raise ConfigError(f"webhook_delivery.allowed_networks: {error}") from None
    return (*allowed, *_LOOPBACK) if rules.http_on_loopback else allowed
