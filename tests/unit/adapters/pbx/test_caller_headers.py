"""The headers that a trunk wants on its INVITE, as both kinds of PBX are told them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.adapters.pbx.asterisk.peers import an_order
from voicegate.adapters.pbx.asterisk.originate import Handover
from voicegate.adapters.pbx.asterisk.originate import build_originate as build_for_asterisk
from voicegate.adapters.pbx.freeswitch.originate import build_originate as build_for_freeswitch
from voicegate.application.ports import Order
from voicegate.domain.errors import UnsafeValue

DIVERSION = "sip:+12025550155@sip.carrier.example:5060"
HANDOVER = Handover("agi://127.0.0.1:4573/call", "ab12", "action")
MINUTE = timedelta(minutes=1)


def ordered(**trunk: object) -> Order:
    order = an_order()
    return replace(order, hop=replace(order.hop, trunk=replace(order.hop.trunk, **trunk)))  # type: ignore[arg-type]


def told(order: Order) -> tuple[list[str], str]:
    """The variables for Asterisk that add headers, and the command for FreeSWITCH."""
    variables = build_for_asterisk(order, HANDOVER)["Variable"]
    headers = [line for line in variables if line.startswith("PJSIP_HEADER")]
    return headers, build_for_freeswitch(order, "job", MINUTE).command


def test_no_trunk_has_headers_of_its_own_unless_the_settings_say_so() -> None:
    headers, command = told(ordered())
    assert headers == []
    assert "sip_h_" not in command


def test_a_withheld_caller_id_is_asked_of_the_carrier() -> None:
    headers, command = told(ordered(withholds_caller_id=True))
    assert headers == ["PJSIP_HEADER(add,Privacy)=id"]
    assert ",origination_privacy=hide_number,sip_h_Privacy=id}" in command


def test_a_carrier_is_told_whence_the_call_was_diverted() -> None:
    headers, command = told(ordered(diversion=DIVERSION))
    assert headers == [f"PJSIP_HEADER(add,Diversion)=<{DIVERSION}>;reason=unconditional"]
    assert f",sip_h_Diversion=<{DIVERSION}>;reason=unconditional}}" in command


@pytest.mark.parametrize(
    "wrong", ["sip:1@a,b=c", "sip:12@a}x", "sip:12@a\r\nAction: x", "tel:+1202", "sip:12@a b"]
)
def test_nothing_else_gets_into_the_order(wrong: str) -> None:
    order = ordered(diversion=wrong)
    with pytest.raises(UnsafeValue):
        build_for_asterisk(order, HANDOVER)
    with pytest.raises(UnsafeValue):
        build_for_freeswitch(order, "job", MINUTE)
