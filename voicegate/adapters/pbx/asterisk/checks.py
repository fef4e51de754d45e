"""Checks one Asterisk: can we log in, is our part of its configuration there, does it reach us, can calls
work?

Everything is asked with the rights that calls have. What a call would do is tried by `trial_call`. Settings
are read by dialplan functions over Getvar (`PJSIP_ENDPOINT`, `AST_CONFIG`, `VERSION`), which return an empty
value if their module is not loaded. Seen on Asterisk 22.10.1: ListCommands needs no right and lists what the
account may do; Ping returns the PBX's time; the event filters cannot be read, only their effect can be seen.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from voicegate.adapters.pbx.asterisk import desk_checks, endpoint_checks, variables
from voicegate.adapters.pbx.asterisk.agi import AgiServer, address_of
from voicegate.adapters.pbx.asterisk.manager_session import ManagerSession, manager_session
from voicegate.adapters.pbx.asterisk.settings import AsteriskSettings
from voicegate.adapters.pbx.asterisk.trial_call import (
    TrialCall,
    has_agi,
    is_stranger,
    knock,
    place_trial_call,
)
from voicegate.adapters.pbx.common.checking import ManagementInterface, Target, judge_sounds, sounds_not_tried
from voicegate.application.diagnostics import Finding, Level, doubtful, failed, passed
from voicegate.application.ports import Clip, Clock
from voicegate.domain.errors import ConfigError, SpeechError

_NEEDED: Final[Mapping[str, str]] = {"Originate": "originate", "Hangup": "call", "Status": "call"}
"""The actions that calls need, and the right for each."""
_NEEDED_TO_DELETE: Final[Mapping[str, str]] = {"Command": "command"}
"""The same where the PBX fetches sounds, which it must delete."""
_RIGHTS: Final = frozenset(("call", "originate", "<none>"))
_PRIVILEGES: Final = re.compile(r"\(Priv: ([^)]*)\)\s*\Z")
_REHEARSED: Final = frozenset(
    ("OriginateResponse", "Newstate", "DialBegin", "DialState", "DialEnd", "HangupRequest", "Hangup")
)
"""Events that a trial call causes."""
_WANTED: Final = _REHEARSED | {"Hold", "Unhold"}
# The releases of each branch in which `eventfilter(action(include),name(…))` came.
_FILTERS_SINCE: Final = {20: 11, 21: 6, 22: 1}
_MANAGER: Final = "dialplan/asterisk/manager.conf shows the account"
_DIALPLAN: Final = (
    "copy dialplan/asterisk/voicegate.conf beside extensions.conf and #include it; `dialplan reload`"
)
_UNREADABLE: Final = "audio.pbx_folder, audio.pbx_sounds, audio.group; the PBX must enter the folders above"
_UNFETCHED: Final = (
    "the daemon must run; audio.url as the PBX reaches it; at the PBX res_curl and res_http_media_cache, a "
    "CA that it trusts, and an astcachedir"
)
_SKEW_S: Final = 2.0
_FEW_CALLS: Final = 20


class AsteriskCheck:
    """The port `Check` for one Asterisk."""

    def __init__(self, settings: AsteriskSettings, target: Target, clock: Clock) -> None:
        self._settings = settings
        self._target = target
        self._clock = clock
        self._name = f"pbx.{settings.name}"

    @property
    def subject(self) -> str:
        """What is checked."""
        return f"PBX {self._settings.name}"

    def run(self) -> AsyncIterator[Finding]:
        """Yield what is found, as it is found."""
        settings, name = self._settings, self._name
        interface = ManagementInterface(
            name="AMI",
            title="manager interface",
            address=f"{settings.ami_host}:{settings.ami_port}",
            open=partial(manager_session, settings),
            login_fix=f"{name}.ami_username, ami_secret_file and permit= in manager.conf must fit",
            address_fix=f"{name}.ami_host, ami_port; enabled, bindaddr and port in manager.conf",
            exposed_fix="bindaddr = 127.0.0.1 in manager.conf; from another host by TLS (tlsbindaddr) and "
            f"{name}.ami_tls_ca",
            is_encrypted=settings.ami_tls is not None,
        )
        return interface.check(self._run_checks, from_outside=self._look_at_port)

    async def _run_checks(self, session: ManagerSession) -> AsyncIterator[Finding]:
        yield self._look_at_login()
        yield await self._look_at_version(session)
        yield await self._look_at_clock(session)
        rights = await self._look_at_rights(session)
        for finding in rights:
            yield finding
        dialplan = await self._look_at_dialplan(session)
        for finding in dialplan:
            yield finding
        async for finding in self._look_at_way_back(session, rights, dialplan):
            yield finding
        for trunk in self._target.trunks:
            for finding in await endpoint_checks.look(session, trunk, self._target):
                yield finding
        for desks in self._target.desks:
            for finding in await desk_checks.look(session, desks, self._target.desks[desks]):
                yield finding
        yield await self._look_at_rtp(session)

    async def _look_at_way_back(
        self, session: ManagerSession, rights: Sequence[Finding], dialplan: Sequence[Finding]
    ) -> AsyncIterator[Finding]:
        """Yield the findings of a trial call; if none can be placed, what can be seen without it."""
        may_call = all(finding.level is not Level.ERROR for finding in rights)
        if may_call and all(finding.level is Level.OK for finding in dialplan):
            async for finding in self._look_at_trial_call(session):
                yield finding
            return
        if not may_call:
            yield doubtful("FastAGI", "not tried: the account may not place calls", "fix AMI rights first")
        for finding in await self._look_at_port():
            yield finding

    def _look_at_login(self) -> Finding:
        account = self._settings.ami_username
        if self._settings.ami_tls is None:
            fix = (
                f"{self._name}.ami_tls_ca, and TLS in manager.conf as dialplan/asterisk/manager.conf shows it"
            )
            text = (
                f"logged in as {account} in the clear: who takes the port while Asterisk is down can play it"
            )
            return doubtful("AMI", text, fix)
        return passed("AMI", f"logged in as {account}, over TLS with a verified certificate")

    async def _look_at_version(self, session: ManagerSession) -> Finding:
        text = await session.evaluate("VERSION()")
        numbers = re.match(r"(?:certified/)?(\d+)\.(\d+)", text)
        if numbers is None:
            return doubtful(
                "version", "the PBX does not tell its version", "load func_version in modules.conf"
            )
        major, minor = int(numbers[1]), int(numbers[2])
        if major < max(_FILTERS_SINCE) and minor < _FILTERS_SINCE.get(major, minor + 1):
            fix = "Asterisk 22.1, 21.6 or 20.11 and newer know the event filters"
            return doubtful("version", f"Asterisk {text} sends every call event", fix)
        return passed("version", f"Asterisk {text}")

    async def _look_at_clock(self, session: ManagerSession) -> Finding:
        before = self._clock.now()
        reply = await session.ask("Ping")
        after = self._clock.now()
        try:
            theirs = datetime.fromtimestamp(float(reply.fields.get("Timestamp", "")), UTC)
        except ValueError:
            return doubtful("clock", "the PBX does not tell its time", "compare its clock by hand")
        # Half way between question and answer is when it was told.
        skew = abs((theirs - (before + (after - before) / 2)).total_seconds())
        if skew > _SKEW_S:
            fix = "synchronise both machines' clocks (chrony, systemd-timesyncd): logs cannot be compared"
            return doubtful("clock", f"the PBX's clock is {skew:.0f} s off ours", fix)
        return passed("clock", f"within {skew:.1f} s of ours")

    async def _look_at_rights(self, session: ManagerSession) -> list[Finding]:
        # ListCommands needs no right, and lists only what the account may do: 22.10.1.
        listed = (await session.ask("ListCommands")).fields
        account = self._settings.ami_username
        needed = {**_NEEDED, **(_NEEDED_TO_DELETE if self._settings.call_sounds_url else {})}
        missing = sorted({right for action, right in needed.items() if action not in listed})
        if missing:
            rights = ", ".join(missing)
            wanted = ",".join(sorted(set(needed.values())))
            fix = f"write = {wanted} in [{account}] of manager.conf; {_MANAGER}"
            return [failed("AMI rights", f"the account lacks: {rights}", fix)]
        privileges = [found[1].split(",") for text in listed.values() if (found := _PRIVILEGES.search(text))]
        granted = _RIGHTS | set(needed.values())
        excess = sorted({rights[0] for rights in privileges if granted.isdisjoint(rights)})
        if excess:
            fix = f"write = call,originate is enough in [{account}] of manager.conf; {_MANAGER}"
            return [
                doubtful("AMI rights", f"the account may do more than it needs: {', '.join(excess)}", fix)
            ]
        return [passed("AMI rights", f"{' and '.join(sorted(set(needed.values())))}, no more")]

    async def _look_at_dialplan(self, session: ManagerSession) -> list[Finding]:
        places = {
            variables.ANSWERED_CONTEXT: f"{variables.ANSWERED_EXTEN},{variables.ANSWERED_PRIORITY}",
            # Any number will do: the context has one pattern for all.
            variables.REJECT_FORWARD_CONTEXT: "+12025550100,1",
        }
        present = {
            context: await session.evaluate(f"DIALPLAN_EXISTS({context},{place})")
            for context, place in places.items()
        }
        # Without func_dialplan Getvar gives "" for it, as for any function that is not there.
        if not any(present.values()):
            fix = "load func_dialplan in modules.conf"
            return [doubtful("dialplan", "the PBX does not tell what its dialplan holds", fix)]
        missing = [context for context, answer in present.items() if answer != "1"]
        if missing:
            return [failed("dialplan", f"not loaded: {', '.join(missing)}", _DIALPLAN)]
        mark = f"revision{variables.DIALPLAN_REVISION}"
        if await session.evaluate(f"DIALPLAN_EXISTS({variables.ANSWERED_CONTEXT},{mark},1)") != "1":
            return [failed("dialplan", "loaded, but from another version's file", _DIALPLAN)]
        # A line that somebody adds runs while a code is spoken.
        beyond = f"{variables.ANSWERED_EXTEN},{variables.ANSWERED_LAST + 1}"
        if await session.evaluate(f"DIALPLAN_EXISTS({variables.ANSWERED_CONTEXT},{beyond})") == "1":
            fix = f"take what was added out of [{variables.ANSWERED_CONTEXT}]: it runs while a code is spoken"
            return [failed("dialplan", f"{variables.ANSWERED_CONTEXT} has lines that are not ours", fix)]
        return [passed("dialplan", "loaded, and of this version")]

    async def _look_at_trial_call(self, session: ManagerSession) -> AsyncIterator[Finding]:
        """Yield the findings of a trial call, with the sounds that calls need."""
        try:
            async with self._target.sounds() as sounds:
                found = await self._call_nobody(session, sounds)
        # All but the sounds can be seen without any.
        except SpeechError as error:
            found = [sounds_not_tried(error), *await self._call_nobody(session, ())]
        for finding in found:
            yield finding

    async def _call_nobody(self, session: ManagerSession, sounds: Sequence[Clip]) -> list[Finding]:
        """Return the findings of a trial call; a running daemon has the port, and answers itself."""
        found = []
        async with asyncio.TaskGroup() as tasks:
            server = AgiServer(self._settings, tasks)
            try:
                await server.open()
            except ConfigError:
                found.append(await self._judge_port(session))
                server = AgiServer(
                    replace(self._settings, agi_port=0, agi_advertised_port=None, agi_socket=None), tasks
                )
                await server.open()
            try:
                shown = await place_trial_call(session, server, sounds)
            finally:
                await server.close()
        is_daemon = bool(found)
        # A daemon that runs has our port, so that another one was tried, which a firewall may keep closed.
        if not shown.is_reached:
            if not is_daemon:
                return [await self._unreached(session, server.address)]
            fix = "stop the daemon and look again"
            return [*found, doubtful("sounds", "not tried: the PBX reaches the daemon's port only", fix)]
        found += self._judge(shown, server.address, is_daemon=is_daemon, sounds=sounds)
        return [*found, self._judge_events(session.heard)]

    async def _look_at_port(self) -> list[Finding]:
        """Return what is wrong with our FastAGI port, as far as it can be seen without a trial call."""
        async with asyncio.TaskGroup() as tasks:
            server = AgiServer(self._settings, tasks)
            try:
                await server.open()
            except ConfigError:
                return [self._told_of_stranger()] if await is_stranger(self._settings) else []
            await server.close()
        return []

    def _told_of_stranger(self) -> Finding:
        port = self._settings.agi_port
        fix = f"{self._name}.agi_port: another one; or end what has it: ss -ltnp 'sport = :{port}'"
        return failed("FastAGI", f"port {port} is another program's, no controller's", fix)

    async def _judge_port(self, session: ManagerSession) -> Finding:
        """Return which process has our FastAGI port, and whether the PBX reaches it."""
        if await is_stranger(self._settings):
            return self._told_of_stranger()
        address = address_of(self._settings, self._settings.agi_port)
        if await knock(session, address):
            return passed("FastAGI", f"the PBX reaches the running daemon at {address}")
        return await self._unreached(session, address)

    async def _unreached(self, session: ManagerSession, address: str) -> Finding:
        if not await has_agi(session):
            fix = "load res_agi and res_speech, which it needs, in modules.conf"
            return failed("FastAGI", "the PBX has no application AGI, by which it connects to us", fix)
        fix = (
            f"{self._name}.agi_host, agi_advertised_host, agi_allowed_peers, and what filters between the two"
        )
        return failed("FastAGI", f"the PBX does not reach a controller at {address}", fix)

    def _judge(
        self, shown: TrialCall, address: str, *, is_daemon: bool, sounds: Sequence[Clip]
    ) -> list[Finding]:
        found = [] if is_daemon else [passed("FastAGI", f"the PBX connects to us at {address}")]
        if shown.recording:
            fix = "no MixMonitor on calls of this account: look for it in pre-dial handlers and hooks"
            found.append(failed("recording", f"the PBX records our calls into {shown.recording}", fix))
        if not shown.has_dtmf:
            found.append(doubtful("DTMF", "extensions cannot be dialed", "load app_senddtmf in modules.conf"))
        return [
            *found,
            *judge_sounds(
                sounds, shown.unplayed, _UNFETCHED if self._settings.call_sounds_url else _UNREADABLE
            ),
        ]

    def _judge_events(self, heard: set[str]) -> Finding:
        account = self._settings.ami_username
        missing, excess = sorted(_REHEARSED - heard), sorted(heard - _WANTED)
        if missing:
            fix = f"read = call and an eventfilter line for each in [{account}] of manager.conf; {_MANAGER}"
            return failed("AMI events", f"a call's events do not come: {', '.join(missing)}", fix)
        if excess:
            fix = f"the eventfilter lines in [{account}] of manager.conf; {_MANAGER}"
            return doubtful("AMI events", f"events come that are not needed: {', '.join(excess)}", fix)
        return passed("AMI events", "those of calls come, no others; Hold and Unhold only a call can show")

    async def _look_at_rtp(self, session: ManagerSession) -> Finding:
        first, last = [
            await session.evaluate(f"AST_CONFIG(rtp.conf,general,{name})") for name in ("rtpstart", "rtpend")
        ]
        if not (first.isdecimal() and last.isdecimal()):
            fix = "look at rtpstart and rtpend in rtp.conf yourself: UDP, open to the carrier"
            return doubtful("RTP", "the range of ports is not told", fix)
        # RTP takes the even port of a pair, and RTCP the next one.
        pairs = max((int(last) + 1) // 2 - (int(first) + 1) // 2, 0)
        text = f"UDP ports {first} to {last}, for {pairs} calls"
        if pairs < self._target.calls:
            text = f"{text}, and our trunks may have {self._target.calls} at a time"
        if pairs < max(self._target.calls, _FEW_CALLS):
            return doubtful("RTP", text, "widen rtpstart to rtpend in rtp.conf, in the firewall too")
        return passed("RTP", text)
