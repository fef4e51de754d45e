"""What the check finds of a FreeSWITCH, and the fix that it names."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.adapters.pbx.freeswitch.peers import a_clip, settings_for
from tests.wire.switch import USER, Switch
from voicegate.adapters.pbx.common.checking import Target
from voicegate.adapters.pbx.common.connection import Secret
from voicegate.adapters.pbx.freeswitch.checks import _NEEDED, FreeSwitchCheck
from voicegate.adapters.pbx.freeswitch.esl_events import EVENTS
from voicegate.application.diagnostics import Finding
from voicegate.application.ports import Clip
from voicegate.domain.errors import SpeechError

RIGHTS = {"API": " ".join(sorted(_NEEDED)), "Events": EVENTS}


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    async with Switch(allowed=dict(RIGHTS)).serving() as switch:
        yield switch


class Room:
    """Examines a switch; `sounds` are what it shall play."""

    def __init__(self, switch: Switch, sounds: Sequence[Clip] = (), endpoint: str = "carrier") -> None:
        self.switch, self.sounds, self.endpoint = switch, sounds, endpoint
        self.changes: dict[str, object] = {"esl_user": USER}

    async def findings(self) -> list[Finding]:
        @asynccontextmanager
        async def sounds() -> AsyncIterator[Sequence[Clip]]:
            yield self.sounds

        settings = settings_for(self.switch, **self.changes)
        target = Target({"main": self.endpoint}, sounds, packets={"main": 20}, calls=30)
        return [finding async for finding in FreeSwitchCheck(settings, target).run()]

    async def of(self, about: str) -> Finding:
        """The worst that is found of something."""
        found = [finding for finding in await self.findings() if finding.about == about]
        return max(found, key=lambda finding: ("ok", "warning", "error").index(finding.level))


async def test_a_pbx_in_order_has_nothing_but_good_findings(switch: Switch, tmp_path: Path) -> None:
    findings = await Room(switch, [a_clip(tmp_path)]).findings()
    assert {finding.level for finding in findings} == {"ok"}
    about = [
        "ESL",
        "version",
        "capacity",
        "ESL rights",
        "modules",
        "trunk main",
        "trunk main",
        "calls",
        "sounds",
        "ESL from outside",
    ]
    assert [finding.about for finding in findings] == about
    assert not switch.channels
    assert switch.rung == ["nobody02"]


async def test_a_sound_that_the_pbx_cannot_play_is_named(switch: Switch, tmp_path: Path) -> None:
    clip = a_clip(tmp_path)
    room = Room(switch, [clip, replace(clip, path=str(tmp_path / "missing"))])
    found = [finding for finding in await room.findings() if finding.about == "sounds"]
    assert [finding.level for finding in found] == ["ok", "error"]
    assert "missing" in found[1].text
    assert "audio.group" in found[1].fix


async def test_without_sounds_of_ours_that_is_said(switch: Switch) -> None:
    def fail() -> object:
        raise SpeechError("audio.folder: /nowhere does not exist")

    target = Target({}, fail)  # type: ignore[arg-type]
    check = FreeSwitchCheck(settings_for(switch, esl_user=USER), target)
    findings = [finding async for finding in check.run()]
    assert ("warning", "sounds") in [(finding.level, finding.about) for finding in findings]


async def test_a_wrong_password_and_where_it_is_set(switch: Switch) -> None:
    room = Room(switch)
    room.changes["esl_password"] = Secret("guess")
    (finding,) = await room.findings()
    assert (finding.level, finding.about) == ("error", "ESL")
    assert "esl_password_file" in finding.fix


async def test_an_address_that_the_access_list_refuses(switch: Switch) -> None:
    text = "Access Denied, go away.\n"
    switch.greeting = f"Content-Type: text/rude-rejection\nContent-Length: {len(text)}\n\n{text}".encode()
    (finding,) = await Room(switch).findings()
    assert "access list" in finding.text
    assert "apply-inbound-acl" in finding.fix
    assert "acl.conf.xml" in finding.fix


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.2p1\r\n\n\n"])
async def test_a_peer_that_is_silent_or_something_else(switch: Switch, greeting: bytes) -> None:
    switch.greeting = greeting
    (finding,) = await Room(switch).findings()
    assert (finding.level, finding.about) == ("error", "ESL")


async def test_nobody_there() -> None:
    switch = Switch()
    async with switch.serving():
        pass
    (finding,) = await Room(switch).findings()
    assert finding.level == "error"
    assert "no event socket" in finding.text


@pytest.mark.parametrize(
    ("rights", "level", "says"),
    [
        ({}, "warning", "anything"),
        ({"API": "all", "Events": "all"}, "warning", "anything"),
        (RIGHTS | {"API": "bgapi originate status module_exists sofia"}, "error", "uuid_kill"),
        (RIGHTS | {"Events": "CHANNEL_CREATE,DTMF"}, "error", "CHANNEL_PARK"),
        (RIGHTS | {"API": f"{RIGHTS['API']} shutdown"}, "warning", "shutdown"),
        ({key: value.replace(" ", ",") for key, value in RIGHTS.items()}, "ok", "no more"),
    ],
)
async def test_rights_too_few_and_too_many(
    switch: Switch, rights: dict[str, str], level: str, says: str
) -> None:
    switch.allowed = rights
    finding = await Room(switch).of("ESL rights")
    assert finding.level == level
    assert says in finding.text


async def test_what_is_sure_to_fail_is_not_tried(switch: Switch) -> None:
    switch.allowed["API"] = "status"
    assert [finding.about for finding in await Room(switch).findings()][-2:] == [
        "trunk main",
        "ESL from outside",
    ]
    assert not switch.rung


async def test_a_module_that_is_missing(switch: Switch) -> None:
    switch.answers["module_exists"] = lambda switch, argument: "false" if "sndfile" in argument else "true"
    finding = await Room(switch).of("modules")
    assert (finding.level, finding.text) == ("error", "not loaded: mod_sndfile")


@pytest.mark.parametrize("answer", ["-ERR module_exists command not found!", "-ERR permission denied"])
async def test_modules_that_are_not_told_are_not_held_to_be_missing(switch: Switch, answer: str) -> None:
    switch.answers["module_exists"] = lambda switch, argument: answer
    finding = await Room(switch).of("modules")
    assert (finding.level, finding.text) == ("error", "the PBX does not tell which are loaded")
    assert "mod_commands" in finding.fix
    assert "esl-allowed-api" in finding.fix


async def test_without_the_endpoint_of_nobody_the_rest_is_looked_at_all_the_same(switch: Switch) -> None:
    switch.answers["module_exists"] = lambda switch, argument: "false" if "loopback" in argument else "true"
    finding = await Room(switch).of("calls")
    assert (finding.level, finding.text.partition(":")[0]) == ("warning", "no trial call")
    assert not switch.rung


@pytest.mark.parametrize(
    ("endpoint", "pingfreq", "level", "says"),
    [
        ("unheard-of", 30, "error", "no gateway unheard-of"),
        ("down", 30, "error", "is down"),
        ("carrier", 0, "warning", "not watched"),
        ("carrier", 30, "ok", ""),
    ],
)
async def test_gateways(switch: Switch, endpoint: str, pingfreq: int, *, level: str, says: str) -> None:
    switch.pingfreq = pingfreq
    finding = await Room(switch, endpoint=endpoint).of("trunk main")
    assert finding.level == level
    assert says in finding.text


@pytest.mark.parametrize(
    ("codecs", "fix"),
    [("OPUS@8000h,PCMU", "outbound-codec-prefs"), ("PCMU@40i,PCMA@40i", "trunks.main.packet_ms = 40")],
)
async def test_a_profile_whose_first_codec_or_packets_are_others(
    switch: Switch, codecs: str, fix: str
) -> None:
    switch.codecs = codecs
    finding = await Room(switch).of("trunk main")
    assert (finding.level, fix in finding.fix) == ("warning", True)


async def test_a_profile_without_g711(switch: Switch) -> None:
    switch.codecs = "OPUS@48000h,G729"
    finding = await Room(switch).of("trunk main")
    assert finding.level == "warning"
    assert "outbound-codec-prefs" in finding.fix


@pytest.mark.parametrize(
    ("codecs", "lines", "unheard"),
    [
        ("PCMU,PCMA,G722", "", ""),
        ("PCMU,speex@8000h", "", ""),
        ("PCMU,PCMA,OPUS", "", "OPUS"),
        ("PCMU,opus@48000h@20i", "a=rtpmap:103 x-unused/16000", "opus"),
        ("PCMU,OPUS", "a=rtpmap:103 x-unused/48000", ""),
        ("PCMU,SPEEX@16000h,OPUS", "a=rtpmap:103 x-unused/48000", "SPEEX"),
        ("PCMU,AMR-WB", "", "AMR-WB"),
    ],
)
async def test_a_codec_whose_keys_are_not_heard(
    switch: Switch, codecs: str, lines: str, unheard: str
) -> None:
    switch.codecs, switch.variables = codecs, {"rtp_append_audio_sdp": lines}
    finding = await Room(switch).of("trunk main")
    assert finding.level == ("warning" if unheard else "ok")
    assert f"keys of {unheard} calls" in finding.text or not unheard
    assert not unheard or "rtp_append_audio_sdp in carrier" in finding.fix


async def test_an_account_that_may_not_look_for_the_variable_is_told_where_it_stands(switch: Switch) -> None:
    switch.codecs = "PCMU,OPUS"
    switch.answers["sofia_gateway_data"] = lambda switch, argument: "-ERR permission denied"
    room = Room(switch)
    assert "directory.xml" in (await room.of("trunk main")).fix
    assert (await room.of("ESL rights")).level == "ok"
    switch.allowed["API"] += " sofia_gateway_data"
    assert (await room.of("ESL rights")).level == "ok"


@pytest.mark.parametrize("mode", ["info", "none"])
async def test_a_profile_that_has_keys_sent_otherwise(switch: Switch, mode: str) -> None:
    switch.dtmf_mode = mode
    finding = await Room(switch).of("trunk main")
    assert (finding.level, finding.text) == ("warning", f"profile external has keys sent as {mode}")
    assert "dtmf-type" in finding.fix


@pytest.mark.parametrize(
    ("now", "otherwise", "about"),
    [
        ("Version 1.10.12", "Version 1.8.7", "version"),
        ("per Sec out of max 30", "per Sec out of max 3", "capacity"),
        ("1000 session(s) max", "5 session(s) max", "capacity"),
        ("1000 session(s) max", "29 session(s) max", "capacity"),
        ("FreeSWITCH (Version", "-ERR permission denied", "version"),
    ],
)
async def test_version_and_capacity(switch: Switch, now: str, otherwise: str, about: str) -> None:
    assert now in switch.status
    switch.status = switch.status.replace(now, otherwise)
    assert (await Room(switch).of(about)).level == "warning"


async def test_a_call_to_nobody_that_does_not_come_about(switch: Switch, tmp_path: Path) -> None:
    def refuse(switch: Switch, argument: str) -> str:
        job = switch.asked[-1].partition("Job-UUID: ")[2]
        switch.event(
            "BACKGROUND_JOB", {"Job-UUID": job, "Job-Command": "originate"}, "-ERR CHAN_NOT_IMPLEMENTED\n"
        )
        return f"+OK Job-UUID: {job}\nJob-UUID: {job}"

    switch.answers["originate"] = refuse
    assert (await Room(switch, [a_clip(tmp_path)]).of("calls")).level == "error"
    switch.answers["event"] = lambda switch, argument: "-ERR permission denied"
    assert (await Room(switch, [a_clip(tmp_path)]).of("calls")).level == "error"
