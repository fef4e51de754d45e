"""A trial call: a channel without a telephone goes through our dialplan as an answered call does.

A Local channel is originated with the rights that calls have. Its far half runs `voicegate-answered`, so that
the PBX connects to FastAGI by itself and plays what calls play. Source: Asterisk 22, "Local Channel", and
what 22.10.1 does: the variables of the originate reach the far half; a failed AGI() is followed by Playback,
which would answer the channel, unless the name of its sound is empty.
"""

import asyncio
import ipaddress
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from panoramisk.message import Message

from voicegate.adapters.pbx.asterisk import variables
from voicegate.adapters.pbx.asterisk.agi import Admission, AgiServer
from voicegate.adapters.pbx.asterisk.agi_session import AgiSession
from voicegate.adapters.pbx.asterisk.agi_wire import build_command
from voicegate.adapters.pbx.asterisk.ami_events import text_of
from voicegate.adapters.pbx.asterisk.manager_session import ManagerSession
from voicegate.adapters.pbx.asterisk.settings import AsteriskSettings
from voicegate.application.ports import Clip
from voicegate.domain.errors import LegEnded

# `/n`: else Asterisk takes the two halves out of the way once both are up.
_CHANNEL: Final = f"Local/{variables.ANSWERED_EXTEN}@{variables.ANSWERED_CONTEXT}/n"
_RING_MS: Final = "4000"
_UNTIL_ENDED: Final = 8.0
"""Seconds from the originate to the last event."""
_REPLY: Final = 3.0
"""Seconds for a FastAGI reply, beyond a sound's own length."""
_NO_SUCH_APPLICATION: Final = -2
_REFUSED: Final = "agi://127.0.0.1:1"
"""An address at which nobody listens."""


@dataclass(slots=True)
class TrialCall:
    """The results of a trial call."""

    is_reached: bool = False
    """Did the PBX connect to us for this call?"""
    is_answered: bool = False
    """Did a FastAGI server at the given address answer the channel?"""
    unplayed: tuple[str, ...] = ()
    """Sounds that the PBX could not play, by path."""
    has_dtmf: bool = True
    """Can the PBX send DTMF digits?"""
    recording: str = ""
    """The file into which MixMonitor records our calls, codes included; empty: none."""


async def knock(session: ManagerSession, address: str) -> bool:
    """Return whether a controller answers when the PBX connects to `address`, agi://host:port.

    For a FastAGI server of another process, which only says that it is there.
    """
    action_id = await _originate(session, f"{address}/{variables.AGI_KNOCK_SCRIPT}", "knock")
    response = await _response(session, action_id)
    return response is not None and text_of(response, "Response") == "Success"


async def is_stranger(settings: AsteriskSettings) -> bool:
    """Return whether what has our FastAGI port is not a controller. False if this machine is not among
    `agi_allowed_peers`, so that it cannot ask."""
    here = ipaddress.ip_address("127.0.0.1")
    if not any(here in ipaddress.ip_network(network) for network in settings.agi_allowed_peers):
        return False
    host = settings.agi_host if settings.agi_host not in ("0.0.0.0", "::", "") else str(here)  # noqa: S104  # asked, not bound
    try:
        async with asyncio.timeout(_REPLY):
            reader, writer = await asyncio.open_connection(host, settings.agi_port)
            try:
                writer.write(f"agi_network_script: {variables.AGI_KNOCK_SCRIPT}\n\n".encode())
                return await reader.readline() != build_command("ANSWER")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return True


async def has_agi(session: ManagerSession) -> bool:
    """Return whether the PBX has the application that connects to us.

    If it has, a refused connection is followed by Playback, which answers the channel whatever its sound is.
    If not, the channel ends there.
    """
    action_id = await _originate(session, f"{_REFUSED}/{variables.AGI_KNOCK_SCRIPT}", "knock", apology="beep")
    response = await _response(session, action_id)
    return response is not None and text_of(response, "Response") == "Success"


async def place_trial_call(session: ManagerSession, server: AgiServer, sounds: Sequence[Clip]) -> TrialCall:
    """Have the PBX connect to `server`, ring and answer, and play each of `sounds`; return the results."""
    shown, token = TrialCall(), secrets.token_hex(16)

    async def attend(session: AgiSession) -> None:
        shown.is_reached = True
        reading = asyncio.create_task(session.run())
        try:
            with suppress(LegEnded):
                await _attend(session, shown, sounds)
        finally:
            session.hang_up()
            await reading

    call_id = f"trial_{secrets.token_hex(8)}"
    far = f"{call_id}_far"
    server.expect(far, Admission(token, attend, lambda: True))
    try:
        action_id = await _originate(session, server.address, token, call_id=call_id)
        response = await _response(session, action_id)
        shown.is_answered = response is not None and text_of(response, "Response") == "Success"
        timeouts = _UNTIL_ENDED + sum(clip.length.total_seconds() for clip in sounds)
        await session.wait_event(lambda event: _is_end(event, far), timeouts)
    finally:
        server.forget(far)
    return shown


async def _attend(session: AgiSession, shown: TrialCall, sounds: Sequence[Clip]) -> None:
    """Ring, show progress and answer, so that every event of a call is seen; then play the sounds."""
    for command in ("EXEC Ringing", "EXEC Progress", "ANSWER"):
        await session.send_command(command, timeout_s=_REPLY)
    # A pause is not heard: this asks only whether the application is there.
    reply = await session.send_command("EXEC SendDTMF", "w", timeout_s=_REPLY)
    monitored = await session.send_command("GET VARIABLE", "MIXMONITOR_FILENAME", timeout_s=_REPLY)
    shown.recording = monitored.value or ""
    shown.has_dtmf = reply.result != _NO_SUCH_APPLICATION
    for clip in sounds:
        timeouts = clip.length.total_seconds() + _REPLY
        reply = await session.send_command("STREAM FILE", clip.path, "", timeout_s=timeouts)
        # A file that cannot be read ends at once, and nothing of it was played.
        if reply.result != 0 or not reply.endpos:
            shown.unplayed = (*shown.unplayed, clip.path)


async def _originate(
    session: ManagerSession, address: str, token: str, *, call_id: str | None = None, apology: str = ""
) -> str:
    call_id = call_id or f"trial_{secrets.token_hex(8)}"
    action_id = f"voicegate-{secrets.token_hex(8)}"
    fields = {
        "ActionID": action_id,
        "Channel": _CHANNEL,
        "ChannelId": call_id,
        "OtherChannelId": f"{call_id}_far",
        # The near half only waits: the far one runs our dialplan.
        "Application": "Wait",
        "Data": "60",
        "Timeout": _RING_MS,
        "Async": "true",
        "Variable": (
            f"{variables.AGI_VARIABLE}={address}",
            f"{variables.TOKEN_VARIABLE}={token}",
            *((f"{variables.APOLOGY_VARIABLE}={apology}",) if apology else ()),
        ),
    }
    await session.ask("Originate", fields, as_list=False)
    return action_id


async def _response(session: ManagerSession, action_id: str) -> Message | None:
    return await session.wait_event(
        lambda event: (
            text_of(event, "Event") == "OriginateResponse" and text_of(event, "ActionID") == action_id
        ),
        _UNTIL_ENDED,
    )


def _is_end(event: Message, channel_id: str) -> bool:
    return text_of(event, "Event") == "Hangup" and text_of(event, "Uniqueid") == channel_id
