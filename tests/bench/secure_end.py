"""A far end that speaks TLS and SRTP, which SIPp 3.6 does not: the lab's carrier, which only echoes here.

It costs some ten times as much as SIPp; that is in no sum, but takes processors from what is measured. Seen
with Asterisk 22: what `Verbose` says is in its output at once.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.bench.far_end import HeardCall, read_notes
from voicegate.lab.asterisk import AsteriskInstance
from voicegate.lab.certificates import Certificates
from voicegate.lab.packages import ensure_asterisk
from voicegate.lab.processes import Daemon
from voicegate.lab.rendering import render_carrier
from voicegate.lab.settings import LabSettings

_EXTENSIONS: Final = """[from-company]
exten => _[+0-9].,1,Verbose(0,invited ${EXTEN:-10} ${STRFTIME(,,%s.%6q)})
 same => n,Set(NUMBER=${EXTEN:-10})
 same => n,Ringing()
 same => n,Answer()
 same => n,Verbose(0,answered ${NUMBER} ${STRFTIME(,,%s.%6q)})
 same => n,Echo()
exten => h,1,Verbose(0,ended ${NUMBER} ${STRFTIME(,,%s.%6q)})
"""
# Where steps of the dialplan are shown as they are executed, the same words follow a comma.
_NOTE: Final = re.compile(r"(?:^|\s)((?:invited|answered|ended) \d{10} [\d.]+)\s*$", re.MULTILINE)


class SecureFarEnd:
    """A carrier's Asterisk that answers and echoes; the same as `FarEnd` to those who look at it."""

    def __init__(self, settings: LabSettings) -> None:
        home, run = settings.folder / "carrier", settings.volatile / "carrier"
        self._settings = settings
        self._daemon = Daemon("carrier", settings.processes)
        self._asterisk = AsteriskInstance(self._daemon, ensure_asterisk(), home, run)
        self._forgotten = 0

    @property
    def pid(self) -> int:
        """Its process id."""
        pid = self._daemon.pid
        assert pid is not None, self._daemon.last_words()
        return pid

    def __enter__(self) -> "SecureFarEnd":
        here = self._settings
        for folder in (here.folder, here.processes, here.volatile):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        Certificates(here.certificates).ensure()
        self._asterisk.write({**render_carrier(here), "extensions.conf": _EXTENSIONS})
        self._asterisk.start()
        self._asterisk.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self._daemon.stop()

    def calls(self) -> Sequence[HeardCall]:
        """Return the calls so far, in the order of their INVITEs."""
        return read_notes("\n".join(_NOTE.findall(self._new())))

    def ended(self) -> int:
        """Return how many calls have ended."""
        return sum(note.startswith("ended") for note in _NOTE.findall(self._new()))

    def up(self) -> int:
        """Return how many calls are up."""
        return sum(call.answered_at is not None and call.ended_at is None for call in self.calls())

    def forget(self) -> None:
        """Begin the notes anew; no call may be up."""
        self._forgotten = self._log.stat().st_size

    def _new(self) -> str:
        with self._log.open("rb") as notes:
            notes.seek(self._forgotten)
            return notes.read().decode("utf-8", "replace")

    @property
    def _log(self) -> Path:
        return self._daemon.log
