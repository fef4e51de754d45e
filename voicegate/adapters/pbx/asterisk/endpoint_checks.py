"""What a check asks of a trunk's PJSIP endpoint: is it there, is it up, may its calls be trusted.

The PBX as a whole is checked in `checks`. Source: Asterisk 22, "PJSIP_ENDPOINT", "PJSIP_AOR"; 22.10.1 for
what the settings do.
"""

import re
from collections.abc import Collection
from typing import Final

from voicegate.adapters.pbx.asterisk.ami_events import text_of
from voicegate.adapters.pbx.asterisk.manager_session import ManagerSession
from voicegate.adapters.pbx.asterisk.originate import PJSIP
from voicegate.adapters.pbx.common.checking import Target, judge_packets
from voicegate.application.diagnostics import Finding, doubtful, failed, passed

_DOWN: Final = ("UNAVAILABLE", "INVALID")
_G711: Final = frozenset(("PCMU", "PCMA"))
_SDP_NAMES: Final = {"ulaw": "PCMU", "alaw": "PCMA"}
_PTIME: Final = re.compile(r"\w:(\d+)")
"""The packet's length in `allow`, as in ulaw:40; no function tells it but func_config's."""


async def look(session: ManagerSession, trunk: str, target: Target) -> list[Finding]:
    """Return the findings for one trunk's endpoint."""
    about, endpoint = f"trunk {trunk}", target.trunks[trunk]
    reply = await session.ask("DeviceStateList")
    if not reply.is_success:
        fix = "load res_manager_devicestate in modules.conf"
        return [doubtful(about, "trunks' states are not told", fix)]
    states = {text_of(item, "Device"): text_of(item, "State") for item in reply.items}
    state = states.get(f"{PJSIP}{endpoint}")
    if state is None:
        fix = f"trunks.{trunk}.endpoint must name a section of pjsip.conf with type = endpoint"
        return [failed(about, f"the PBX has no PJSIP endpoint {endpoint}", fix)]
    return [
        await _judge_state(session, about, endpoint, state=state),
        *await _judge(session, trunk, target),
    ]


async def _judge_state(session: ManagerSession, about: str, endpoint: str, *, state: str) -> Finding:
    if state in _DOWN:
        fix = "see `pjsip show contacts` and the carrier; calls by it fail at once"
        return failed(about, f"endpoint {endpoint} is unreachable", fix)
    aors = await session.evaluate(f"PJSIP_ENDPOINT({endpoint},aors)")
    periods = [
        await session.evaluate(f"PJSIP_AOR({aor},qualify_frequency)") for aor in aors.split(",") if aor
    ]
    # An aor that is not qualified counts as up, whatever happens.
    if "0" in periods:
        fix = (
            f"qualify_frequency = 30 in the aor of {endpoint}: else a dead trunk costs each call its timeout"
        )
        return doubtful(about, f"endpoint {endpoint} is not watched, so that it counts as up", fix)
    return passed(about, f"endpoint {endpoint} is up")


async def _judge(session: ManagerSession, trunk: str, target: Target) -> list[Finding]:
    about, endpoint = f"trunk {trunk}", target.trunks[trunk]
    section = f"[{endpoint}] of pjsip.conf"
    redirects, direct, codecs = [
        await session.evaluate(f"PJSIP_ENDPOINT({endpoint},{name})")
        for name in ("redirect_method", "direct_media", "allow")
    ]
    if not redirects:
        fix = f"load func_pjsip_endpoint, or see that {section} has redirect_method = user, direct_media = no"
        return [doubtful(about, "its settings are not told", fix)]
    found = []
    # With `uri_pjsip` a 302 is dialed inside of chan_pjsip, past FORWARD_CONTEXT and all policy: 22.10.1.
    if redirects != "user":
        fix = f"redirect_method = user in {section}: with {redirects} a 302 dials any number it likes"
        found.append(failed(about, f"redirect_method is {redirects}", fix))
    # Audio that passes the PBX by is in none of its packet counts, which are our proof.
    if direct != "false":
        fix = f"direct_media = no in {section}: audio past the PBX cannot be counted, so nothing is proven"
        found.append(failed(about, "direct_media is on", fix))
    found += _judge_codecs(about, codecs, section=section, native=target.native_codecs)
    if trunk in target.packets:
        written = _PTIME.search(await session.evaluate(f"AST_CONFIG(pjsip.conf,{endpoint},allow)"))
        theirs = written[1] if written else ""
        found += judge_packets(about, trunk, theirs=theirs, ours=target.packets[trunk])
    found += await _judge_caller_id(session, about, endpoint)
    return found or [passed(about, f"redirect_method user, direct_media off, codecs {codecs}")]


def _judge_codecs(about: str, codecs: str, *, section: str, native: Collection[str]) -> list[Finding]:
    """Return what is wrong with an endpoint's codecs, as "(ulaw|alaw)"; the first is what a carrier takes."""
    names = [_SDP_NAMES.get(name, name.upper()) for name in codecs.strip("()").split("|") if name]
    fix = f"allow = !all,ulaw,alaw in {section}"
    if names and not _G711.intersection(names):
        return [doubtful(about, f"no G.711 among its codecs {codecs}", fix)]
    if names and names[0] not in native:
        text = f"each call's sounds are transcoded to {names[0]}, the first of its codecs {codecs}"
        return [doubtful(about, text, f"{fix}, those first that the carrier takes without transcoding")]
    return []


async def _judge_caller_id(session: ManagerSession, about: str, endpoint: str) -> list[Finding]:
    """Return what is wrong if every call shows `from_user` and no header has our caller ID."""
    from_user, *headers = [
        await session.evaluate(f"PJSIP_ENDPOINT({endpoint},{name})")
        for name in ("from_user", "send_pai", "send_rpid")
    ]
    if not from_user or "true" in headers:
        return []
    fix = (
        f"send_pai = yes (or send_rpid, as the carrier wants) in [{endpoint}] of pjsip.conf, or no from_user"
    )
    return [doubtful(about, f"every call shows from_user {from_user}, not the trunk's caller_ids", fix)]
