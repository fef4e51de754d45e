"""What the doctor finds of the lab's real FreeSWITCH: nothing, and then what was broken in it."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.pbx.diagnosing import edited, faults, findings, wrong
from voicegate.adapters.pbx.common.connection import Secret
from voicegate.adapters.pbx.freeswitch.esl_session import esl_session
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.application.diagnostics import Level
from voicegate.lab.deadlines import Deadline
from voicegate.lab.world import Lab

PROFILE = "sofia profile voicegate"
TIMEOUT_S = 30
OFFERED = 'name="outbound-codec-prefs" value="PCMU,PCMA,G722,OPUS"'
UNHEARD = "rtp_append_audio_sdp"
KEYS = '<param name="dtmf-type" value="rfc2833"/>'
ERROR, WARNING = Level.ERROR, Level.WARNING


@pytest.fixture
def lab(freeswitch_lab: Lab) -> Lab:
    return freeswitch_lab


def wait(is_so: Callable[[], bool]) -> None:
    deadline = Deadline(TIMEOUT_S)
    while not is_so():
        assert not deadline.has_passed
        time.sleep(0.1)


def rescan(lab: Lab) -> None:
    """Have the profile's settings read again."""
    lab.pbx_command(f"{PROFILE} rescan")


@contextmanager
def gateway(lab: Lab, old: str, new: str) -> Iterator[None]:
    """The profile's gateway with another text in it."""

    def reload() -> None:
        for name in ("carrier", "elsewhere"):
            lab.pbx_command(f"{PROFILE} killgw {name}")
        wait(lambda: not re.search("::(carrier|elsewhere)", lab.pbx_command("sofia status")))
        rescan(lab)

    try:
        with edited(lab, "profile.xml", old, new, reload=reload):
            yield
    finally:
        lab.wait_trunks()


@contextmanager
def told(lab: Lab, command: str, back: str) -> Iterator[None]:
    """The PBX while it was told to be otherwise."""
    # A module may still be in use: a call of another test, that is just ending.
    wait(lambda: "+OK" in lab.pbx_command(command))
    try:
        yield
    finally:
        lab.pbx_command(back)


def test_a_healthy_lab_has_nothing_wrong_and_no_channel_is_left(lab: Lab) -> None:
    found = findings(lab)
    assert [finding for finding in found if finding.level is not Level.OK] == []
    assert sum(finding.about == "sounds" for finding in found) == 2
    wait(lambda: lab.pbxs[0].channels() == 0)


def test_a_wrong_password_is_found(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text("guess")
    (finding,) = faults(lab, esl_password_file=str(tmp_path / "secret"))
    assert (finding.about, finding.level) == ("ESL", ERROR)
    assert "esl_password_file" in finding.fix


async def test_an_access_list_that_refuses_us_is_found(lab: Lab) -> None:
    here = lab.settings
    door = FreeSwitchSettings("door", Secret(here.keep_secret()), esl_port=here.ports.esl)
    file = here.folder / "pbx/etc/acl.conf.xml"
    before = file.read_text("utf-8")
    # Whoever is in stays in: the list is asked at the door.
    async with esl_session(door) as session:
        try:
            file.write_text(before.replace("127.0.0.1/32", "192.0.2.0/24"), "utf-8")
            await session.api("reloadacl")
            (finding,) = await asyncio.to_thread(faults, lab)
        finally:
            file.write_text(before, "utf-8")
            await session.api("reloadacl")
    assert (finding.about, finding.level) == ("ESL", ERROR)
    assert "access list" in finding.text
    assert "acl.conf.xml" in finding.fix


def test_rights_too_few_and_too_many_are_found(lab: Lab) -> None:
    # The daemon stays logged in as it was: rights are those of a log-in.
    change = partial(edited, lab, "directory.xml", reload=lambda: lab.pbx_command("reloadxml"))
    with change("uuid_kill ", ""):
        assert wrong(lab) == {("ESL rights", ERROR)}
    with change("CHANNEL_PARK ", ""):
        assert wrong(lab) == {("ESL rights", ERROR)}
    with change("uuid_kill ", "uuid_kill shutdown "):
        assert wrong(lab) == {("ESL rights", WARNING)}
    assert wrong(lab, esl_user=None) == {("ESL rights", WARNING)}


@pytest.mark.parametrize("module", ["mod_sndfile", "mod_dptools"])
def test_a_module_that_calls_need_and_is_missing_is_named(lab: Lab, module: str) -> None:
    with told(lab, f"unload {module}", f"load {module}"):
        (finding,) = faults(lab)
    assert (finding.level, finding.text) == (ERROR, f"not loaded: {module}")
    assert "modules.conf.xml" in finding.fix


def test_without_sip_there_is_no_trunk_either(lab: Lab) -> None:
    try:
        with told(lab, "unload mod_sofia", "load mod_sofia"):
            assert wrong(lab) == {("modules", ERROR), ("trunk carrier", ERROR)}
    finally:
        lab.wait_trunks()


def test_without_the_endpoint_of_nobody_no_call_is_tried(lab: Lab) -> None:
    with told(lab, "unload mod_loopback", "load mod_loopback"):
        assert wrong(lab) == {("calls", WARNING)}


def test_a_sound_that_the_pbx_cannot_read_is_found(lab: Lab) -> None:
    assert wrong(lab, audio={"pbx_folder": "/nowhere"}) == {("sounds", ERROR)}


def test_a_gateway_of_another_name_is_found(lab: Lab) -> None:
    with gateway(lab, '<gateway name="carrier">', '<gateway name="elsewhere">'):
        (finding,) = faults(lab)
    assert (finding.level, finding.text) == (ERROR, "the PBX has no gateway carrier")
    assert "trunks.carrier.endpoint" in finding.fix


def test_a_gateway_that_is_not_watched_is_found(lab: Lab) -> None:
    with gateway(lab, '<param name="ping" value="5"/>', ""):
        (finding,) = faults(lab)
    assert (finding.level, finding.about) == (WARNING, "trunk carrier")
    assert "ping" in finding.fix


def test_a_gateway_with_nobody_behind_it_is_found_to_be_down(lab: Lab) -> None:
    carrier, nobody = (
        f"127.0.0.1:{port}" for port in (lab.settings.ports.carrier_sip, lab.settings.ports.nobody)
    )
    with gateway(lab, carrier, nobody):
        wait(lambda: "DOWN" in lab.pbx_command("sofia status gateway carrier"))
        (finding,) = faults(lab)
    assert (finding.level, finding.about) == (ERROR, "trunk carrier")
    assert "is down" in finding.text


def test_a_profile_without_g711_is_found(lab: Lab) -> None:
    with edited(lab, "profile.xml", OFFERED, OFFERED.replace("PCMU,PCMA,", ""), reload=partial(rescan, lab)):
        (finding,) = faults(lab)
    assert finding.level is WARNING
    assert "outbound-codec-prefs" in finding.fix


def test_a_gateway_by_which_keys_of_opus_calls_go_unheard_is_found(lab: Lab) -> None:
    with gateway(lab, UNHEARD, "elsewhere"):
        (finding,) = faults(lab)
    assert (finding.level, finding.about) == (WARNING, "trunk carrier")
    assert "keys of OPUS calls" in finding.text
    assert UNHEARD in finding.fix


@pytest.mark.parametrize("kind", ["info", "none"])
def test_a_profile_that_takes_keys_otherwise_is_found(lab: Lab, kind: str) -> None:
    with edited(lab, "profile.xml", KEYS, KEYS.replace("rfc2833", kind), reload=partial(rescan, lab)):
        (finding,) = faults(lab)
    assert finding.level is WARNING
    assert "dtmf-type" in finding.fix


@pytest.mark.parametrize(
    ("command", "back"),
    [("fsctl sps 5", "fsctl sps 200"), ("fsctl max_sessions 5", "fsctl max_sessions 1000")],
)
def test_a_pbx_that_takes_few_calls_is_found(lab: Lab, command: str, back: str) -> None:
    with told(lab, command, back):
        (finding,) = faults(lab)
    assert (finding.about, finding.level) == ("capacity", WARNING)
    assert "switch.conf" in finding.fix


def test_a_pbx_that_is_paused_is_found(lab: Lab) -> None:
    with told(lab, "fsctl pause outbound", "fsctl resume outbound"):
        (finding,) = faults(lab)
    assert (finding.about, finding.level) == ("calls", ERROR)
    assert "fsctl resume" in finding.fix
