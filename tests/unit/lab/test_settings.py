"""A lab's settings survive from one command to the next, and several labs do not meet."""

import os
import socket
import stat
import wave
from datetime import timedelta
from pathlib import Path

import pytest

from voicegate.lab.errors import LabError
from voicegate.lab.ports import Ports, free_port_base, reserve_port_base
from voicegate.lab.settings import LabSettings, PbxKind, recall
from voicegate.lab.world import Lab


def test_settings_are_recalled_from_the_folder(tmp_path: Path) -> None:
    overrides, trunks = {"call.time_cap_s": 20}, ("full", "carrier")
    settings = LabSettings(tmp_path, 14000, "one", "Contoso", overrides, "192.0.2.7", trunks, tuple(PbxKind))
    settings.save()
    assert recall(tmp_path) == settings


def test_settings_of_before_there_were_softphones_keep_to_loopback(tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text('{"port_base": 1, "name": "l", "service": "V", "overrides": {}}')
    kept = recall(tmp_path)
    assert kept is not None
    assert kept.registrar == "127.0.0.1:8"


def test_an_empty_folder_recalls_nothing(tmp_path: Path) -> None:
    assert recall(tmp_path) is None


def test_a_lab_of_before_there_was_a_choice_has_an_asterisk(tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text('{"port_base": 1, "name": "a", "service": "b", "overrides": {}}')
    kept = recall(tmp_path)
    assert kept is not None
    assert kept.pbxs == (PbxKind.ASTERISK,)


def test_the_password_is_made_once_and_is_its_owners_only(tmp_path: Path) -> None:
    settings = LabSettings(tmp_path)
    secret = settings.keep_secret()
    assert len(secret) > 40
    assert LabSettings(tmp_path).keep_secret() == secret
    assert stat.S_IMODE(settings.secret_file.stat().st_mode) == 0o600


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text("{")
    with pytest.raises(LabError, match=r"lab\.json is damaged"):
        recall(tmp_path)


def test_a_control_sockets_path_fits_into_a_sockets_address(tmp_path: Path) -> None:
    deep = tmp_path / ("a-rather-long-folder-name/" * 8)
    assert len(str(LabSettings(deep).volatile / "carrier/asterisk.ctl")) < 100


def test_two_folders_have_two_places_in_memory(tmp_path: Path) -> None:
    assert LabSettings(tmp_path / "a").volatile != LabSettings(tmp_path / "b").volatile


def test_ports_of_one_lab_do_not_meet() -> None:
    ports = Ports(20000)
    single = [ports.pbx_sip, ports.carrier_sip, ports.ami, ports.agi, ports.telephones, ports.reserved]
    single += [ports.freeswitch_sip, ports.esl]
    single += [ports.testers, ports.callback]
    single += [ports.pbx_tls, ports.carrier_tls, ports.odd, ports.nobody]
    ranges = [range(first, first + Ports.RTP_SPAN) for first in (ports.pbx_rtp, ports.carrier_rtp)]
    used = [*single, *ranges[0], *ranges[1]]
    assert len(used) == len(set(used))
    assert max(used) < 20000 + 500
    assert ports.pbx_rtp % 2 == ports.carrier_rtp % 2 == 0


def test_a_reserved_base_is_given_to_nobody_else() -> None:
    with reserve_port_base() as first, reserve_port_base() as second, reserve_port_base() as third:
        assert len({first, second, third}) == 3


def test_a_port_in_use_is_noticed() -> None:
    base = free_port_base()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", base))
        assert Ports(base).taken() == [base]
    assert Ports(base).taken() == []


@pytest.mark.parametrize("address", ["0.0.0.0", "::1", "localhost", "", "127.0.0"])
def test_softphones_are_told_one_ipv4_address(address: str) -> None:
    with pytest.raises(LabError, match="no single IPv4 address"):
        Ports(free_port_base()).check_listen(address)


def test_softphones_are_not_listened_for_at_an_address_of_another_machine() -> None:
    with pytest.raises(LabError, match=r"cannot be listened for at 192\.0\.2\.77:"):
        Ports(free_port_base()).check_listen("192.0.2.77")


def test_softphones_are_not_listened_for_where_another_program_listens() -> None:
    ports = Ports(free_port_base())
    ports.check_listen("127.0.0.1")
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports.testers))
        other.listen(1)
        with pytest.raises(LabError, match=str(ports.testers)):
            ports.check_listen("127.0.0.1")


def test_recordings_are_found_by_number_oldest_first(tmp_path: Path) -> None:
    lab = Lab(LabSettings(tmp_path))
    lab.settings.recordings.mkdir()
    for age, name in ((1, "+12025550101-a.2.wav"), (2, "+12025550101-a.1.wav"), (3, "+12025550102-a.3.wav")):
        (lab.settings.recordings / name).touch()
        os.utime(lab.settings.recordings / name, (age, age))
    assert [file.name for file in lab.recordings("+12025550101")] == [
        "+12025550101-a.2.wav",
        "+12025550101-a.1.wav",
    ]
    assert lab.wait_recording("+12025550101").name == "+12025550101-a.1.wav"


def test_a_call_in_progress_can_be_listened_in_on(tmp_path: Path) -> None:
    lab, heard = Lab(LabSettings(tmp_path)), tmp_path / "so-far.wav"
    lab.settings.raw_recordings.mkdir(parents=True)
    assert not lab.listen_in("+12025550101", heard)
    # A second, and half a sample: it is still being written.
    (lab.settings.raw_recordings / "+12025550101-a.1.sln48").write_bytes(bytes(2 * 48_000 + 1))
    assert lab.listen_in("+12025550101", heard)
    with wave.open(str(heard)) as recording:
        assert (recording.getframerate(), recording.getnframes()) == (8000, 8000)
    assert not lab.recordings("+12025550101")


def test_a_recording_that_never_comes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="No telephone kept"):
        Lab(LabSettings(tmp_path)).wait_recording("+12025550109", within=timedelta())


def test_a_lab_that_never_ran_is_down(tmp_path: Path) -> None:
    lab = Lab(LabSettings(tmp_path))
    assert [part.pid for part in lab.status()] == [None] * 5
    lab.down()
