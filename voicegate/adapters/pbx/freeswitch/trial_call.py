"""A trial call: a channel without a telephone, placed, followed and played to like a call's channel.

It is FreeSWITCH's own `null` endpoint, which answers at once; mod_loopback has it. Everything else is the
same as for calls: the event socket, the subscription, the parked channel, the sound files. Source: FreeSWITCH
1.10.12.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from voicegate.adapters.pbx.common.call_supervisor import CallSupervisor
from voicegate.adapters.pbx.freeswitch.driver import FreeSwitchDriver
from voicegate.adapters.pbx.freeswitch.originate import build_trial
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.application.ports import Clip, Leg, Order
from voicegate.domain.call import Answered
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.routing import CallerId, Hop, Trunk

TRIAL_MODULE: Final = "mod_loopback"
"""The module that trial calls need; calls themselves do not need it."""
_CAP: Final = timedelta(seconds=30)
_PLAYED: Final = 0.9


async def place_trial_call(settings: FreeSwitchSettings, sounds: Sequence[Clip]) -> frozenset[str] | None:
    """Return the paths of those `sounds` that cannot be played; None: the trial call did not come about."""
    # Never dialed: the command is built without it.
    trunk = Trunk("doctor", settings.name, "nobody", (CallerId(""),), ring_timeout=settings.command_timeout)
    silence = Clip("", 0, timedelta(), 0)
    order = Order(f"call_{uuid4().hex}", Hop(trunk, trunk.endpoint, None, trunk.caller_ids[0]), silence)
    driver = partial(FreeSwitchDriver, replace(settings, call_cap=_CAP), build=build_trial)
    # By the supervisor that places calls, not by commands of its own: only so it proves that calls work.
    async with CallSupervisor(driver) as pbx:
        if not await pbx.reach(settings.command_timeout):
            raise TimeoutError
        async with pbx.originate(order) as leg:
            if not await _is_answered(leg):
                return None
            return frozenset([clip.path for clip in sounds if not await _is_played(leg, clip)])


async def _is_answered(leg: Leg) -> bool:
    async for signal in leg.signals():
        if isinstance(signal, Answered | Hangup):
            return isinstance(signal, Answered)
    return False


async def _is_played(leg: Leg, clip: Clip) -> bool:
    return (await leg.play(clip)).samples >= clip.samples * _PLAYED
