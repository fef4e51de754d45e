"""What the daemon answers, tolerant of a newer one: unknown fields are ignored, words are plain strings.

What each field means stands in the daemon's `/openapi.json`.
"""

from datetime import datetime

import msgspec
from msgspec import Struct

from voicegate.domain.errors import VoicegateError


class Evidence(Struct, kw_only=True):
    """What a call proved; `strongest` is none, answered, media, human or announced."""

    strongest: str
    answered: bool = False
    media: bool = False
    extension_sent: bool = False
    human: bool = False
    announced: int = 0


class Media(Struct, kw_only=True):
    """Packet counts of a call's leg; None where the PBX could not say."""

    received: int | None = None
    sent: int | None = None
    reports_back: bool = False


class Quality(Struct, kw_only=True):
    """How well a call's audio travelled; None where the PBX or the far end does not say."""

    sip_call_id: str | None = None
    codec: str | None = None
    packets_sent: int | None = None
    packets_received: int | None = None
    lost_sent: int | None = None
    lost_received: int | None = None
    jitter_sent_ms: float | None = None
    jitter_received_ms: float | None = None
    round_trip_ms: float | None = None
    mos: float | None = None


class Step(Struct, kw_only=True):
    """One step of a call's timeline."""

    seq: int
    at: datetime
    state: str
    event: str
    reading: int | None = None
    proven: bool | None = None
    media: Media | None = None
    digit: str | None = None
    outcome: str | None = None
    hangup_cause: int | None = None
    sip_status: int | None = None
    gave_up: str | None = None
    forwarded_to: str | None = None
    refused: str | None = None
    call_id: str = ""
    """Whose step it is; the call fills it in, for a verification may place several."""


class Status(Struct, kw_only=True):
    """A verification has another status."""

    status: str
    attempts_left: int = 0


class Call(Struct, kw_only=True):
    """A call; `timeline` is empty in lists."""

    id: str
    verification_id: str
    destination: str
    state: str
    evidence: Evidence
    trunk: str
    caller_id: str
    created_at: datetime
    outcome: str | None = None
    blame: str | None = None
    retry_safe: bool | None = None
    hangup_cause: int | None = None
    sip_status: int | None = None
    gave_up: str | None = None
    quality: Quality | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    is_test: bool = False
    timeline: list[Step] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        for step in self.timeline:
            step.call_id = self.id


class Created(Struct, kw_only=True):
    """A verification that was accepted."""

    id: str
    status: str
    expires_at: datetime
    call: Call
    matching_digits: str | None = None
    """Two digits to show where the call began; the call speaks them before the code."""


class TrunkPrice(Struct, kw_only=True):
    """A trunk that a call would use, and what the call would cost by it at worst."""

    trunk: str
    price: float | None
    billed_s: int | None


class DryRun(Struct, kw_only=True):
    """A call that would be placed."""

    decision: str
    trunks: list[TrunkPrice]


class PrefixHold(Struct, kw_only=True):
    """A range or a country that is not called for a time; `client` empty: for all."""

    prefix: str
    client: str
    at: datetime
    until: datetime
    held_by: str
    reason: str


class PrefixHolds(Struct, kw_only=True):
    """What is held now."""

    prefixes: list[PrefixHold]


class Verification(Struct, kw_only=True):
    """A verification as it stands; `call` is its newest."""

    id: str
    status: str
    revision: int
    created_at: datetime
    expires_at: datetime
    attempts_left: int
    destination: str
    has_extension: bool
    language: str
    human_check: str
    calls: list[Call]
    call: Call | None = None
    reference: str | None = None
    matching_digits: str | None = None

    @property
    def is_settled(self) -> bool:
        """Has its last call ended, with no other to follow?"""
        return self.status != "delivering" and all(call.state == "ended" for call in self.calls)


class Judgement(Struct, kw_only=True):
    """What a guess came to: `status` is verified or denied. `attempts_left` is None where the guess was no
    code at all: it cost none."""

    status: str
    attempts_left: int | None = None
    reason: str | None = None
    retry_after_s: float | None = None


class TrunkDrain(Struct, kw_only=True):
    """Since when a trunk gets no new calls, who drained it, and why."""

    at: datetime
    client: str
    reason: str


class Figures(Struct, kw_only=True):
    """How a trunk's calls went; None: there is none to tell by."""

    calls: int
    country: str = ""
    answer_seizure_ratio: float | None = None
    post_dial_delay_s: float | None = None
    call_duration_s: float | None = None
    verified_ratio: float | None = None
    failures: int = 0
    keys_asked: int = 0
    key_press_share: float | None = None


class TrunkFigures(Struct, kw_only=True):
    """How a trunk's calls went, by country and by SIP status."""

    name: str
    window_s: int
    total: Figures
    countries: list[Figures] = msgspec.field(default_factory=list)
    sip_failures: dict[str, int] = msgspec.field(default_factory=dict)


class Trunk(Struct, kw_only=True):
    """A trunk as its PBX sees it."""

    name: str
    pbx: str
    endpoint: str
    state: str
    pbx_connected: bool
    set_aside_until: datetime | None = None
    drained: TrunkDrain | None = None
    figures: Figures | None = None


class GivenKey(Struct, kw_only=True):
    """A client's new key, shown this once."""

    name: str
    scopes: list[str]
    key: str

    def __repr__(self) -> str:
        return f"GivenKey({self.name})"


class ApiKey(Struct, kw_only=True):
    """A client's key, but for its secret."""

    id: str
    created_at: datetime
    expires_at: datetime | None = None


class ApiClient(Struct, kw_only=True):
    """A program that asks by key."""

    name: str
    scopes: list[str]
    created_at: datetime
    keys: list[ApiKey]
    revoked_at: datetime | None = None


class Revoked(Struct, kw_only=True):
    """A client that may ask nothing any more."""

    name: str
    revoked_at: datetime


class AuditEntry(Struct, kw_only=True):
    """Who asked for what, and what was decided."""

    id: int
    at: datetime
    client: str
    request_id: str
    action: str
    decision: str
    rule: str | None = None
    reason: str | None = None
    subject: str | None = None
    number: str | None = None
    subscriber: str | None = None
    reference: str | None = None
    trunk: str | None = None


class ListedNumber(Struct, kw_only=True):
    """A number on a list, masked."""

    list: str
    number: str
    reason: str
    listed_by: str
    listed_at: datetime
    expires_at: datetime | None = None
    client: str | None = None


class ListedNumbers(Struct, kw_only=True):
    """Numbers on lists, the newest first."""

    numbers: list[ListedNumber]


class RemovedNumber(Struct, kw_only=True):
    """A number that is on a list no longer."""

    list: str
    number: str


class Health(Struct, kw_only=True):
    """The daemon is alive, or ready; `parts` says how each part is, when it was asked whether it is ready."""

    status: str
    parts: dict[str, str] = msgspec.field(default_factory=dict)


class Problem(Struct, kw_only=True):
    """Problem details (RFC 9457); `type` is what to compare by."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    instance: str = ""
    field: str | None = None
    retry_after_s: float | None = None
    failing: list[str] | None = None

    @property
    def name(self) -> str:
        """The last word of the type, such as `call_in_progress`."""
        return self.type.rpartition(":")[2]


class ApiError(VoicegateError):
    """The daemon answered with a problem."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title or f"HTTP status {status}")
        self.status = status
        self.problem = problem


class Unreachable(VoicegateError):
    """The daemon cannot be reached."""


class NotTaken(Struct):
    """A setting that a reload left as it was."""

    setting: str
    """Its name."""
    why: str
    """Why, and what to do."""


class Reload(Struct):
    """What a reload of the settings did."""

    error: str | None
    """What is wrong with the configuration file; None: it was read."""
    taken: list[str]
    """Settings whose new values are in force now."""
    read_again: list[str]
    """Settings that name files whose present contents are in force now."""
    not_taken: list[NotTaken]
    """Changed settings, and files, that are not in force."""


class Calls(Struct):
    """A page of calls."""

    calls: list[Call]


class Trunks(Struct):
    """All trunks."""

    trunks: list[Trunk]


class ApiClients(Struct):
    """All clients."""

    clients: list[ApiClient]


class Audit(Struct):
    """A page of audit entries."""

    entries: list[AuditEntry]


class Redialed(Struct):
    """A call that was placed again."""

    call: Call
