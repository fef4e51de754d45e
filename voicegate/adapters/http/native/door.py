"""The native door as a whole: every path that belongs to no other door, and the OpenAPI document."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from voicegate import __version__
from voicegate.adapters.http import request_parsing
from voicegate.adapters.http.doors import Credentials, Door
from voicegate.adapters.http.native.admin import AdminDoor
from voicegate.adapters.http.native.calls import CallsDoor
from voicegate.adapters.http.native.dry_runs import DryRunsDoor
from voicegate.adapters.http.native.factors import FactorsDoor
from voicegate.adapters.http.native.limits import LimitsDoor
from voicegate.adapters.http.native.numbers import NumbersDoor
from voicegate.adapters.http.native.page_sessions import PageSessionsDoor
from voicegate.adapters.http.native.prefixes import PrefixesDoor
from voicegate.adapters.http.native.service import ServiceDoor
from voicegate.adapters.http.native.trunks import TrunksDoor
from voicegate.adapters.http.native.verifications import VerificationsDoor
from voicegate.adapters.http.native.webhooks import WebhooksDoor
from voicegate.adapters.http.openapi import Description
from voicegate.adapters.http.operations import routes_of
from voicegate.adapters.http.waiting import Waiters, WaitingLimits
from voicegate.application.audit import Audit
from voicegate.application.clients import Clients
from voicegate.application.dry_runs import DryRuns
from voicegate.application.enrollment import Enrollment
from voicegate.application.limits import LimitQueries
from voicegate.application.number_lists import NumberLists
from voicegate.application.page_sessions import PageSessions
from voicegate.application.ports import Pbx
from voicegate.application.prefix_holds import PrefixHolds
from voicegate.application.queries import ChallengeQueries, FactorQueries
from voicegate.application.readiness import Readiness
from voicegate.application.reloading import NotReloaded, Reloaded
from voicegate.application.route_choice import Standings
from voicegate.application.sign_in import SignIn
from voicegate.application.trunks import Trunks
from voicegate.application.webhooks import Webhooks
from voicegate.domain.client import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDependencies:
    """What the native door needs of the dependencies."""

    sign_in: SignIn
    """The use cases around a challenge."""
    challenges: ChallengeQueries
    """The questions about challenges and calls."""
    enrollment: Enrollment
    """The use cases around a factor."""
    factors: FactorQueries
    """The questions about factors."""
    clients: Clients
    """The use cases around clients."""
    numbers: NumberLists
    """The use cases around the lists of numbers."""
    audit: Audit
    """Who asked for what."""
    pbxs: Mapping[str, Pbx]
    """The PBXs, by name."""
    trunks: Trunks
    """The use cases around trunks."""
    webhooks: Webhooks
    """The use cases around webhooks."""
    standings: Standings
    """The standing of the trunks."""
    prefix_holds: PrefixHolds
    """The use cases around held ranges and countries."""
    dry_runs: DryRuns
    """The decisions about calls that are not placed."""
    limits: LimitQueries
    """The questions about limits."""
    readiness: Readiness
    """Whether calls can be placed."""
    pages: PageSessions
    """The use cases around page sessions."""
    reload: Callable[[Principal], Awaitable[Reloaded | NotReloaded]]
    """Reads the settings again, for an admin."""
    pages_url: str = ""
    """Scheme and host of the pages; empty: their URL is not known."""
    body_timeout: timedelta = request_parsing.BODY_TIMEOUT
    """How long a request's body may take to arrive."""


def waiters_of(clients: Clients, limits: WaitingLimits | None = None) -> Waiters:
    """Return the places of the requests that wait, for all doors that let them."""

    async def is_valid(credentials: Credentials) -> bool:
        return await clients.authenticate(credentials.key, "", credentials.client) is not None

    return Waiters(is_valid, limits or WaitingLimits())


def native_door(dependencies: ApiDependencies, waiters: Waiters | None = None) -> Door:
    """Return the native door; `waiters` None: no other door lets requests wait."""
    waiters = waiters or waiters_of(dependencies.clients)
    handlers = (
        VerificationsDoor(
            dependencies.sign_in,
            dependencies.challenges,
            waiters=waiters,
            body_timeout=dependencies.body_timeout,
        ),
        FactorsDoor(dependencies.enrollment, dependencies.factors, body_timeout=dependencies.body_timeout),
        CallsDoor(dependencies.challenges),
        TrunksDoor(
            dependencies.trunks,
            pbxs=dependencies.pbxs,
            standings=dependencies.standings,
            body_timeout=dependencies.body_timeout,
        ),
        PrefixesDoor(dependencies.prefix_holds, dependencies.body_timeout),
        DryRunsDoor(dependencies.sign_in, dependencies.dry_runs, dependencies.body_timeout),
        LimitsDoor(dependencies.limits),
        ServiceDoor(dependencies.readiness, dependencies.reload),
        PageSessionsDoor(dependencies.pages, dependencies.pages_url, dependencies.body_timeout),
        WebhooksDoor(dependencies.webhooks, dependencies.body_timeout),
        AdminDoor(dependencies.clients, dependencies.audit, dependencies.body_timeout),
        NumbersDoor(dependencies.numbers, dependencies.body_timeout),
    )
    routes = [route for handler in handlers for route in routes_of(handler)]
    return Door(Description().complete(routes, __version__), close=waiters.close)
