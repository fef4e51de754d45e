"""The shapes of the settings: every table of the TOML file, with its bounds and defaults.

Units are in the names (`_s`, `_ms`). `config/voicegate.toml` explains each setting; the package itself reads
and refuses.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct, field

from voicegate.config.monitoring_shapes import MetricsSettings, TracesSettings
from voicegate.config.report_shapes import ReceiptSettings, ReportSettings
from voicegate.config.routing_shapes import RoutingSettings
from voicegate.config.spend_shapes import SpendSettings
from voicegate.config.storage_shapes import RetentionSettings, Storage
from voicegate.config.webhook_shapes import WebhookDeliverySettings, WebhookSettings
from voicegate.domain.announcement import HumanCheck
from voicegate.domain.challenge import DEFAULT_GUESSES, DEFAULT_LIFETIME
from voicegate.domain.passcode import DEFAULT_LENGTH, MAX_LENGTH, MIN_LENGTH
from voicegate.domain.policy import NumberCheck
from voicegate.domain.routing import NumberFormat

Seconds = Annotated[float, Meta(gt=0, le=86400)]
Provision = Literal["alternatives", "notice", "risk_assessment", "migration_plan", "binding"]
Milliseconds = Annotated[int, Meta(ge=0, le=10000)]
Limit = Annotated[int, Meta(ge=1, le=1_000_000)]
CallLimit = Annotated[int, Meta(ge=0, le=10_000_000)]
Spacing = Annotated[float, Meta(ge=0, le=3600)]
Spacings = Annotated[tuple[Spacing, ...], Meta(min_length=1, max_length=20)]
Calls = Annotated[int, Meta(ge=1, le=10000)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")]
OptionalName = Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})?\Z")]
OptionalCountry = Annotated[str, Meta(pattern=r"^([A-Z]{2})?\Z")]
ServiceName = Annotated[str, Meta(min_length=1, max_length=60)]
Weight = Annotated[int, Meta(ge=1, le=1000)]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
Prefix = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{0,14}\Z")]
FieldPath = Annotated[str, Meta(pattern=r"^[^\x00-\x20\x7f]{1,100}\Z")]
# Without its pattern: in a union with an array, msgspec 0.22.0 lets go of one too often, and the process dies
# of it as it ends. `parse` looks at the characters.
OneFieldPath = Annotated[str, Meta(min_length=1, max_length=100)]
FieldPaths = Annotated[tuple[FieldPath, ...], Meta(min_length=1, max_length=20)]
OptionalFieldPath = Annotated[str, Meta(pattern=r"^[^\x00-\x20\x7f]{0,100}\Z")]
ReturnUrl = Annotated[str, Meta(max_length=2000, pattern=r"^https?://[^\s/?#]+[^\s#\x00-\x1f\x7f]*\Z")]
SipUri = Annotated[str, Meta(pattern=r"^(sip:\+?[0-9]{2,15}@[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?)?\Z")]
PhoneText = Annotated[str, Meta(pattern=r"^\+?[0-9*#]{2,15}\Z")]


class _Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the TOML file."""


class Service(_Section, frozen=True, kw_only=True):
    """`[service]`: who speaks, and how."""

    name: ServiceName = "Voicegate"
    support_contact: Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*\Z")] = ""
    language: Name = "en"
    unjudged_languages: tuple[Name, ...] = ()
    digit_variants: dict[Name, Name] = {}
    sounds: str = ""


class Socket(_Section, frozen=True, kw_only=True):
    """`[socket]`: the Unix socket of the API."""

    path: str = "/run/voicegate/voicegate.sock"
    mode: Annotated[str, Meta(pattern=r"^0?[0-7]{3}\Z")] = "0660"
    group: str = ""
    allowed_users: tuple[str, ...] = ()


class Http(_Section, frozen=True, kw_only=True):
    """`[http]`: how much the API takes on, on the socket and on TCP."""

    max_connections: Annotated[int, Meta(ge=10, le=100_000)] = 1500
    max_connections_per_address: Limit = 500
    max_connections_per_client: Limit = 1000
    max_waiting: Limit = 1000
    max_waiting_per_client: Limit = 750


class Tcp(_Section, frozen=True, kw_only=True):
    """`[tcp]`: the API for clients that ask by key."""

    enabled: bool = False
    host: Annotated[str, Meta(min_length=1, max_length=253)] = "127.0.0.1"
    port: Port = 8770
    certificate: str = ""
    key: str = ""
    trusted_proxies: tuple[str, ...] = ()


class Audio(_Section, frozen=True, kw_only=True):
    """`[audio]`: the sound files of calls in progress."""

    folder: str = "/run/voicegate-audio"
    group: str = ""
    format: Literal["wav", "wav16", "ulaw", "alaw"] = "wav"
    pbx_folder: str = ""
    pbx_sounds: str = ""
    url: Annotated[str, Meta(pattern=r"^(https?://[A-Za-z0-9._:\[\]-]+)?\Z")] = ""


class CallSettings(_Section, frozen=True, kw_only=True):
    """`[call]`: what happens after answer."""

    human_check: HumanCheck = HumanCheck.RANDOM_KEY
    human_timeout_s: Seconds = 45
    human_timeout_extension_s: Seconds = 60
    time_cap_s: Seconds = 60
    time_cap_extension_s: Seconds = 120
    extension_delay_ms: Milliseconds = 1000
    digit_tone_ms: Annotated[int, Meta(ge=40, le=1000)] = 120
    digit_gap_ms: Annotated[int, Meta(ge=40, le=1000)] = 250
    max_in_progress: Calls = 100
    max_queued: Annotated[int, Meta(ge=0, le=10000)] = 200
    queue_timeout_s: Seconds = 30
    drain_timeout_s: Annotated[float, Meta(ge=0, le=600)] = 60


class PasscodeSettings(_Section, frozen=True, kw_only=True):
    """`[passcode]`: the code and its life."""

    length: Annotated[int, Meta(ge=MIN_LENGTH, le=MAX_LENGTH)] = DEFAULT_LENGTH
    lifetime_s: Annotated[int, Meta(ge=1, le=86400)] = int(DEFAULT_LIFETIME.total_seconds())
    guesses: Annotated[int, Meta(ge=1, le=20)] = DEFAULT_GUESSES


class Policy(_Section, frozen=True, kw_only=True):
    """`[policy]`: who may be called."""

    profile: Literal["", "nist-800-63b-4"] = ""
    profile_provisions: tuple[Provision, ...] = ()
    allowed_countries: tuple[Country, ...] = ()
    number_check: NumberCheck = NumberCheck.VALID
    voip_numbers: bool = True
    company_numbers: bool = False
    denied_prefixes: tuple[Prefix, ...] = ()
    allowed_prefixes: tuple[Prefix, ...] = ()
    follow_redirects: bool = False
    denied_prefixes_file: str = ""
    max_calls: Annotated[int, Meta(ge=1, le=20)] = 5
    call_spacing_s: Spacing | Spacings = (30, 60, 120, 300)
    call_window_s: Seconds = 3600
    calls_per_number: Annotated[int, Meta(ge=1, le=1000)] = 1
    call_lock_after: Annotated[int, Meta(ge=0, le=10000)] = 10
    velocity_window_s: Annotated[float, Meta(ge=60, le=86400)] = 3600
    calls_per_prefix: CallLimit = 300
    calls_per_country: CallLimit = 3000
    calls_per_subscriber: CallLimit = 60
    calls_per_end_user_ip: CallLimit = 60
    calls_per_client: CallLimit = 6000
    calls_per_system: CallLimit = 12000
    sequential_numbers: Annotated[int, Meta(ge=0, le=200)] = 50
    trusted_calls_per_number: Annotated[int, Meta(ge=1, le=1000)] = 10
    trusted_guesses_per_destination: Limit = 200
    conversion_floor: Annotated[float, Meta(ge=0, le=1)] = 0.05
    conversion_window_s: Seconds = 21600
    conversion_calls_prefix: Limit = 200
    conversion_calls_country: Limit = 2000
    conversion_hold_s: Seconds = 3600
    conversion_clients: Annotated[int, Meta(ge=1, le=1000)] = 3
    guess_window_s: Seconds = 3600
    guesses_per_subscriber: Limit = 20
    guesses_per_destination: Limit = 20
    guesses_per_client: Limit = 1000


class Okta(_Section, frozen=True, kw_only=True):
    """`[okta]`: the door for Okta's clients, `/api/v1`."""

    public_url: Annotated[str, Meta(pattern=r"^(https?://[^\s/?#]+/?)?\Z")] = ""
    end_user_ip: bool = False
    sdk3_compat: bool = False


class AsteriskPbxSettings(_Section, frozen=True, kw_only=True, tag_field="kind", tag="asterisk"):
    """`[pbx.NAME]` with `kind = "asterisk"`: an Asterisk and how to reach it."""

    kind: ClassVar = "asterisk"
    ami_host: str = "127.0.0.1"
    ami_port: Port = 5038
    ami_username: str = "voicegate"
    ami_secret_file: str = ""
    ami_tls_ca: str = ""
    agi_host: str = "127.0.0.1"
    agi_port: Port = 4573
    agi_advertised_host: str = ""
    agi_allowed_peers: tuple[str, ...] = ("127.0.0.1/32", "::1/128")
    agi_socket: str = ""
    lost_grace_s: Seconds = 15


class FreeSwitchPbxSettings(_Section, frozen=True, kw_only=True, tag_field="kind", tag="freeswitch"):
    """`[pbx.NAME]` with `kind = "freeswitch"`: a FreeSWITCH and how to reach it."""

    kind: ClassVar = "freeswitch"
    esl_host: str = "127.0.0.1"
    esl_port: Port = 8021
    esl_user: Annotated[str, Meta(pattern=r"^([^@:\s]+@[^@:\s]+)?\Z")] = ""
    esl_password_file: str = ""
    lost_grace_s: Seconds = 15


class SimulatorPbxSettings(_Section, frozen=True, kw_only=True, tag_field="kind", tag="simulator"):
    """`[pbx.NAME]` with `kind = "simulator"`: nobody is called, and nothing is to be reached."""

    kind: ClassVar = "simulator"


PbxSettings = AsteriskPbxSettings | FreeSwitchPbxSettings | SimulatorPbxSettings


class CallerIdSettings(_Section, frozen=True, kw_only=True):
    """Who is shown as calling."""

    number: PhoneText
    name: Annotated[str, Meta(max_length=40, pattern=r"^[^\"<>\\\x00-\x1f\x7f]*\Z")] = ""


class PooledCallerIdSettings(CallerIdSettings, frozen=True, kw_only=True):
    """An entry of a trunk's `caller_ids`."""

    countries: tuple[Country, ...] = ()
    weight: Weight = 1
    is_excepted: bool = False


class TrunkSettings(_Section, frozen=True, kw_only=True):
    """`[trunks.NAME]`: a carrier path of a PBX; trunks are tried in the file's order."""

    pbx: Name
    endpoint: Name
    caller_ids: Annotated[tuple[PooledCallerIdSettings, ...], Meta(min_length=1, max_length=1000)]
    home_country: Annotated[str, Meta(pattern=r"^([A-Z]{2})?\Z")] = ""
    number_format: NumberFormat = NumberFormat.PLUS_E164
    international_prefix: Annotated[str, Meta(pattern=r"^[0-9*#]{0,8}\Z")] = ""
    number_prefix: Annotated[str, Meta(pattern=r"^[0-9*#]{0,16}\Z")] = ""
    withhold_caller_id: bool = False
    diversion: SipUri = ""
    countries: tuple[Country, ...] = ()
    prefixes: tuple[Prefix, ...] = ()
    priority: Annotated[int, Meta(ge=0, le=1000)] = 0
    weight: Weight = 1
    max_calls_per_second: Annotated[float, Meta(ge=0, le=1000)] = 0
    ring_timeout_s: Seconds = 40
    progress_timeout_s: Seconds = 25
    packet_ms: Annotated[int, Meta(ge=10, le=60)] = 20
    max_calls: Calls = 30


class InternalSettings(_Section, frozen=True, kw_only=True):
    """`[internal.NAME]`: extensions of a PBX that may be called."""

    pbx: Name
    pattern: Annotated[str, Meta(min_length=1, max_length=200)]
    endpoint: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]*\{extension\}[A-Za-z0-9_.-]*\Z")] = "{extension}"
    caller_id: CallerIdSettings
    ring_timeout_s: Seconds = 40
    progress_timeout_s: Seconds = 25
    packet_ms: Annotated[int, Meta(ge=10, le=60)] = 20
    max_calls: Calls = 30


class TestNumbers(_Section, frozen=True, kw_only=True):
    """`[test_numbers]`: numbers that ring at no telephone, for a backend's own tests."""

    enabled: bool = False
    prefix: Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{4,11}\Z")] = "+150055501"
    passcode: Annotated[str, Meta(pattern=r"^[0-9]{4,10}\Z")] = "123456"
    pace: Annotated[float, Meta(gt=0, le=1)] = 0.1


class Testing(_Section, frozen=True, kw_only=True):
    """`[testing]`: a telephone in the browser, at `/lab`, for people who test."""

    enabled: bool = False
    websocket_url: Annotated[str, Meta(pattern=r"^(wss?://[^\s/?#;,'\"]+(/[^\s?#]*)?)?\Z")] = ""
    account: OptionalName = ""
    domain: OptionalName = ""
    password_file: str = ""


class OktaHookSettings(_Section, frozen=True, kw_only=True):
    """`[okta_hook]`: an Okta organisation whose codes we speak."""

    provider: Annotated[str, Meta(min_length=1, max_length=40)] = "Voicegate"
    extensions: dict[PhoneText, str] = field(default_factory=dict)


class ProviderSettings(_Section, frozen=True, kw_only=True):
    """`[providers.NAME]`: an identity provider whose codes we speak."""

    number: OneFieldPath | FieldPaths
    code: OneFieldPath | FieldPaths
    code_pattern: Annotated[str, Meta(max_length=200)] = ""
    only_when: dict[FieldPath, tuple[str, ...]] = field(default_factory=dict)
    country: OptionalCountry = ""
    plus_is_optional: bool = False
    language: OptionalFieldPath = ""
    extension: OptionalFieldPath = ""
    event: OptionalFieldPath = ""
    signature: Literal["", "standard_webhooks", "zitadel"] = ""
    signature_secret_file: str = ""
    client: OptionalName = ""
    errors: Literal["problem", "text"] = "problem"


class TwilioServiceSettings(_Section, frozen=True, kw_only=True):
    """`[twilio.NAME]`: a service of the Twilio door."""

    sid: Annotated[str, Meta(pattern=r"^VA[0-9a-f]{32}\Z")]
    friendly_name: Annotated[str, Meta(max_length=60)] = ""
    language: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,64}\Z")] = ""
    code_length: Annotated[int, Meta(ge=MIN_LENGTH, le=MAX_LENGTH)] = DEFAULT_LENGTH
    human_check: HumanCheck = HumanCheck.RANDOM_KEY
    lifetime_s: Annotated[int, Meta(ge=1, le=86400)] = 600


class Pages(_Section, frozen=True, kw_only=True):
    """`[pages]`: pages for people, `/p`."""

    public_url: Annotated[str, Meta(pattern=r"^(https?://[^\s/?#]+/?)?\Z")] = ""
    link_lifetime_s: Annotated[int, Meta(ge=10, le=3600)] = 300
    session_lifetime_s: Annotated[int, Meta(ge=60, le=86400)] = 1800
    matching_digits: bool = False


class PageClientSettings(_Section, frozen=True, kw_only=True):
    """`[page_clients.NAME]`: what the pages of a client's people look like, and where they lead."""

    return_urls: tuple[ReturnUrl, ...] = ()
    name: Annotated[str, Meta(max_length=60)] = ""
    accent: Annotated[str, Meta(pattern=r"^#[0-9A-Fa-f]{6}\Z")] = "#2457c5"
    logo: str = ""


class Log(_Section, frozen=True, kw_only=True):
    """`[log]`: what is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"


class Settings(_Section, frozen=True, kw_only=True):
    """The whole file."""

    service: Service = Service()
    storage: Storage = Storage()
    retention: RetentionSettings = RetentionSettings()
    receipts: ReceiptSettings = ReceiptSettings()
    socket: Socket = Socket()
    tcp: Tcp = Tcp()
    http: Http = Http()
    audio: Audio = Audio()
    call: CallSettings = CallSettings()
    passcode: PasscodeSettings = PasscodeSettings()
    policy: Policy = Policy()
    spend: SpendSettings = SpendSettings()
    reports: ReportSettings = ReportSettings()
    routing: RoutingSettings = RoutingSettings()
    okta: Okta = Okta()
    pages: Pages = Pages()
    test_numbers: TestNumbers = TestNumbers()
    testing: Testing = Testing()
    log: Log = Log()
    metrics: MetricsSettings = MetricsSettings()
    traces: TracesSettings = TracesSettings()
    pbx: dict[Name, PbxSettings] = field(default_factory=dict)
    trunks: dict[Name, TrunkSettings] = field(default_factory=dict)
    internal: dict[Name, InternalSettings] = field(default_factory=dict)
    okta_hook: OktaHookSettings = OktaHookSettings()
    providers: dict[Name, ProviderSettings] = field(default_factory=dict)
    twilio: dict[Name, TwilioServiceSettings] = field(default_factory=dict)
    page_clients: dict[Name, PageClientSettings] = field(default_factory=dict)
    webhook_delivery: WebhookDeliverySettings = WebhookDeliverySettings()
    webhooks: dict[Name, WebhookSettings] = field(default_factory=dict)
