"""Check the key file without changing it: does it exist, is it private, is it intact?"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from voicegate.adapters.keyfile.file import LOST, read_keys
from voicegate.application.diagnostics import Finding, doubtful, failed, passed
from voicegate.domain.errors import KeyFileError


class KeyFileCheck:
    """Fills the port `Check` for a key file; `database`, if there is one, has codes made with it."""

    subject = "key file"

    def __init__(self, file: Path, database: Path | None = None) -> None:
        self._file = file
        self._database = database

    async def run(self) -> AsyncIterator[Finding]:
        """Yield the findings; they show nothing of the keys."""
        try:
            keys = read_keys(self._file)
            owner = self._file.stat().st_uid
        except FileNotFoundError:
            if self._database is not None:
                text = f"{self._file} does not exist, and {self._database}, whose codes it makes, does"
                yield failed(self.subject, text, f"storage.key_file must name it, or {LOST}")
                return
            fix = f"made on the first start; if there was one before, {LOST}"
            yield doubtful(self.subject, f"{self._file} does not exist", fix)
        except KeyFileError as error:
            yield failed(self.subject, str(error), "storage.key_file")
        except OSError as error:
            fix = "storage.key_file must name a file of the daemon's user; look as that user"
            yield failed(self.subject, f"{self._file} cannot be read: {error.strerror}", fix)
        else:
            if owner == os.geteuid():
                count = "one key" if len(keys) == 1 else f"{len(keys)} keys"
                well = f"{self._file}: yours alone, {count}; see that its backup is kept apart"
                yield passed(self.subject, well)
            else:
                fix = f"look as the daemon's user; if that is you: chown {os.geteuid()} {self._file}"
                yield doubtful(self.subject, f"{self._file} belongs to user {owner}, not to you", fix)
