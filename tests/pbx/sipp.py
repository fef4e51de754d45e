"""SIPp in tests: a softphone without a person, for what only a scenario shows.

Seen with SIPp 3.6.1 (Debian 12). A password stands in the scenario's file, for command lines show in `ps`.
"""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegate.lab.deadlines import within
from voicegate.lab.packages import ensure_program

_DEADLINE_S: Final = 60
_REQUEST: Final = """<send><![CDATA[
{method} sip:{target}[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:{name}@[remote_ip]:[remote_port]>;tag=[call_number]
To: <sip:{name}@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: {count} {method}
Contact: <sip:{name}@[local_ip]:[local_port]>
Max-Forwards: 70
{more}Content-Length: 0

]]></send>
"""
_REPLY: Final = """<send><![CDATA[
SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
{body}
]]></send>
"""
_NOTHING: Final = "Content-Length: 0\n"
_AUDIO: Final = """Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
"""


@dataclass(frozen=True)
class Sipp:
    """Where a SIPp is, and whom it talks to."""

    folder: Path
    registrar: str
    """The PBX: host:port."""
    port: int
    """SIP, UDP; its media are two ports further."""

    async def register(
        self, name: str, password: str, *, account: str | None = None, status: int = 200
    ) -> None:
        """Register by digest, of `name` or another account; fail unless the answer to it is `status`."""
        answer = f"[authentication username={account or name} password={password}]\n"
        await self._play(
            "register",
            self._request("REGISTER", name, 1, more="Expires: 300\n"),
            '<recv response="401" auth="true"></recv>',
            self._request("REGISTER", name, 2, more=f"{answer}Expires: 300\n"),
            f'<recv response="{status}"></recv>',
        )

    async def intrude(self, name: str, number: str, status: int) -> None:
        """Call a number as somebody, without a password; fail unless the answer is `status`."""
        await self._play(
            f"intrude-{name}",
            self._request("INVITE", name, 1, target=f"{number}@"),
            '<recv response="100" optional="true"></recv>',
            f'<recv response="{status}"></recv>',
            self._request("ACK", name, 1, target=f"{number}@"),
        )

    async def answer(self) -> None:
        """Take one call, send back what is heard, and stay until the far end hangs up."""
        await self._play(
            "answer",
            '<recv request="INVITE"></recv>',
            _REPLY.format(status="180 Ringing", body=_NOTHING),
            '<pause milliseconds="300"/>',
            _REPLY.format(status="200 OK", body=_AUDIO),
            '<recv request="ACK"></recv>',
            '<recv request="BYE"></recv>',
            _REPLY.format(status="200 OK", body=_NOTHING),
        )

    def _request(self, method: str, name: str, count: int, *, target: str = "", more: str = "") -> str:
        return _REQUEST.format(method=method, name=name, count=count, target=target, more=more)

    async def _play(self, title: str, *steps: str) -> None:
        scenario = self.folder / f"{title}.xml"
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{title}">\n'
        scenario.write_text("\n".join((head, *steps, "</scenario>\n")))
        command = await asyncio.to_thread(ensure_program, "sipp", "sip-tester")
        options = ["-sf", str(scenario), "-m", "1", "-i", "127.0.0.1", "-p", str(self.port), "-nostdin"]
        media = ["-mi", "127.0.0.1", "-mp", str(self.port + 2), "-rtp_echo"]
        process = await asyncio.create_subprocess_exec(
            *(*command, self.registrar, *options, *media),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            cwd=self.folder,
            # Without a terminal it still asks what kind it is.
            env={"TERM": "dumb"},
        )
        try:
            async with within(_DEADLINE_S):
                said, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, (title, complaint.decode(), said.decode()[-2000:])
