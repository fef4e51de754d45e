"""Creates the use cases, each with what it uses; the package itself chooses the adapters."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from voicegate.application.announcer import Announcer
from voicegate.application.audit import Audit
from voicegate.application.call_log import CallLogs, LogDependencies
from voicegate.application.challenges import ChallengeFactory, ChallengeService, Defaults
from voicegate.application.change_notifier import ChangeNotifier
from voicegate.application.clients import Clients
from voicegate.application.conversation import CallTimings
from voicegate.application.current_routes import CurrentRoutes
from voicegate.application.delivery import Delivery
from voicegate.application.dry_runs import DryRuns
from voicegate.application.enrollment import Enrollment
from voicegate.application.limits import Capacity, LimitQueries
from voicegate.application.number_lists import NumberLists
from voicegate.application.observing import NOBODY, ObservedSender, Observer
from voicegate.application.outbox import Outgoing
from voicegate.application.page_queries import PageQueries
from voicegate.application.page_sessions import PageRules, PageSessions
from voicegate.application.ports import Clock, Entropy, Keyring, Pbx, Speech
from voicegate.application.prefix_holds import PrefixHolds
from voicegate.application.queries import ChallengeQueries, FactorQueries
from voicegate.application.queueing import CallLimits
from voicegate.application.readiness import Readiness
from voicegate.application.receipts import Receipts, ReceiptSigner
from voicegate.application.redirects import Redirects
from voicegate.application.reports import ReportRules, Reports
from voicegate.application.route_choice import DEFAULT_MEMORY, RouteChooser, Standings
from voicegate.application.service_calls import ServiceCalls
from voicegate.application.sign_in import SignIn
from voicegate.application.store_port import Store
from voicegate.application.trunk_figures import FigureQueries
from voicegate.application.trunk_health import TrunkHealth
from voicegate.application.trunk_watch import TrunkWatch
from voicegate.application.trunks import Trunks
from voicegate.application.unit_of_work import Followers, UnitsOfWork
from voicegate.application.webhook_delivery import SendingRules, WebhookDelivery, WebhookSender
from voicegate.application.webhooks import Webhooks
from voicegate.config import Settings
from voicegate.domain.policy import CallPolicy
from voicegate.domain.routing import Routes
from voicegate.domain.standing import RestRules
from voicegate.domain.trunk_figures import KeyAlarm
from voicegate.domain.webhook import Webhook

TEST_PBX: Final = "test numbers"
"""The simulated PBX that answers test numbers; no configured one can have this name, for it has a blank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The adapters that fill the ports."""

    store: Store
    """The database."""
    keyring: Keyring
    """The key file."""
    speech: Speech
    """The sounds."""
    pbxs: Mapping[str, Pbx]
    """The PBXs, by name."""
    clock: Clock
    """The time."""
    entropy: Entropy
    """The source of ids and of keys to press."""
    webhook_sender: WebhookSender
    """Sends webhooks' messages."""
    receipt_signer: ReceiptSigner | None = None
    """Signs receipts; None: they are switched off."""
    observer: Observer = NOBODY
    """Is told what happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules that the admin has set."""

    routes: Routes
    """Trunks and internal routes."""
    policy: CallPolicy
    """Who may be called."""
    defaults: Defaults = field(default_factory=Defaults)
    """The values used where a request gives none."""
    timings: CallTimings = field(default_factory=CallTimings)
    """The timings of an answered call."""
    limits: CallLimits = field(default_factory=CallLimits)
    """The limits of calls in progress."""
    pages: PageRules = field(default_factory=PageRules)
    """Where the pages may lead, and how long page sessions live."""
    rests: RestRules = field(default_factory=RestRules)
    """When a trunk is set aside, and for how long."""
    webhooks: Sequence[Webhook] = ()
    """Who is told what."""
    sending: SendingRules = field(default_factory=SendingRules)
    """How webhooks' messages are sent."""
    reports: ReportRules | None = field(default_factory=ReportRules)
    """What a report of a call does; None: calls cannot be reported."""
    key_alarm: KeyAlarm = field(default_factory=KeyAlarm)
    """When too few keys come through a trunk."""
    caller_id_memory: timedelta = DEFAULT_MEMORY
    """For how long after a failed call the next one to that callee shows another caller ID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The daemon's parts, for its doors and its tests."""

    sign_in: SignIn
    """The use cases around a challenge."""
    challenges: ChallengeQueries
    """The questions about challenges and calls."""
    service_calls: ServiceCalls
    """The questions about services' calls."""
    enrollment: Enrollment
    """The use cases around a factor."""
    factors: FactorQueries
    """The questions about factors."""
    pages: PageSessions
    """The use cases around page sessions."""
    page_queries: PageQueries
    """The questions about page sessions."""
    clients: Clients
    """The use cases around clients and their keys."""
    audit: Audit
    """The audit."""
    numbers: NumberLists
    """The use cases around the lists of numbers."""
    readiness: Readiness
    """Whether calls can be placed."""
    calls: CallLogs
    """The calls' logs."""
    delivery: Delivery
    """The calls in progress; a context that must be entered before the first request."""
    pbxs: Mapping[str, Pbx]
    """The PBXs, by name."""
    standings: Standings
    """The standing of trunks and caller IDs."""
    trunks: Trunks
    """The use cases around trunks."""
    trunk_watch: TrunkWatch
    """Watches the trunks."""
    receipts: Receipts | None
    """Composes receipts; None: they are switched off."""
    webhooks: Webhooks
    """The use cases around webhooks."""
    webhook_delivery: WebhookDelivery
    """Sends webhooks' messages; a context to be entered."""
    prefix_holds: PrefixHolds
    """The use cases around held ranges and countries."""
    clock: Clock
    """The time."""
    dry_runs: DryRuns
    """The decisions about calls that are not placed."""
    limits: LimitQueries
    """The questions about limits."""
    units: UnitsOfWork
    """Runs units of work."""
    take_policy: Callable[[CallPolicy], None] = lambda _: None
    """Applies another policy, to calls that are asked for from now on."""
    on_failure: Callable[[str], None] = lambda _: None
    """Is told why a sender could not be authenticated."""
    take_keys: Callable[[Path], None] = lambda _: None
    """Uses the keys that a key file has now; blocks; raises KeyFileError, and then nothing has changed."""
    take_webhooks: Callable[[Settings], Awaitable[None]] | None = None
    """Tells other webhooks from now on, which were checked before."""
    store_delay: Callable[[int], float] = lambda _: 0.0
    """How long a write that came now would wait behind at least so many others, in seconds."""


def assemble(adapters: Adapters, rules: Rules) -> App:
    """Return the use cases with these adapters."""
    store, clock, entropy = adapters.store, adapters.clock, adapters.entropy
    logs, routes = _log_dependencies(adapters, rules), CurrentRoutes(rules.routes)
    calls, audit = CallLogs(logs, entropy), Audit(store=store, keyring=adapters.keyring)
    delivery = _delivery(adapters, rules, calls)
    units = _units(adapters, rules, audit=audit, delivery=delivery, logs=logs)
    chooser = RouteChooser(routes, logs.standings, rules.caller_id_memory, pbxs=adapters.pbxs)
    service = _challenge_service(adapters, rules, calls=calls, delivery=delivery, chooser=chooser)
    enrollment = _enrollment(adapters, units=units, challenge_service=service)
    factors = FactorQueries(store=store, clock=clock)
    sign_in = _sign_in(adapters, routes, units=units, challenge_service=service, delivery=delivery)
    pages = PageQueries(store=store, clock=clock, factors=factors)
    return App(
        sign_in=sign_in,
        dry_runs=DryRuns(units=units, sign_in=sign_in, enrollment=enrollment),
        challenges=ChallengeQueries(store=store, notifier=logs.notifier, clock=clock),
        service_calls=ServiceCalls(store),
        enrollment=enrollment,
        factors=factors,
        pages=_page_sessions(adapters, rules, units=units, enrollment=enrollment, queries=pages),
        page_queries=pages,
        clients=Clients(store=store, clock=clock, entropy=entropy, units=units),
        audit=audit,
        numbers=NumberLists(store=store, units=units, audit=audit, clock=clock),
        readiness=_readiness(adapters, delivery),
        calls=calls,
        delivery=delivery,
        pbxs=adapters.pbxs,
        standings=logs.standings,
        trunks=_trunks(adapters, routes, units=units, standings=logs.standings),
        trunk_watch=TrunkWatch(routes, adapters.pbxs, dependencies=logs, alarm=rules.key_alarm),
        receipts=logs.receipts,
        webhooks=_webhooks(adapters, units=units, outgoing=logs.outgoing),
        webhook_delivery=_webhook_delivery(adapters, rules, logs.outgoing),
        prefix_holds=_prefix_holds(adapters, units=units, audit=audit, service=service),
        clock=clock,
        limits=_limits(adapters, audit=audit, service=service, capacity=_capacity(rules, routes, delivery)),
        units=units,
        take_policy=service.take_policy,
    )


def _units(
    adapters: Adapters, rules: Rules, *, audit: Audit, delivery: Delivery, logs: LogDependencies
) -> UnitsOfWork:
    """Return what runs units of work; called persons' reports are such units too."""
    store = adapters.store
    followers = Followers(
        notifier=logs.notifier,
        delivery=delivery,
        outgoing=logs.outgoing,
        observer=adapters.observer,
    )
    units = UnitsOfWork(store=store, clock=adapters.clock, audit=audit, followers=followers)
    if rules.reports is not None:
        followers.delivery.on_report(Reports(store=store, units=units, rules=rules.reports))
    return units


def _limits(
    adapters: Adapters, *, audit: Audit, service: ChallengeService, capacity: Capacity
) -> LimitQueries:
    return LimitQueries(
        store=adapters.store,
        clock=adapters.clock,
        audit=audit,
        challenge_service=service,
        capacity=capacity,
    )


def _capacity(rules: Rules, routes: CurrentRoutes, delivery: Delivery) -> Capacity:
    return Capacity(rules.limits, routes, rules.defaults.guesses, delivery.occupancy, delivery.longest_call)


def _enrollment(adapters: Adapters, *, units: UnitsOfWork, challenge_service: ChallengeService) -> Enrollment:
    return Enrollment(
        units=units,
        challenge_service=challenge_service,
        entropy=adapters.entropy,
        speech=adapters.speech,
    )


def _prefix_holds(
    adapters: Adapters, *, units: UnitsOfWork, audit: Audit, service: ChallengeService
) -> PrefixHolds:
    return PrefixHolds(
        store=adapters.store,
        clock=adapters.clock,
        units=units,
        audit=audit,
        policy=lambda: service.policy.conversion,
    )


def _log_dependencies(adapters: Adapters, rules: Rules) -> LogDependencies:
    return LogDependencies(
        store=adapters.store,
        notifier=ChangeNotifier(),
        clock=adapters.clock,
        standings=Standings(clock=adapters.clock, rules=rules.rests),
        outgoing=Outgoing(rules.webhooks, entropy=adapters.entropy, rules=rules.sending.retries),
        receipts=Receipts(adapters.receipt_signer) if adapters.receipt_signer else None,
        observer=adapters.observer,
    )


def _webhooks(adapters: Adapters, *, units: UnitsOfWork, outgoing: Outgoing) -> Webhooks:
    return Webhooks(
        store=adapters.store,
        clock=adapters.clock,
        units=units,
        outgoing=outgoing,
        sender=adapters.webhook_sender,
    )


def _webhook_delivery(adapters: Adapters, rules: Rules, outgoing: Outgoing) -> WebhookDelivery:
    return WebhookDelivery(
        store=adapters.store,
        clock=adapters.clock,
        sender=ObservedSender(adapters.webhook_sender, adapters.observer),
        outgoing=outgoing,
        rules=rules.sending,
    )


def _sign_in(
    adapters: Adapters,
    routes: CurrentRoutes,
    *,
    units: UnitsOfWork,
    challenge_service: ChallengeService,
    delivery: Delivery,
) -> SignIn:
    """Return the use cases around a challenge; policy decides about redirected calls too."""
    redirects = Redirects(
        store=adapters.store,
        units=units,
        challenge_service=challenge_service,
        routes=routes,
    )
    delivery.on_redirect(redirects)
    return SignIn(
        units=units,
        challenge_service=challenge_service,
        keyring=adapters.keyring,
        trunk_health=TrunkHealth(adapters.pbxs),
        delivery=delivery,
    )


def _delivery(adapters: Adapters, rules: Rules, calls: CallLogs) -> Delivery:
    return Delivery(
        calls=calls,
        announcer=Announcer(keyring=adapters.keyring, speech=adapters.speech, entropy=adapters.entropy),
        pbxs=adapters.pbxs,
        timings=rules.timings,
        limits=rules.limits,
    )


def _trunks(adapters: Adapters, routes: CurrentRoutes, *, units: UnitsOfWork, standings: Standings) -> Trunks:
    store = adapters.store
    return Trunks(
        store=store,
        units=units,
        drains=standings.drains,
        routes=routes,
        figures=FigureQueries(store, adapters.clock),
    )


def _readiness(adapters: Adapters, delivery: Delivery) -> Readiness:
    return Readiness(
        store=adapters.store,
        clock=adapters.clock,
        pbxs=_that_must_be_connected(adapters.pbxs),
        is_stopping=lambda: delivery.stopping.is_on,
    )


def _that_must_be_connected(pbxs: Mapping[str, Pbx]) -> Mapping[str, Pbx]:
    """Return the PBXs without which no call can be placed."""
    # The one of the test numbers is always there: it counts where there is no other.
    return {name: pbx for name, pbx in pbxs.items() if name != TEST_PBX} or pbxs


def _page_sessions(
    adapters: Adapters, rules: Rules, *, units: UnitsOfWork, enrollment: Enrollment, queries: PageQueries
) -> PageSessions:
    return PageSessions(
        units=units,
        queries=queries,
        entropy=adapters.entropy,
        enrollment=enrollment,
        rules=rules.pages,
    )


def _challenge_service(
    adapters: Adapters,
    rules: Rules,
    *,
    calls: CallLogs,
    delivery: Delivery,
    chooser: RouteChooser,
) -> ChallengeService:
    factory = ChallengeFactory(
        clock=adapters.clock,
        keyring=adapters.keyring,
        entropy=adapters.entropy,
        speech=adapters.speech,
        defaults=rules.defaults,
    )
    return ChallengeService(
        factory=factory,
        route_chooser=chooser,
        calls=calls,
        delivery=delivery,
        policy=rules.policy,
    )
