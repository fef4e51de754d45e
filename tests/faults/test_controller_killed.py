"""kill -9 of the controller, with a call in each state, before and after the commit of each step: the next
start ends them all truthfully, and calls nobody."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.faults.daemons import PASSCODE, fast, noted, running, write_settings
from tests.faults.settled import assert_all_is_settled
from voicegate.client import ApiError
from voicegate.domain.phone_number import mask
from voicegate.lab.deadlines import within

EVENTS: Final = (
    "originated",
    "rang",
    "answered",
    "invited",
    "key_pressed",
    "reading_started",
    "reading_ended",
    "ended",
)
PLACES: Final = tuple((event, when) for event in EVENTS for when in ("before", "after"))
NUMBERS: Final[Mapping[tuple[str, str], str]] = {
    place: f"+12025{index}{index}01" for index, place in enumerate(PLACES, start=20)
}
QUEUED: Final = "+12025559901"
AFTERWARDS: Final = "+12025558801"
# All readings, so that what was proven by the first one is in the record.
PROVEN: Final = (("reading_ended", "after"), ("ended", "before"), ("ended", "after"))
UNSENT: Final = (("originated", "before"), ("originated", "after"))


def expected(place: tuple[str, str]) -> str:
    return "delivered" if place in PROVEN else "interrupted"


async def test_killed_with_a_call_in_every_state_it_ends_each_truthfully_and_calls_nobody(
    tmp_path: Path,
) -> None:
    # So many that one call more must wait for one: a call that has ended has given its line back.
    lines = sum(event != "ended" for event, _ in PLACES)
    settings = write_settings(tmp_path)
    settings.write_text(
        settings.read_text().replace('endpoint = "carrier"', f'endpoint = "carrier"\nmax_calls = {lines}')
    )
    (tmp_path / "plan").write_text("".join(f"{NUMBERS[place]} {' '.join(place)}\n" for place in PLACES))
    names: dict[str, str] = {}
    async with running(settings, fast(tmp_path)) as (client, process):
        # Those that are to end go first, and have a line until they do.
        for number in reversed(list(NUMBERS.values())):
            names[number] = (await client.create_verification(number, passcode=PASSCODE)).id
        async with within(60):
            while len(noted(tmp_path, "parked")) < len(PLACES):
                await asyncio.sleep(0.05)
        names[QUEUED] = (await client.create_verification(QUEUED, passcode=PASSCODE)).id
        process.kill()
    (tmp_path / "plan").unlink()
    async with running(settings, fast(tmp_path)) as (client, _):
        settled = await assert_all_is_settled(
            client, audio=tmp_path / "audio", rung=noted(tmp_path, "originated")
        )
        ends = {one.id: (one.status, one.calls[0].outcome) for one in settled.verifications}
        for place, number in NUMBERS.items():
            status = "delivered" if place in PROVEN else "undeliverable"
            assert ends[names[number]] == (status, expected(place)), place
        assert ends[names[QUEUED]] == ("undeliverable", "interrupted")
        assert len(settled.verifications) == len(PLACES) + 1
        # Who had heard it can still enter it, and the next person is called.
        assert (await client.check(names[NUMBERS["ended", "before"]], PASSCODE)).status == "verified"
        created = await client.create_verification(AFTERWARDS)
        _ = [step async for step in client.watch(created.id)]
        assert (await client.verification(created.id)).status == "delivered"
    called = set(noted(tmp_path, "originated"))
    assert called == {AFTERWARDS, *(NUMBERS[place] for place in PLACES if place not in UNSENT)}


async def test_killed_between_the_nine_and_what_follows_from_it_the_number_is_spared_all_the_same(
    tmp_path: Path,
) -> None:
    """Before its commit nobody knows of the key but the person: that call was interrupted, and its code was
    never spoken."""
    told, untold = "+12025550113", "+12025560113"
    settings = write_settings(tmp_path)
    (tmp_path / "plan").write_text(f"{told} reported after\n{untold} reported before\n")
    async with running(settings, fast(tmp_path)) as (client, process):
        names = [(await client.create_verification(number)).id for number in (told, untold)]
        async with within(60):
            while len(noted(tmp_path, "parked")) < 2:
                await asyncio.sleep(0.05)
        process.kill()
    (tmp_path / "plan").unlink()
    async with running(settings, fast(tmp_path)) as (client, _):
        await assert_all_is_settled(client, audio=tmp_path / "audio", rung=noted(tmp_path, "originated"))
        ends = [
            (one.status, one.calls[0].outcome) for one in [await client.verification(name) for name in names]
        ]
        assert ends == [("reported", "reported"), ("undeliverable", "interrupted")]
        with pytest.raises(ApiError) as refused:
            await client.create_verification(told)
        assert refused.value.problem.name == "call_reported"
        (listed,) = await client.numbers(kind="reported")
        (noted_down,) = await client.audit(action="verification.report", decision="reported")
        assert listed.number == noted_down.number == mask(told)
