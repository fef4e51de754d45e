"""The doors, with the settings of each."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog

from voicegate import adapters
from voicegate.adapters.http.connections import ConnectionLimits
from voicegate.adapters.http.doors import Door
from voicegate.adapters.http.forwarding import Proxies
from voicegate.adapters.http.native.door import ApiDependencies, native_door, waiters_of
from voicegate.adapters.http.okta.door import okta_door
from voicegate.adapters.http.okta.factors import OktaDependencies
from voicegate.adapters.http.okta_hook import OktaHook, okta_hook_door
from voicegate.adapters.http.provider_messages import Mapped
from voicegate.adapters.http.providers import Providers, provider_doors
from voicegate.adapters.http.server import ServerSettings
from voicegate.adapters.http.signatures import Scheme, Signature
from voicegate.adapters.http.telephone_page import TelephoneAccount, TelephonePage, telephone_door
from voicegate.adapters.http.twilio.door import twilio_door
from voicegate.adapters.http.twilio.verifications import TwilioDependencies, TwilioService
from voicegate.adapters.http.waiting import WaitingLimits
from voicegate.application.reloading import Reload, nothing_reloaded, reload_for
from voicegate.bootstrap.app import App
from voicegate.bootstrap.fetching import sounds_doors
from voicegate.bootstrap.pages import page_dependencies, pages_door, pages_url
from voicegate.config import ProviderSettings, Settings, read_secret
from voicegate.domain.errors import ConfigError, InvalidExtension, InvalidNumber
from voicegate.domain.number_reading import NumberStyle
from voicegate.domain.phone_number import Destination

log = structlog.get_logger(__name__)

_THIS_MACHINE: Final = ("127.0.0.1", "localhost")
_TELEPHONE: Final = Path(adapters.__path__[0]) / "web/static/telephone"


def doors(app: App, settings: Settings, *, mapped: Mapping[str, Mapped], reload: Reload) -> Sequence[Door]:
    """Return the doors; the first that has a path answers it, so the native door comes last.

    `mapped` are the providers, which a reload changes.
    """
    if settings.testing.enabled:
        log.warning("telephone page is enabled: clients are told its account's password")
    waiters = waiters_of(app.clients, waiting_limits(settings))
    return (
        *telephone_doors(settings),
        *sounds_doors(settings),
        pages_door(page_dependencies(app, settings, waiters)),
        okta_door(okta_dependencies(app, settings)),
        okta_hook_door(okta_hook(app, settings)),
        *provider_doors(Providers(app.sign_in, app.clock, mapped)),
        twilio_door(
            TwilioDependencies(app.sign_in, app.challenges, app.clock, twilio_services(settings)),
            app.service_calls,
        ),
        native_door(native_dependencies(app, pages_url(settings), reload), waiters),
    )


def telephone_doors(settings: Settings) -> Sequence[Door]:
    """Return the page with a telephone, as configured; empty: it is off. Blocks.

    Raises:
        ConfigError: a setting that it needs is missing or wrong; names it.
    """
    testing = settings.testing
    if not testing.enabled:
        return ()
    for name in ("websocket_url", "account"):
        if not getattr(testing, name):
            raise ConfigError(f"testing.{name}: is missing; testing.enabled needs it")
    _check_telephone(settings)
    domain = testing.domain or urlsplit(testing.websocket_url).hostname
    account = TelephoneAccount(
        websocket_url=testing.websocket_url,
        uri=f"sip:{testing.account}@{domain}",
        password=read_secret(testing.password_file, "testing.password_file"),
        destination=testing.account,
    )
    return (telephone_door(TelephonePage.read(_TELEPHONE, account)),)


def _check_telephone(settings: Settings) -> None:
    """Refuse a telephone that nobody could call, or that no browser would let reach its PBX."""
    account, url = settings.testing.account, urlsplit(settings.testing.websocket_url)
    if not any(re.fullmatch(way.pattern, account) for way in settings.internal.values()):
        raise ConfigError(f"testing.account: no [internal.NAME] has a pattern that {account} fits")
    if settings.tcp.certificate and url.scheme == "ws" and url.hostname not in _THIS_MACHINE:
        # Mixed content (W3C): only addresses of the browser's own machine are exempt.
        raise ConfigError("testing.websocket_url: browsers let a page that comes over https use wss:// only")


def server_settings(app: App, settings: Settings) -> ServerSettings:
    """Return the server's limits, as configured."""
    return ServerSettings(
        connection_limits(settings),
        Proxies.of(settings.tcp.trusted_proxies),
        settings.okta.public_url,
        app.store_delay,
        app.on_failure,
    )


def connection_limits(settings: Settings) -> ConnectionLimits:
    """Return the limits of connections, as configured."""
    http = settings.http
    return ConnectionLimits(
        http.max_connections, http.max_connections_per_address, http.max_connections_per_client
    )


def waiting_limits(settings: Settings) -> WaitingLimits:
    """Return the limits of waiting requests, as configured."""
    http = settings.http
    # The rest of an address's connections is for loading pages.
    per_address = max(1, http.max_connections_per_address * 4 // 5)
    return WaitingLimits(http.max_waiting, http.max_waiting_per_client, per_address)


def native_dependencies(app: App, pages_url: str = "", reload: Reload = nothing_reloaded) -> ApiDependencies:
    """Return what the native door needs."""
    return ApiDependencies(
        sign_in=app.sign_in,
        challenges=app.challenges,
        enrollment=app.enrollment,
        factors=app.factors,
        clients=app.clients,
        audit=app.audit,
        numbers=app.numbers,
        pbxs=app.pbxs,
        trunks=app.trunks,
        prefix_holds=app.prefix_holds,
        limits=app.limits,
        dry_runs=app.dry_runs,
        webhooks=app.webhooks,
        standings=app.standings,
        readiness=app.readiness,
        pages=app.pages,
        pages_url=pages_url,
        reload=partial(reload_for, reload=reload, units=app.units),
    )


def twilio_dependencies(app: App, settings: Settings) -> TwilioDependencies:
    """Return what the door for Twilio Verify needs, as configured."""
    return TwilioDependencies(app.sign_in, app.challenges, app.clock, twilio_services(settings))


def okta_dependencies(app: App, settings: Settings) -> OktaDependencies:
    """Return what the door for Okta's Factors API needs, as configured."""
    return OktaDependencies(
        app.enrollment,
        app.factors,
        end_user_ip=settings.okta.end_user_ip,
        sdk3_compat=settings.okta.sdk3_compat,
    )


def okta_hook(app: App, settings: Settings) -> OktaHook:
    """Return what the door for Okta's hook needs, as configured.

    Raises:
        ConfigError: a number or an extension is not valid.
    """
    entry = settings.okta_hook
    return OktaHook(app.sign_in, app.clock, provider=entry.provider, extensions=extensions(entry.extensions))


def extensions(entries: Mapping[str, str]) -> Mapping[str, str]:
    """Return the landline extensions by number, as configured for Okta's hook.

    Raises:
        ConfigError: a number or an extension is not valid.
    """
    try:
        pairs = [Destination.parse(number, extension) for number, extension in entries.items()]
    except (InvalidNumber, InvalidExtension) as error:
        raise ConfigError(f"okta_hook.extensions: {error}") from error
    return {pair.number: pair.extension for pair in pairs if pair.extension}


def providers(settings: Settings) -> Mapping[str, Mapped]:
    """Return the mapping of each provider's messages, as configured.

    Raises:
        ConfigError: a pattern is not a regular expression, or a signature's secret cannot be read; names the
            setting.
    """
    return {
        name: Mapped(
            number=_fields(entry.number),
            code=_fields(entry.code),
            code_pattern=_pattern(entry.code_pattern, f"providers.{name}.code_pattern"),
            only_when=entry.only_when,
            style=NumberStyle(entry.country, plus_is_optional=entry.plus_is_optional)
            if entry.country or entry.plus_is_optional
            else None,
            language=entry.language,
            extension=entry.extension,
            event=entry.event,
            signature=_signature(entry, f"providers.{name}"),
            client=entry.client,
            is_told_in_text=entry.errors == "text",
        )
        for name, entry in settings.providers.items()
    }


def _fields(named: str | tuple[str, ...]) -> tuple[str, ...]:
    return (named,) if isinstance(named, str) else named


def _pattern(written: str, setting: str) -> re.Pattern[str] | None:
    try:
        return re.compile(written, re.ASCII) if written else None
    except re.error as error:
        raise ConfigError(f"{setting}: not a regular expression: {error}") from error


def _signature(entry: ProviderSettings, path: str) -> Signature | None:
    if not entry.signature:
        if entry.client or entry.signature_secret_file:
            raise ConfigError(f"{path}.signature: is missing; client and signature_secret_file need it")
        return None
    setting = f"{path}.signature_secret_file"
    try:
        return Signature.of(Scheme(entry.signature), read_secret(entry.signature_secret_file, setting))
    except ValueError as error:
        raise ConfigError(f"{setting}: {error}") from error


def twilio_services(settings: Settings) -> Mapping[str, TwilioService]:
    """Return the services of the Twilio door by their SIDs, as configured.

    Raises:
        ConfigError: two services have the same SID.
    """
    found = {
        entry.sid: TwilioService(
            sid=entry.sid,
            language=entry.language,
            code_length=entry.code_length,
            human_check=entry.human_check,
            lifetime=timedelta(seconds=entry.lifetime_s),
        )
        for entry in settings.twilio.values()
    }
    if len(found) < len(settings.twilio):
        raise ConfigError("twilio: two services have the same sid")
    return found
