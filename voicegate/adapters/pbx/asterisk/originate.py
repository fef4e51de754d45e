"""Writes an order to call as the fields of an Originate action. Pure.

Every value may have certain characters only: AMI splits at line ends, `Variable` at commas, a dial string at
`@`, `/` and `&`, a caller ID at quotes and angle brackets. Source: Asterisk 22, "Originate", `res_pjsip` dial
strings, `callerid.c`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from voicegate.adapters.pbx.asterisk import variables
from voicegate.adapters.pbx.asterisk.ami_wire import Fields
from voicegate.adapters.pbx.common.safe_values import (
    CALLER_NUMBER,
    ENDPOINT,
    NUMBER,
    check,
    check_call_id,
    diversion_of,
)
from voicegate.application.ports import Order
from voicegate.domain.routing import CallerId, Hop, Trunk

_TOKEN: Final = re.compile(r"[0-9a-f]{1,100}")
_CALLER_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\"\\<>]{0,80}")
_PATH: Final = re.compile(r"(https?://[A-Za-z0-9._:\[\]-]+/)?[A-Za-z0-9_./+=@~-]{1,1000}")
_CONTACT: Final = r"sips?:[A-Za-z0-9_.:@;=~%+*!$'()\[\]-]{1,300}"
PJSIP: Final = "PJSIP/"
"""The beginning of an endpoint's dial string, and of its device's name."""
MAX_CONTACTS: Final = 10
"""How many telephones of one endpoint are rung, each by its own call."""
_ADDRESS: Final = re.compile(r"agi://[A-Za-z0-9_.:\[\]-]{1,260}/[a-z]+")


@dataclass(frozen=True, slots=True)
class Handover:
    """How the answered channel finds its way back to us."""

    address: str
    """agi://host:port/call."""
    token: str
    """The secret that proves that the request belongs to this call."""
    action_id: str
    """The action id of the Originate."""


def contacts_of(endpoint: str, joined: str) -> tuple[str, ...]:
    """Return the dial strings of an endpoint's contacts, as `PJSIP_DIAL_CONTACTS` joins them.

    Contacts with characters that could hide another part of the order are left out.
    """
    own = re.compile(rf"{PJSIP}{re.escape(endpoint)}/{_CONTACT}")
    return tuple(each for each in joined.split("&") if own.fullmatch(each))[:MAX_CONTACTS]


def branch_id(call_id: str, index: int) -> str:
    """Return the call id for an endpoint's contact by its position: the first one has the call's own id."""
    return f"{call_id}_{index + 1}" if index else call_id


def build_originate(order: Order, handover: Handover, contact: str | None = None) -> Fields:
    """Return the fields of the Originate that places `order`; with `contact`, to that contact of its
    endpoint.

    Raises:
        UnsafeValue: a value has a character with a meaning for the PBX.
    """
    milliseconds = int(order.hop.trunk.ring_timeout.total_seconds() * 1000)
    return {
        "ActionID": handover.action_id,
        "Channel": contact or _dial_string(order.hop),
        # Ours: the first events tell whose they are, before any response names the channel.
        "ChannelId": check_call_id(order.call_id),
        "Context": variables.ANSWERED_CONTEXT,
        "Exten": variables.ANSWERED_EXTEN,
        "Priority": variables.ANSWERED_PRIORITY,
        "Timeout": str(milliseconds),
        "CallerID": _caller_id(order.hop.caller_id),
        # Else the connection takes no other action until the call is answered.
        "Async": "true",
        "Variable": (
            f"{variables.AGI_VARIABLE}={check(handover.address, _ADDRESS, 'FastAGI address')}",
            f"{variables.TOKEN_VARIABLE}={check(handover.token, _TOKEN, 'token')}",
            f"{variables.APOLOGY_VARIABLE}={check(order.apology.path, _PATH, 'prompt path')}",
            # Else Asterisk dials whomever a 302 names.
            f"{variables.FORWARD_VARIABLE}={variables.REJECT_FORWARD_CONTEXT}",
            *_headers(order.hop.trunk),
        ),
    }


def _headers(trunk: Trunk) -> Iterator[str]:
    """Yield the assignments that add a trunk's headers to its INVITE."""
    # CALLERID(pres) and REDIRECTING() do nothing here: an Originate sets the caller ID's presentation itself,
    # after its variables (22.10.1).
    if trunk.withholds_caller_id:
        yield "PJSIP_HEADER(add,Privacy)=id"
    if trunk.diversion:
        yield f"PJSIP_HEADER(add,Diversion)={diversion_of(trunk)}"


def _dial_string(hop: Hop) -> str:
    endpoint = check(hop.endpoint, ENDPOINT, "endpoint")
    if hop.number is None:
        return f"{PJSIP}{endpoint}"
    return f"{PJSIP}{check(hop.number, NUMBER, 'number')}@{endpoint}"


def _caller_id(caller: CallerId) -> str:
    number = check(caller.number, CALLER_NUMBER, "caller number")
    return f'"{check(caller.name, _CALLER_NAME, "caller name")}" <{number}>'
