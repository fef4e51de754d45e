"""Who is calling, as the carrier sees it on the wire: by settings of the PBX's endpoint and of the trunk."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from tests.pbx.daemons import daemon
from tests.pbx.far_end import FarEnd, Habit, far_end
from voicegate.lab.deadlines import within
from voicegate.lab.odd_telephones import header_of
from voicegate.lab.settings import PbxKind
from voicegate.lab.world import Lab

OURS: Final = "+12025550100"
DIVERSION: Final = "sip:+12025550155@sip.carrier.example"
BUSY: Final = Habit(ringing=(), final="486 Busy Here")
PRIVATE: Final = {"trunks.carrier.withhold_caller_id": True, "trunks.carrier.diversion": DIVERSION}

ENDPOINTS: Final = """
[sends-nothing](odd)
aors = stranger-aor
[sends-pai](odd)
aors = stranger-aor
send_pai = yes
[sends-rpid](odd)
aors = stranger-aor
send_rpid = yes
[sends-both](odd)
aors = stranger-aor
send_pai = yes
send_rpid = yes
trust_id_outbound = yes
[knows-account](odd)
aors = stranger-aor
from_user = 8271
from_domain = company.example
send_pai = yes
[anonymous](odd)
aors = stranger-aor
from_user = anonymous
from_domain = anonymous.invalid
send_pai = yes
"""
"""Of an Asterisk, all on the way to the far end of this test."""
GATEWAYS: Final[Mapping[str, str]] = {
    "sends-nothing": '<param name="caller-id-in-from" value="true"/>',
    "sends-pai": '<param name="caller-id-in-from" value="true"/>'
    '<variables><variable name="sip_cid_type" value="pid" direction="outbound"/></variables>',
    "knows-account": '<param name="username" value="8271"/>'
    '<param name="from-domain" value="company.example"/>'
    '<variables><variable name="sip_cid_type" value="pid" direction="outbound"/></variables>',
}
"""Of a FreeSWITCH."""
NUMBER: Final = f'"Voicegate" <sip:{OURS}@127.0.0.1>'
RPID: Final = f"{NUMBER};party=calling;privacy=off;screen=no"
EXPECTED: Final[Mapping[PbxKind, Mapping[str, Mapping[str, str]]]] = {
    PbxKind.ASTERISK: {
        "sends-nothing": {"from": NUMBER},
        "sends-pai": {"from": NUMBER, "p-asserted-identity": NUMBER},
        "sends-rpid": {"from": NUMBER, "remote-party-id": RPID},
        "sends-both": {"from": NUMBER, "p-asserted-identity": NUMBER, "remote-party-id": RPID},
        "knows-account": {
            "from": "<sip:8271@company.example>",
            "p-asserted-identity": f'"Voicegate" <sip:{OURS}@company.example>',
        },
        "anonymous": {
            "from": "<sip:anonymous@anonymous.invalid>",
            "p-asserted-identity": f'"Voicegate" <sip:{OURS}@anonymous.invalid>',
        },
    },
    PbxKind.FREESWITCH: {
        "sends-nothing": {
            "from": NUMBER,
            "remote-party-id": f"{NUMBER};party=calling;screen=no;privacy=full",
        },
        # It leaves P-Asserted-Identity out where the number is withheld.
        "sends-pai": {"from": NUMBER},
        "knows-account": {"from": '"Voicegate" <sip:8271@company.example>'},
    },
}
"""What each endpoint of Asterisk 22.10.1, and each gateway of FreeSWITCH 1.10.12, says of who is calling
where the caller ID is withheld."""
ADDED: Final = {"privacy": "id", "diversion": f"<{DIVERSION}>;reason=unconditional"}
"""What the trunk's own settings add to that, and change nothing else."""


def identities(invite: str) -> dict[str, str]:
    """The headers that say who is calling, those that are there."""
    names = ("from", "p-asserted-identity", "remote-party-id", "privacy", "diversion")
    found = [line.partition(":")[0].lower() for line in invite.splitlines()]
    assert all(found.count(name) < 2 for name in names)
    return {name: header_of(invite, name).partition(";tag=")[0] for name in names if name in found}


@asynccontextmanager
async def endpoints(lab: Lab) -> AsyncIterator[list[str]]:
    """Give the PBX these endpoints for a while."""
    pbx, port = lab.pbxs[0], lab.settings.ports.stranger
    if lab.settings.pbxs[0] is PbxKind.ASTERISK:
        file = next(lab.settings.folder.rglob("odd-trunks.conf"))
        before = file.read_text()
        names = [line.strip("[").partition("]")[0] for line in ENDPOINTS.splitlines() if line.startswith("[")]
        file.write_text(before + ENDPOINTS)
        reload, undo = ["module reload res_pjsip.so"], ["module reload res_pjsip.so"]
    else:
        file = next(lab.settings.folder.rglob("odd-trunks.xml")).with_name("callers.xml")
        # A whole line with <include> in it is left out when it is read.
        before, names = "<include>\n</include>\n", list(GATEWAYS)
        where = f'<param name="proxy" value="127.0.0.1:{port}"/><param name="register" value="false"/>'
        made = (f'<gateway name="{name}">{where}{more}</gateway>' for name, more in GATEWAYS.items())
        file.write_text(f"<include>\n{''.join(made)}\n</include>\n")
        reload = ["reloadxml", "sofia profile voicegate rescan"]
        undo = ["reloadxml", *(f"sofia profile voicegate killgw {name}" for name in names)]
    for command in reload:
        await asyncio.to_thread(pbx.command, command)
    if lab.settings.pbxs[0] is PbxKind.FREESWITCH:
        async with within(20):
            while not all(f"::{name}" in lab.pbx_command("sofia status") for name in names):
                await asyncio.sleep(0.1)
    try:
        yield names
    finally:
        file.write_text(before)
        for command in undo:
            await asyncio.to_thread(pbx.command, command)


async def seen(lab: Lab, end: FarEnd, endpoint: str, settings: Mapping[str, object]) -> dict[str, str]:
    """What the carrier sees of a call by an endpoint."""
    before = len(end.dialogs)
    async with daemon(lab, "stranger", **{"trunks.carrier.endpoint": endpoint}, **settings) as backend:
        await backend.call("+12025550101")
    (dialog,) = list(end.dialogs.values())[before:]
    return identities(dialog.invite)


async def test_a_carrier_sees_through_asterisk_who_is_calling_as_endpoint_and_trunk_say(lab: Lab) -> None:
    async with endpoints(lab) as names, far_end(lab.settings.ports.stranger, lambda _: BUSY) as end:
        with_headers = {name: await seen(lab, end, name, PRIVATE) for name in names}
        plain = await seen(lab, end, "sends-pai", {})
    expected = EXPECTED[lab.settings.pbxs[0]]
    assert with_headers == {name: {**who, **ADDED} for name, who in expected.items()}
    assert plain == expected["sends-pai"]


async def test_a_carrier_sees_through_freeswitch_who_is_calling_as_gateway_and_trunk_say(
    freeswitch_lab: Lab,
) -> None:
    lab = freeswitch_lab
    async with endpoints(lab) as names, far_end(lab.settings.ports.stranger, lambda _: BUSY) as end:
        with_headers = {name: await seen(lab, end, name, PRIVATE) for name in names}
        plain = await seen(lab, end, "sends-pai", {})
    expected = EXPECTED[PbxKind.FREESWITCH]
    assert with_headers == {name: {**who, **ADDED} for name, who in expected.items()}
    assert plain == {"from": NUMBER, "p-asserted-identity": NUMBER, "privacy": "none"}
