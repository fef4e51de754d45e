"""Calls along every trunk of the lab and in every codec, at once, as `test_lines` judges them."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from tests.pbx.busy_hour import AREA_CODES, PRESSES
from tests.pbx.conftest import Backend
from tests.pbx.daemons import daemon
from tests.pbx.wiretap import Tap, tapped
from voicegate.client import ApiError, AsyncClient, Verification
from voicegate.lab.deadlines import within
from voicegate.lab.ear import hear_code
from voicegate.lab.numbers import find_number
from voicegate.lab.settings import PbxKind
from voicegate.lab.trunks import TRUNKS
from voicegate.lab.world import Lab

TRUNK_NUMBERS: Final = {
    trunk.name: PRESSES.american(str(area)) for trunk, area in zip(TRUNKS, AREA_CODES, strict=False)
}
"""Whom a call along each trunk rings."""
CANCELED: Final = PRESSES.british(9)
PASSED_OVER: Final = PRESSES.british(8)
KNOWN_DOWN: Final = "unplugged"
"""The trunk that its PBX says it does not reach: others are tried before it."""
NARROW: Final = ("speaks-alaw",)
WIDE: Final = ("speaks-g722", "speaks-opus")
"""Which get sounds of 16 kHz, where the PBX can play them. µ-law is what the busy hour's calls speak."""
WIDE_SOUNDS: Final = {PbxKind.ASTERISK: "wav16", PbxKind.FREESWITCH: "wav"}
TAPPED: Final = ("secure", "8271")
"""The carrier's endpoints for two trunks; the audio of the second is in the clear."""
_AT_ONCE: Final = 30
_REGISTERED_WITHIN_S: Final = 40


@dataclass
class Read:
    """A code that was heard by the independent ear."""

    outcome: str | None
    """The call's."""
    heard: str | None
    """What the ear made of it."""
    judged: str
    """What the daemon says to that."""


@dataclass
class Lines:
    """What became of all that."""

    trunks: dict[str, Verification] = field(default_factory=dict)
    """By the first trunk of the route, but for the one that is known to be down; the second is an honest
    one."""
    refused: str = ""
    """What is said to a request where no other trunk leads than the one that is known to be down."""
    passed_over: Verification | None = None
    """Where an honest trunk stands behind that one."""
    heard: dict[str, str | None] = field(default_factory=dict)
    """What the telephone heard of those that came through."""
    canceled: Verification | None = None
    """Taken back as the person picked up."""
    is_registered: bool = False
    """Is the PBX known to the carrier that wants it?"""
    taps: dict[str, Tap] = field(default_factory=dict)
    overheard: dict[str, str | None] = field(default_factory=dict)
    """The codes that an eavesdropper on the wire made out."""
    codecs: dict[str, list[Read]] = field(default_factory=dict)


async def try_all(lab: Lab, folder: Path) -> Lines:
    """Place all the calls and wait for the last one."""
    lines = Lines()
    await asyncio.to_thread(lab.wait_trunks)
    # Processes of their own, for the ear lets no other thread run, and last in the queue for the processors:
    # calls in progress must not stutter.
    ears = ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=os.nice, initargs=(15,))
    with ears:
        async with AsyncExitStack() as stack:
            narrow = Backend(await stack.enter_async_context(AsyncClient(socket=lab.settings.socket)), lab)
            sounds = {"audio.format": WIDE_SOUNDS[lab.settings.pbxs[0]]}
            wide = await stack.enter_async_context(daemon(lab, "carrier", **sounds))
            lines.taps = dict(await stack.enter_async_context(tapped(lab, *TAPPED)))
            routes = await _open_routes(stack, lab)
            passing = await stack.enter_async_context(daemon(lab, KNOWN_DOWN, "carrier"))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_refuse(routes.pop(KNOWN_DOWN), lines))
                tasks.create_task(_trunks(routes, lines, ears=ears))
                tasks.create_task(_pass_over(passing, lines, ears=ears))
                tasks.create_task(_cancel(routes["crossing"], lines))
                tasks.create_task(_registration(lab, lines))
                tasks.create_task(_codecs({NARROW: narrow, WIDE: wide}, lines, ears=ears))
        for name, tap in lines.taps.items():
            lines.overheard[name] = hear_code(tap.save(folder / f"{name}.wav"), 6)
    return lines


async def _open_routes(stack: AsyncExitStack, lab: Lab) -> dict[str, Backend]:
    """Return a daemon for each trunk, which tries an honest one after it."""
    routes = {}
    for trunk in TRUNKS:
        names = dict.fromkeys((trunk.name,) if trunk.name == KNOWN_DOWN else (trunk.name, "carrier"))
        routes[trunk.name] = await stack.enter_async_context(daemon(lab, *names))
    return routes


async def _trunks(routes: dict[str, Backend], lines: Lines, *, ears: Executor) -> None:
    calls = [backend.call(TRUNK_NUMBERS[name]) for name, backend in routes.items()]
    lines.trunks = dict(zip(routes, await asyncio.gather(*calls), strict=True))
    for name, verification in lines.trunks.items():
        if verification.status == "delivered":
            lines.heard[name] = await _hear(routes[name], TRUNK_NUMBERS[name], ears)


async def _refuse(backend: Backend, lines: Lines) -> None:
    # The daemon has to hear from its PBX first.
    async with within(20):
        while not lines.refused:
            try:
                await backend.client.dry_run(TRUNK_NUMBERS[KNOWN_DOWN])
            except ApiError as refused:
                lines.refused = refused.problem.name
            await asyncio.sleep(0.1)


async def _pass_over(backend: Backend, lines: Lines, *, ears: Executor) -> None:
    # The daemon has to hear from its PBX first.
    async with within(20):
        while (await backend.client.dry_run(PASSED_OVER)).trunks[0].trunk == KNOWN_DOWN:
            await asyncio.sleep(0.1)
    lines.passed_over = await backend.call(PASSED_OVER)
    lines.heard[KNOWN_DOWN] = await _hear(backend, PASSED_OVER, ears)


async def _cancel(backend: Backend, lines: Lines) -> None:
    created = await backend.client.create_verification(CANCELED)
    await backend.reaches(created.id, "ringing")
    await backend.client.cancel(created.id)
    lines.canceled = await backend.settled(created.id)


async def _registration(lab: Lab, lines: Lines) -> None:
    async with within(_REGISTERED_WITHIN_S):
        while not lines.is_registered:
            lines.is_registered = await asyncio.to_thread(lab.pbxs[0].is_registered)
            await asyncio.sleep(0.2)


async def _codecs(plan: dict[Sequence[str], Backend], lines: Lines, *, ears: Executor) -> None:
    room = asyncio.Semaphore(_AT_ONCE)
    backends = {name: backend for names, backend in plan.items() for name in names}
    # By turns, so that a codec that costs the PBX much (Opus) is never spoken on all lines at once.
    calls = [(name, str(area)) for area in AREA_CODES for name in backends]
    read = await asyncio.gather(
        *(
            _read(backends[name], find_number(name).american(area), room=room, ears=ears)
            for name, area in calls
        )
    )
    for (name, _), one in zip(calls, read, strict=True):
        lines.codecs.setdefault(name, []).append(one)


async def _read(backend: Backend, number: str, *, room: asyncio.Semaphore, ears: Executor) -> Read:
    async with room:
        verification = await backend.call(number)
    heard = await _hear(backend, number, ears)
    judged = await backend.client.check(verification.id, heard or "0000")
    assert verification.call is not None
    return Read(verification.call.outcome, heard, judged.status)


async def _hear(backend: Backend, number: str, ears: Executor) -> str | None:
    recording = await backend.recording(number)
    return await asyncio.get_running_loop().run_in_executor(ears, hear_code, recording, 6)
