"""The carrier's side: SIPp answers every call, sends back what it hears, and notes when what happened.

One SIPp answers some hundred calls at a tenth of what an Asterisk takes. Its audio is RTP all the time, both
ways, as a carrier's is. Seen with SIPp 3.6.1 (Debian 12): a note is written at once, with microseconds.
"""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegate.lab.deadlines import Deadline
from voicegate.lab.packages import ensure_program
from voicegate.lab.processes import prefer

_STEP_S: Final = 0.05
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="far end">\n'
_INVITED: Final = """<recv request="INVITE" crlf="true"><action>
<ereg regexp="sip:[^@]*([0-9]{10})@" search_in="msg" assign_to="whole,number"/>
<ereg regexp="sip:[^&gt;]*" search_in="hdr" header="Contact:" assign_to="caller"/>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
<log message="invited [$number] [timestamp]"/>
</action></recv>
<Reference variables="whole,caller,from,to"/>
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
_ANSWERED: Final = """<recv request="ACK"><action>
<log message="answered [$number] [timestamp]"/>
</action></recv>
"""
_PRESS: Final = """<pause milliseconds="{after_ms}"/>
<send><![CDATA[
INFO [$caller] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: [$to];tag=[call_number]
To: [$from]
Call-ID: [call_id]
CSeq: 1 INFO
Max-Forwards: 70
Contact: <sip:[local_ip]:[local_port]>
Content-Type: application/dtmf-relay
Content-Length: [len]

Signal=5
Duration=200
]]></send>
<recv response="200"></recv>
"""
_ENDED: Final = """<recv request="BYE"><action>
<log message="ended [$number] [timestamp]"/>
</action></recv>
"""


@dataclass(frozen=True, slots=True)
class HeardCall:
    """One call as the far end saw it; times are seconds of the epoch."""

    number: str
    """The last ten digits that were dialed."""
    invited_at: float
    answered_at: float | None = None
    """When the ACK came."""
    ended_at: float | None = None
    """When the PBX said BYE."""

    @property
    def length_s(self) -> float:
        """From answer to end; 0: there was none."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return self.ended_at - self.answered_at


class FarEnd:
    """A SIPp that answers; a context manager that ends it."""

    def __init__(
        self, folder: Path, port: int, media_port: int, *, press_after_ms: int | None = None
    ) -> None:
        self._folder = folder
        self._port, self._media_port = port, media_port
        self._press_after_ms = press_after_ms
        self._process: subprocess.Popen[bytes] | None = None
        self._forgotten = 0

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> "FarEnd":
        self._folder.mkdir(parents=True, exist_ok=True)
        scenario = self._folder / "far-end.xml"
        scenario.write_text(self._scenario(), "ascii")
        sip = ["-sf", str(scenario), "-i", "127.0.0.1", "-p", str(self._port), "-nostdin"]
        media = ["-mi", "127.0.0.1", "-mp", str(self._media_port), "-rtp_echo", "-rtp_buffsize", "4000000"]
        # No call of ours retransmits on loopback unless somebody is too slow; then it may, as in life.
        notes = ["-trace_logs", "-log_file", str(self._notes), "-trace_err", "-buff_size", "4000000"]
        command = [*ensure_program("sipp", "sip-tester"), *sip, *media, *notes]
        with (self._folder / "sipp.log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self._folder,
                # Without a terminal it still asks what kind it is.
                env={"TERM": "dumb", "PATH": os.environ["PATH"]},
            )
        prefer(self.pid)
        deadline = Deadline(10)
        while not self._listens():
            if deadline.has_passed or self._process.poll() is not None:
                raise RuntimeError(f"SIPp does not start: {(self._folder / 'sipp.log').read_text()}")
            time.sleep(_STEP_S)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        # The first asks it to wait for its calls.
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def calls(self) -> Sequence[HeardCall]:
        """Return the calls so far, in the order of their INVITEs."""
        return read_notes(self._new().decode("ascii", "replace"))

    def ended(self) -> int:
        """Return how many calls have ended."""
        return self._new().count(b"ended ")

    def up(self) -> int:
        """Return how many calls are up."""
        notes = self._new()
        return notes.count(b"answered ") - notes.count(b"ended ")

    def forget(self) -> None:
        """Begin the notes anew; no call may be up."""
        self._forgotten = self._notes.stat().st_size if self._notes.exists() else 0

    def _new(self) -> bytes:
        if not self._notes.exists():
            return b""
        with self._notes.open("rb") as notes:
            notes.seek(self._forgotten)
            return notes.read()

    @property
    def _notes(self) -> Path:
        return self._folder / "notes.log"

    def _listens(self) -> bool:
        local = f"0100007F:{self._port:04X}"
        return local in Path("/proc/net/udp").read_text("ascii")

    def _scenario(self) -> str:
        press = [] if self._press_after_ms is None else [_PRESS.format(after_ms=self._press_after_ms)]
        steps = (
            _INVITED,
            _REPLY.format(status="180 Ringing", body=_NOTHING),
            _REPLY.format(status="200 OK", body=_AUDIO),
            _ANSWERED,
            *press,
            _ENDED,
            _REPLY.format(status="200 OK", body=_NOTHING),
        )
        return f"{_HEAD}{''.join(steps)}</scenario>\n"


def read_notes(text: str) -> Sequence[HeardCall]:
    """Return the calls that the notes speak of.

    A number that is called again is another call: its notes follow those of the call before.
    """
    calls: dict[tuple[str, int], dict[str, float]] = {}
    counts: Counter[str] = Counter()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3 or fields[0] not in ("invited", "answered", "ended"):
            continue
        event, number, at = fields[0], fields[1], float(fields[-1])
        counts[number] += event == "invited"
        calls.setdefault((number, counts[number]), {})[event] = at
    return [
        HeardCall(number, notes["invited"], notes.get("answered"), notes.get("ended"))
        for (number, _), notes in calls.items()
        if "invited" in notes
    ]
