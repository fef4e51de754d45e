"""`voicegate lab carrier`: the lab's carrier without its PBX, for one of an admin's own."""

import socket
import subprocess
import sys
from pathlib import Path

from voicegate.lab.ports import Ports, reserve_port_base

OPTIONS = (
    "OPTIONS sip:carrier@127.0.0.1:{port} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bKalone\r\n"
    "From: <sip:pbx@127.0.0.1>;tag=alone\r\nTo: <sip:carrier@127.0.0.1>\r\n"
    "Call-ID: alone\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def test_the_carrier_answers_alone_until_it_is_told_to_end(tmp_path: Path) -> None:
    with reserve_port_base() as base:
        command = [sys.executable, "-m", "voicegate", "lab", "carrier"]
        command += ["--folder", str(tmp_path), "--port-base", str(base)]
        carrier = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert carrier.stdout is not None
            port = Ports(base).carrier_sip
            assert f"sip:127.0.0.1:{port}" in carrier.stdout.readline()
            assert options(port).startswith("SIP/2.0 ")
        finally:
            # Not by SIGKILL: what it started would go on.
            carrier.terminate()
            carrier.communicate()
        assert carrier.returncode == 0
        assert not Ports(base).taken()


def options(port: int) -> str:
    """Ask the carrier whether it is there, and return its answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(10)
        text = OPTIONS.format(port=port, own=peer.getsockname()[1])
        peer.sendto(text.encode(), ("127.0.0.1", port))
        return peer.recv(4096).decode()
