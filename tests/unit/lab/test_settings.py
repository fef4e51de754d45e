"""A lab's settings survive from one command to the next, and several labs do not meet."""

import socket
from pathlib import Path

import pytest

from voicegate.lab.errors import LabError
from voicegate.lab.ports import Ports, free_port_base, reserve_port_base
from voicegate.lab.settings import LabSettings, recall


def test_settings_are_recalled_from_the_folder(tmp_path: Path) -> None:
    settings = LabSettings(tmp_path, 14000, "one", "Contoso", {"call.time_cap_s": 20})
    settings.save()
    assert recall(tmp_path) == settings


def test_an_empty_folder_recalls_nothing(tmp_path: Path) -> None:
    assert recall(tmp_path) is None


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
