"""The lab's trunks: each has its endpoint at the PBX, and the controller uses those it is told to."""

import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from voicegate.domain.call_outcome import Blame, Outcome
from voicegate.lab.certificates import Certificates
from voicegate.lab.rendering import render_carrier, render_controller, render_freeswitch, render_pbx
from voicegate.lab.settings import LabSettings, PbxKind
from voicegate.lab.trunks import QUALIFIED, TRUNKS, LabTrunk

each_trunk = pytest.mark.parametrize("trunk", TRUNKS, ids=lambda trunk: trunk.name)


def parameters(element: ElementTree.Element) -> dict[str | None, str]:
    return {param.get("name"): param.get("value", "") for param in element.iter("param")}


@each_trunk
def test_a_trunk_has_an_endpoint_of_its_name_at_the_pbx(tmp_path: Path, trunk: LabTrunk) -> None:
    files = render_pbx(LabSettings(tmp_path), "secret", ())
    places = "".join(text for name, text in files.items() if name == "pjsip.conf" or "trunk" in name)
    assert f"\n[{trunk.name}]" in places
    assert f"\naors = {trunk.name}-aor\n" in places


@each_trunk
def test_a_trunk_has_a_gateway_of_its_name_at_a_freeswitch(tmp_path: Path, trunk: LabTrunk) -> None:
    files = render_freeswitch(LabSettings(tmp_path, pbxs=(PbxKind.FREESWITCH,)), "secret", ())
    gateways = [
        gateway for text in files.values() for gateway in ElementTree.fromstring(text).iter("gateway")
    ]
    (gateway,) = [gateway for gateway in gateways if gateway.get("name") == trunk.name]
    settings = parameters(gateway)
    assert settings["proxy"].startswith("127.0.0.1:")
    assert ("ping" in settings) == (trunk.name in QUALIFIED)
    assert (settings["register"] == "true") == (trunk.name == "registered")


def test_the_pbx_reads_the_files_of_all_trunks(tmp_path: Path) -> None:
    files = render_pbx(LabSettings(tmp_path), "secret", ())
    included = [name for name in files if f'\n#include "{name}"\n' in files["pjsip.conf"]]
    assert included == ["trunk-tls.conf", "trunk-registered.conf", "odd-trunks.conf"]


@each_trunk
def test_only_a_trunks_own_failure_brings_up_the_next_one(trunk: LabTrunk) -> None:
    assert not trunk.fails_over or trunk.expected.blame is Blame.TRUNK
    assert not trunk.fails_over or trunk.expected.outcome is not Outcome.TRUNK_SILENT


def test_the_controller_tries_the_trunks_it_is_told_in_their_order(tmp_path: Path) -> None:
    names = ("full", "nobody", "carrier")
    overrides = {"trunks.carrier.ring_timeout_s": 9}
    rendered = render_controller(LabSettings(tmp_path, trunks=names, overrides=overrides))
    trunks = tomllib.loads(rendered)["trunks"]
    assert list(trunks) == list(names)
    assert [trunk["endpoint"] for trunk in trunks.values()] == list(names)
    assert {trunk["ring_timeout_s"] for trunk in trunks.values()} == {9}


def test_an_honest_carriers_audio_is_encrypted_where_it_is_said_to_be(tmp_path: Path) -> None:
    secure = render_pbx(LabSettings(tmp_path), "secret", ())["trunk-tls.conf"]
    assert "\nmedia_encryption = sdes\nmedia_encryption_optimistic = no\n" in secure
    assert "\nverify_server = yes\n" in secure
    assert f"\nca_list_file = {tmp_path}/certificates/cafile.pem\n" in secure
    assert (
        f"cert_file = {tmp_path}/certificates/carrier.pem\n"
        in render_carrier(LabSettings(tmp_path))["pjsip.conf"]
    )


def test_a_freeswitchs_audio_is_encrypted_and_the_carriers_certificate_checked(tmp_path: Path) -> None:
    files = render_freeswitch(LabSettings(tmp_path, pbxs=(PbxKind.FREESWITCH,)), "secret", ())
    profile = ElementTree.fromstring(files["trunk-tls.xml"])
    settings = parameters(profile)
    assert (settings["tls-only"], settings["register-transport"]) == ("true", "tls")
    assert settings["tls-verify-policy"] == "out|subjects_out"
    folder = settings["tls-cert-dir"]
    assert Path(folder, "cafile.pem") == Certificates(Path(folder)).authority
    (variable,) = profile.iter("variable")
    assert variable.get("name") == "rtp_secure_media"
    assert str(variable.get("value")).startswith("mandatory")


def test_what_is_looked_at_is_a_trunk() -> None:
    assert set(QUALIFIED) <= {trunk.name for trunk in TRUNKS}
