"""What the use cases need of the database, as Protocols, and what it must promise.

A use case that changes anything is one function of a `Transaction`, which the store runs and commits:
what it read cannot change meanwhile, and its audit entry is in the same commit. What is kept is in
`ports` and in the domain, what lists select by in `listing`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from voicegate.application.listing import (
    ALL_CALLS,
    ALL_ENTRIES,
    Attempt,
    AttemptFilter,
    AuditFilter,
    CallFilter,
    FactorFilter,
    Summary,
)
from voicegate.application.ports import CallRecord, ChallengeRecord, IdempotencyKey, Replay
from voicegate.domain.call import Call
from voicegate.domain.challenge import Challenge, Purpose
from voicegate.domain.client import Client, ClientKey
from voicegate.domain.factor import Factor
from voicegate.domain.page_session import PageSession
from voicegate.domain.phone_number import Destination

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WrongGuess:
    """A guess that missed."""

    at: datetime
    """When."""
    client: str
    """Whose challenge it was."""
    bucket: str = field(repr=False)
    """Its challenge's bucket."""
    subscriber: str | None = None
    """Whose factor it was about; None: nobody's."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who asked for what, and what was decided; never a code or a whole number."""

    at: datetime
    """When."""
    client: str
    """Who asked."""
    request_id: str
    """In which request."""
    action: str
    """For what, such as `factor.enroll`."""
    decision: str
    """`allowed`, what a guess came to, or the reason of a refusal."""
    subject: str | None = None
    """The id of what it was about; None: it has none yet."""
    number: str | None = None
    """The number it was about, masked."""
    number_digest: bytes | None = field(default=None, repr=False)
    """The keyed digest of that number, by which it can be searched for."""
    id: int = 0
    """Its place in the table, which the store gives."""


@dataclass(frozen=True, slots=True)
class FactorRecord:
    """A factor with what is around it."""

    factor: Factor
    """The factor itself."""
    challenge: ChallengeRecord | None = None
    """Its newest challenge, with its calls; None: there was none yet."""
    sharing: int = 1
    """Living enrollments on the same number, over all clients, this one included."""
    next_call_at: datetime | None = None
    """From when on it may be called again; None where that was not asked for, or it may at any time."""


@dataclass(frozen=True, slots=True)
class BucketCall:
    """A call with the bucket that it is counted in."""

    record: CallRecord
    """The call, without its timeline."""
    bucket: str = field(repr=False)
    """Its challenge's bucket."""
    counted_at: datetime
    """When it was queued, as the waits between calls have it."""
    is_verified: bool
    """Was its challenge's code entered?"""


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A client with its keys."""

    client: Client
    """The client."""
    keys: Sequence[ClientKey]
    """Its keys, oldest first, those that are over too."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept; all that is older may be deleted."""

    calls: datetime
    """Challenges that ended later, with their calls and the factors they were about."""
    timelines: datetime
    """Steps of calls made later."""
    audit: datetime
    """Audit entries made later, and page sessions, which hold what people agreed to."""
    recent: datetime
    """Idempotency keys and wrong guesses made later."""


class Transaction(Protocol):
    """One commit in the making, in a thread of the store's own: nothing here waits, nor may its user.

    What is found is locked until the commit.
    """

    def challenge(self, challenge_id: str) -> ChallengeRecord | None:
        """Return a challenge with its calls and timelines; None: unknown."""
        ...

    def newest_challenge(self, factor_id: str, purpose: Purpose | None = None) -> ChallengeRecord | None:
        """Return a factor's newest challenge, of one purpose if given; None: there was none yet."""
        ...

    def newest_plain(
        self, destination: Destination, *, client: str, service: str | None
    ) -> ChallengeRecord | None:
        """Return a client's newest plain challenge for a telephone that a service (None: none) asked for;
        None: there was none."""
        ...

    def open_challenges(self, factor_id: str) -> Sequence[Challenge]:
        """Return a factor's challenges that are in an open state."""
        ...

    def pending_challenges(
        self, client: str, *, bucket: str | None = None, subscriber: str | None = None
    ) -> Sequence[Challenge]:
        """Return a client's challenges that are in an open state: those that have all that is given. They are
        not locked."""
        ...

    def replay(self, idempotency: IdempotencyKey) -> Replay | None:
        """Return what an idempotency key stands for already."""
        ...

    def remember(self, idempotency: IdempotencyKey, challenge: Challenge) -> None:
        """Let an idempotency key stand for a challenge."""
        ...

    def add_challenge(self, challenge: Challenge) -> None:
        """Store a new challenge."""
        ...

    def save_challenge(self, challenge: Challenge) -> None:
        """Store a challenge that changed, or whose calls did; its revision grows."""
        ...

    def add_call(self, call: Call) -> None:
        """Store a new call, the newest of its challenge."""
        ...

    def hold_number(self, number: str) -> None:
        """Let others who hold the same number wait until this transaction is over, so that what is decided
        about its calls here stays true."""
        ...

    def set_back(self, now: datetime) -> None:
        """Let calls and guesses that lie in the future, for the clock was set back since, count as made now:
        else what they make wait would wait until the clock is there again."""
        ...

    def enrolled_extensions(self, number: str) -> Sequence[str]:
        """Return the extensions of active factors at a number, of all clients."""
        ...

    def calls_in_progress(self, number: str, unsafe_since: datetime) -> Sequence[BucketCall]:
        """Return all clients' calls to a number that have not ended, or ended after `unsafe_since` and
        are not safe to repeat."""
        ...

    def calls_counted(self, bucket: str, client: str, since: datetime) -> Sequence[BucketCall]:
        """Return a client's calls in a bucket that were queued after `since`."""
        ...

    def factor(self, factor_id: str) -> Factor | None:
        """Return a factor, a dead one too; None: unknown."""
        ...

    def living_factors(self, subscriber: str, client: str | None) -> Sequence[Factor]:
        """Return a subscriber's living factors, of one client or (None) of all, oldest first."""
        ...

    def sharing(self, number: str) -> int:
        """Return how many living factors are bound to a number."""
        ...

    def add_factor(self, factor: Factor) -> None:
        """Store a new factor. A client's subscriber has one living factor at most."""
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
        """Return when the newest wrong guesses were made, newest first, after `since`, at most `limit`
        of them: those that have all that is given."""
        ...

    def count_wrong_guesses(self, since: datetime, client: str) -> int:
        """Return how many wrong guesses at a client's codes were made after `since`."""
        ...

    def add_wrong_guess(self, guess: WrongGuess) -> None:
        """Store a guess that missed."""
        ...

    def client(self, name: str) -> Client | None:
        """Return a client, a revoked one too; None: unknown."""
        ...

    def save_client(self, client: Client) -> None:
        """Store a client, new or changed."""
        ...

    def keys(self, client: str) -> Sequence[ClientKey]:
        """Return a client's keys, oldest first."""
        ...

    def save_key(self, key: ClientKey) -> None:
        """Store a key, new or changed."""
        ...

    def page_session(self, page_id: str) -> PageSession | None:
        """Return a page session, one that is over too; None: unknown."""
        ...

    def page_session_of(self, result_digest: bytes) -> PageSession | None:
        """Return the page session with that result code; None: unknown."""
        ...

    def save_page_session(self, session: PageSession) -> None:
        """Store a page session, new or changed."""
        ...

    def audit(self, entry: AuditEntry) -> None:
        """Store who asked for what."""
        ...


class Store(Protocol):
    """Everything that must survive, on disk. Each method is one transaction; when it returns, it is durable.

    Every method raises StoreError when the database cannot be used.
    """

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and return its answer once it is committed; what it raises undoes
        it. Two at once run one after the other, or as if they did."""
        ...

    async def record(
        self,
        record: CallRecord,
        change: Callable[[Challenge], Challenge] | None = None,
        *,
        following: Call | None = None,
        can_wait: bool = False,
    ) -> None:
        """Store a call's present state with the timeline entries that are new; in the same commit change
        its challenge when `change` is given, and add the challenge's next call when `following` is. With
        `can_wait`, a locked database is waited for as long as a call may, and not only as a request."""
        ...

    async def challenge(self, challenge_id: str) -> ChallengeRecord | None:
        """Return a challenge with its calls and timelines; None: unknown."""
        ...

    async def newest_plain(
        self, number: str, client: str, service: str | None = None
    ) -> ChallengeRecord | None:
        """Return a client's newest plain challenge for a number, whatever the extension, that a service
        (None: none) asked for; None: there was none."""
        ...

    async def call(self, call_id: str) -> CallRecord | None:
        """Return a call with its timeline; None: unknown."""
        ...

    async def recent_calls(self, limit: int, wanted: CallFilter = ALL_CALLS) -> Sequence[CallRecord]:
        """Return the newest of those calls first, without timelines. Calls queued at the same moment have an
        order too, so that pages leave none out."""
        ...

    async def attempts(self, wanted: AttemptFilter, limit: int) -> Sequence[Attempt]:
        """Return the newest of those calls first, ordered as `recent_calls` does."""
        ...

    async def summary(self, wanted: AttemptFilter) -> Summary:
        """Return the figures of calls by client, service, country, prefix and time; the other fields do not
        count. Calls that were purged are counted by whole hours, and not by prefix."""
        ...

    async def open_challenges(self) -> Sequence[Challenge]:
        """Return all challenges that are in an open state."""
        ...

    async def live_calls(self) -> Sequence[CallRecord]:
        """Return all calls that have not ended, with timelines."""
        ...

    async def factor(self, factor_id: str) -> FactorRecord | None:
        """Return a factor with its newest challenge, a dead one too; None: unknown."""
        ...

    async def factors(self, subscriber: str, client: str | None) -> Sequence[FactorRecord]:
        """Return a subscriber's living factors, of one client or (None) of all, oldest first."""
        ...

    async def page_session(self, page_id: str) -> PageSession | None:
        """Return a page session, one that is over too; None: unknown."""
        ...

    async def list_factors(self, limit: int, wanted: FactorFilter) -> Sequence[FactorRecord]:
        """Return the first of those factors, living ones only, by client and then by subscriber."""
        ...

    async def client_of(self, key_id: str) -> tuple[Client, ClientKey] | None:
        """Return a key with its client; None: unknown."""
        ...

    async def clients(self) -> Sequence[ClientRecord]:
        """Return all clients with their keys, by name."""
        ...

    async def audit(self, limit: int, wanted: AuditFilter = ALL_ENTRIES) -> Sequence[AuditEntry]:
        """Return the newest of those audit entries first."""
        ...

    async def expire(self, now: datetime) -> int:
        """Expire open challenges whose time is over, and erase their sealed codes; return how many.

        Whatever was erased before, by this or another method, is then in no file of the store, unless
        somebody's long read is in the way: then the next time.
        """
        ...

    async def purge(self, kept: Kept, limit: int) -> int:
        """Delete up to about `limit` rows a table of what is not kept; return how many, 0 once all is gone.

        A call goes with its timeline, a challenge with its calls and idempotency keys, a factor that was
        reset once no challenge is about it. What is open or live is never deleted.
        """
        ...

    async def probe(self, now: datetime) -> None:
        """Store something small, to learn whether anything can be stored."""
        ...
