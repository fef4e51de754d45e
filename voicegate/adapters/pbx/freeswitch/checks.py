"""Checks one FreeSWITCH: can we log in, with which rights, are modules and gateways there, can calls work?

Everything is asked with the rights that calls have. What a call would do is tried by `trial_call`. Source:
FreeSWITCH 1.10.12: `userauth` tells an account's rights; `status` the version and how many calls a second it
accepts; `sofia xmlstatus` gateways and profiles. Nothing tells whether a gateway shows our caller ID.
Settings that let media bypass the PBX (`inbound-bypass-media`, `inbound-proxy-media`) concern bridged calls;
ours have no second leg.
"""

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from functools import partial
from typing import Final

from voicegate.adapters.pbx.common.checking import (
    ManagementInterface,
    Target,
    judge_packets,
    judge_sounds,
    reason,
    sounds_not_tried,
)
from voicegate.adapters.pbx.freeswitch.esl_events import EVENTS
from voicegate.adapters.pbx.freeswitch.esl_session import EslSession, esl_session
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.adapters.pbx.freeswitch.sofia_status import (
    GATEWAYS,
    Gateway,
    read_gateways,
    read_profile,
)
from voicegate.adapters.pbx.freeswitch.trial_call import TRIAL_MODULE, place_trial_call
from voicegate.application.diagnostics import Finding, doubtful, failed, passed
from voicegate.application.ports import Clip
from voicegate.domain.errors import PbxError, SpeechError

_OF_CALLS: Final = (
    "originate",
    "uuid_kill",
    "uuid_setvar",
    "uuid_send_dtmf",
    "uuid_dump",
    "uuid_set_media_stats",
)
_NEEDED: Final = frozenset(("bgapi", *_OF_CALLS, "sofia", "status", "module_exists"))
"""API commands that calls and these checks need."""
_SEES_VARIABLES: Final = "sofia_gateway_data"
_MORE: Final = frozenset((_SEES_VARIABLES, "hupall"))
"""Also needed: without the first, a gateway's variables cannot be read; without `hupall`, an extension's call
that a dead controller left lasts until its cap."""
_MODULES: Final = ("mod_sofia", "mod_dptools", "mod_sndfile")
_YES: Final = "true"
_TRUTHS: Final = frozenset((_YES, "false"))
_ACCOUNT: Final = "dialplan/freeswitch/directory.xml shows the account"
_DOOR: Final = "listen-ip, listen-port, apply-inbound-acl in event_socket.conf.xml; that list in acl.conf.xml"
_UNPLACED: Final = (
    "see the PBX's log; `fsctl resume` where it is paused; our account must have originate, CHANNEL_PARK"
)
_UNREADABLE: Final = (
    "audio.pbx_folder, audio.pbx_sounds, audio.group: the one of -g where the PBX is started with it; the "
    "PBX must enter the folders above"
)
_VERSION: Final = re.compile(r"Version (\d+)\.(\d+)\S*")
_RATE: Final = re.compile(r"per Sec out of max (\d+)")
_ROOM: Final = re.compile(r"^(\d+) session\(s\) max", re.MULTILINE)
_FEW: Final = 10
_KEYS: Final = "rfc2833"
_G711: Final = frozenset(("PCMU", "PCMA"))
_RATES: Final[Mapping[str, str]] = {"OPUS": "48000", "AMR-WB": "16000", "G7221": "16000"}
"""RTP clock rates other than 8 kHz, for codecs whose name in a profile does not say it."""
_PTIME: Final = re.compile(r"@(\d+)i")
_RATE_OF: Final = re.compile(r"@(\d+)h")
_UNHEARD: Final = "rtp_append_audio_sdp"
"""A gateway's variable with lines for each INVITE's SDP. With them, no far end uses key events that
FreeSWITCH cannot hear."""
_OLDEST: Final = (1, 10)


class FreeSwitchCheck:
    """The port `Check` for one FreeSWITCH."""

    def __init__(self, settings: FreeSwitchSettings, target: Target) -> None:
        self._settings = settings
        self._target = target
        self._name = f"pbx.{settings.name}"

    @property
    def subject(self) -> str:
        """What is checked."""
        return f"PBX {self._settings.name}"

    def run(self) -> AsyncIterator[Finding]:
        """Yield what is found, as it is found."""
        settings, name = self._settings, self._name
        interface = ManagementInterface(
            name="ESL",
            title="event socket",
            address=f"{settings.esl_host}:{settings.esl_port}",
            open=partial(esl_session, settings),
            login_fix=f"{name}.esl_user, esl_password_file; {_ACCOUNT}",
            address_fix=f"{name}.esl_host, esl_port; {_DOOR}",
            exposed_fix=f"{_DOOR}: 127.0.0.1; from another host through a VPN or stunnel, for ESL has no TLS",
        )
        return interface.check(self._run_checks)

    async def _run_checks(self, session: EslSession) -> AsyncIterator[Finding]:
        yield passed("ESL", f"logged in as {self._settings.esl_user or 'the event socket itself'}")
        for finding in await _look_at_status(session, self._target.calls):
            yield finding
        needed = [_look_at_rights(session), await _look_at_modules(session)]
        for finding in needed:
            yield finding
        for trunk in self._target.trunks:
            for finding in await _look_at_gateway(session, trunk, self._target):
                yield finding
        if any(finding.level == "error" for finding in needed):
            return
        # Calls do not need it, so that its lack is no fault.
        if not await _has(session, TRIAL_MODULE):
            fix = f"load {TRIAL_MODULE} and look again, or call a number of your own"
            yield doubtful("calls", f"no trial call: {TRIAL_MODULE} has the endpoint where nobody is", fix)
            return
        async for finding in self._look_at_trial_call():
            yield finding

    async def _look_at_trial_call(self) -> AsyncIterator[Finding]:
        """Yield the findings of a trial call, with the sounds that calls need."""
        try:
            async with self._target.sounds() as sounds:
                for finding in _judge_trial(await place_trial_call(self._settings, sounds), sounds):
                    yield finding
        except SpeechError as error:
            yield sounds_not_tried(error)
        except (TimeoutError, PbxError) as error:
            yield failed("calls", f"a call to nobody does not come about: {reason(error)}", _UNPLACED)


async def _look_at_status(session: EslSession, calls: int) -> list[Finding]:
    text = await session.api("status")
    version, rate, room = (pattern.search(text) for pattern in (_VERSION, _RATE, _ROOM))
    return [_judge_version(version), _judge_capacity(rate, room, calls)]


def _judge_version(version: re.Match[str] | None) -> Finding:
    if version is None:
        return doubtful("version", "the PBX does not tell its version", f"esl-allowed-api status; {_ACCOUNT}")
    if (int(version[1]), int(version[2])) < _OLDEST:
        return doubtful("version", f"FreeSWITCH {version[0]} was never tried", "FreeSWITCH 1.10 was")
    return passed("version", f"FreeSWITCH {version[0].removeprefix('Version ')}")


def _judge_capacity(rate: re.Match[str] | None, room: re.Match[str] | None, calls: int) -> Finding:
    if rate is None or room is None:
        fix = f"esl-allowed-api status; {_ACCOUNT}"
        return doubtful("capacity", "the PBX does not tell how many calls it takes", fix)
    capacity = f"{rate[1]} calls a second at most, and {room[1]} at once"
    # What is above either is refused by the PBX itself.
    if int(room[1]) < calls:
        capacity = f"{capacity}; our trunks may have {calls} at once"
    if min(int(rate[1]), int(room[1])) < _FEW or int(room[1]) < calls:
        fix = "sessions-per-second and max-sessions in switch.conf.xml: what is above them is refused"
        return doubtful("capacity", capacity, fix)
    return passed("capacity", capacity)


def _look_at_rights(session: EslSession) -> Finding:
    # Told by `userauth` as it lets us in: no command lists them.
    commands, events = session.allowed("API"), session.allowed("Events")
    if commands is None or events is None:
        return doubtful("ESL rights", "we may do anything", f"an account with fewer rights: {_ACCOUNT}")
    missing = sorted({*(_NEEDED - commands), *(frozenset(EVENTS.split()) - events)})
    if missing:
        fix = f"esl-allowed-api, esl-allowed-events; {_ACCOUNT}"
        return failed("ESL rights", f"the account lacks: {', '.join(missing)}", fix)
    excess = sorted(commands - _NEEDED - _MORE)
    if excess:
        fix = f"esl-allowed-api; {_ACCOUNT}"
        return doubtful("ESL rights", f"the account may do more than it needs: {', '.join(excess)}", fix)
    return passed("ESL rights", "what calls need, no more")


async def _look_at_modules(session: EslSession) -> Finding:
    told = {module: await session.api(f"module_exists {module}") for module in _MODULES}
    # -ERR where mod_commands is not loaded, or we have no right to ask.
    if not _TRUTHS.issuperset(told.values()):
        fix = f"load mod_commands in modules.conf.xml; esl-allowed-api module_exists; {_ACCOUNT}"
        return failed("modules", "the PBX does not tell which are loaded", fix)
    missing = [module for module, is_there in told.items() if is_there != _YES]
    if missing:
        return failed("modules", f"not loaded: {', '.join(missing)}", "load them in modules.conf.xml")
    return passed("modules", "all that calls need are loaded")


async def _has(session: EslSession, module: str) -> bool:
    return await session.api(f"module_exists {module}") == _YES


async def _look_at_gateway(session: EslSession, trunk: str, target: Target) -> list[Finding]:
    about, gateway = f"trunk {trunk}", target.trunks[trunk]
    told = read_gateways(await session.api(GATEWAYS)).get(gateway)
    if told is None:
        fix = f"trunks.{trunk}.endpoint must name a gateway of a SIP profile that runs"
        return [failed(about, f"the PBX has no gateway {gateway}", fix)]
    return [
        _judge_state(about, gateway, told),
        *await _look_at_profile(session, trunk, target, profile=told.profile),
    ]


def _judge_state(about: str, gateway: str, told: Gateway) -> Finding:
    if told.status != "UP":
        fix = f"see `sofia status gateway {gateway}` and the carrier; calls by it fail at once"
        return failed(about, f"gateway {gateway} is down ({told.state})", fix)
    # Without pings only a registration could tell, and it does not register.
    if told.ping_seconds == "0" and told.state == "NOREG":
        fix = f'<param name="ping" value="30"/> in {gateway}: else a dead trunk costs each call its timeout'
        return doubtful(about, f"gateway {gateway} is not watched, so that it counts as up", fix)
    return passed(about, f"gateway {gateway} is up")


async def _look_at_profile(session: EslSession, trunk: str, target: Target, *, profile: str) -> list[Finding]:
    about, gateway = f"trunk {trunk}", target.trunks[trunk]
    told = read_profile(await session.api(f"sofia xmlstatus profile {profile}"))
    codecs, keys = told.codecs, told.dtmf
    found = _judge_codecs(about, codecs, profile=profile, native=target.native_codecs)
    if trunk in target.packets:
        lengths = _PTIME.search(codecs)
        theirs = lengths[1] if lengths else ""
        found += judge_packets(about, trunk, theirs=theirs, ours=target.packets[trunk])
    # As tones they are heard only as well as the codec lets them.
    if keys != _KEYS:
        fix = f"dtmf-type in profile {profile}: {_KEYS}, else keys are heard as tones or by INFO only"
        found.append(doubtful(about, f"profile {profile} has keys sent as {keys}", fix))
    # Opus and others at another rate than 8 kHz: 1.10.12 offers their key events and does not hear them.
    elif unheard := _unheard(codecs, await session.api(f"{_SEES_VARIABLES} {gateway} ovar {_UNHEARD}")):
        fix = f"the variable {_UNHEARD} in {gateway}, as dialplan/freeswitch/profile.xml has it; {_ACCOUNT}"
        found.append(doubtful(about, f"keys of {unheard} calls are not heard, as far as can be seen", fix))
    return found or [passed(about, f"profile {profile} offers {codecs}, and keys as events")]


def _judge_codecs(about: str, codecs: str, *, profile: str, native: Collection[str]) -> list[Finding]:
    names = [codec.partition("@")[0].upper() for codec in codecs.split(",")]
    fix = f"outbound-codec-prefs in profile {profile}: PCMU,PCMA, so that our sounds need no transcoding"
    if _G711.isdisjoint(names):
        return [doubtful(about, f"profile {profile} offers no G.711: {codecs or 'nothing'}", fix)]
    if names[0] not in native:
        text = f"each call's sounds are transcoded to {names[0]}, the first that profile {profile} offers"
        return [doubtful(about, text, f"{fix}; those first that the carrier takes")]
    return []


def _unheard(codecs: str, lines: str) -> str:
    """Return the first of a profile's codecs whose key events FreeSWITCH 1.10.12 would offer but not hear.

    That is every rate but 8 kHz, unless `lines` that a gateway adds to the SDP remove those events.
    """
    for codec in codecs.split(","):
        name, *_ = codec.partition("@")
        found = _RATE_OF.search(codec)
        rate = _RATES.get(name.upper(), found[1] if found else "8000")
        if rate != "8000" and f"/{rate}" not in lines:
            return name
    return ""


def _judge_trial(unplayed: frozenset[str] | None, sounds: Sequence[Clip]) -> list[Finding]:
    if unplayed is None:
        return [failed("calls", "a call to nobody does not come about", _UNPLACED)]
    placed = passed("calls", "a call to nobody was placed, parked and played to")
    return [placed, *judge_sounds(sounds, unplayed, _UNREADABLE)]
