"""FreeSWITCH's own XML, as it was recorded and as it may come."""

import pytest
from structlog.testing import capture_logs

from tests.wire.recordings import received
from voicegate.adapters.pbx.freeswitch.sofia_status import Gateway, Profile, read_gateways, read_profile

GATEWAY = "<gateway><name>{name}</name><profile>external</profile><pingfreq>30</pingfreq>{rest}</gateway>"
UP = Gateway(status="UP", state="NOREG", ping_seconds="30", profile="external")


def told(*gateways: str) -> str:
    return f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<gateways>\n{"".join(gateways)}</gateways>\n'


def test_a_gateway_is_read_as_it_was_recorded() -> None:
    (block,) = [block for block in received("12l_gateway_state") if "<gateway>" in block.text]
    _, _, answer = block.text.partition("\n\n")
    assert read_gateways(answer) == {"trunk1": Gateway("UP", "NOREG", "0", "external")}


def test_elements_in_another_order_and_escaped_names_are_read() -> None:
    """Which no regular expression did: the status of one gateway was another's."""
    first = GATEWAY.format(name="a&amp;b", rest="<state>NOREG</state>")
    second = GATEWAY.format(name="c", rest="<status>UP</status><state>NOREG</state>")
    gateways = read_gateways(told(first, second))
    assert gateways == {"a&b": Gateway("", "NOREG", "30", "external"), "c": UP}


@pytest.mark.parametrize("answer", ["", "Invalid Gateway!", "-ERR permission denied", told()])
def test_what_tells_of_no_gateway_gives_none(answer: str) -> None:
    assert read_gateways(answer) == {}


def test_what_is_no_xml_gives_nothing_and_says_so() -> None:
    with capture_logs() as logs:
        assert read_gateways(told(GATEWAY.format(name="a", rest="<username>a<b</username>"))) == {}
    assert [entry["event"] for entry in logs] == ["FreeSWITCH status not readable"]


def test_entities_that_grow_are_refused() -> None:
    """Ten names of ten each, to the tenth: eight gigabytes, were they put in."""
    names = [f'<!ENTITY e{level + 1} "{f"&e{level};" * 10}">' for level in range(9)]
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "{"x" * 8}">{"".join(names)}]>'
    with capture_logs():
        assert read_gateways(f"{bomb}<gateways><gateway><name>&e9;</name></gateway></gateways>") == {}


@pytest.mark.parametrize(
    "declared",
    ['[<!ENTITY up "UP">]', '[<!ENTITY up SYSTEM "file:///etc/hostname">]', 'SYSTEM "http://127.0.0.1/up"'],
)
def test_an_answer_that_declares_anything_is_refused(declared: str) -> None:
    """FreeSWITCH declares nothing: who does is not it."""
    gateway = GATEWAY.format(name="a", rest="<status>UP</status><state>NOREG</state>")
    with capture_logs() as logs:
        assert (
            read_gateways(told(gateway).replace("<gateways>", f"<!DOCTYPE gateways {declared}>\n<gateways>"))
            == {}
        )
    assert [entry["event"] for entry in logs] == ["FreeSWITCH status not readable"]


def test_a_profile_tells_its_codecs_and_how_it_sends_digits() -> None:
    info = "<outbound-codecs>PCMU,PCMA</outbound-codecs><dtmf-mode>rfc2833</dtmf-mode>"
    assert read_profile(f"<profile><profile-info>{info}</profile-info></profile>") == Profile(
        "PCMU,PCMA", "rfc2833"
    )
    assert read_profile("Invalid Profile!") == Profile("", "")
