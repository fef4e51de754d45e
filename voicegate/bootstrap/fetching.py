"""How a PBX on another host fetches its sounds, from the configuration."""

from collections.abc import Sequence
from pathlib import Path

from voicegate.adapters.http.doors import Door
from voicegate.adapters.http.sounds import CALLS_PATH, PROMPTS_PATH, sounds_door
from voicegate.adapters.speech.served import ServedSounds
from voicegate.config import AsteriskPbxSettings, Settings, SimulatorPbxSettings, sounds_folder
from voicegate.domain.errors import ConfigError


def call_sounds_url(settings: Settings) -> str:
    """Return the URL of the folder of calls' sounds; empty: the PBXs read the folder."""
    return f"{settings.audio.url}{CALLS_PATH}" if settings.audio.url else ""


def prompts_url(settings: Settings) -> str:
    """Return the URL of the language folders; empty: the PBXs read them."""
    return f"{settings.audio.url}{PROMPTS_PATH}" if settings.audio.url else ""


def sounds_doors(settings: Settings) -> Sequence[Door]:
    """Return the door for PBXs on other hosts, as configured; empty: all are on this one."""
    if not settings.audio.url:
        return ()
    return (sounds_door(ServedSounds(Path(settings.audio.folder), sounds_folder(settings))),)


def check_fetching(settings: Settings) -> None:
    """Refuse a URL that nobody could fetch from.

    Raises:
        ConfigError: names the setting.
    """
    audio = settings.audio
    if not audio.url:
        return
    if not settings.tcp.enabled:
        raise ConfigError("audio.url: the PBX fetches from the [tcp] listener: tcp.enabled = true")
    for name in ("pbx_folder", "pbx_sounds"):
        if getattr(audio, name):
            raise ConfigError(f"audio.{name}: has no meaning beside audio.url; take one of them out")
    for name, pbx in settings.pbx.items():
        if not isinstance(pbx, AsteriskPbxSettings | SimulatorPbxSettings):
            raise ConfigError(f"pbx.{name}: FreeSWITCH fetches no sounds: without audio.url it reads them")
