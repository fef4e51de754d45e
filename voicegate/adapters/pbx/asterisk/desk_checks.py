"""What a check asks of extensions of the PBX that may be called: do they exist, do all their telephones ring?

Source: Asterisk 22, "PJSIP_DIAL_CONTACTS"; 22.10.1: DeviceStateList has every PJSIP endpoint.
"""

from typing import Final

from voicegate.adapters.pbx.asterisk.ami_events import text_of
from voicegate.adapters.pbx.asterisk.manager_session import ManagerSession
from voicegate.adapters.pbx.asterisk.originate import MAX_CONTACTS, PJSIP, contacts_of
from voicegate.adapters.pbx.common.checking import Desks
from voicegate.application.diagnostics import Finding, doubtful, passed

_LOOKED_AT: Final = 200
"""How many endpoints are asked for their telephones: one question each."""


async def look(session: ManagerSession, name: str, desks: Desks) -> list[Finding]:
    """Return the findings for the extensions of one internal route."""
    about = f"extensions {name}"
    reply = await session.ask("DeviceStateList")
    if not reply.is_success:
        return [doubtful(about, "endpoints are not told", "load res_manager_devicestate in modules.conf")]
    devices = [text_of(item, "Device") for item in reply.items]
    known = (device.removeprefix(PJSIP) for device in devices if device.startswith(PJSIP))
    own = sorted(endpoint for endpoint in known if desks.fits(endpoint))
    if not own:
        fix = (
            f"internal.{name}.pattern and endpoint: PJSIP endpoints are dialed, by their names in pjsip.conf"
        )
        return [doubtful(about, "no PJSIP endpoint is one of them: their calls fail", fix)]
    found, registered, several = [], 0, 0
    for endpoint in own[:_LOOKED_AT]:
        joined = await session.evaluate(f"PJSIP_DIAL_CONTACTS({endpoint})")
        all_of_them = len([one for one in joined.split("&") if one])
        rung = len(contacts_of(endpoint, joined))
        registered, several = registered + (all_of_them > 0), several + (rung > 1)
        if rung < all_of_them:
            text = f"{endpoint} has {all_of_them} telephones, and {rung} are rung"
            fix = f"max_contacts = {MAX_CONTACTS} at most in its aor, and contacts without odd characters"
            found.append(doubtful(about, text, fix))
    text = f"{len(own)} endpoints, {registered} with a telephone now"
    return found or [
        passed(about, f"{text}; all telephones of {several} with several ring" if several else text)
    ]
