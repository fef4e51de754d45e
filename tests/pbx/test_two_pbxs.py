"""One controller with a PBX of each kind before the same carrier: fifty calls at once, none mixed up."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.conftest import running_lab
from tests.pbx.busy_hour import AREA_CODES
from tests.pbx.conftest import Backend
from tests.pbx.outcomes import expected, last_call, outcome_of
from voicegate.client import AsyncClient, Verification
from voicegate.lab.behaviour import LabNumber
from voicegate.lab.deadlines import within
from voicegate.lab.numbers import find_number
from voicegate.lab.settings import PbxKind
from voicegate.lab.world import Lab

TOLD = [find_number("presses-key")] * 10 + [find_number("presses-wrong-first")] * 5
OTHERS = [
    find_number(name)
    for name in (
        "never-presses",
        "busy",
        "rings-for-ever",
        "hangs-up-midway",
        "office",
        "rejects",
        "unallocated",
        "congested",
        "forbidden",
        "hangs-up-at-once",
    )
]


@dataclass(frozen=True)
class Placed:
    """A call that was asked for, and what became of it."""

    row: LabNumber
    trunk: str
    """Of which PBX it must have gone."""
    verification: Verification
    heard: str | None = None
    status: str | None = None
    """What the daemon said of the code that was heard."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("both"), PbxKind.ASTERISK, PbxKind.FREESWITCH) as lab:
        yield lab


@pytest.fixture(scope="module")
def fifty(both: Lab) -> Sequence[Placed]:
    return asyncio.run(place_all(both))


async def place_all(lab: Lab) -> Sequence[Placed]:
    rows = [*enumerate(TOLD), *enumerate(OTHERS)]
    wanted = [("carrier", row, row.american(str(AREA_CODES[spare]))) for spare, row in rows]
    wanted += [("second", row, row.british(spare % 10)) for spare, row in rows]
    async with AsyncClient(socket=lab.settings.socket) as client:
        backend = Backend(client, lab)
        # The daemon is ready with the first of them.
        async with within(30):
            while {trunk.state for trunk in await client.trunks()} != {"available"}:
                await asyncio.sleep(0.1)
        ended = await asyncio.gather(*(backend.call(to, extension=row.extension) for _, row, to in wanted))
        return [
            await judge(backend, Placed(row, trunk, verification), number)
            for (trunk, row, number), verification in zip(wanted, ended, strict=True)
        ]


async def judge(backend: Backend, placed: Placed, number: str) -> Placed:
    """Have the code that the far telephone heard, if it was told one, checked by the daemon."""
    if placed.row not in TOLD:
        return placed
    is_told = last_call(placed.verification).outcome == "delivered"
    heard = await backend.hear(number) if is_told else None
    checked = await backend.client.check(placed.verification.id, heard or "0000")
    return Placed(placed.row, placed.trunk, placed.verification, heard, checked.status)


def test_fifty_calls_at_once_over_both_pbxs_come_each_to_its_own_end(fifty: Sequence[Placed]) -> None:
    assert len(fifty) == 50
    for placed in fifty:
        assert outcome_of(placed.verification) == expected(placed.row.expected), placed.row.name


def test_each_pbx_is_used_for_its_own_countries(fifty: Sequence[Placed]) -> None:
    assert [last_call(placed.verification).trunk for placed in fifty] == ["carrier"] * 25 + ["second"] * 25


def test_each_telephone_heard_its_own_code_and_no_other(fifty: Sequence[Placed]) -> None:
    told = [placed for placed in fifty if placed.row in TOLD]
    assert [placed.status for placed in told] == ["verified"] * 30
    assert len({placed.heard for placed in told}) == 30


def test_neither_pbx_is_left_with_a_call(both: Lab, fifty: Sequence[Placed]) -> None:
    assert [pbx.channels() for pbx in both.pbxs] == [0, 0]
