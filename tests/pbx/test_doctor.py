"""What the doctor finds of the lab's real Asterisk: nothing, and then what was broken in it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.pbx import diagnosing
from tests.pbx.daemons import daemon
from tests.pbx.diagnosing import faults, findings, tls_of, wrong
from voicegate.application.diagnostics import Level
from voicegate.lab.certificates import Certificates
from voicegate.lab.world import Lab


@contextmanager
def edited(lab: Lab, name: str, old: str, new: str, *, reload: str) -> Iterator[None]:
    with diagnosing.edited(lab, name, old, new, reload=lambda: lab.pbx_command(reload)):
        yield


def test_a_healthy_lab_has_nothing_wrong_and_no_channel_is_left(lab: Lab) -> None:
    found = findings(lab)
    assert [finding for finding in found if finding.level is not Level.OK] == []
    assert sum(finding.about == "sounds" for finding in found) == 2
    assert any("reaches the running daemon" in finding.text for finding in found)
    assert "0 active channels" in lab.pbx_command("core show channels count")


def test_an_account_that_may_and_hears_too_much_is_told(lab: Lab) -> None:
    # The daemon stays logged in as it was: a reload concerns the next log-in.
    with edited(
        lab, "manager.conf", "write = call,", "write = system,command,call,", reload="manager reload"
    ):
        assert wrong(lab) == {("AMI rights", Level.WARNING)}
    with edited(lab, "manager.conf", "\neventfilter(", "\n; eventfilter(", reload="manager reload"):
        assert wrong(lab) == {("AMI events", Level.WARNING)}


def test_a_manager_interface_in_the_clear_is_told(lab: Lab) -> None:
    assert wrong(lab, ami_port=lab.settings.ports.ami, ami_tls_ca="") == {("AMI", Level.WARNING)}


def test_a_manager_interface_with_somebody_elses_certificate_is_no_asterisk(lab: Lab, tmp_path: Path) -> None:
    other = Certificates(tmp_path)
    other.ensure()
    (found,) = faults(lab, ami_tls_ca=str(other.authority))
    assert (found.about, found.level) == ("AMI", Level.ERROR)
    assert "certificate verify failed" in found.text


async def test_a_controller_is_ready_over_tls(lab: Lab) -> None:
    tls = {f"pbx.main.{name}": value for name, value in tls_of(lab).items()}
    async with daemon(lab, "carrier", **tls) as backend:
        assert [trunk.state for trunk in await backend.client.trunks()] == ["available"]


def test_a_missing_event_filter_is_found(lab: Lab) -> None:
    line = "eventfilter(action(include),name(DialState)) =\n"
    with edited(lab, "manager.conf", line, "", reload="manager reload"):
        assert wrong(lab) == {("AMI events", Level.ERROR)}


def test_the_dialplan_of_another_version_is_found(lab: Lab) -> None:
    with edited(lab, "voicegate.conf", "exten => revision", "exten => version", reload="dialplan reload"):
        assert wrong(lab) == {("dialplan", Level.ERROR)}


def test_a_trunk_that_proves_nothing_is_found(lab: Lab) -> None:
    careless = "direct_media = yes\nredirect_method = uri_pjsip"
    careful = 'direct_media = no\n; ! With uri_pjsip or uri_core a "302 moved" from the far end dials its '
    careful += "number past all policy.\nredirect_method = user"
    with edited(lab, "pjsip.conf", careful, careless, reload="module reload res_pjsip.so"):
        found = findings(lab)
    texts = [finding.text for finding in found if finding.level is Level.ERROR]
    assert texts == ["redirect_method is uri_pjsip", "direct_media is on"]


def test_a_controller_that_the_pbx_cannot_reach_is_found(lab: Lab) -> None:
    assert wrong(lab, agi_port=0, agi_advertised_host="127.0.0.9") == {("FastAGI", Level.ERROR)}


def test_a_sound_that_the_pbx_cannot_read_is_found(lab: Lab) -> None:
    assert wrong(lab, audio={"pbx_folder": "/nowhere"}) == {("sounds", Level.ERROR)}


def test_a_wrong_secret_is_found(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text("guess")
    (tmp_path / "secret").chmod(0o600)
    assert wrong(lab, ami_secret_file=str(tmp_path / "secret")) == {("AMI", Level.ERROR)}


def test_an_account_that_may_not_call_is_told_and_nothing_else_blamed(lab: Lab) -> None:
    with edited(lab, "manager.conf", "write = call,originate", "write = call", reload="manager reload"):
        assert wrong(lab) - clear(lab) == {("AMI rights", Level.ERROR), ("FastAGI", Level.WARNING)}


def test_a_pbx_without_the_application_agi_is_told_what_to_load(lab: Lab) -> None:
    assert "Unloaded" in lab.pbx_command("module unload -f res_agi.so")
    try:
        (fault,) = [one for one in faults(lab) if one.level is Level.ERROR]
    finally:
        lab.pbx_command("module load res_agi.so")
    assert (fault.about, "load res_agi" in fault.fix) == ("FastAGI", True)


def test_a_stranger_at_our_port_is_told_of(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        found = faults(lab, agi_port=stranger.getsockname()[1])
    (fault,) = [one for one in found if one.level is Level.ERROR]
    assert "another program's" in fault.text


def test_a_recorder_in_our_context_is_found(lab: Lab) -> None:
    first = 'exten => s,1,GotoIf($["${VOICEGATE_AGI}" = ""]?done)\n'
    recording = f"{first} same => n,MixMonitor(/tmp/none.wav)\n"
    with edited(lab, "voicegate.conf", first, recording, reload="dialplan reload"):
        assert ("dialplan", Level.ERROR) in wrong(lab)


def test_a_number_that_from_user_hides_is_told_of(lab: Lab) -> None:
    hidden = "send_pai = no\nfrom_user = acme"
    with edited(lab, "pjsip.conf", "send_pai = yes", hidden, reload="module reload res_pjsip.so"):
        told = [one for one in faults(lab) if "from_user acme" in one.text]
    assert told
    assert all("send_pai = yes" in one.fix for one in told)


def clear(lab: Lab) -> set[tuple[str, Level]]:
    """What a lab in the clear is told of in any case."""
    return {("AMI", Level.WARNING)} & wrong(lab)
