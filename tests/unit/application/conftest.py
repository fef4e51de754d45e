"""The use cases on a real store and key file, with a scripted PBX and a clock that the test turns."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.unit.application.scripted import ScriptedPbx, ScriptedReceiver, ScriptedSpeech
from voicegate.adapters.keyfile import FileKeyring
from voicegate.adapters.storage import engines
from voicegate.adapters.storage.migrations import migrate
from voicegate.adapters.storage.store import SqlStore
from voicegate.adapters.system import SystemEntropy
from voicegate.application.audit import Audit
from voicegate.application.challenges import ChallengeService, ChallengeSpec
from voicegate.application.change_notifier import ChangeNotifier
from voicegate.application.clients import Clients
from voicegate.application.conversation import CallTimings
from voicegate.application.delivery import Delivery
from voicegate.application.enrollment import Enrollment
from voicegate.application.ports import ChallengeRecord
from voicegate.application.queries import ChallengeQueries, FactorQueries
from voicegate.application.queueing import CallLimits
from voicegate.application.sign_in import Issued, IssueRequest, SignIn
from voicegate.bootstrap.app import Adapters, App, Rules, assemble
from voicegate.domain.client import Principal, Scope
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import CallPolicy
from voicegate.domain.routing import CallerId, Routes, Trunk

NUMBER = "+12025550101"
TESTER = Principal("tester", frozenset({Scope.VERIFICATIONS, Scope.FACTORS}), "req_1")
OTHER = Principal("other", frozenset({Scope.VERIFICATIONS, Scope.FACTORS}), "req_2")
SPACED = CallPolicy(frozenset({"US"}))
"""As it is at first."""
UNHURRIED = replace(SPACED, call_spacing=(timedelta(),))
"""A telephone that does not ring may be called again at once."""
ADMIN = Principal("root", frozenset(Scope), "req_3")


@dataclass
class TurnedClock:
    """Stands still until turned."""

    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


def trunk(name: str, progress_timeout: timedelta = timedelta(seconds=12)) -> Trunk:
    caller_ids = (CallerId("+12025550100"),)
    return Trunk(name, "main", endpoint=name, caller_ids=caller_ids, progress_timeout=progress_timeout)


@dataclass
class Bench:
    """The use cases with everything a test wants to look at."""

    adapters: Adapters
    rules: Rules
    app: App
    pbx: ScriptedPbx
    speech: ScriptedSpeech
    clock: TurnedClock
    store: SqlStore
    keyring: FileKeyring

    @property
    def sign_in(self) -> SignIn:
        return self.app.sign_in

    @property
    def challenges(self) -> ChallengeQueries:
        return self.app.challenges

    @property
    def enrollment(self) -> Enrollment:
        return self.app.enrollment

    @property
    def factors(self) -> FactorQueries:
        return self.app.factors

    @property
    def clients(self) -> Clients:
        return self.app.clients

    @property
    def audit(self) -> Audit:
        return self.app.audit

    @property
    def delivery(self) -> Delivery:
        return self.app.delivery

    @property
    def challenge_service(self) -> ChallengeService:
        return self.app.sign_in._challenge_service

    @property
    def notifier(self) -> ChangeNotifier:
        return self.app.challenges._notifier

    def rebuilt(self, **rules: object) -> "Bench":
        """The use cases again, with calls in progress of their own, and other rules."""
        changed = replace(self.rules, **rules)  # type: ignore[arg-type]
        return replace(self, app=assemble(self.adapters, changed), rules=changed)

    async def issue(self, number: str = NUMBER, extension: str | None = None, **more: object) -> str:
        issued = await self.sign_in.issue(
            IssueRequest(TESTER, ChallengeSpec(Destination.parse(number, extension), **more))  # type: ignore[arg-type]
        )
        assert isinstance(issued, Issued)
        return issued.record.challenge.id

    async def settled(self, challenge_id: str) -> ChallengeRecord:
        """Wait until no call of the challenge lives."""
        since = -1
        while True:
            record = await self.challenges.look(ADMIN, challenge_id, since=since, wait=timedelta(seconds=10))
            assert record is not None
            if not any(call.call.is_live for call in record.calls):
                return record
            since = record.revision

    def code(self, challenge_id: str) -> str:
        return self.keyring.derive(challenge_id, 6).digits


@pytest.fixture
def trunks() -> tuple[Trunk, ...]:
    """Override for another route."""
    return (trunk("carrier"),)


@pytest.fixture
def timings() -> CallTimings:
    """Override for other timings."""
    return CallTimings(extension_delay=timedelta())


@pytest.fixture
def limits() -> CallLimits:
    """Override for fewer calls at a time."""
    return CallLimits()


@cache
def new_database() -> bytes:
    """A database file as a first start makes it; made once, for its revisions cost a third of a test."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "new.db"
        engines.create_file(file)
        engine = engines.connect_writer(engines.locate(file))
        with engine.begin() as connection:
            migrate(connection)
        engine.dispose()
        return file.read_bytes()


@asynccontextmanager
async def bench_in(
    folder: Path,
    trunks: tuple[Trunk, ...] = (trunk("carrier"),),
    timings: CallTimings | None = None,
    limits: CallLimits | None = None,
) -> AsyncIterator[Bench]:
    """The use cases on a database and a key file in a folder."""
    pbx, speech, clock = ScriptedPbx(), ScriptedSpeech(), TurnedClock()
    timings = timings or CallTimings(extension_delay=timedelta())
    database = folder / "test.db"
    if not database.exists():
        engines.create_file(database)
        database.write_bytes(new_database())
    async with SqlStore(database) as store:
        keyring = FileKeyring.open(folder / "key")
        adapters = Adapters(
            store=store,
            keyring=keyring,
            speech=speech,
            pbxs={"main": pbx},
            clock=clock,
            entropy=SystemEntropy(),
            webhook_sender=ScriptedReceiver(),
        )
        rules = Rules(routes=Routes(trunks), policy=UNHURRIED, timings=timings, limits=limits or CallLimits())
        app = assemble(adapters, rules)
        async with app.delivery:
            yield Bench(
                adapters, rules, app, pbx=pbx, speech=speech, clock=clock, store=store, keyring=keyring
            )


@pytest.fixture
async def bench(
    tmp_path: Path, trunks: tuple[Trunk, ...], timings: CallTimings, limits: CallLimits
) -> AsyncIterator[Bench]:
    async with bench_in(tmp_path, trunks, timings, limits) as made:
        yield made
