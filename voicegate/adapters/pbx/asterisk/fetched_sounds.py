"""The sounds that an Asterisk on another host fetched from us, and keeps until it is told to delete them.

Source: Asterisk 22, `res_http_media_cache`. Seen on 22.10.1: a URL is fetched when it is first played, kept
in `astcachedir` as a file for Asterisk's user alone, and listed by `media cache show all`, after a restart
too; `media cache delete` removes both. The action Command takes `write = command`.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from voicegate.adapters.pbx.asterisk.ami import AmiClient, Reply
from voicegate.domain.errors import PbxUnavailable, ReplyLost

log = structlog.get_logger(__name__)

_SWEEP_EVERY: Final = timedelta(minutes=1)


class FetchedSounds:
    """Sounds of calls in one Asterisk's media cache; those of prompts stay there."""

    def __init__(self, client: AmiClient, *, pbx: str, call_sounds_url: str) -> None:
        """Take care of what lies below `call_sounds_url`; of nothing if that is empty."""
        self._client = client
        self._pbx = pbx
        self._below = f"{call_sounds_url}/" if call_sounds_url else ""
        # An admin's own recording of a phrase lies there too, and is used by many calls.
        self._in_use: Counter[str] = Counter()

    def use(self, path: str) -> None:
        """Note that a call is about to play a sound, for the first time."""
        if self._below and path.startswith(self._below):
            self._in_use[path] += 1

    async def delete(self, paths: Iterable[str]) -> None:
        """Delete what a call played and no other call uses. What cannot be deleted now is left to `sweep`."""
        for path in self._in_use.keys() & set(paths):
            self._in_use[path] -= 1
            if self._in_use[path]:
                continue
            del self._in_use[path]
            with suppress(PbxUnavailable, ReplyLost):
                await self._command(f"media cache delete {path}")

    async def sweep(self) -> None:
        """Delete the sounds of all calls that are over, such as a killed daemon's.

        Raises:
            PbxUnavailable: not connected.
            ReplyLost: it was asked, and no answer came.
        """
        if not self._below:
            return
        listed = (line.strip() for line in (await self._command("media cache show all")).output)
        for path in [line for line in listed if line.startswith(self._below) and line not in self._in_use]:
            await self._command(f"media cache delete {path}")

    async def sweep_again_and_again(self) -> None:
        """Sweep every minute: Asterisk may have gone on fetching a sound whose call was over."""
        while self._below:
            await asyncio.sleep(_SWEEP_EVERY.total_seconds())
            with suppress(PbxUnavailable, ReplyLost):
                await self.sweep()

    async def _command(self, line: str) -> Reply:
        reply = await self._client.ask("Command", {"Command": line}, as_list=False)
        if not reply.is_success:
            fix = "write = call,originate,command in manager.conf, for audio.url needs it"
            log.error("sounds of calls stay at the PBX", pbx=self._pbx, why=reply.message, fix=fix)
        return reply
