"""An hour's calls at once, as `test_numbers` judges them: every row of the table, and more beside it."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import soundfile

from tests.pbx.conftest import Backend
from voicegate.client import ApiError, AsyncClient, Verification
from voicegate.config import project_folder
from voicegate.domain.announcement import REPORT_PHRASES
from voicegate.lab.listener import find_sound, hear_digits
from voicegate.lab.numbers import NUMBERS, find_number
from voicegate.lab.world import Lab

# Twenty of North America's, so that each call has a number, and a recording, of its own.
AREA_CODES = (
    202,
    212,
    213,
    214,
    215,
    216,
    303,
    305,
    310,
    312,
    313,
    314,
    404,
    405,
    415,
    503,
    504,
    602,
    617,
    702,
)
# Those beside English: an area code of its own for each, and a code.
LANGUAGES = {
    "de": ("718", "4710293856"),
    "es": ("801", "336985"),
    "fr": ("907", "820057"),
    "it": ("719", "904417"),
    "pt-BR": ("720", "158263"),
    "ru": ("725", "739408"),
}
PRESSES, OFFICE, ULAW = find_number("presses-key"), find_number("office"), find_number("speaks-ulaw")

Heard = tuple[Verification, str | None]


@dataclass
class BusyHour:
    """What became of it."""

    table: dict[str, Verification] = field(default_factory=dict)
    wrong_extension: Verification | None = None
    paused_extension: Verification | None = None
    out_of_service: Verification | None = None
    desk: Verification | None = None
    any_key: Verification | None = None
    unchecked: Verification | None = None
    unheard: Verification | None = None
    voicemail: str | None = "not listened to"
    own_code: Heard | None = None
    languages: dict[str, Heard] = field(default_factory=dict)
    recordings: dict[str, Path] = field(default_factory=dict)
    redialed: list[Heard] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)
    """All digits of those two calls, as they were heard."""
    twenty: list[Heard] = field(default_factory=list)
    judged: list[str] = field(default_factory=list)
    opted_out: Verification | None = None
    phrases: list[int | None] = field(default_factory=list)
    void_code: str | None = None
    refused: set[str] = field(default_factory=set)


async def live_through(lab: Lab) -> BusyHour:
    """Place all calls at once, with strangers at the daemon's door meanwhile, and wait for the last one."""
    hour = BusyHour()
    async with AsyncClient(socket=lab.settings.socket) as client, asyncio.TaskGroup() as tasks:
        backend = Backend(client, lab)
        for part in (
            _table,
            _extensions,
            _others,
            _checks,
            _voicemail,
            _own_code,
            _languages,
            _redial,
            _twenty,
            _strangers,
            _opting_out,
        ):
            tasks.create_task(part(backend, hour))
    return hour


async def _table(backend: Backend, hour: BusyHour) -> None:
    calls = [backend.call(number.british(), extension=number.extension) for number in NUMBERS]
    for number, verification in zip(NUMBERS, await asyncio.gather(*calls), strict=True):
        hour.table[number.name] = verification


async def _extensions(backend: Backend, hour: BusyHour) -> None:
    hour.wrong_extension, hour.paused_extension = await asyncio.gather(
        backend.call(OFFICE.british(1), extension="9999"),
        backend.call(OFFICE.british(2), extension="w43W21"),
    )


async def _others(backend: Backend, hour: BusyHour) -> None:
    hour.out_of_service, hour.desk = await asyncio.gather(backend.call("+442079460399"), backend.call("4021"))


async def _checks(backend: Backend, hour: BusyHour) -> None:
    hour.any_key, hour.unchecked, hour.unheard = await asyncio.gather(
        backend.call(PRESSES.british(4), human_check="any_key"),
        backend.call(find_number("never-presses").british(4), human_check="none"),
        backend.call(find_number("no-media").british(4), human_check="none"),
    )


async def _voicemail(backend: Backend, hour: BusyHour) -> None:
    number = find_number("voicemail").british(4)
    await backend.call(number)
    hour.voicemail = await backend.hear(number)


async def _opting_out(backend: Backend, hour: BusyHour) -> None:
    number = find_number("wants-no-calls").british(5)
    hour.opted_out = await backend.call(number, passcode="904418")
    heard = soundfile.read(await backend.recording(number), dtype="int16")[0]
    sounds = project_folder("sounds") / "en"
    # The first of them was cut short by the 9.
    for name in REPORT_PHRASES[1:]:
        said = soundfile.read(sounds / f"{name}.wav", dtype="int16")[0]
        # A recording ends with the call, some packets early.
        hour.phrases.append(await asyncio.to_thread(find_sound, heard, said[:-4000]))
    judgement = await backend.client.check(hour.opted_out.id, "904418")
    hour.void_code = judgement.reason
    for asking in (
        backend.client.create_verification(number),
        backend.client.factors.enroll("bystander", number),
    ):
        with pytest.raises(ApiError) as refused:
            await asking
        hour.refused.add(refused.value.problem.name)


async def _own_code(backend: Backend, hour: BusyHour) -> None:
    verification = await backend.call(PRESSES.british(6), passcode="904417")
    hour.own_code = (verification, await backend.hear(PRESSES.british(6)))


async def _languages(backend: Backend, hour: BusyHour) -> None:
    numbers = {language: PRESSES.american(area) for language, (area, _) in LANGUAGES.items()}
    calls = [
        backend.call(numbers[language], language=language, passcode=code)
        for language, (_, code) in LANGUAGES.items()
    ]
    for language, verification in zip(LANGUAGES, await asyncio.gather(*calls), strict=True):
        hour.recordings[language] = await backend.recording(numbers[language])
        heard, _ = soundfile.read(hour.recordings[language], dtype="int16")
        digits = await asyncio.to_thread(hear_digits, heard, project_folder("sounds") / language)
        hour.languages[language] = (verification, digits)


async def _redial(backend: Backend, hour: BusyHour) -> None:
    number = PRESSES.british(5)
    verification = await backend.call(number, matching_digits=True)
    await _hear_again(backend, hour, verification, number, 1)
    await backend.client.redial(verification.id)
    await _hear_again(backend, hour, await backend.settled(verification.id), number, 2)


async def _hear_again(
    backend: Backend, hour: BusyHour, verification: Verification, number: str, count: int
) -> None:
    hour.redialed.append((verification, await backend.hear(number, count)))
    heard, _ = soundfile.read(await backend.recording(number, count), dtype="int16")
    hour.compared.append(await asyncio.to_thread(hear_digits, heard, project_folder("sounds") / "en"))


async def _twenty(backend: Backend, hour: BusyHour) -> None:
    numbers = [ULAW.american(str(area)) for area in AREA_CODES]
    verifications = await asyncio.gather(*(backend.call(number) for number in numbers))
    heard = [await backend.hear(number) for number in numbers]
    hour.twenty = list(zip(verifications, heard, strict=True))
    hour.judged = [
        (await backend.client.check(verification.id, code or "0000")).status
        for verification, code in hour.twenty
    ]


async def _strangers(backend: Backend, _hour: BusyHour) -> None:
    """Disturb the port where answered calls come in, while everybody else is on the telephone."""
    port = backend.lab.pbxs[0].handover_port
    if port is None:
        return
    sendings = (
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"agi_network_script: call\nagi_uniqueid: call_1\nagi_arg_1: x\n\n",
        b"\x00\xff" * 5000,
        b"a: b\n" * 5000,
    )
    for sending in sendings * 20:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sending)
        writer.close()
