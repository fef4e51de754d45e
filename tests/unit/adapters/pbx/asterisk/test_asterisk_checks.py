"""What is found of an Asterisk, each finding by a PBX that is wrong in just that."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.adapters.pbx.asterisk.peers import READING, settings_for, tls_of
from tests.unit.adapters.pbx.asterisk.scripted import ACTIONS, MARK, ScriptedAsterisk
from voicegate.adapters.pbx.asterisk import variables
from voicegate.adapters.pbx.asterisk.agi import AgiServer
from voicegate.adapters.pbx.asterisk.checks import AsteriskCheck
from voicegate.adapters.pbx.asterisk.settings import AsteriskSettings
from voicegate.adapters.pbx.common.checking import Desks, Target
from voicegate.adapters.pbx.common.connection import Secret
from voicegate.adapters.system import SystemClock
from voicegate.application.diagnostics import Finding, Level
from voicegate.application.ports import Clip
from voicegate.config import project_folder
from voicegate.domain.errors import SpeechError


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[ScriptedAsterisk]:
    server, ours = tls_of(tmp_path)
    async with ScriptedAsterisk().serving(server) as exchange:
        assert isinstance(exchange, ScriptedAsterisk)
        exchange.tls = ours
        yield exchange


async def findings(exchange: ScriptedAsterisk, **changes: object) -> list[Finding]:
    return await examined(settings_for(exchange, ami_tls=exchange.tls, **changes))


async def examined(settings: AsteriskSettings, *, error: SpeechError | None = None) -> list[Finding]:
    @asynccontextmanager
    async def sounds() -> AsyncIterator[Sequence[Clip]]:
        if error is not None:
            raise error
        yield (READING,)

    desks = {"desks": Desks(re.compile("4[0-9]{3}"), "{extension}")}
    target = Target({"carrier": "carrier"}, sounds, packets={"carrier": 20}, desks=desks, calls=30)
    check = AsteriskCheck(settings, target, SystemClock())
    return [finding async for finding in check.run()]


def about(found: Sequence[Finding], name: str) -> list[Level]:
    return [finding.level for finding in found if finding.about == name]


async def test_a_healthy_pbx_has_nothing_wrong(exchange: ScriptedAsterisk) -> None:
    found = await findings(exchange)
    assert [finding for finding in found if finding.level is not Level.OK] == []
    names = {finding.about for finding in found}
    assert names == {"AMI", "version", "clock", "AMI rights", "dialplan", "FastAGI", "sounds"} | {
        "AMI events",
        "AMI from outside",
        "extensions desks",
        "trunk carrier",
        "RTP",
    }
    assert any("all telephones of 1 with several ring" in finding.text for finding in found)


def value(name: str, text: str) -> Callable[[ScriptedAsterisk], None]:
    def spoil(exchange: ScriptedAsterisk) -> None:
        exchange.values[name] = text

    return spoil


def attribute(name: str, wrong: object) -> Callable[[ScriptedAsterisk], None]:
    def spoil(exchange: ScriptedAsterisk) -> None:
        setattr(exchange, name, wrong)

    return spoil


def no_agi(exchange: ScriptedAsterisk) -> None:
    exchange.is_reaching = exchange.has_agi = False


SPOILT = {
    "old version": (value("VERSION()", "20.5.0"), "version", Level.WARNING, "event filters"),
    "no version": (value("VERSION()", ""), "version", Level.WARNING, "func_version"),
    "wrong clock": (attribute("skew", timedelta(minutes=-2)), "clock", Level.WARNING, "chrony"),
    "too many rights": (
        attribute("actions", ACTIONS | {"Command": "Execute.  (Priv: command,all)"}),
        "AMI rights",
        Level.WARNING,
        "is enough",
    ),
    "no dialplan": (
        value("DIALPLAN_EXISTS(voicegate-answered,s,1)", "0"),
        "dialplan",
        Level.ERROR,
        "#include",
    ),
    "old dialplan": (
        value(f"DIALPLAN_EXISTS(voicegate-answered,{MARK},1)", "0"),
        "dialplan",
        Level.ERROR,
        "dialplan reload",
    ),
    "unreached": (attribute("is_reaching", False), "FastAGI", Level.ERROR, "agi_advertised_host"),
    "no application AGI": (no_agi, "FastAGI", Level.ERROR, "load res_agi"),
    "a line in our context": (
        value(f"DIALPLAN_EXISTS(voicegate-answered,s,{variables.ANSWERED_LAST + 1})", "1"),
        "dialplan",
        Level.ERROR,
        "take what was added out",
    ),
    "recorded calls": (attribute("recording", "/var/spool/x.wav"), "recording", Level.ERROR, "MixMonitor"),
    "another number shown": (
        value("PJSIP_ENDPOINT(carrier,from_user)", "acme"),
        "trunk carrier",
        Level.WARNING,
        "send_pai = yes",
    ),
    "no DTMF": (attribute("dtmf", "200 result=-2\n"), "DTMF", Level.WARNING, "app_senddtmf"),
    "unreadable sound": (attribute("unplayable", {READING.path}), "sounds", Level.ERROR, "audio.group"),
    "no events": (attribute("silent_events", {"DialState"}), "AMI events", Level.ERROR, "read = call"),
    "needless events": (
        attribute("needless_events", ("VarSet",)),
        "AMI events",
        Level.WARNING,
        "eventfilter lines",
    ),
    "no endpoint": (
        attribute("states", {"PJSIP/4200": "NOT_INUSE"}),
        "trunk carrier",
        Level.ERROR,
        "trunks.carrier.endpoint",
    ),
    "dead trunk": (
        attribute("states", {"PJSIP/carrier": "UNAVAILABLE", "PJSIP/4200": "NOT_INUSE"}),
        "trunk carrier",
        Level.ERROR,
        "pjsip show contacts",
    ),
    "unwatched trunk": (
        value("PJSIP_AOR(carrier-aor,qualify_frequency)", "0"),
        "trunk carrier",
        Level.WARNING,
        "qualify_frequency = 30",
    ),
    "redirects": (
        value("PJSIP_ENDPOINT(carrier,redirect_method)", "uri_pjsip"),
        "trunk carrier",
        Level.ERROR,
        "redirect_method = user",
    ),
    "direct media": (
        value("PJSIP_ENDPOINT(carrier,direct_media)", "true"),
        "trunk carrier",
        Level.ERROR,
        "direct_media = no",
    ),
    "codecs": (
        value("PJSIP_ENDPOINT(carrier,allow)", "(g729)"),
        "trunk carrier",
        Level.WARNING,
        "allow = !all,ulaw,alaw",
    ),
    "untold endpoint": (
        value("PJSIP_ENDPOINT(carrier,redirect_method)", ""),
        "trunk carrier",
        Level.WARNING,
        "func_pjsip_endpoint",
    ),
    "transcoding": (
        value("PJSIP_ENDPOINT(carrier,allow)", "(opus|ulaw)"),
        "trunk carrier",
        Level.WARNING,
        "allow = !all,ulaw,alaw",
    ),
    "packets": (
        value("AST_CONFIG(pjsip.conf,carrier,allow)", "!all,ulaw:40,alaw:40"),
        "trunk carrier",
        Level.WARNING,
        "trunks.carrier.packet_ms = 40",
    ),
    "no desk": (
        attribute("states", {"PJSIP/carrier": "NOT_INUSE"}),
        "extensions desks",
        Level.WARNING,
        "internal.desks.pattern",
    ),
    "telephone that is not rung": (
        value("PJSIP_DIAL_CONTACTS(4200)", "PJSIP/4200/sip:a@127.0.0.1&PJSIP/4200/sip:b|c@127.0.0.1"),
        "extensions desks",
        Level.WARNING,
        "max_contacts",
    ),
    "ports for fewer calls": (
        value("AST_CONFIG(rtp.conf,general,rtpend)", "10057"),
        "RTP",
        Level.WARNING,
        "widen rtpstart",
    ),
    "few ports": (value("AST_CONFIG(rtp.conf,general,rtpend)", "10019"), "RTP", Level.WARNING, "firewall"),
    "untold ports": (value("AST_CONFIG(rtp.conf,general,rtpend)", ""), "RTP", Level.WARNING, "rtp.conf"),
}


@pytest.mark.parametrize(("spoil", "name", "level", "fix"), SPOILT.values(), ids=SPOILT)
async def test_what_is_wrong_is_found_with_its_fix(
    exchange: ScriptedAsterisk, spoil: Callable[[ScriptedAsterisk], None], name: str, level: Level, fix: str
) -> None:
    spoil(exchange)
    wrong = [finding for finding in await findings(exchange) if finding.level is not Level.OK]
    assert {(finding.about, finding.level) for finding in wrong} == {(name, level)}
    assert any(fix in finding.fix for finding in wrong)


async def test_a_running_daemon_answers_for_its_own_port(exchange: ScriptedAsterisk) -> None:
    async with asyncio.TaskGroup() as tasks:
        daemon = AgiServer(settings_for(exchange), tasks)
        await daemon.open()
        port = int(daemon.address.rpartition(":")[2].partition("/")[0])
        found = await findings(exchange, agi_port=port)
        await daemon.close()
    assert [finding for finding in found if finding.level is not Level.OK] == []
    assert any("running daemon" in finding.text for finding in found)


async def test_what_holds_the_port_and_is_no_controller_is_found(exchange: ScriptedAsterisk) -> None:
    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as stranger:
        port = stranger.sockets[0].getsockname()[1]
        found = await findings(exchange, agi_port=port)
    (finding,) = [one for one in found if one.about == "FastAGI"]
    assert (finding.level, "another program's" in finding.text) == (Level.ERROR, True)
    assert f"ss -ltnp 'sport = :{port}'" in finding.fix


async def test_without_the_right_to_call_no_call_is_tried_and_blamed(exchange: ScriptedAsterisk) -> None:
    exchange.actions = {"Hangup": ACTIONS["Hangup"], "Status": ACTIONS["Status"]}
    found = await findings(exchange)
    assert about(found, "AMI rights") == [Level.ERROR]
    assert about(found, "FastAGI") == [Level.WARNING]


@pytest.mark.parametrize(("header", "level"), [("send_pai", Level.OK), ("send_rpid", Level.OK)])
async def test_a_from_user_is_well_where_a_header_tells_our_number(
    exchange: ScriptedAsterisk, header: str, level: Level
) -> None:
    exchange.values["PJSIP_ENDPOINT(carrier,from_user)"] = "acme"
    exchange.values[f"PJSIP_ENDPOINT(carrier,{header})"] = "true"
    assert set(about(await findings(exchange), "trunk carrier")) == {level}


async def test_a_hundred_ports_are_fifty_calls(exchange: ScriptedAsterisk) -> None:
    exchange.values["AST_CONFIG(rtp.conf,general,rtpend)"] = "10099"
    (finding,) = [one for one in await findings(exchange) if one.about == "RTP"]
    assert "for 50 calls" in finding.text


@pytest.mark.parametrize(
    ("first", "last", "calls"), [(10000, 10099, 50), (10001, 10100, 49), (10001, 10101, 50)]
)
async def test_a_call_takes_an_even_port_and_the_next(
    exchange: ScriptedAsterisk, first: int, last: int, calls: int
) -> None:
    exchange.values["AST_CONFIG(rtp.conf,general,rtpstart)"] = str(first)
    exchange.values["AST_CONFIG(rtp.conf,general,rtpend)"] = str(last)
    (finding,) = [one for one in await findings(exchange) if one.about == "RTP"]
    assert f"for {calls} calls" in finding.text


def test_our_context_has_as_many_lines_as_we_think() -> None:
    text = (project_folder("dialplan") / "asterisk/voicegate.conf").read_text("utf-8")
    context = text.partition("[voicegate-answered]")[2].partition("exten => revision")[0]
    lines = [line for line in context.splitlines() if line.startswith(("exten =>", " same =>"))]
    assert len(lines) == variables.ANSWERED_LAST


async def test_without_sounds_the_rest_is_looked_at_all_the_same(exchange: ScriptedAsterisk) -> None:
    found = await examined(settings_for(exchange, ami_tls=exchange.tls), error=SpeechError("no folder"))
    assert about(found, "sounds") == [Level.WARNING]
    assert about(found, "FastAGI") == [Level.OK]


async def test_a_log_in_in_the_clear_is_told_with_its_fix() -> None:
    async with ScriptedAsterisk().serving() as exchange:
        assert isinstance(exchange, ScriptedAsterisk)
        found = await findings(exchange)
    (finding,) = [finding for finding in found if finding.about == "AMI"]
    assert (finding.level, "ami_tls_ca" in finding.fix) == (Level.WARNING, True)


async def test_a_refused_log_in_names_its_settings(exchange: ScriptedAsterisk) -> None:
    exchange.answers["Login"] = lambda peer, asked: "Response: Error\r\nMessage: Authentication failed"
    (finding,) = await findings(exchange)
    assert (finding.level, finding.about) == (Level.ERROR, "AMI")
    assert "pbx.lab.ami_username" in finding.fix


async def test_a_manager_interface_that_is_not_there_names_its_settings() -> None:
    settings = AsteriskSettings("lab", "voicegate", Secret("x"), ami_port=1, agi_port=0)
    (finding,) = await examined(settings)
    assert (finding.level, "127.0.0.1:1" in finding.text) == (Level.ERROR, True)


async def test_another_protocol_is_no_manager_interface(exchange: ScriptedAsterisk) -> None:
    exchange.greeting = b"SSH-2.0-OpenSSH_9.2\r\n"
    (finding,) = await findings(exchange)
    assert "does not greet" in finding.text


def test_the_dialplan_files_mark_is_the_digest_of_its_lines() -> None:
    text = (project_folder("dialplan") / "asterisk/voicegate.conf").read_text("utf-8")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(";")]
    counted = [line for line in lines if "revision" not in line]
    digest = hashlib.sha256("\n".join(counted).encode()).hexdigest()[:8]
    assert f"exten => revision{digest},1,Hangup()" in lines
    assert digest == variables.DIALPLAN_REVISION
