"""The checks of `voicegate doctor`, from the settings."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import assert_never

from voicegate.adapters.http.checks import SocketCheck
from voicegate.adapters.keyfile import FileKeyring, KeyFileCheck
from voicegate.adapters.pbx.asterisk.checks import AsteriskCheck
from voicegate.adapters.pbx.common.checking import Desks, Target
from voicegate.adapters.speech.checks import SpeechCheck
from voicegate.adapters.speech.mixer import Mixer
from voicegate.adapters.storage.checks import StoreCheck
from voicegate.adapters.system import SystemClock
from voicegate.application.announcer import has_key
from voicegate.application.diagnostics import Check
from voicegate.application.ports import Clip
from voicegate.bootstrap import speech_settings
from voicegate.bootstrap.asterisk import asterisk_settings, group_id
from voicegate.bootstrap.endpoints import allowed_uids, socket_file
from voicegate.bootstrap.pbxs import freeswitch_settings, needing_freeswitch
from voicegate.bootstrap.profile_checks import ProfileCheck
from voicegate.bootstrap.receipts import ReceiptKeysCheck
from voicegate.bootstrap.routing import routes
from voicegate.bootstrap.settings_checks import (
    Misconfigured,
    PolicyCheck,
    SecretFilesCheck,
    secret_files,
)
from voicegate.config import AsteriskPbxSettings, FreeSwitchPbxSettings, Settings, SimulatorPbxSettings
from voicegate.config.profile import NIST
from voicegate.domain.announcement import Pause, PromptName
from voicegate.domain.errors import KeyFileError, SpeechError, VoicegateError
from voicegate.domain.language import match_language


def checks(settings: Settings) -> Sequence[Check]:
    """Return the checks of every part, the most basic first; they need no running daemon."""
    wanted: Sequence[tuple[str, Callable[[], Check]]] = (
        ("key file", lambda: _of_key_file(settings)),
        *([("receipts' keys", lambda: ReceiptKeysCheck(settings))] if settings.receipts.enabled else []),
        ("database", lambda: _of_store(settings)),
        ("secrets", lambda: SecretFilesCheck(secret_files(settings))),
        ("policy", lambda: PolicyCheck(settings)),
        *([("profile", lambda: ProfileCheck(settings))] if settings.policy.profile == NIST else []),
        ("socket", lambda: _of_socket(settings)),
        ("sounds", lambda: SpeechCheck(speech_settings(settings), settings.service.language)),
        *(
            (f"PBX {name}", partial(_of_pbx, settings, name, pbx))
            for name, pbx in settings.pbx.items()
            if not isinstance(pbx, SimulatorPbxSettings)
        ),
    )
    return [_or_misconfigured(subject, make) for subject, make in wanted]


def _or_misconfigured(subject: str, make: Callable[[], Check]) -> Check:
    """Return the check; if the settings are wrong, one that reports this, so that the others still run."""
    try:
        return make()
    except VoicegateError as error:
        return Misconfigured(subject, str(error))


def _of_key_file(settings: Settings) -> KeyFileCheck:
    database = Path(settings.storage.database)
    return KeyFileCheck(Path(settings.storage.key_file), database if database.exists() else None)


def _of_store(settings: Settings) -> StoreCheck:
    try:
        keyring = FileKeyring.open(Path(settings.storage.key_file), may_create=False)
    except KeyFileError:  # its own check reports that
        return StoreCheck(settings.storage.database)
    return StoreCheck(settings.storage.database, partial(has_key, keyring))


def _of_socket(settings: Settings) -> SocketCheck:
    allowed_uids(settings)  # each user exists
    audio_group = settings.audio.group or None
    if audio_group is not None:
        group_id(audio_group, "audio.group")
    return SocketCheck(socket_file(settings), settings.socket.allowed_users, audio_group)


def _of_pbx(settings: Settings, name: str, pbx: AsteriskPbxSettings | FreeSwitchPbxSettings) -> Check:
    trunks = {trunk: entry for trunk, entry in settings.trunks.items() if entry.pbx == name}
    internal = {way.name: way for way in routes(settings).internal if way.trunk.pbx == name}
    lines = sum(entry.max_calls for entry in trunks.values()) + sum(
        way.trunk.max_calls for way in internal.values()
    )
    target = Target(
        trunks={trunk: entry.endpoint for trunk, entry in trunks.items()},
        sounds=partial(_probe_sounds, settings),
        packets={trunk: entry.packet_ms for trunk, entry in trunks.items()},
        desks={way: Desks(one.pattern, one.trunk.endpoint) for way, one in internal.items()},
        calls=min(lines, settings.call.max_in_progress),
        audio_format=settings.audio.format,
    )
    match pbx:
        case AsteriskPbxSettings():
            return AsteriskCheck(asterisk_settings(settings, name, pbx), target, SystemClock())
        case FreeSwitchPbxSettings():
            with needing_freeswitch(name):
                from voicegate.adapters.pbx.freeswitch.checks import FreeSwitchCheck  # noqa: PLC0415
            return FreeSwitchCheck(freeswitch_settings(settings, name, pbx), target)
        case _:
            assert_never(pbx)


@asynccontextmanager
async def _probe_sounds(settings: Settings) -> AsyncIterator[Sequence[Clip]]:
    """Give a prompt, and a silence that is written like a call's sound; creates no folder."""
    if not os.path.isdir(settings.audio.folder):  # noqa: PTH112, ASYNC240  # blocks for moments
        raise SpeechError(f"audio.folder: {settings.audio.folder} does not exist")
    speech = Mixer(speech_settings(settings))
    language = match_language((settings.service.language,), speech.languages())
    silence = [Pause(timedelta(milliseconds=100))]
    async with speech.mix(language, silence, silence) as audio:
        yield (speech.prompt(language, PromptName.GOODBYE), audio.reading)
