"""The files of a lab: our examples filled in, and a dialplan with every number of the table."""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from voicegate import config
from voicegate.lab.behaviour import LabNumber
from voicegate.lab.company import company_pbxs
from voicegate.lab.config_templates import as_toml
from voicegate.lab.numbers import NUMBERS
from voicegate.lab.rendering import (
    render_carrier,
    render_controller,
    render_freeswitch,
    render_pbx,
)
from voicegate.lab.services import all_services
from voicegate.lab.settings import LabSettings, PbxKind
from voicegate.lab.testers import BROWSER, TESTERS, Account


@pytest.fixture
def settings(tmp_path: Path) -> LabSettings:
    return LabSettings(tmp_path, 20000, service='The "Quoted" Company', overrides={"call.time_cap_s": 20})


ACCOUNTS = [Account(tester, f"pw-{tester.name}") for tester in TESTERS]


def contexts(text: str) -> dict[str, str]:
    parts = re.split(r"^\[([^\]]+)\]$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(";"))


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_every_number_has_its_lines_and_its_context(settings: LabSettings, number: LabNumber) -> None:
    dialplan = contexts(render_carrier(settings)["extensions.conf"])
    assert dialplan[number.name].strip().startswith("exten => s,1,")
    for pattern in number.dialed:
        line = (
            f"exten => {pattern},1,Set(DIALED={number.dialed[pattern]})\n same => n,Goto({number.name},s,1)\n"
        )
        assert line in dialplan["from-company"]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_a_number_whose_endpoint_differs_has_one_of_its_own(settings: LabSettings, number: LabNumber) -> None:
    endpoints = contexts(render_carrier(settings)["pjsip.conf"].replace("](telephone)\n", "]\n"))
    assert (number.name in endpoints) == bool(number.endpoint)
    for name, value in number.endpoint.items():
        assert f"\n{name} = {value}\n" in endpoints[number.name]
        assert number.request_uri in endpoints[f"{number.name}-identify"]


def test_nothing_of_a_rendered_file_is_left_to_render(settings: LabSettings) -> None:
    for text in render_carrier(settings).values():
        assert not re.search(r"\{\{|\{%|\}\}", text)


def test_the_manager_account_has_the_least_privilege(settings: LabSettings) -> None:
    account = without_comments(
        contexts(render_pbx(settings, "s3cret", ACCOUNTS)["manager.conf"])["voicegate"]
    )
    assert "secret = s3cret\n" in account
    assert "read = call\n" in account
    assert "write = call,originate\n" in account
    assert "deny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\n" in account


def test_everything_listens_on_loopback_only(settings: LabSettings) -> None:
    company, carrier = render_pbx(settings, "s", ACCOUNTS), render_carrier(settings)
    bound = re.findall(r"^bind(?:addr)? = ([0-9.]+)", "".join([*company.values(), *carrier.values()]), re.M)
    assert len(bound) == 9
    assert set(bound) == {"127.0.0.1"}


def parameters(text: str) -> list[tuple[str, str]]:
    """Of whole XML text, in order; a preprocessor's `$${…}` stands as written."""
    root = ElementTree.fromstring(text)
    return [(param.get("name", ""), param.get("value", "")) for param in root.iter("param")]


def switchboard(files: Mapping[str, str]) -> ElementTree.Element:
    """A FreeSWITCH's main file."""
    return ElementTree.fromstring(files["freeswitch.xml"])


@pytest.fixture
def switched(settings: LabSettings) -> LabSettings:
    return replace(settings, pbxs=(PbxKind.FREESWITCH,))


def test_a_freeswitch_listens_on_loopback_only(switched: LabSettings) -> None:
    files = render_freeswitch(switched, "s", ACCOUNTS)
    bound = [pair for text in files.values() for pair in parameters(text) if pair[0].endswith("-ip")]
    profile = [("sip-ip", "127.0.0.1"), ("rtp-ip", "127.0.0.1")]
    assert sorted(bound) == sorted([("listen-ip", "127.0.0.1"), *profile, *profile, *profile])


def test_a_freeswitch_asks_whoever_comes_for_the_password_and_lets_in_loopback(switched: LabSettings) -> None:
    files = render_freeswitch(switched, "s3<cret", ACCOUNTS)
    door = dict(parameters(files["event_socket.conf.xml"]))
    assert (door["password"], door["apply-inbound-acl"]) == ("s3<cret", "voicegate")
    allowed = [node.get("cidr") for node in ElementTree.fromstring(files["acl.conf.xml"]).iter("node")]
    assert allowed == ["127.0.0.1/32"]


def test_a_freeswitch_reads_every_one_of_its_files(switched: LabSettings) -> None:
    files = dict(render_freeswitch(switched, "s", ACCOUNTS))
    steps = [step for text in files.values() for step in ElementTree.fromstring(text).iter("X-PRE-PROCESS")]
    del files["freeswitch.xml"]
    patterns = [step.get("data", "") for step in steps if step.get("cmd") == "include"]
    assert all(fnmatch.filter(files, pattern) for pattern in patterns)
    assert {name for pattern in patterns for name in fnmatch.filter(files, pattern)} == set(files)


def test_two_pbxs_share_the_rtp_ports(settings: LabSettings) -> None:
    both = replace(settings, pbxs=(PbxKind.ASTERISK, PbxKind.FREESWITCH))
    assert render_pbx(both, "s", ACCOUNTS)["rtp.conf"] == "[general]\nrtpstart = 20100\nrtpend = 20199\n"
    second = dict(parameters(render_freeswitch(both, "s", ())["freeswitch.xml"]))
    assert (second["rtp-start-port"], second["rtp-end-port"]) == ("20200", "20299")


def test_elsewhere_only_the_testers_are_listened_for(settings: LabSettings) -> None:
    files = render_pbx(replace(settings, listen="192.0.2.7"), "s", ACCOUNTS)
    bound = re.findall(r"^bind(?:addr)? = ([0-9.:]+)", files["pjsip.conf"] + files["manager.conf"], re.M)
    assert bound == ["192.0.2.7:20007", "192.0.2.7:20007", "127.0.0.1:20000", "127.0.0.1"]
    endpoint = contexts(files["pjsip.conf"].replace("](!)", "]"))["tester"]
    assert "\nmedia_address = 192.0.2.7\nbind_rtp_to_media_address = yes\n" in endpoint


def test_elsewhere_a_freeswitch_too_listens_for_the_testers_only(switched: LabSettings) -> None:
    files = render_freeswitch(replace(switched, listen="192.0.2.7"), "s", ACCOUNTS)
    (profile,) = switchboard(files).findall(".//profile[@name='testers']")
    settings = {param.get("name"): param.get("value") for param in profile.iter("param")}
    assert (settings["sip-ip"], settings["rtp-ip"], settings["sip-port"]) == (
        "192.0.2.7",
        "192.0.2.7",
        "20007",
    )
    assert settings["auth-calls"] == "true"


def test_a_freeswitch_lets_nobody_in_without_a_password(switched: LabSettings) -> None:
    files = render_freeswitch(switched, "s", ACCOUNTS)
    users = [*switchboard(files).iter("user"), *ElementTree.fromstring(files["directory.xml"]).iter("user")]
    for user in users:
        params = {param.get("name"): param.get("value") for param in user.iter("param")}
        assert params.get("password") or params["allow-empty-password"] == "false"
    known = {user.get("id"): user for user in users}
    for account in ACCOUNTS:
        user = known[account.tester.name]
        assert user.get("number-alias") == account.tester.extension
        assert user.findall("params/param[@name='password']")[0].get("value") == account.password


def test_a_testers_contact_is_an_address_and_never_a_dial_string(switched: LabSettings) -> None:
    main = switchboard(render_freeswitch(switched, "s", ACCOUNTS))
    dialed = [param.get("value", "") for param in main.findall(".//param[@name='dial-string']")]
    assert len(dialed) > len(TESTERS)
    assert not [text for text in dialed if "sofia_contact" in text]


def test_a_folder_of_any_name_makes_well_formed_xml(switched: LabSettings, tmp_path: Path) -> None:
    main = switchboard(render_freeswitch(replace(switched, folder=tmp_path / "R&D <x>"), "s", ACCOUNTS))
    played = {action.get("data", "") for action in main.findall(".//action[@application='playback']")}
    assert all("R&D <x>" in file for file in played)


def test_testers_of_a_freeswitch_dial_each_other_and_the_services_and_no_trunk(switched: LabSettings) -> None:
    (context,) = switchboard(render_freeswitch(switched, "s", ACCOUNTS)).findall(
        ".//context[@name='testers']"
    )
    dialed = {condition.get("expression") for condition in context.iter("condition")}
    pairs = [(tester.extension, tester.name) for tester in TESTERS]
    pairs += [(service.number, service.name) for service in all_services()]
    assert dialed == {f"^({number}|{name})$" for number, name in pairs} | {f"^{BROWSER}$"}
    bridged = {action.get("data") for action in context.findall(".//action[@application='bridge']")}
    assert bridged == {f"user/{name}" for name in (*(tester.name for tester in TESTERS), BROWSER)}


def test_who_is_called_back_is_whom_a_freeswitch_knows_by_password(switched: LabSettings) -> None:
    main = switchboard(render_freeswitch(switched, "s", ACCOUNTS))
    assert [action.get("data") for action in main.findall(".//action[@application='socket']")] == [
        "127.0.0.1:20008"
    ]
    names = [variable.get("value") for variable in main.findall(".//variable[@name='tester']")]
    assert names == [*(tester.name for tester in TESTERS), BROWSER]


def test_a_browser_registers_on_loopback_with_its_password(
    settings: LabSettings, switched: LabSettings
) -> None:
    password = settings.keep_telephone_password()
    files = render_pbx(settings, "s", ACCOUNTS)
    assert f"username = {BROWSER}\n" in files["telephone.conf"]
    assert f"\npassword = {password}\n" in files["telephone.conf"]
    assert files["http.conf"] == "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nbindport = 20011\n"
    profile = dict(parameters(render_freeswitch(switched, "s", ACCOUNTS)["freeswitch.xml"]))
    assert profile["ws-binding"] == "127.0.0.1:20011"
    settings.config_file.write_text(render_controller(settings), "utf-8")
    testing = config.load(settings.config_file).testing
    assert (testing.enabled, testing.account) == (True, BROWSER)
    assert Path(testing.password_file).read_text("ascii") == password


def test_a_browser_registers_at_the_first_pbx_only(settings: LabSettings, switched: LabSettings) -> None:
    files = render_pbx(settings, "s", ())
    assert "telephone.conf" not in files["pjsip.conf"]
    assert not {"telephone.conf", "http.conf"} & set(files)
    assert "ws-binding" not in render_freeswitch(switched, "s", ())["freeswitch.xml"]


@pytest.mark.parametrize("pbxs", [tuple(PbxKind), tuple(reversed(PbxKind))])
def test_testers_join_the_first_pbx_and_no_other(settings: LabSettings, pbxs: tuple[PbxKind, ...]) -> None:
    both = replace(settings, pbxs=pbxs)
    assert ["testers 127.0.0.1:20007" in pbx.where for pbx in company_pbxs(both)] == [True, False]
    assert 'name="testers"' not in "".join(render_freeswitch(both, "s", ()).values())
    assert "20007" not in "".join(render_pbx(both, "s", ()).values())


def test_no_tester_is_let_in_without_their_password(settings: LabSettings) -> None:
    pjsip = render_pbx(settings, "s", ACCOUNTS)["pjsip.conf"]
    endpoints = re.findall(r"^\[([^\]]+)\]\(tester\)\nauth = (\S+)\naors = (\S+)$", pjsip, re.M)
    assert len(endpoints) == pjsip.count("](tester)") == 2 * len(TESTERS)
    for account in ACCOUNTS:
        name, extension = account.tester.name, account.tester.extension
        assert (name, f"{name}-auth", name) in endpoints
        assert (extension, f"{name}-auth", name) in endpoints
        assert f"[{name}-auth]\ntype = auth\nusername = {name}\npassword = pw-{name}\n" in pjsip


def test_testers_dial_each_other_and_the_services_and_no_trunk(settings: LabSettings) -> None:
    dialplan = render_pbx(settings, "s", ACCOUNTS)["extensions.conf"]
    testers = contexts(without_comments(dialplan))["testers"]
    dialed = set(re.findall(r"^exten => ([^,]+),1,", testers, re.M))
    services = {each for service in all_services() for each in (service.number, service.name)}
    people = {each for tester in TESTERS for each in (tester.name, tester.extension)}
    assert dialed == services | people | {BROWSER}
    assert set(re.findall(r"PJSIP/([^,]+),", testers)) == {BROWSER, *(tester.name for tester in TESTERS)}


def test_who_is_called_back_is_whom_the_pbx_knows_by_password(settings: LabSettings) -> None:
    dialplan = render_pbx(settings, "s", ACCOUNTS)["extensions.conf"]
    assert "AGI(agi://127.0.0.1:20008/code,${CHANNEL(endpoint)})" in dialplan


def test_the_pbx_gets_our_dialplan_as_it_stands(settings: LabSettings) -> None:
    example = (config.project_folder("dialplan") / "asterisk/voicegate.conf").read_text("utf-8")
    files = render_pbx(settings, "s", ACCOUNTS)
    assert files["voicegate.conf"] == example
    assert '\n#include "voicegate.conf"\n' in files["extensions.conf"]


def test_our_dialplan_has_two_contexts_and_neither_dials_answers_or_logs() -> None:
    example = (config.project_folder("dialplan") / "asterisk/voicegate.conf").read_text("utf-8")
    dialplan = contexts(without_comments(example))
    assert set(dialplan) == {"voicegate-answered", "voicegate-reject-forward"}
    applications = set(re.findall(r",([A-Z][A-Za-z]+)\(", "".join(dialplan.values())))
    assert applications == {"GotoIf", "Goto", "AGI", "Playback", "Hangup"}


def test_the_controllers_settings_are_accepted(settings: LabSettings, tmp_path: Path) -> None:
    settings.config_file.write_text(render_controller(settings), "utf-8")
    loaded = config.load(settings.config_file)
    assert loaded.service.name == 'The "Quoted" Company'
    assert loaded.call.time_cap_s == 20
    pbx = loaded.pbx["main"]
    assert isinstance(pbx, config.AsteriskPbxSettings)
    assert pbx.ami_port == settings.ports.ami
    assert pbx.agi_port == settings.ports.agi
    assert loaded.audio.folder == str(settings.audio)
    desks = loaded.internal["desks"].pattern
    assert all(re.fullmatch(desks, each) for each in ("4021", BROWSER, *(tester.name for tester in TESTERS)))
    assert not re.fullmatch(desks, "carrier")
    assert loaded.trunks["carrier"].endpoint == "carrier"


def test_a_controller_of_a_freeswitch_knows_no_asterisk(switched: LabSettings) -> None:
    switched.config_file.write_text(render_controller(switched), "utf-8")
    loaded = config.load(switched.config_file)
    ((name, pbx),) = loaded.pbx.items()
    assert isinstance(pbx, config.FreeSwitchPbxSettings)
    assert (pbx.kind, pbx.esl_port) == ("freeswitch", switched.ports.esl)
    assert {loaded.trunks["carrier"].pbx, loaded.internal["desks"].pbx} == {name}


def test_a_controller_of_both_has_a_trunk_of_each(settings: LabSettings) -> None:
    both = replace(settings, pbxs=(PbxKind.ASTERISK, PbxKind.FREESWITCH))
    both.config_file.write_text(render_controller(both), "utf-8")
    loaded = config.load(both.config_file)
    assert [pbx.kind for pbx in loaded.pbx.values()] == ["asterisk", "freeswitch"]
    first, second = loaded.trunks.values()
    assert (loaded.pbx[first.pbx].kind, first.countries) == ("asterisk", ("US",))
    assert (loaded.pbx[second.pbx].kind, second.countries) == ("freeswitch", ("GB",))


@pytest.mark.parametrize(
    ("value", "written"),
    [(7, "7"), (True, "true"), ("ü", '"ü"'), (["a", 1], '["a", 1]'), ({"n": "x"}, '{ n = "x" }')],
)
def test_values_are_written_as_toml(value: object, written: str) -> None:
    assert as_toml(value) == written


def test_the_example_profiles_take_no_port_of_freeswitchs_own_example() -> None:
    # Its vars.xml and sip_profiles, 1.10.12; its "internal" has web sockets too.
    theirs = {"5060", "5061", "5066", "5080", "5081", "7443"}
    files = (config.project_folder("dialplan") / "freeswitch").glob("*.xml")
    parameters = [entry for file in files for entry in ElementTree.parse(file).iter("param")]
    ours = [entry.get("value") for entry in parameters if entry.get("name") in ("sip-port", "tls-sip-port")]
    assert len(ours) == 3
    assert not theirs & set(ours)
