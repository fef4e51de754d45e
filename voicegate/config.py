"""Settings: one TOML file -> frozen `Settings`, strict to the last key.

An unknown key, a wrong type or a value out of bounds is refused with its path and, where one is near,
the key that was meant. Units are in the names (`_s`, `_ms`); secrets are read from files that the
settings name. What each setting is for stands beside it in `config/voicegate.toml`.
"""

import difflib
import os
import tomllib
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import phonenumbers
from msgspec import Meta, Struct, field

from voicegate.domain.announcement import HumanCheck
from voicegate.domain.challenge import DEFAULT_ATTEMPTS, DEFAULT_LIFETIME
from voicegate.domain.errors import ConfigError
from voicegate.domain.passcode import DEFAULT_LENGTH, MAX_LENGTH, MIN_LENGTH
from voicegate.domain.policy import NumberCheck
from voicegate.domain.routing import NumberFormat

_S = TypeVar("_S", bound=Struct)

DEFAULT_FILE = Path("/etc/voicegate/voicegate.toml")

Seconds = Annotated[float, Meta(gt=0, le=86400)]
Milliseconds = Annotated[int, Meta(ge=0, le=10000)]
Limit = Annotated[int, Meta(ge=1, le=1_000_000)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
FieldPath = Annotated[str, Meta(pattern=r"^[^\x00-\x20\x7f]{1,100}\Z")]
OptionalFieldPath = Annotated[str, Meta(pattern=r"^[^\x00-\x20\x7f]{0,100}\Z")]
PhoneText = Annotated[str, Meta(pattern=r"^\+?[0-9*#]{2,15}\Z")]


class _Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the TOML file."""


class Service(_Section, frozen=True, kw_only=True):
    """`[service]`: who speaks, and how."""

    name: Annotated[str, Meta(min_length=1, max_length=60)] = "Voicegate"
    language: Name = "en"
    sounds: str = ""


class Storage(_Section, frozen=True, kw_only=True):
    """`[storage]`: what is kept where."""

    database: str = "/var/lib/voicegate/voicegate.db"
    key_file: str = "/var/lib/voicegate/key"
    state_folder: str = "/var/lib/voicegate"


class Socket(_Section, frozen=True, kw_only=True):
    """`[socket]`: the Unix socket of the API."""

    path: str = "/run/voicegate/voicegate.sock"
    mode: Annotated[str, Meta(pattern=r"^0?[0-7]{3}\Z")] = "0660"
    group: str = ""
    allowed_users: tuple[str, ...] = ()


class Tcp(_Section, frozen=True, kw_only=True):
    """`[tcp]`: the API for clients that ask by key."""

    enabled: bool = False
    host: Annotated[str, Meta(min_length=1, max_length=253)] = "127.0.0.1"
    port: Port = 8770
    certificate: str = ""
    key: str = ""


class Audio(_Section, frozen=True, kw_only=True):
    """`[audio]`: the sound files of calls in progress."""

    folder: str = "/run/voicegate/audio"
    group: str = ""
    format: Literal["wav", "wav16", "ulaw", "alaw"] = "wav"
    pbx_folder: str = ""
    pbx_sounds: str = ""


class CallSettings(_Section, frozen=True, kw_only=True):
    """`[call]`: what happens after answer."""

    human_check: HumanCheck = HumanCheck.RANDOM_KEY
    human_timeout_s: Seconds = 30
    human_timeout_extension_s: Seconds = 60
    time_cap_s: Seconds = 60
    time_cap_extension_s: Seconds = 120
    extension_delay_ms: Milliseconds = 1000
    digit_tone_ms: Annotated[int, Meta(ge=40, le=1000)] = 120
    digit_gap_ms: Annotated[int, Meta(ge=40, le=1000)] = 250


class PasscodeSettings(_Section, frozen=True, kw_only=True):
    """`[passcode]`: the code and its life."""

    length: Annotated[int, Meta(ge=MIN_LENGTH, le=MAX_LENGTH)] = DEFAULT_LENGTH
    lifetime_s: Annotated[int, Meta(ge=1, le=86400)] = int(DEFAULT_LIFETIME.total_seconds())
    attempts: Annotated[int, Meta(ge=1, le=20)] = DEFAULT_ATTEMPTS


class Policy(_Section, frozen=True, kw_only=True):
    """`[policy]`: who may be called."""

    allowed_countries: tuple[Country, ...] = ()
    number_check: NumberCheck = NumberCheck.VALID
    max_calls: Annotated[int, Meta(ge=1, le=20)] = 5
    call_spacing_s: Annotated[float, Meta(ge=0, le=3600)] = 30
    guess_window_s: Seconds = 300
    guesses_per_subscriber: Limit = 5
    guesses_per_destination: Limit = 5
    guesses_per_client: Limit = 200


class Okta(_Section, frozen=True, kw_only=True):
    """`[okta]`: the door for Okta's clients, `/api/v1`."""

    public_url: Annotated[str, Meta(pattern=r"^(https?://[^\s/?#]+/?)?\Z")] = ""
    sdk3_compat: bool = False


class PbxSettings(_Section, frozen=True, kw_only=True):
    """`[pbx.NAME]`: a PBX and how to reach it."""

    kind: Literal["asterisk", "freeswitch", "simulator"]
    ami_host: str = "127.0.0.1"
    ami_port: Port = 5038
    ami_username: str = "voicegate"
    ami_secret_file: str = ""
    agi_host: str = "127.0.0.1"
    agi_port: Port = 4573
    agi_advertised_host: str = ""
    agi_allowed_peers: tuple[str, ...] = ("127.0.0.1/32", "::1/128")
    agi_socket: str = ""
    esl_host: str = "127.0.0.1"
    esl_port: Port = 8021
    esl_user: Annotated[str, Meta(pattern=r"^([^@:\s]+@[^@:\s]+)?\Z")] = ""
    esl_password_file: str = ""
    lost_grace_s: Seconds = 15


class CallerIdSettings(_Section, frozen=True, kw_only=True):
    """An entry of a trunk's `caller_ids`."""

    number: PhoneText
    name: Annotated[str, Meta(max_length=40, pattern=r"^[^\"<>\\\x00-\x1f\x7f]*\Z")] = ""


class TrunkSettings(_Section, frozen=True, kw_only=True):
    """`[trunks.NAME]`: a carrier path of a PBX; trunks are tried in the file's order."""

    pbx: Name
    endpoint: Name
    caller_ids: Annotated[tuple[CallerIdSettings, ...], Meta(min_length=1)]
    home_country: Annotated[str, Meta(pattern=r"^([A-Z]{2})?\Z")] = ""
    number_format: NumberFormat = NumberFormat.PLUS_E164
    countries: tuple[Country, ...] = ()
    ring_timeout_s: Seconds = 40
    progress_timeout_s: Seconds = 12
    packet_ms: Annotated[int, Meta(ge=10, le=60)] = 20


class InternalSettings(_Section, frozen=True, kw_only=True):
    """`[internal.NAME]`: extensions of a PBX that may be called."""

    pbx: Name
    pattern: Annotated[str, Meta(min_length=1, max_length=200)]
    endpoint: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]*\{extension\}[A-Za-z0-9_.-]*\Z")] = "{extension}"
    caller_id: CallerIdSettings
    ring_timeout_s: Seconds = 40
    progress_timeout_s: Seconds = 12
    packet_ms: Annotated[int, Meta(ge=10, le=60)] = 20


class TestNumbers(_Section, frozen=True, kw_only=True):
    """`[test_numbers]`: numbers that ring at no telephone, for a backend's own tests."""

    enabled: bool = False
    prefix: Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{4,11}\Z")] = "+150055501"
    passcode: Annotated[str, Meta(pattern=r"^[0-9]{4,10}\Z")] = "123456"
    pace: Annotated[float, Meta(gt=0, le=1)] = 0.1


class OktaHookSettings(_Section, frozen=True, kw_only=True):
    """`[okta_hook]`: an Okta organisation whose codes we speak."""

    provider: Annotated[str, Meta(min_length=1, max_length=40)] = "Voicegate"
    extensions: dict[PhoneText, str] = field(default_factory=dict)


class ProviderSettings(_Section, frozen=True, kw_only=True):
    """`[providers.NAME]`: an identity provider whose codes we speak."""

    number: FieldPath
    code: FieldPath
    code_pattern: Annotated[str, Meta(min_length=1, max_length=200)] = r"^[0-9]{4,10}$"
    language: OptionalFieldPath = ""
    extension: OptionalFieldPath = ""
    event: OptionalFieldPath = ""


class TwilioServiceSettings(_Section, frozen=True, kw_only=True):
    """`[twilio.NAME]`: a service of the Twilio door."""

    sid: Annotated[str, Meta(pattern=r"^VA[0-9a-f]{32}\Z")]
    friendly_name: Annotated[str, Meta(max_length=60)] = ""
    language: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,64}\Z")] = ""
    code_length: Annotated[int, Meta(ge=MIN_LENGTH, le=MAX_LENGTH)] = DEFAULT_LENGTH
    human_check: HumanCheck = HumanCheck.RANDOM_KEY
    lifetime_s: Annotated[int, Meta(ge=1, le=86400)] = 600


class Log(_Section, frozen=True, kw_only=True):
    """`[log]`: what is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"


class Settings(_Section, frozen=True, kw_only=True):
    """The whole file."""

    service: Service = Service()
    storage: Storage = Storage()
    socket: Socket = Socket()
    tcp: Tcp = Tcp()
    audio: Audio = Audio()
    call: CallSettings = CallSettings()
    passcode: PasscodeSettings = PasscodeSettings()
    policy: Policy = Policy()
    okta: Okta = Okta()
    test_numbers: TestNumbers = TestNumbers()
    log: Log = Log()
    pbx: dict[Name, PbxSettings] = field(default_factory=dict)
    trunks: dict[Name, TrunkSettings] = field(default_factory=dict)
    internal: dict[Name, InternalSettings] = field(default_factory=dict)
    okta_hook: OktaHookSettings = OktaHookSettings()
    providers: dict[Name, ProviderSettings] = field(default_factory=dict)
    twilio: dict[Name, TwilioServiceSettings] = field(default_factory=dict)


_KINDS: dict[str, tuple[str, ...]] = {"asterisk": ("ami_", "agi_"), "freeswitch": ("esl_",)}
"""How the settings of one kind of PBX begin; all others are every kind's."""

_NAMED_TABLES: dict[str, type[Struct]] = {
    "pbx": PbxSettings,
    "trunks": TrunkSettings,
    "internal": InternalSettings,
    "providers": ProviderSettings,
    "twilio": TwilioServiceSettings,
}


def load(file: Path) -> Settings:
    """Return the settings in `file`; blocks on reading it.

    Raises:
        ConfigError: unreadable, not TOML, or a setting is unknown or wrong; names file and setting.
    """
    try:
        raw = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from error
    try:
        return parse(raw)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error


def parse(raw: dict[str, Any]) -> Settings:
    """Return the settings in a decoded TOML document.

    Raises:
        ConfigError: a setting is unknown or wrong; names it by its path.
    """
    _refuse_unknown(raw, Settings, path="")
    for table, shape in _NAMED_TABLES.items():
        entries = raw.get(table)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            _convert(entry, shape, path=f"{table}.{name}")
    settings = _convert(raw, Settings, path="")
    for name, pbx in settings.pbx.items():
        _check_kind(pbx.kind, raw["pbx"][name], path=f"pbx.{name}")
    _check_references(settings)
    _check_countries(settings)
    return settings


def read_secret(path: str, setting: str) -> str:
    """Return the secret in a file, without the line's end; `$CREDENTIALS_DIRECTORY` and the like expand.

    Raises:
        ConfigError: unset, unreadable or empty; names `setting`.
    """
    if not path:
        raise ConfigError(f"{setting}: names no file")
    file = Path(os.path.expandvars(path)).expanduser()
    try:
        secret = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{setting}: {file} cannot be read: {error}") from error
    if not secret:
        raise ConfigError(f"{setting}: {file} is empty")
    return secret


def sounds_folder(settings: Settings) -> Path:
    """Return the folder of the language folders."""
    return Path(settings.service.sounds) if settings.service.sounds else project_folder("sounds")


def project_folder(name: str) -> Path:
    """Return the folder `dialplan`, `sounds` or `config`, in a checkout as in an installed package."""
    package = Path(__file__).resolve().parent
    installed = package / "_project" / name
    return installed if installed.is_dir() else package.parent / name


def _convert(raw: object, shape: type[_S], *, path: str) -> _S:
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        setting = (path + where.rstrip("`")).strip(".") or "the file"
        raise ConfigError(f"{setting}: {message}") from None


def _refuse_unknown(raw: object, shape: Any, *, path: str) -> None:
    shape = _unwrap(shape)
    if typing.get_origin(shape) is dict and isinstance(raw, dict):
        for key, value in raw.items():
            _refuse_unknown(value, typing.get_args(shape)[1], path=f"{path}{key}.")
    elif typing.get_origin(shape) is tuple and isinstance(raw, list):
        for index, value in enumerate(raw):
            _refuse_unknown(value, typing.get_args(shape)[0], path=f"{path.rstrip('.')}[{index}].")
    elif isinstance(shape, type) and issubclass(shape, Struct) and isinstance(raw, dict):
        _refuse_unknown_keys(raw, shape, path=path)


def _refuse_unknown_keys(raw: dict[str, object], shape: type[Struct], *, path: str) -> None:
    known = {entry.name: entry.type for entry in msgspec.structs.fields(shape)}
    for key, value in raw.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            cure = f"did you mean {path}{near[0]}?" if near else f"known here: {', '.join(known)}"
            raise ConfigError(f"{path}{key}: unknown setting; {cure}")
        _refuse_unknown(value, known[key], path=f"{path}{key}.")


def _unwrap(shape: Any) -> Any:
    while typing.get_origin(shape) is Annotated:
        shape = typing.get_args(shape)[0]
    if isinstance(shape, types.UnionType):
        return next(part for part in typing.get_args(shape) if part is not types.NoneType)
    return shape


def _check_countries(settings: Settings) -> None:
    named = [("policy.allowed_countries", country) for country in settings.policy.allowed_countries]
    for name, trunk in settings.trunks.items():
        named += [(f"trunks.{name}.countries", country) for country in trunk.countries]
        if trunk.home_country or trunk.number_format is NumberFormat.NATIONAL:
            named.append((f"trunks.{name}.home_country", trunk.home_country))
    for setting, country in named:
        if not country:
            raise ConfigError(f'{setting}: is missing; number_format = "national" needs it')
        if country not in phonenumbers.SUPPORTED_REGIONS:
            cure = "; Britain is GB" if country == "UK" else ""
            raise ConfigError(f"{setting}: {country} is no country's ISO 3166 code{cure}")


def _check_kind(kind: str, raw: dict[str, object], *, path: str) -> None:
    foreign = {prefix: owner for owner, prefixes in _KINDS.items() if owner != kind for prefix in prefixes}
    for key in raw:
        owner = next((owner for prefix, owner in foreign.items() if key.startswith(prefix)), None)
        if owner is not None:
            own = " and ".join(f"{prefix}*" for prefix in _KINDS.get(kind, ())) or "none"
            raise ConfigError(f"{path}.{key}: is for kind {owner}; this PBX is {kind}, whose own are: {own}")


def _check_references(settings: Settings) -> None:
    for table, entries in (("trunks", settings.trunks), ("internal", settings.internal)):
        for name, entry in entries.items():
            if entry.pbx not in settings.pbx:
                known = ", ".join(settings.pbx) or "none is configured"
                raise ConfigError(f"{table}.{name}.pbx: there is no [pbx.{entry.pbx}]; known: {known}")
