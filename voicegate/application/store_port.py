"""What the use cases need from the database, as Protocols, with the promises that it must keep.

A use case that changes something is one function of a `Transaction`, with its audit entry in the same commit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from voicegate.application.audit_entry import AuditEntry
from voicegate.application.call_volume import CallVolume, Conversions
from voicegate.application.lines import LineStore
from voicegate.application.listing import (
    ALL_CALLS,
    ALL_ENTRIES,
    AuditFilter,
    CallFilter,
    FactorFilter,
    ServiceCall,
    ServiceCallFilter,
    Summary,
)
from voicegate.application.outbox import NOTHING_TOLD, OutboxRows, OutboxStore, Told
from voicegate.application.ports import CallRecord, ChallengeRecord, IdempotencyKey, Replay
from voicegate.application.receipts import ReceiptRows
from voicegate.application.retention import Kept
from voicegate.application.trunk_drains import Drain, DrainRows
from voicegate.application.trunk_figures import FigureStore
from voicegate.domain.call import Call
from voicegate.domain.challenge import Challenge, Purpose
from voicegate.domain.client import Client, ClientKey
from voicegate.domain.factor import Factor
from voicegate.domain.page_session import PageSession
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import ListedNumber, NumberList

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WrongGuess:
    """A wrong guess."""

    at: datetime
    """When it was made."""
    client: str
    """The client of the challenge."""
    bucket: str = field(repr=False)
    """The challenge's bucket."""
    subscriber: str | None = None
    """The subscriber whose factor it was about; None: it was about none."""


@dataclass(frozen=True, slots=True)
class FactorRecord:
    """A factor with its newest challenge."""

    factor: Factor
    """The factor itself."""
    challenge: ChallengeRecord | None = None
    """Its newest challenge, with its calls; None: there was none yet."""
    sharing: int = 1
    """How many factors that are not reset have the same number, over all clients, this one included."""
    next_call_at: datetime | None = None
    """When it may be called again; None: at any time, or this was not asked for."""


@dataclass(frozen=True, slots=True)
class BucketCall:
    """A call with the bucket in which it is counted."""

    record: CallRecord
    """The call, without its timeline."""
    bucket: str = field(repr=False)
    """Its challenge's bucket."""
    counted_at: datetime
    """The time from which the waits between calls are counted."""
    is_verified: bool
    """Was its challenge's code entered?"""


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A client with its keys."""

    client: Client
    """The client."""
    keys: Sequence[ClientKey]
    """Its API keys, oldest first, also those that are over."""


class Transaction(CallVolume, DrainRows, OutboxRows, ReceiptRows, Protocol):
    """One transaction, in a thread of the store: nothing here waits, and its user must not wait either.

    Rows that are read stay locked until the commit.
    """

    def challenge(self, challenge_id: str, *, timelines: bool = True) -> ChallengeRecord | None:
        """Return a challenge with its calls, and with their timelines if wanted; None: unknown."""
        ...

    def newest_challenge(self, factor_id: str, purpose: Purpose | None = None) -> ChallengeRecord | None:
        """Return a factor's newest challenge, of one purpose if given; None: there is none."""
        ...

    def newest_plain(
        self, destination: Destination, *, client: str, service: str | None
    ) -> ChallengeRecord | None:
        """Return a client's newest challenge without a factor for a telephone; None: there is none.

        `service` is the service that asked for it; None: one that no service asked for.
        """
        ...

    def open_challenges(self, factor_id: str) -> Sequence[Challenge]:
        """Return a factor's challenges that are in an open state."""
        ...

    def pending_challenges(
        self, client: str, *, bucket: str | None = None, subscriber: str | None = None
    ) -> Sequence[Challenge]:
        """Return a client's open challenges, of one bucket or subscriber if given, without locking them."""
        ...

    def replay(self, idempotency: IdempotencyKey) -> Replay | None:
        """Return the challenge that an idempotency key was used for; None: the key is new."""
        ...

    def remember(self, idempotency: IdempotencyKey, challenge: Challenge) -> None:
        """Store that an idempotency key was used for a challenge."""
        ...

    def add_challenge(self, challenge: Challenge) -> None:
        """Store a new challenge."""
        ...

    def save_challenge(self, challenge: Challenge) -> None:
        """Store a challenge that changed, or whose calls changed; its revision grows by 1."""
        ...

    def add_call(self, call: Call, place_until: datetime | None = None) -> None:
        """Store a new call, the newest of its challenge; `place_until` is as in `controllers.Orphan`."""
        ...

    def set_back(self, now: datetime) -> None:
        """Count calls and guesses with a time in the future as made now: else they would be waited for."""
        ...

    def enrolled_extensions(self, number: str) -> Sequence[str]:
        """Return the extensions of active factors at a number, of all clients."""
        ...

    def calls_in_progress(self, number: str, unsafe_since: datetime) -> Sequence[BucketCall]:
        """Return all clients' calls to a number that may still ring there.

        Those that have not ended, and those that ended after `unsafe_since` and are not safe to retry.
        """
        ...

    def calls_counted(self, bucket: str, client: str, since: datetime) -> Sequence[BucketCall]:
        """Return a client's calls in a bucket that were queued after `since`."""
        ...

    def calls_forwarded(self, number: str, client: str, since: datetime) -> Sequence[BucketCall]:
        """Return a client's calls to a number, queued after `since`, that were redirected there."""
        ...

    def settle_cost(self, record: CallRecord) -> None:
        """Put the real cost of an ended call in the place of what is held for its challenge."""
        ...

    def factor(self, factor_id: str) -> Factor | None:
        """Return a factor, also one that was reset; None: unknown."""
        ...

    def living_factors(self, subscriber: str, client: str | None) -> Sequence[Factor]:
        """Return a subscriber's factors that are not reset, oldest first; client None: of all clients."""
        ...

    def sharing(self, number: str) -> int:
        """Return how many factors that are not reset have this number."""
        ...

    def add_factor(self, factor: Factor) -> None:
        """Store a new factor. A client's subscriber has at most one factor that is not reset."""
        ...

    def save_factor(self, factor: Factor) -> None:
        """Store a factor that changed."""
        ...

    def wrong_guesses(
        self,
        since: datetime,
        limit: int,
        *,
        client: str | None = None,
        subscriber: str | None = None,
        bucket: str | None = None,
    ) -> Sequence[datetime]:
        """Return the times of the newest wrong guesses after `since`, newest first, at most `limit`.

        Only those of the client, subscriber and bucket, where these are given.
        """
        ...

    def count_wrong_guesses(self, since: datetime, client: str) -> int:
        """Return how many wrong guesses were made after `since` at codes of a client."""
        ...

    def add_wrong_guess(self, guess: WrongGuess) -> None:
        """Store a wrong guess."""
        ...

    def client(self, name: str) -> Client | None:
        """Return a client, also a revoked one; None: unknown."""
        ...

    def save_client(self, client: Client) -> None:
        """Store a client, new or changed."""
        ...

    def keys(self, client: str) -> Sequence[ClientKey]:
        """Return a client's API keys, oldest first."""
        ...

    def save_key(self, key: ClientKey) -> None:
        """Store an API key, new or changed."""
        ...

    def page_session(self, page_id: str) -> PageSession | None:
        """Return a page session, also one that is over; None: unknown."""
        ...

    def page_session_of(self, result_digest: bytes) -> PageSession | None:
        """Return the page session with that result code; None: unknown."""
        ...

    def save_page_session(self, session: PageSession) -> None:
        """Store a page session, new or changed."""
        ...

    def listed(self, digests: Sequence[bytes]) -> Sequence[ListedNumber]:
        """Return what the lists say about the number with one of these digests."""
        ...

    def add_listed(self, entry: ListedNumber) -> None:
        """Store a number on a list, where it is not yet."""
        ...

    def unlist(self, kind: NumberList, digests: Sequence[bytes], client: str) -> bool:
        """Take a number off a list; return whether it was there."""
        ...

    def undo(self, work: Callable[["Transaction"], T]) -> T:
        """Run `work`, undo what it changed, and return its answer."""
        ...

    def audit(self, entry: AuditEntry) -> None:
        """Store an audit entry."""
        ...


class Store(OutboxStore, Conversions, FigureStore, LineStore, Protocol):
    """Everything that must survive. Each method is one transaction, which is on disk when it returns.

    Every method raises StoreError when the database cannot be used.
    """

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and return its answer after the commit; if it raises, it is undone.
        Two transactions at the same time have the effect of one after the other."""
        ...

    async def record(
        self,
        record: CallRecord,
        change: Callable[[Challenge], Challenge] | None = None,
        *,
        following: Call | None = None,
        told: Told = NOTHING_TOLD,
        can_wait: bool = False,
    ) -> None:
        """Store a call's state with its new timeline entries; in the same commit change its challenge, add
        its next call, and store what is told of it.

        `change` None: the challenge stays; `following` None: there is no next call. With `can_wait`, it waits
        longer for a locked database than a request does.
        """
        ...

    async def challenge(self, challenge_id: str) -> ChallengeRecord | None:
        """Return a challenge with its calls and timelines; None: unknown."""
        ...

    async def open_until(self, challenge_id: str) -> datetime | None:
        """Return when an open challenge's time is over; None: it is not open, or unknown."""
        ...

    async def newest_plain(
        self, number: str, client: str, service: str | None = None
    ) -> ChallengeRecord | None:
        """Return a client's newest challenge without a factor for a number, with any extension; None: none.

        `service` is the service that asked for it; None: one that no service asked for.
        """
        ...

    async def call(self, call_id: str) -> CallRecord | None:
        """Return a call with its timeline; None: unknown."""
        ...

    async def recent_calls(self, limit: int, wanted: CallFilter = ALL_CALLS) -> Sequence[CallRecord]:
        """Return the calls that match, newest first, at most `limit`, without timelines.

        Calls that were queued at the same time are ordered too, so that no page leaves one out.
        """
        ...

    async def service_calls(self, wanted: ServiceCallFilter, limit: int) -> Sequence[ServiceCall]:
        """Return services' calls that match, in the order of `recent_calls`, at most `limit`."""
        ...

    async def summary(self, wanted: ServiceCallFilter) -> Summary:
        """Return the figures of calls by client, service, country, prefix and time; other fields are ignored.

        Calls that were deleted are counted by whole hours, and not by prefix.
        """
        ...

    async def open_challenges(self) -> Sequence[Challenge]:
        """Return all challenges that are in an open state."""
        ...

    async def live_calls(self) -> Sequence[CallRecord]:
        """Return all calls that have not ended, with timelines."""
        ...

    async def factor(self, factor_id: str) -> FactorRecord | None:
        """Return a factor with its newest challenge, also a factor that was reset; None: unknown."""
        ...

    async def factors(self, subscriber: str, client: str | None) -> Sequence[FactorRecord]:
        """Return a subscriber's factors that are not reset, oldest first; client None: of all clients."""
        ...

    async def page_session(self, page_id: str) -> PageSession | None:
        """Return a page session, also one that is over; None: unknown."""
        ...

    async def list_factors(self, limit: int, wanted: FactorFilter) -> Sequence[FactorRecord]:
        """Return the factors that match, by client and subscriber, without those that were reset, at most
        `limit`."""
        ...

    async def client_of(self, key_id: str) -> tuple[Client, ClientKey] | None:
        """Return an API key with its client; None: unknown."""
        ...

    async def clients(self) -> Sequence[ClientRecord]:
        """Return all clients with their keys, by name."""
        ...

    async def drains(self) -> Sequence[Drain]:
        """Return the trunks that are drained, by name."""
        ...

    async def audit(self, limit: int, wanted: AuditFilter = ALL_ENTRIES) -> Sequence[AuditEntry]:
        """Return the audit entries that match, newest first, at most `limit`."""
        ...

    async def listed_numbers(
        self, digests: Sequence[bytes] | None, kind: NumberList | None
    ) -> Sequence[ListedNumber]:
        """Return what the lists say about the number with one of these digests, or about all numbers (None);
        newest first, at most a thousand."""
        ...

    async def expire(self, now: datetime) -> int:
        """Expire open challenges whose time is over, and erase their sealed codes; return how many.

        What any method erased before is then in no file of the store. If another connection reads for a long
        time, this happens at the next call.
        """
        ...

    async def purge(self, kept: Kept, limit: int) -> int:
        """Delete about `limit` rows of each table that are older than `kept` says; return how many, 0 when
        none is left.

        A call goes with its timeline, a challenge with its calls and idempotency keys, a factor that was
        reset when no challenge is about it. What is open or in progress is never deleted.
        """
        ...

    async def probe(self, now: datetime) -> None:
        """Store one small row, to learn whether the database can store."""
        ...
