"""`voicegate config telephone`: the PBX's files for a telephone in the browser, filled in."""

import json
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.unit.cli.conftest import run


def printed(folder: Path, kind: str, url: str, account: str = "4242") -> Mapping[str, str]:
    """The files that the command prints, by name."""
    file = folder / "voicegate.toml"
    file.write_text(
        f'[pbx.main]\nkind = "{kind}"\n'
        '[internal.desks]\npbx = "main"\npattern = "42[0-9]{2}"\ncaller_id = { number = "4000" }\n'
        f'[testing]\nenabled = true\nwebsocket_url = "{url}"\naccount = "{account}"\n'
        'password_file = "/etc/voicegate/sip"\n'
    )
    result = run("--config", str(file), "config", "telephone")
    assert result.exit_code == 0, result.output
    as_json = json.loads(run("--config", str(file), "config", "telephone", "--json").stdout)
    files = (part.partition("\n") for part in result.stdout.split("##### ")[1:])
    told = {name: text for name, _, text in files}
    assert {name: f"{text}\n" for name, text in as_json.items()} == told
    return told


def parameters(text: str) -> dict[str, str]:
    tree = ElementTree.fromstring(text)
    return {str(entry.get("name")): str(entry.get("value")) for entry in tree.iter("param")}


def test_an_asterisk_on_this_machine_takes_websockets_on_loopback(tmp_path: Path) -> None:
    files = printed(tmp_path, "asterisk", "ws://127.0.0.1:8088/ws")
    assert files["http.conf"].split("\n")[:4] == [
        "[general]",
        "enabled = yes",
        "bindaddr = 127.0.0.1",
        "bindport = 8088",
    ]
    assert "\nprotocol = ws\n" in files["pjsip.conf"]
    assert "\nmedia_address = 127.0.0.1\n" in files["pjsip.conf"]
    assert "tlsenable" not in files["http.conf"]


@pytest.mark.parametrize(("host", "listens"), [("192.0.2.10", "192.0.2.10"), ("pbx.example", "0.0.0.0")])
def test_an_asterisk_elsewhere_takes_them_over_tls(tmp_path: Path, host: str, listens: str) -> None:
    files = printed(tmp_path, "asterisk", f"wss://{host}:8089/ws")
    assert f"\ntlsbindaddr = {listens}:8089\n" in files["http.conf"]
    assert "\ntlscertfile = " in files["http.conf"]
    assert "bindport" not in files["http.conf"]
    pjsip = files["pjsip.conf"]
    assert "\nprotocol = wss\n" in pjsip
    assert ("\nmedia_address = 192.0.2.10\n" in pjsip) == (host == "192.0.2.10")
    assert ("\nbind_rtp_to_media_address = yes\n" in pjsip) == (host == "192.0.2.10")


def test_the_files_are_about_the_account_and_name_where_its_password_is(tmp_path: Path) -> None:
    pjsip = printed(tmp_path, "asterisk", "wss://pbx.example:8089/ws")["pjsip.conf"]
    assert "4109" not in pjsip
    assert pjsip.count("\n[4242]\n") == 2
    assert "\n[4242-auth]\ntype = auth\nusername = 4242\n; The same as in /etc/voicegate/sip.\n" in pjsip
    files = printed(tmp_path, "freeswitch", "wss://pbx.example:7443")
    user = files["directory/default/4242.xml"]
    assert "4109" not in user
    assert 'user id="4242"' in user
    assert "/etc/voicegate/sip" in user
    assert parameters(user)["dial-string"].endswith("sofia/telephone/4242%$${domain}")


@pytest.mark.parametrize(
    ("url", "scheme", "address"),
    [
        ("ws://localhost:5066", "ws", "127.0.0.1:5066"),
        ("wss://192.0.2.10:7443", "wss", "192.0.2.10:7443"),
        ("wss://pbx.example", "wss", "$${local_ip_v4}:443"),
    ],
)
def test_a_freeswitch_takes_them_where_the_setting_says(
    tmp_path: Path, url: str, scheme: str, address: str
) -> None:
    given = parameters(printed(tmp_path, "freeswitch", url)["sip_profiles/telephone.xml"])
    assert given[f"{scheme}-binding"] == address
    assert {"ws-binding", "wss-binding"} & set(given) == {f"{scheme}-binding"}
    assert given["rtp-ip"] == given["sip-ip"] == address.partition(":")[0]
    assert given["auth-calls"] == "true"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "voicegate.toml"
    file.write_text('[testing]\nwebsocket_url = "wss://pbx.example"\n')
    missing = run("--config", str(file), "config", "telephone")
    assert (missing.exit_code, "testing.account is missing" in missing.output) == (5, True)
    for kind, account in (("asterisk", "4109"), ("simulator", "4242")):
        with pytest.raises(AssertionError, match=f"Asterisk or FreeSWITCH calls {account}"):
            printed(tmp_path, kind, "wss://pbx.example", account)
