"""The scripted FreeSWITCH's channels, each with a telephone at its end that behaves as its number says."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

if TYPE_CHECKING:
    from tests.wire.switch import Switch

SETUP = 0.02
RINGING = 0.1
PRESSES_AFTER = 0.15
CHUNK = 0.02
READ_AHEAD = 8192


class Behaviour(StrEnum):
    """By the last two digits of the number; any other number is `01`."""

    PRESSES_KEY = "01"
    NEVER_PRESSES = "02"
    BUSY = "03"
    RINGS_FOR_EVER = "04"
    HANGS_UP_MIDWAY = "05"
    OFFICE = "06"
    NOT_IN_SERVICE = "08"
    FORWARDS = "13"
    SILENT = "14"
    """No reply to the INVITE."""
    EARLY_MEDIA = "15"
    """183, and never an answer."""
    NOBODY_THERE = "16"
    """The address is dead."""
    HOLDS = "17"
    """As `02`, and holds each playback midway."""
    NO_CODEC = "18"
    LOCKED_OUT = "19"
    """The carrier will not have our password."""


FAILURES: Mapping[Behaviour, tuple[str, int, int]] = {
    Behaviour.BUSY: ("USER_BUSY", 17, 486),
    Behaviour.NOT_IN_SERVICE: ("UNALLOCATED_NUMBER", 1, 404),
}
RINGS_FIRST = (Behaviour.BUSY,)
PRESSING = (Behaviour.PRESSES_KEY, Behaviour.HANGS_UP_MIDWAY)


def behaviour_of(number: str) -> Behaviour:
    last_two = number[-2:]
    return Behaviour(last_two) if last_two in set(Behaviour) else Behaviour.PRESSES_KEY


@dataclass(frozen=True)
class Order:
    """An originate, cut up."""

    variables: Mapping[str, str]
    application: str
    caller: tuple[str, str]
    timeout: float
    job: str

    @property
    def channel_id(self) -> str | None:
        return self.variables.get("origination_uuid")


@dataclass
class Channel:
    """One leg."""

    switch: "Switch"
    order: Order
    number: str
    behaviour: Behaviour
    uuid: str
    variables: dict[str, str] = field(default_factory=dict)
    state: str = "ringing"
    digits: str = ""
    sent: int = 0
    received: int = 0
    played: int = 0
    presses: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    rate: int = 8000
    in_band: bool = False
    """Is the audio listened to for keys?"""
    is_verbose: bool = False
    """Do all its events have its variables? Those of keys and of RTCP have not by themselves."""

    def __post_init__(self) -> None:
        self.variables |= self.order.variables
        self.variables |= {"sip_call_id": f"{self.uuid}@switch", "rtp_use_codec_name": "PCMU"}
        self.presses = self.behaviour in PRESSING

    async def live(self) -> None:
        """From the originate to its end."""
        self.tell("CHANNEL_CREATE")
        await self.nap(SETUP)
        if self.behaviour is Behaviour.FORWARDS:
            self.be_forwarded()
        elif self.behaviour is Behaviour.NOBODY_THERE:
            self.end("NORMAL_TEMPORARY_FAILURE", 41, status=503)
        elif self.behaviour is Behaviour.LOCKED_OUT:
            self.end("NORMAL_UNSPECIFIED", 31, status=904)
        elif self.behaviour in FAILURES:
            await self.fail(*FAILURES[self.behaviour])
        elif self.behaviour is Behaviour.NO_CODEC:
            self.reply()
            self.end("INCOMPATIBLE_DESTINATION", 88)
        else:
            await self.ring()
        if not self.ended.is_set() and self.state == "answered":
            await self.talk()

    async def fail(self, cause: str, q850: int, status: int) -> None:
        self.reply()
        if self.behaviour in RINGS_FIRST:
            self.tell("CHANNEL_PROGRESS")
            await self.nap(RINGING)
        self.end(cause, q850, status=status)

    async def ring(self) -> None:
        if self.behaviour is Behaviour.EARLY_MEDIA:
            self.reply()
            self.state = "early"
            self.tell("CHANNEL_PROGRESS_MEDIA")
        elif self.behaviour is not Behaviour.SILENT:
            self.reply()
            self.tell("CHANNEL_PROGRESS")
        if self.behaviour in (Behaviour.RINGS_FOR_EVER, Behaviour.SILENT, Behaviour.EARLY_MEDIA):
            # It fires early: recorded with five seconds asked for.
            await self.nap(self.order.timeout * 0.92)
            self.end("NO_ANSWER", 19, ours="send_cancel")
            return
        await self.nap(RINGING)
        if not self.ended.is_set():
            self.state = "answered"
            self.tell("CHANNEL_ANSWER")

    async def talk(self) -> None:
        is_job_first = self.switch.dice.random() < 0.5
        if is_job_first:
            self.switch.job(self.order, f"+OK {self.uuid}\n")
        self.variables["current_application"] = "park"
        self.variables |= {f"rtp_2833_{way}_payload": "101" for way in ("send", "recv")}
        self.variables["rtp_use_codec_rate"] = "8000"
        self.tell("CHANNEL_PARK")
        if not is_job_first:
            self.switch.job(self.order, f"+OK {self.uuid}\n")
        if cap := self.variables.get("park_timeout"):
            await self.nap(float(cap))
            self.end("NORMAL_CLEARING", 16, ours="send_bye")

    def be_forwarded(self) -> None:
        self.reply()
        if self.variables.get("outbound_redirect_fatal") == "true":
            self.variables["proto_specific_hangup_cause"] = "sip:302"
            self.variables["sip_redirect_contact_user_0"] = "+19005550123"
            self.end("REQUESTED_CHAN_UNAVAIL", 44)
        else:
            self.switch.rung.append("+19005550123")

    def execute(self, message: Mapping[str, str]) -> None:
        """Run an application that was asked for by `sendmsg`."""
        assert message["call-command"] == "execute"
        if message["execute-app-name"] == "verbose_events":
            self.is_verbose = True
            return
        if message["execute-app-name"] == "start_dtmf":
            self.in_band = True
            return
        assert message["execute-app-name"] == "playback"
        self.switch.spawn(self.playback(message["execute-app-arg"], message["Event-UUID"]))

    async def playback(self, path: str, execution: str) -> None:
        self.variables.pop("current_application_response", None)
        self.variables |= {"current_application": "playback", "playback_terminator_used": ""}
        if not Path(path).is_file():
            self.complete(execution, "FILE NOT FOUND")
            return
        total, position = soundfile.info(path).frames, 0
        started = asyncio.get_running_loop().time()
        self.stop.clear()
        self.press_soon(path, total)
        while position < total and not (self.ended.is_set() or self.stop.is_set()):
            await self.nap(CHUNK, or_else=self.stop)
            position = min(total, round((asyncio.get_running_loop().time() - started) * 8000))
            self.sent = self.played + position // 160
            self.received = self.sent + 20
            if self.behaviour is Behaviour.HANGS_UP_MIDWAY and "reading" in path and position > total / 3:
                self.end("NORMAL_CLEARING", 16, ours="recv_bye")
            if self.behaviour is Behaviour.HOLDS and position > total / 3 and self.state != "held":
                self.state = "held"
                self.tell("CHANNEL_HOLD")
                self.tell("CHANNEL_UNHOLD")
        self.played = self.sent
        ahead = min(total, -(-position // READ_AHEAD) * READ_AHEAD)
        offset = position * self.rate // 8000
        self.variables |= {"playback_last_offset_pos": str(offset), "playback_samples": str(ahead)}
        self.complete(execution, "PLAYBACK ERROR" if self.ended.is_set() else "FILE PLAYED")

    def press_soon(self, path: str, total: int) -> None:
        wanted = "".join(key for key in self.terminators() if key != "*")
        if self.presses and wanted:
            self.presses = False
            self.switch.spawn(self.press(wanted[0]))

    async def press(self, key: str) -> None:
        await self.nap(PRESSES_AFTER)
        self.key(key)

    def key(self, key: str) -> None:
        """A digit comes from the far end."""
        if self.ended.is_set():
            return
        self.tell("DTMF", {"DTMF-Digit": key, "DTMF-Duration": "960", "DTMF-Source": "RTP"})
        if key in self.terminators():
            self.variables["playback_terminator_used"] = key
            self.stop.set()

    def terminators(self) -> str:
        value = self.variables.get("playback_terminators", "*")
        return {"none": "", "any": "1234567890*#"}.get(value, value)

    def complete(self, execution: str, response: str) -> None:
        self.variables["current_application_response"] = response
        self.tell(
            "CHANNEL_EXECUTE_COMPLETE",
            {"Application": "playback", "Application-Response": response, "Application-UUID": execution},
        )

    def api(self, name: str, value: str) -> str:
        """Answer an API command about this channel."""
        if name == "uuid_kill":
            is_up = self.state in ("answered", "held")
            self.end("NORMAL_CLEARING", 16, ours="send_bye" if is_up else "send_cancel")
            return "+OK\n"
        if name == "uuid_set_media_stats":
            self.variables |= self.stats()
            return "+OK:\n"
        if name == "uuid_setvar":
            key, _, text = value.partition(" ")
            self.variables[key] = text
            return "+OK\n"
        if name == "uuid_send_dtmf":
            self.digits += value.partition("@")[0].replace(",", "")
            if self.behaviour is Behaviour.OFFICE and self.digits.endswith("4321"):
                self.presses = True
            return f"+OK {self.uuid} sent DTMF {value}.\n"
        if name == "uuid_dump":
            return self.text({"Event-Name": "CHANNEL_DATA"})
        return "-ERR command not found\n"

    def stats(self) -> dict[str, str]:
        counts = {"in_packet_count": self.received, "out_packet_count": self.sent, "rtcp_packet_count": 0}
        return {f"rtp_audio_{key}": str(value) for key, value in counts.items()}

    def reply(self) -> None:
        """Something came back from the far end."""
        self.variables["sip_reply_host"] = "127.0.0.1"

    def end(self, cause: str, q850: int, *, status: int | None = None, ours: str = "recv_refuse") -> None:
        if self.ended.is_set():
            return
        is_up = self.state in ("answered", "held")
        self.state = "hangup"
        self.ended.set()
        self.variables |= {"hangup_cause_q850": str(q850), "sip_hangup_disposition": ours}
        if ours == "send_cancel":
            self.variables |= {"sip_invite_failure_status": "487", "sip_invite_failure_phrase": "CANCEL"}
        if status is not None:
            self.variables |= {"sip_term_status": str(status), "sip_invite_failure_status": str(status)}
        self.switch.spawn(self.bury(cause, is_up=is_up))

    async def bury(self, cause: str, *, is_up: bool) -> None:
        # The playback's last words come between the hangup and its completion.
        await asyncio.sleep(2 * CHUNK if is_up else 0)
        del self.switch.channels[self.uuid]
        is_job_first = self.switch.dice.random() < 0.5
        if is_job_first and not is_up:
            self.switch.job(self.order, f"-ERR {cause}\n")
        self.variables |= self.stats() if is_up else {}
        self.tell("CHANNEL_HANGUP_COMPLETE", {"Hangup-Cause": cause})
        if not (is_job_first or is_up):
            self.switch.job(self.order, f"-ERR {cause}\n")

    async def nap(self, seconds: float, or_else: asyncio.Event | None = None) -> None:
        """Let time pass, until the end of the call at most."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self.ended, or_else) if event is not None]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def tell(self, name: str, headers: Mapping[str, str] | None = None) -> None:
        variables = {} if name == "DTMF" and not self.is_verbose else self.exported()
        self.switch.event(name, {**self.headers(), **(headers or {}), **variables})

    def headers(self) -> dict[str, str]:
        states = {"held": "answered"}
        return {
            "Channel-Call-State": {"ringing": "RINGING", "early": "EARLY"}.get(self.state, "ACTIVE"),
            "Unique-ID": self.uuid,
            "Answer-State": states.get(self.state, self.state),
            "Channel-Write-Codec-Rate": str(self.rate),
            "Caller-Callee-ID-Name": "Outbound Call",
            "Caller-Orig-Caller-ID-Name": self.order.caller[0],
            "Caller-Orig-Caller-ID-Number": self.order.caller[1],
        }

    def exported(self) -> dict[str, str]:
        return {f"variable_{key}": value for key, value in self.variables.items()}

    def text(self, headers: Mapping[str, str]) -> str:
        lines = {**headers, **self.headers(), **self.exported()}
        return "".join(f"{key}: {value.replace(' ', '%20')}\n" for key, value in lines.items()) + "\n"
