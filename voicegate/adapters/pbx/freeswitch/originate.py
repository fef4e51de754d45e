"""Writes an order to call as a `bgapi originate`. Pure.

Every value may have certain characters only: the command is split at blanks, its variables at commas, a dial
string at `,` and `|`, and `${…}` is expanded. Source: FreeSWITCH 1.10.12, `mod_commands.c`,
`switch_ivr_originate.c`, `switch_utils.c`, `sofia.c`.

Why park, and not the socket application: a parked call is spoken on over the connection that we have. So we
listen on no port, one port of the PBX is open to us, and events, digits and replies come in one order. The
call survives a lost connection and is taken up again, where the socket application hangs up. Park has no end
of its own when the controller is gone; `park_timeout` gives it one.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from voicegate.adapters.pbx.common.safe_values import (
    CALLER_NUMBER,
    ENDPOINT,
    NUMBER,
    check,
    check_call_id,
    diversion_of,
)
from voicegate.adapters.pbx.freeswitch.esl_events import CALL
from voicegate.application.ports import Order
from voicegate.domain.routing import Hop, Trunk

_CALLER_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\"\\<>${}]{0,80}")
_PATH: Final = re.compile(r"[A-Za-z0-9_./+=~-]{1,1000}")
_OURS: Final = re.compile(r"call_.+")
_RTCP_MS: Final = "5000"
_NOBODY: Final = "null/voicegate"


@dataclass(frozen=True, slots=True)
class Originate:
    """A call that is about to be placed."""

    job_id: str
    """The job id of the originate."""
    command: str
    """The command that places it."""
    is_desk: bool = False
    """Can it make several channels, with ids of the PBX's own?"""


def build_originate(order: Order, job_id: str, cap: timedelta) -> Originate:
    """Return the command that places `order`; an answered call lasts no longer than `cap`.

    Raises:
        UnsafeValue: a value has a character with a meaning for the PBX.
    """
    caller = order.hop.caller_id
    name = check(caller.name, _CALLER_NAME, "caller name").replace("'", "\\'")
    number = check(caller.number, CALLER_NUMBER, "caller number")
    seconds = math.ceil(order.hop.trunk.ring_timeout.total_seconds())
    is_desk = order.hop.number is None
    variables = _variables(order.call_id, cap, is_desk=is_desk) | _headers(order.hop.trunk)
    placed = f"{_braces(variables)}{_dial_string(order.hop)} &park()"
    return Originate(job_id, f"bgapi originate {placed} XML default '{name}' '{number}' {seconds}", is_desk)


def build_trial(order: Order, job_id: str, cap: timedelta) -> Originate:
    """Return the command that places a trial call, which is answered at once, whatever the order says."""
    variables = _variables(order.call_id, cap, is_desk=False)
    return Originate(job_id, f"bgapi originate {_braces(variables)}{_NOBODY} &park()")


def check_path(path: str) -> str:
    """Return `path` if it names a file to play, and nothing else.

    Raises:
        UnsafeValue: it has a character with a meaning for the PBX.
    """
    return check(path, _PATH, "sound's path")


def _variables(call_id: str, cap: timedelta, *, is_desk: bool) -> dict[str, str]:
    named = check_call_id(check(call_id, _OURS, "call id"))
    return {
        # Two telephones of a desk cannot have one channel's id.
        **({} if is_desk else {"origination_uuid": named}),
        CALL: named,
        # Else a 183 ends the originate as an answer would.
        "ignore_early_media": "true",
        # Else FreeSWITCH dials whomever a 302 names.
        "outbound_redirect_fatal": "true",
        # A parked channel outlives us: this ends it when nobody is left to.
        "park_timeout": str(math.ceil(cap.total_seconds())),
        # Has RTCP sent and read: by it a telephone that is silent tells that it hears us.
        "rtcp_audio_interval_msec": _RTCP_MS,
        # Its pause between digits, tenfold while no sound is played: 40 ms would be 400, and ours be lost.
        "rtp_digit_delay": "1",
        # Else the star breaks off every playback.
        "playback_terminators": "none",
    }


def _headers(trunk: Trunk) -> dict[str, str]:
    """Return the variables that add a trunk's headers to its INVITE."""
    # Two ways: where a gateway sends P-Asserted-Identity, FreeSWITCH writes Privacy itself, and only its own
    # variable counts (1.10.12); where it sends Remote-Party-ID or neither, it writes none.
    privacy = {"origination_privacy": "hide_number", "sip_h_Privacy": "id"}
    return (privacy if trunk.withholds_caller_id else {}) | (
        {"sip_h_Diversion": diversion_of(trunk)} if trunk.diversion else {}
    )


def _braces(variables: Mapping[str, str]) -> str:
    return f"{{{','.join(f'{key}={value}' for key, value in variables.items())}}}"


def _dial_string(hop: Hop) -> str:
    endpoint = check(hop.endpoint, ENDPOINT, "endpoint")
    if hop.number is None:
        return f"user/{endpoint}"
    # It stands in a URI as it is here, where "#" would end it: RFC 3261, section 19.1.2.
    number = check(hop.number, NUMBER, "number").replace("#", "%23")
    return f"sofia/gateway/{endpoint}/{number}"
