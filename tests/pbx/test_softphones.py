"""Testers with softphones: registered by the printed password, called and calling; nothing is mixed up."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.pbx.conftest import EACH_PBX, Backend
from tests.pbx.sipp import Sipp
from tests.pbx.softphones import SAID_KEY, Login, Softphone, softphone
from voicegate.cli.main import main
from voicegate.client import AsyncClient, Call, Verification
from voicegate.lab.ear import hear_code
from voicegate.lab.numbers import find_number
from voicegate.lab.phrases import SAMPLE_CODE
from voicegate.lab.services import CODE, ECHO, all_services
from voicegate.lab.settings import PbxKind
from voicegate.lab.world import Lab

pytestmark = [EACH_PBX, pytest.mark.timeout(400)]

# Eight of North America's that no other test calls.
AREA_CODES = ("206", "207", "208", "209", "217", "218", "219", "224")
PRESSES = find_number("presses-key")
FIRST_PORT = 40
"""Of the softphones, from the lab's base on."""
SIPP = 50
"""SIPp's, from there on."""
# What each PBX answers to a wrong password, and to a call of somebody who shows none.
GUESSED = {PbxKind.ASTERISK: 401, PbxKind.FREESWITCH: 403}
UNPROVEN = {PbxKind.ASTERISK: 401, PbxKind.FREESWITCH: 407}
# Accounts that are not to register: FreeSWITCH's directory is one for all that have a name.
WITHOUT_TELEPHONE = {PbxKind.ASTERISK: ["voicegate"], PbxKind.FREESWITCH: ["voicegate", "4021"]}

Heard = tuple[Verification, str | None]
Recorded = tuple[Verification, Path]
"""A call, and what its telephone recorded."""


@dataclass
class Gathering:
    """What became of it."""

    ten: list[Heard] = field(default_factory=list)
    judged: list[str] = field(default_factory=list)
    by_extension: Heard | None = None
    answered: Verification | None = None
    absent: Verification | None = None
    echoed: str | None = None
    overheard: str | None = None
    played: list[str] = field(default_factory=list)
    sample: str | None = None


@dataclass
class Party:
    """Softphones at the lab, and its backend."""

    backend: Backend
    phones: Sequence[Softphone]
    sipp: Sipp
    password: str
    seen: Gathering = field(default_factory=Gathering)
    ten: list[Recorded] = field(default_factory=list)
    by_extension: Recorded = field(init=False)
    sample: Path = field(init=False)

    async def live(self) -> Gathering:
        async with asyncio.TaskGroup() as tasks:
            for part in (self.ten_at_once, self.services, self.each_other, self.scenario):
                tasks.create_task(part())
        # Only now, for the ear lets no other thread run, and the softphones listen in this process.
        for verification, recording in self.ten:
            code = hear_code(recording, 6)
            self.seen.ten.append((verification, code))
            self.seen.judged.append(await self.judge(verification, code))
        verification, recording = self.by_extension
        self.seen.by_extension = verification, hear_code(recording, 6)
        self.seen.sample = hear_code(self.sample, len(SAMPLE_CODE))
        return self.seen

    async def ten_at_once(self) -> None:
        """Two softphones ask to be called with a code, and eight telephones are called meanwhile."""
        phones, numbers = self.phones[:2], [PRESSES.american(area) for area in AREA_CODES]
        await asyncio.gather(*(phone.dial(CODE.number) for phone in phones))
        await asyncio.gather(*(phone.closed() for phone in phones))
        calls = asyncio.gather(*(self.backend.call(number) for number in numbers))
        recordings = await asyncio.gather(*(phone.take_call() for phone in phones))
        asked = await self.asked_for()
        self.ten += [(asked[f"tester{n}"], heard) for n, heard in enumerate(recordings, 1)]
        for number, verification in zip(numbers, await calls, strict=True):
            self.ten.append((verification, await self.backend.recording(number)))

    async def asked_for(self) -> Mapping[str, Verification]:
        """Who asked to be called, and what came of it."""
        found = {}
        for call in await self.backend.client.calls(100):
            verification = await self.backend.client.verification(call.verification_id)
            if verification.reference:
                name = verification.reference.partition(" ")[0]
                found[name] = await self.backend.settled(verification.id)
        return found

    async def judge(self, verification: Verification, code: str | None) -> str:
        where = ("--socket", str(self.backend.lab.settings.socket))
        result = await asyncio.to_thread(run, *where, "check", verification.id, input=f"{code}\n")
        return result.stdout.strip()

    async def services(self) -> None:
        """Dial every number that plays something, and listen."""
        phone, sounds = self.phones[2], self.backend.lab.settings.sounds
        for service in all_services():
            if service not in (CODE, ECHO):
                await phone.dial(service.name)
                await phone.hears(sounds / f"{service.name}.wav")
                self.seen.played.append(service.name)
                if service.name == "sample-en":
                    self.sample = await phone.closed()
                else:
                    await phone.hang_up()

    async def each_other(self) -> None:
        """Hear oneself; call another, who hears it too; and the other is called by extension."""
        phone, other = self.phones[3:5]
        await phone.dial(ECHO.number)
        self.seen.echoed = await phone.asked_key()
        await phone.hang_up()
        await asyncio.gather(phone.dial("tester5"), other.accept())
        self.seen.overheard = await other.asked_key()
        await asyncio.gather(phone.hang_up(), other.closed())
        self.by_extension = await asyncio.gather(self.backend.call("4105"), other.take_call())

    async def scenario(self) -> None:
        """Call somebody who is not there yet; then again."""
        self.seen.absent = await self.backend.call("tester6")
        await self.sipp.register("tester6", self.password)
        calling = self.backend.call("tester6", human_check="none")
        self.seen.answered, _ = await asyncio.gather(calling, self.sipp.answer())


def run(*arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(main, arguments, **more)


@pytest.fixture(scope="module")
def printed(lab: Lab) -> Any:
    return json.loads(run("lab", "testers", "--folder", str(lab.settings.folder), "--json").stdout)


@pytest.fixture(scope="module")
def gathering(lab: Lab, printed: Any, tmp_path_factory: pytest.TempPathFactory) -> Gathering:
    return asyncio.run(gather(lab, printed, tmp_path_factory.mktemp("softphones")))


async def gather(lab: Lab, printed: Any, folder: Path) -> Gathering:
    """Have softphones register, all but the last by UDP, and everything happen at once."""
    base = lab.settings.port_base + FIRST_PORT
    logins = [
        Login(tester["name"], tester["uri"], tester["password"], base + 10 * index)
        for index, tester in enumerate(printed["testers"][:5])
    ]
    logins[4] = replace(logins[4], address=f"{logins[4].address};transport=tcp")
    async with AsyncClient(socket=lab.settings.socket) as client, AsyncExitStack() as stack:
        phones = [await stack.enter_async_context(softphone(login, folder / login.name)) for login in logins]
        sipp = Sipp(folder, printed["registrar"], base + SIPP)
        password = printed["testers"][5]["password"]
        return await Party(Backend(client, lab), phones, sipp, password).live()


def last_call(verification: Verification | None) -> Call:
    assert verification is not None
    assert verification.call is not None
    return verification.call


def test_ten_calls_at_once_are_each_heard_by_their_own_telephone_only(gathering: Gathering) -> None:
    calls = [last_call(verification) for verification, _ in gathering.ten]
    assert [(call.outcome, call.evidence.strongest) for call in calls] == [("delivered", "announced")] * 10
    assert len({code for _, code in gathering.ten}) == 10
    assert gathering.judged == ["verified"] * 10
    answered = [call.answered_at for call in calls if call.answered_at]
    ended = [call.ended_at for call in calls if call.ended_at]
    assert max(answered) < min(ended)


def test_who_asks_for_a_code_is_called_back_at_their_own_softphone(gathering: Gathering) -> None:
    asked = [verification for verification, _ in gathering.ten[:2]]
    assert [one.reference for one in asked] == ["tester1 asked for it", "tester2 asked for it"]
    assert {last_call(one).trunk for one in asked} == {"desks"}
    assert all(last_call(one).evidence.human for one in asked)


def test_a_softphone_on_tcp_is_called_by_extension(gathering: Gathering) -> None:
    assert gathering.by_extension is not None
    verification, code = gathering.by_extension
    assert last_call(verification).outcome == "delivered"
    assert code is not None


def test_a_softphone_hears_itself_at_the_echo_test(gathering: Gathering) -> None:
    assert gathering.echoed == SAID_KEY


def test_testers_call_each_other_by_name(gathering: Gathering) -> None:
    assert gathering.overheard == SAID_KEY


def test_every_service_number_plays_what_it_is_for(gathering: Gathering) -> None:
    silent = {CODE.name, ECHO.name}
    assert gathering.played == [service.name for service in all_services() if service.name not in silent]


def test_a_sample_reads_all_ten_digits(gathering: Gathering) -> None:
    assert gathering.sample == SAMPLE_CODE


def test_another_make_of_softphone_is_called_too(gathering: Gathering) -> None:
    call = last_call(gathering.answered)
    assert (call.outcome, call.evidence.announced, call.evidence.media) == ("delivered", 2, True)


def test_a_tester_who_has_not_registered_cannot_be_reached(gathering: Gathering) -> None:
    call = last_call(gathering.absent)
    assert (call.outcome, call.evidence.strongest) == ("unavailable", "none")


@pytest.fixture
def stranger(lab: Lab, tmp_path: Path) -> Sipp:
    return Sipp(tmp_path, lab.settings.registrar, lab.settings.port_base + FIRST_PORT + SIPP)


@pytest.fixture
def kind(lab: Lab) -> PbxKind:
    return lab.settings.pbxs[0]


async def test_a_wrong_password_registers_nobody(stranger: Sipp, kind: PbxKind) -> None:
    await stranger.register("tester6", "a-guess", status=GUESSED[kind])


async def test_a_tester_registers_as_no_other(stranger: Sipp, kind: PbxKind, printed: Any) -> None:
    other = printed["testers"][4]
    await stranger.register("tester6", other["password"], account=other["name"], status=GUESSED[kind])


async def test_who_has_no_telephone_registers_none(stranger: Sipp, kind: PbxKind) -> None:
    for name in WITHOUT_TELEPHONE[kind]:
        await stranger.register(name, "a-guess", status=GUESSED[kind])


@pytest.mark.parametrize("name", ["tester6", "4106", "a-stranger", "4021"])
async def test_nobody_calls_a_service_number_without_a_password(
    stranger: Sipp, kind: PbxKind, name: str
) -> None:
    # The Asterisk knows its desk telephone by address, and lets it call nobody.
    status = 403 if (kind, name) == (PbxKind.ASTERISK, "4021") else UNPROVEN[kind]
    await stranger.intrude(name, ECHO.number, status)
