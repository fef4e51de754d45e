"""A code leaks nowhere: two calls with everything that can listen listening, and all of it searched.

A third call plays its digits' own files by name, through the same PBX: the same search finds it.
"""

import asyncio
import base64
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import pytest

from tests.conftest import skip_without
from tests.pbx import secrets_search as search
from tests.pbx.conftest import Backend
from tests.pbx.eavesdropping import RELAY_OFFSET, Eavesdropper, make_talkative
from tests.pbx.second_daemon import begin, follow, is_over, second_daemon
from tests.pbx.secrets_search import Secret, Traces
from tests.unit.application.conftest import TESTER
from voicegate import bootstrap
from voicegate.adapters.keyfile import FileKeyring
from voicegate.adapters.pbx.common.supervised_leg import SupervisedLeg
from voicegate.adapters.speech.mixer import Mixer
from voicegate.adapters.speech.pack import digit_name
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.housekeeping import INTERVAL
from voicegate.application.ports import CallAudio, Clip, Leg
from voicegate.application.sign_in import IssueRequest
from voicegate.client import AsyncClient, Verification
from voicegate.config import project_folder
from voicegate.domain.announcement import Digit, HumanCheck, Part
from voicegate.domain.call import Playback
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.lab.deadlines import within
from voicegate.lab.numbers import find_number
from voicegate.lab.ports import reserve_port_base
from voicegate.lab.settings import LabSettings, PbxKind
from voicegate.lab.world import Lab

PRESSES = find_number("presses-key")
OWN, DERIVED, CARELESS = PRESSES.american("646"), PRESSES.british(7), PRESSES.british(8)
NUMBERS = [search.number(name, name) for name in (OWN, DERIVED)]
HEARD = {
    PbxKind.ASTERISK: [
        ("manager events", b"Event: AGIExecStart"),
        ("manager events", b"Event: VarSet"),
        ("manager events", b"Event: Newexten"),
        ("manager events", b"Event: RTCPSent"),
        ("manager events", b"Event: CEL"),
        ("manager events", b"Event: Cdr"),
        ("manager traffic", b"Action: Originate"),
        ("manager traffic", b"Event: Hangup"),
        ("pbx/log/full", b"STREAM FILE"),
        ("pbx/log/full", b"Playing '"),
        ("pbx/log/full", b"DEBUG["),
        ("pbx/log/full", b"Transmitting SIP request"),
        ("pbx/log/cdr-csv/Master.csv", b"voicegate-answered"),
        ("pbx/log/cdr-custom/All.csv", b"voicegate-answered"),
        ("pbx/log/cel-custom/All.csv", b"CHAN_START"),
        ("processes/pbx.log", b"Asterisk"),
        ("pbx/db/astdb.sqlite3", b"SQLite format 3"),
        ("processes", b"asterisk.conf"),
    ],
    PbxKind.FREESWITCH: [
        ("manager events", b"Event-Name: CHANNEL_EXECUTE\n"),
        ("manager events", b"Event-Name: PLAYBACK_START"),
        ("manager events", b"Event-Name: CHANNEL_HANGUP_COMPLETE"),
        ("manager events", b"Event-Name: RECV_RTCP_MESSAGE"),
        ("manager events", b"variable_playback_last_offset_pos"),
        ("manager traffic", b"bgapi originate"),
        ("manager traffic", b"execute-app-name: playback"),
        ("manager traffic", b"Event-Name: CHANNEL_PARK"),
        ("pbx/log/freeswitch.log", b"[DEBUG]"),
        ("pbx/log/freeswitch.log", b"INVITE sip:"),
        ("pbx/log/freeswitch.log", b"playback("),
        ("pbx/db/core.db", b"SQLite format 3"),
        ("processes", b"-nonat"),
    ],
}
"""By what each place shows that all of it was heard there."""
LOGS = {PbxKind.ASTERISK: "pbx/log/full", PbxKind.FREESWITCH: "pbx/log/freeswitch.log"}
RELAYED = {
    PbxKind.ASTERISK: f"pbx.{PbxKind.ASTERISK.section}.ami_port",
    PbxKind.FREESWITCH: f"pbx.{PbxKind.FREESWITCH.section}.esl_port",
}
DATABASE = {"voicegate.db", "voicegate.db-wal", "voicegate.db-shm"}


@dataclass
class Overheard:
    """The calls, their secrets, and what was heard of them."""

    kind: PbxKind
    verifications: Sequence[Verification]
    own: Secret
    derived: Secret
    sealed: Secret
    during: Traces
    while_open: Traces
    ours: Traces
    traces: Traces
    careless: Secret
    careless_traces: Traces


def invent(length: int) -> str:
    """A code whose digits all differ, so that their order tells."""
    return "".join(random.sample("0123456789", length))


@pytest.fixture(scope="module", params=PbxKind)
def overheard(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Overheard]:
    kind: PbxKind = request.param
    skip_without(kind)
    with reserve_port_base() as port_base:
        # Ten digits, for shorter ones come up by chance in the numbers of a long log.
        overrides = {
            "log.level": "debug",
            "passcode.length": 10,
            RELAYED[kind]: port_base + RELAY_OFFSET,
        }
        folder = tmp_path_factory.mktemp("leaks")
        lab = Lab(LabSettings(folder, port_base, name="leaks", overrides=overrides, pbxs=(kind,)))
        try:
            lab.up(with_controller=False)
            yield asyncio.run(overhear(Eavesdropper(lab, make_talkative(lab))))
        finally:
            lab.down()


async def overhear(spy: Eavesdropper) -> Overheard:
    """Make the calls with everybody listening."""
    lab, digits, careless = spy.lab, invent(8), invent(8)
    async with spy.listening():
        await asyncio.to_thread(lab.start_controller)
        async with AsyncClient(socket=lab.settings.socket) as client:
            backend = Backend(client, lab)
            await backend.trunk_is("available")
            own = await client.create_verification(OWN, passcode=digits, idempotency_key="once")
            derived = await client.create_verification(DERIVED)
            sealed = spy.sealed(own.id)
            assert sealed is not None
            await backend.reaches(own.id, "announcing")
            during = spy.all()
            ended = [await backend.settled(created.id) for created in (own, derived)]
            await spy.ask(*(f"/v1/verifications/{one.id}" for one in ended), "/v1/calls", "/v1/trunks")
            while_open = spy.all()
            key = FileKeyring.open(lab.settings.folder / "key", may_create=False)
            spoken = key.derive(derived.id, 10).digits
            for verification, right in zip(ended, (digits, spoken), strict=True):
                assert (await client.check(verification.id, "0000")).status == "denied"
                assert (await client.check(verification.id, right)).status == "verified"
        traces, ours = spy.all(), spy.ours()
        await call_carelessly(lab, careless)
        await erased(spy, ended[0].id, sealed)
    return Overheard(
        kind=lab.settings.pbxs[0],
        verifications=ended,
        own=search.code("own code", digits),
        derived=search.code("derived code", spoken),
        sealed=search.sealed("sealed code", sealed),
        during=during,
        while_open=while_open,
        ours=ours,
        traces=traces,
        careless=search.code("careless code", careless),
        careless_traces=spy.all(),
    )


async def erased(spy: Eavesdropper, verification_id: str, sealed: bytes) -> None:
    """Wait as long as a sealed code may outlive its verification in the database's files."""
    assert spy.sealed(verification_id) is None
    database = [spy.lab.settings.folder / name for name in DATABASE]
    with suppress(TimeoutError):
        async with within((INTERVAL + timedelta(seconds=2)).total_seconds()):
            while any(sealed in file.read_bytes() for file in database if file.exists()):
                await asyncio.sleep(0.2)


class NamingMixer(Mixer):
    """Notes which digits' files a reading is made of, for `play_by_name`."""

    named: ClassVar[dict[str, list[str]]] = {}

    @asynccontextmanager
    async def mix(
        self, language: str, invitation: Sequence[Part], reading: Sequence[Part]
    ) -> AsyncIterator[CallAudio]:
        async with super().mix(language, invitation, reading) as audio:
            folder = project_folder("sounds") / language
            digits = [part.value for part in reading if isinstance(part, Digit)]
            self.named[audio.reading.path] = [str(folder / digit_name(digit)) for digit in digits]
            yield audio


async def call_carelessly(lab: Lab, digits: str) -> None:
    """Have a daemon in this process that plays a code as one file a digit, as many systems do."""
    play: Callable[..., Awaitable[Playback]] = SupervisedLeg.play

    async def play_by_name(leg: Leg, clip: Clip, keys: str = "") -> Playback:
        for path in NamingMixer.named.get(clip.path, ()):
            await play(leg, Clip(path, 1, timedelta(seconds=2), code_end=1), keys)
        return await play(leg, clip, keys) if clip.path not in NamingMixer.named else _nothing()

    wanted = ChallengeSpec(
        Destination.parse(CARELESS), passcode=Passcode(digits), human_check=HumanCheck.NONE
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SupervisedLeg, "play", play_by_name)
        patch.setattr(bootstrap, "Mixer", NamingMixer)
        async with second_daemon(lab) as app:
            await follow(app, await begin(app, IssueRequest(TESTER, wanted)), is_over)


def _nothing() -> Playback:
    """Ends the call after one reading: the files were played, and that was the point."""
    return Playback(samples=0, elapsed=timedelta(), packets=0)


def test_the_calls_were_delivered(overheard: Overheard) -> None:
    assert [one.call and one.call.outcome for one in overheard.verifications] == ["delivered"] * 2


@pytest.mark.parametrize(
    ("place", "sign"),
    [
        ("voicegate.db", b"SQLite format 3"),
        ("processes", b"PYTHONUNBUFFERED"),
        ("file names", b"audio/vg-"),
        ("sounds", b"WAVE"),
        ("controller's log", b'"level": "debug"'),
        ("answers", b'"outcome":"delivered"'),
        ("timeline", b"reading_ended"),
    ],
)
def test_everything_of_ours_listened(overheard: Overheard, place: str, sign: bytes) -> None:
    assert sign in overheard.traces[place]


def test_everything_of_the_pbx_listened(overheard: Overheard) -> None:
    heard = HEARD[overheard.kind]
    assert [(place, sign) for place, sign in heard if sign not in overheard.traces[place]] == []


@pytest.mark.parametrize("moment", ["during", "while_open", "traces"])
def test_the_code_is_nowhere(overheard: Overheard, moment: str) -> None:
    traces = getattr(overheard, moment)
    assert overheard.own.found_in(traces) == {}
    assert overheard.derived.found_in(traces) == {}


def test_no_digits_file_is_named_to_the_pbx(overheard: Overheard) -> None:
    # What is sound names nothing, however its samples read as text.
    named = {
        place: search.named_digits(text)
        for place, text in overheard.traces.items()
        if place.partition("/")[0] != "sounds"
    }
    # Strangers' command lines may name what they like.
    del named["processes"]
    assert {place: digits for place, digits in named.items() if digits} == {}


def test_a_sealed_code_is_in_the_database_only_while_it_may_be_spoken(overheard: Overheard) -> None:
    for traces in (overheard.during, overheard.while_open):
        assert overheard.sealed.found_in(traces).keys() & DATABASE
        assert overheard.sealed.found_in(traces).keys() <= DATABASE


def test_a_sealed_code_is_nowhere_once_its_verification_is_over(overheard: Overheard) -> None:
    assert overheard.sealed.found_in(overheard.careless_traces) == {}


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_a_whole_number_is_in_nothing_that_we_say(overheard: Overheard, number: Secret) -> None:
    assert number.found_in(overheard.ours) == {}
    # The PBX has to know it: the search finds it there.
    assert {"manager events", "manager traffic", LOGS[overheard.kind]} <= number.found_in(
        overheard.traces
    ).keys()


def test_digits_played_by_name_are_found(overheard: Overheard) -> None:
    found = overheard.careless.found_in(overheard.careless_traces)
    assert "sounds in order" in found[LOGS[overheard.kind]]
    assert "sounds in order" in found["manager events"]
    # By their names alone, and by that call alone.
    assert {form for forms in found.values() for form in forms} == {"sounds in order"}
    assert overheard.careless.found_in(overheard.traces) == {}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("PIN=83027461", "digits"),
        ("code 8 3 0 2 7 4 6 1.", "spelled"),
        ('["8", "3", "0", "2", "7", "4", "6", "1"]', "spelled"),
        (", ".join(f"digits/{digit}" for digit in "83027461"), "sounds in order"),
        ("".join(f"<digit_{digit}.wav> (Playing '{digit}')" for digit in "83027461"), "sounds in order"),
        ("&".join(f"/sounds/{digit}.gsm" for digit in "83027461"), "sounds in order"),
        (b"83027461".hex(), "hexadecimal"),
        (base64.b64encode(b'{"passcode": "83027461"}').decode(), "base64"),
        (base64.b64encode(b"a83027461").decode(), "base64"),
        (base64.b64encode(b"ab83027461").decode(), "base64"),
        (hashlib.sha256(b"83027461").hexdigest(), "hash"),
    ],
)
def test_a_code_is_found_in_any_form(text: str, form: str) -> None:
    places = {"here": text.encode(), "elsewhere": b"16472038"}
    assert search.code("code", "83027461").found_in(places) == {"here": [form]}
