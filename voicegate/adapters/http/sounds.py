"""The door for a PBX on another host, which fetches the sounds that it plays: `/sounds`.

It needs no API key: the name of a call's sound is 128 random bits, which only the PBX is told, and a prompt
is no secret. Source: RFC 9111 for caching; Asterisk 22 keeps what it fetched until it is told to delete it.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.doors import Door
from voicegate.adapters.http.operations import Operation, Success, routes_of
from voicegate.adapters.http.problems import Refused

PATH: Final = "/sounds"
CALLS_PATH: Final = f"{PATH}/calls"
"""Below it are the sounds of calls in progress."""
# Asterisk cuts the path of its own copy, such as /var/cache/asterisk/bucket-Tnlgw2.wav, off where it is six
# characters longer than the URL, and then finds no file (`ast_openstream`, 22.10.1): no short URL would do.
PROMPTS_PATH: Final = f"{PATH}/prompts-from-the-packs-of-all-languages"
"""Below it are the packs' folders."""
# For longer than a call: the second reading is not fetched anew.
_OF_CALL: Final = {"Cache-Control": "private, max-age=3600"}
_OF_PROMPT: Final = {"Cache-Control": "public, max-age=86400"}


class SoundFiles(Protocol):
    """Where the sounds lie. The methods block."""

    def read_call(self, name: str) -> bytes | None:
        """Return a call's sound by its file's name, which is a secret; None: there is none."""
        ...

    def read_prompt(self, language: str, name: str) -> bytes | None:
        """Return a phrase of a language, by its file's name; None: there is none."""
        ...


def sounds_door(files: SoundFiles) -> Door:
    """Return the door of these sounds."""
    return Door(routes_of(_Sounds(files)), prefixes=(PATH,), is_open=True)


class _Sounds:
    def __init__(self, files: SoundFiles) -> None:
        self._files = files

    @Operation(
        method="GET",
        path=f"{CALLS_PATH}/{{name}}",
        name="getSoundOfCall",
        text="A sound of a call in progress, for the PBX.",
        success=Success(200, None, "The sound."),
        refusals=(problems.NOT_FOUND,),
        is_open=True,
    )
    async def get_sound_of_call(self, request: web.Request) -> web.Response:
        return _answer(await asyncio.to_thread(self._files.read_call, request.match_info["name"]), _OF_CALL)

    @Operation(
        method="GET",
        path=f"{PROMPTS_PATH}/{{language}}/{{name}}",
        name="getPrompt",
        text="A phrase of a language, for the PBX.",
        success=Success(200, None, "The sound."),
        refusals=(problems.NOT_FOUND,),
        is_open=True,
    )
    async def get_prompt(self, request: web.Request) -> web.Response:
        names = (request.match_info["language"], request.match_info["name"])
        return _answer(await asyncio.to_thread(self._files.read_prompt, *names), _OF_PROMPT)


def _answer(sound: bytes | None, headers: Mapping[str, str]) -> web.Response:
    if sound is None:
        raise Refused(problems.NOT_FOUND, "there is no such sound")
    # Of no certain type: Asterisk takes the format from the name's suffix only then.
    return web.Response(body=sound, content_type="application/octet-stream", headers=headers)
