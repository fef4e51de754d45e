"""Settings: one TOML file -> frozen `Settings`; every key is checked.

An unknown key, a wrong type or a value out of bounds is refused with its path and, if there is a similar key,
that key as a suggestion. Secrets are read from files that the settings name. `shapes` defines the settings.
"""

import difflib
import ipaddress
import os
import tomllib
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import phonenumbers
from msgspec import Struct

from voicegate.config.monitoring_shapes import MetricsSettings, TracesSettings
from voicegate.config.profile import check_profile
from voicegate.config.renames import Renamed, rename
from voicegate.config.report_shapes import ReportSettings
from voicegate.config.routing_shapes import RoutingSettings
from voicegate.config.shapes import (
    AsteriskPbxSettings,
    Audio,
    CallerIdSettings,
    CallSettings,
    FieldPaths,
    FreeSwitchPbxSettings,
    Http,
    InternalSettings,
    Log,
    Okta,
    OktaHookSettings,
    PageClientSettings,
    Pages,
    PasscodeSettings,
    PbxSettings,
    Policy,
    PooledCallerIdSettings,
    ProviderSettings,
    Service,
    Settings,
    SimulatorPbxSettings,
    Socket,
    Tcp,
    Testing,
    TestNumbers,
    TrunkSettings,
    TwilioServiceSettings,
)
from voicegate.config.spend_shapes import SpendSettings
from voicegate.config.storage_shapes import Storage
from voicegate.config.webhook_shapes import WebhookDeliverySettings, WebhookSettings
from voicegate.config.wording import explain
from voicegate.domain.errors import ConfigError
from voicegate.domain.routing import NumberFormat, has_international_prefix
from voicegate.domain.shape_errors import read_shape_error

__all__ = [
    "DEFAULT_FILE",
    "AsteriskPbxSettings",
    "Audio",
    "CallSettings",
    "CallerIdSettings",
    "FreeSwitchPbxSettings",
    "Http",
    "InternalSettings",
    "Log",
    "MetricsSettings",
    "Okta",
    "OktaHookSettings",
    "PageClientSettings",
    "Pages",
    "PasscodeSettings",
    "PbxSettings",
    "Policy",
    "PooledCallerIdSettings",
    "ProviderSettings",
    "ReportSettings",
    "RoutingSettings",
    "Service",
    "Settings",
    "SimulatorPbxSettings",
    "Socket",
    "SpendSettings",
    "Storage",
    "Tcp",
    "TestNumbers",
    "Testing",
    "TracesSettings",
    "TrunkSettings",
    "TwilioServiceSettings",
    "WebhookDeliverySettings",
    "WebhookSettings",
    "load",
    "parse",
    "project_folder",
    "read_secret",
    "sounds_folder",
]

_S = TypeVar("_S", bound=Struct)

DEFAULT_FILE = Path("/etc/voicegate/voicegate.toml")

_NAMED_TABLES: dict[str, Any] = {
    "pbx": PbxSettings,
    "trunks": TrunkSettings,
    "internal": InternalSettings,
    "providers": ProviderSettings,
    "twilio": TwilioServiceSettings,
    "page_clients": PageClientSettings,
    "webhooks": WebhookSettings,
}


def load(file: Path, warn: Callable[[Renamed], None] = lambda _: None) -> Settings:
    """Return the settings in `file`; blocks while it reads. `warn` is called for each setting with an old
    name.

    Raises:
        ConfigError: it is unreadable or not TOML, or a setting is unknown or wrong; names file and setting.
    """
    try:
        raw = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from error
    try:
        document, renamed = rename(raw)
        settings = parse(document)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    for setting in renamed:
        warn(setting)
    return settings


def parse(raw: dict[str, Any]) -> Settings:
    """Return the settings in a decoded TOML document without old names.

    Raises:
        ConfigError: a setting is unknown or wrong; names it by its path.
    """
    _refuse_unknown(raw, Settings, path="")
    for table, shape in _NAMED_TABLES.items():
        entries = raw.get(table)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            _convert(entry, shape, path=f"{table}.{name}")
    settings = _convert(raw, Settings, path="")
    _check_references(settings)
    check_profile(settings)
    _check_field_paths(settings)
    _check_prefixes(settings)
    _check_countries(settings)
    _check_calls_abroad(settings)
    _check_http(settings)
    return settings


def read_secret(path: str, setting: str) -> str:
    """Return the secret in a file, without the line's end; variables such as `$CREDENTIALS_DIRECTORY` are
    expanded.

    Raises:
        ConfigError: it is unset, unreadable or empty; names `setting`.
    """
    if not path:
        raise ConfigError(f"{setting}: no file is set")
    file = secret_path(path)
    try:
        secret = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{setting}: {file} cannot be read: {error}") from error
    if not secret:
        raise ConfigError(f"{setting}: {file} is empty")
    return secret


def secret_path(path: str) -> Path:
    """Return the path of a secret's file, from the path in a setting."""
    return Path(os.path.expandvars(path)).expanduser()


def sounds_folder(settings: Settings) -> Path:
    """Return the folder of the language folders."""
    return Path(settings.service.sounds) if settings.service.sounds else project_folder("sounds")


def project_folder(name: str) -> Path:
    """Return the folder `dialplan`, `sounds` or `config`, in a checkout as in an installed package."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_project" / name
    return installed if installed.is_dir() else package.parent / name


def _convert(raw: object, shape: type[_S], *, path: str) -> _S:
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        found = read_shape_error(error)
        setting = f"{path}.{found.where}".strip(".") or "the file"
        raise ConfigError(f"{setting}: {explain(found)}") from None


def _refuse_unknown(raw: object, shape: Any, *, path: str) -> None:
    shape = _unwrap(shape)
    if typing.get_origin(shape) is dict and isinstance(raw, dict):
        for key, value in raw.items():
            _refuse_unknown(value, typing.get_args(shape)[1], path=f"{path}{key}.")
    elif typing.get_origin(shape) is tuple and isinstance(raw, list):
        for index, value in enumerate(raw):
            _refuse_unknown(value, typing.get_args(shape)[0], path=f"{path.rstrip('.')}[{index}].")
    elif isinstance(raw, dict) and (kinds := _structs_of(shape)):
        # An unknown or missing kind is reported by the conversion.
        own = kinds[0] if len(kinds) == 1 else next((kind for kind in kinds if _is_kind(kind, raw)), None)
        if own is not None:
            _refuse_unknown_keys(raw, own, path=path, kinds=kinds)


def _structs_of(shape: Any) -> list[type[Struct]]:
    """Return the structs of a union, or a struct itself; empty: it is another type."""
    parts = typing.get_args(shape) if isinstance(shape, types.UnionType) else (shape,)
    return [part for part in parts if isinstance(part, type) and issubclass(part, Struct)]


def _is_kind(shape: type[Struct], raw: dict[str, object]) -> bool:
    config = shape.__struct_config__
    return raw.get(config.tag_field or "") == config.tag


def _refuse_unknown_keys(
    raw: dict[str, object], shape: type[Struct], *, path: str, kinds: Sequence[type[Struct]]
) -> None:
    known = _known_keys(shape)
    for key, value in raw.items():
        if key not in known:
            _refuse_foreign(key, shape, path=path, kinds=kinds)
            near = difflib.get_close_matches(key, known, n=1)
            fix = f"did you mean {path}{near[0]}?" if near else f"known here: {', '.join(known)}"
            raise ConfigError(f"{path}{key}: unknown setting; {fix}")
        _refuse_unknown(value, known[key], path=f"{path}{key}.")


def _known_keys(shape: type[Struct]) -> dict[str, Any]:
    """Return the settings of a table, including the one for its kind, with the type of each."""
    tag = shape.__struct_config__.tag_field
    fields = {entry.name: entry.type for entry in msgspec.structs.fields(shape)}
    return {tag: str, **fields} if tag else fields


def _refuse_foreign(key: str, shape: type[Struct], *, path: str, kinds: Sequence[type[Struct]]) -> None:
    """Refuse a setting that belongs to another kind of the same table, and say which."""
    owners = [str(kind.__struct_config__.tag) for kind in kinds if key in _known_keys(kind)]
    if owners:
        shared = set.intersection(*(set(_known_keys(kind)) for kind in kinds if len(_known_keys(kind)) > 1))
        families = {f"{name.partition('_')[0]}_*": None for name in _known_keys(shape) if name not in shared}
        own = " and ".join(families) or "none"
        kind = shape.__struct_config__.tag
        raise ConfigError(
            f"{path}{key}: is for kind {' and '.join(owners)}; this PBX is {kind}, whose own are: {own}"
        )


def _unwrap(shape: Any) -> Any:
    while typing.get_origin(shape) is Annotated:
        shape = typing.get_args(shape)[0]
    return shape


def _check_prefixes(settings: Settings) -> None:
    for name, trunk in settings.trunks.items():
        if trunk.number_prefix and trunk.number_format is NumberFormat.PLUS_E164:
            raise ConfigError(
                f"trunks.{name}.number_prefix: nothing can be dialed before a plus sign:"
                f' set number_format, to "e164" for one'
            )


def _check_field_paths(settings: Settings) -> None:
    for name, entry in settings.providers.items():
        for setting, path in (("number", entry.number), ("code", entry.code)):
            try:
                msgspec.convert(path if isinstance(path, tuple) else (path,), FieldPaths)
            except msgspec.ValidationError as error:
                raise ConfigError(f"providers.{name}.{setting}: {explain(read_shape_error(error))}") from None


def _check_countries(settings: Settings) -> None:
    named = [("policy.allowed_countries", country) for country in settings.policy.allowed_countries]
    for name, trunk in settings.trunks.items():
        named += [(f"trunks.{name}.countries", country) for country in trunk.countries]
        named += [
            (f"trunks.{name}.caller_ids", country)
            for shown in trunk.caller_ids
            for country in shown.countries
        ]
        if trunk.home_country or trunk.number_format is NumberFormat.NATIONAL:
            named.append((f"trunks.{name}.home_country", trunk.home_country))
    named += [
        (f"providers.{name}.country", entry.country)
        for name, entry in settings.providers.items()
        if entry.country
    ]
    for setting, country in named:
        if not country:
            raise ConfigError(f'{setting}: is missing; number_format = "national" needs it')
        if country not in phonenumbers.SUPPORTED_REGIONS:
            fix = "; Britain is GB" if country == "UK" else ""
            raise ConfigError(f"{setting}: {country} is not the ISO 3166 code of a country{fix}")


def _check_calls_abroad(settings: Settings) -> None:
    for name, trunk in settings.trunks.items():
        home = trunk.home_country
        if trunk.number_format is not NumberFormat.NATIONAL or trunk.international_prefix:
            continue
        called = trunk.countries or settings.policy.allowed_countries
        code = phonenumbers.country_code_for_region
        abroad = [country for country in called if code(country) != code(home)]
        if abroad and not has_international_prefix(home):
            raise ConfigError(
                f"trunks.{name}.international_prefix: is missing; {home} has no one prefix for calls abroad"
                f" ({', '.join(abroad[:3])}), but one for each carrier; or set trunks.{name}.countries"
            )


def _check_http(settings: Settings) -> None:
    for network in settings.tcp.trusted_proxies:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ConfigError(f"tcp.trusted_proxies: {error}") from None
    limits = settings.http
    if limits.max_waiting >= limits.max_connections:
        raise ConfigError("http.max_waiting: leaves no connection for others: less than max_connections")


def _check_references(settings: Settings) -> None:
    for table, entries in (("trunks", settings.trunks), ("internal", settings.internal)):
        for name, entry in entries.items():
            if entry.pbx not in settings.pbx:
                known = ", ".join(settings.pbx) or "none is configured"
                raise ConfigError(f"{table}.{name}.pbx: there is no [pbx.{entry.pbx}]; known: {known}")
