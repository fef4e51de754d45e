"""The door for a PBX on another host: it gives sounds by their secret names, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.adapters.http.serving import Served, serving
from tests.unit.application.conftest import Bench
from voicegate.bootstrap.fetching import check_fetching, sounds_doors
from voicegate.config import (
    AsteriskPbxSettings,
    Audio,
    FreeSwitchPbxSettings,
    PbxSettings,
    Service,
    Settings,
    Tcp,
)
from voicegate.domain.errors import ConfigError

URL = "http://10.0.0.5:8770"
NAME = f"vg-{'0a' * 16}.wav"
PROMPTS = "/sounds/prompts-from-the-packs-of-all-languages"


@pytest.fixture
async def sounds(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    for folder in ("audio", "packs/en"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "audio" / NAME).write_bytes(b"a code")
    (tmp_path / "audio" / f"{NAME}.part").write_bytes(b"half a code")
    (tmp_path / "audio" / "key").write_bytes(b"a secret")
    (tmp_path / "packs/en/goodbye.wav").write_bytes(b"goodbye")
    (tmp_path / "packs/en/prompts.toml").write_bytes(b"words")
    (tmp_path / "packs/secret.wav").write_bytes(b"no prompt")
    settings = Settings(
        audio=Audio(folder=str(tmp_path / "audio"), url=URL), service=Service(sounds=str(tmp_path / "packs"))
    )
    async with serving(bench, tmp_path, doors=sounds_doors(settings)) as served:
        yield served


@pytest.mark.parametrize(
    ("path", "sound"), [(f"/sounds/calls/{NAME}", b"a code"), (f"{PROMPTS}/en/goodbye.wav", b"goodbye")]
)
async def test_a_sound_is_given_without_a_key(sounds: Served, path: str, sound: bytes) -> None:
    answer = await sounds.remote.get(path)
    assert (answer.status_code, answer.content) == (200, sound)
    # Else Asterisk takes wav16 for wav.
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "max-age" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    [
        "/sounds",
        "/sounds/calls",
        "/sounds/calls/",
        f"/sounds/calls/{NAME}.part",
        f"/sounds/calls/{NAME[:-5]}1.wav",
        "/sounds/calls/key",
        "/sounds/calls/..%2fpacks%2fen%2fgoodbye.wav",
        f"{PROMPTS}/en/prompts.toml",
        f"{PROMPTS}/..%2f..%2faudio/{NAME}",
        f"{PROMPTS}/%2e%2e/secret.wav",
        f"{PROMPTS}/./secret.wav",
        f"{PROMPTS}/en/..%2f..%2fsecret.wav",
        f"{PROMPTS}/en/goodbye.wav%00",
    ],
)
async def test_nothing_else_is_given(sounds: Served, path: str) -> None:
    answer = await sounds.remote.get(path)
    assert answer.status_code == 404
    assert not any(part in answer.content for part in (b"code", b"secret", b"words", b"no prompt"))


def settings_of(audio: Audio, *, is_listening: bool = True, pbx: PbxSettings | None = None) -> Settings:
    return Settings(audio=audio, tcp=Tcp(enabled=is_listening), pbx={"main": pbx or AsteriskPbxSettings()})


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (settings_of(Audio(url=URL), is_listening=False), "audio.url"),
        (settings_of(Audio(url=URL, pbx_folder="/mnt/audio")), "audio.pbx_folder"),
        (settings_of(Audio(url=URL, pbx_sounds="/mnt/sounds")), "audio.pbx_sounds"),
        (settings_of(Audio(url=URL), pbx=FreeSwitchPbxSettings()), "pbx.main"),
    ],
)
def test_settings_from_which_nothing_can_be_fetched_are_refused(settings: Settings, named: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{named}: "):
        check_fetching(settings)


def test_settings_from_which_it_can_be_fetched_are_accepted() -> None:
    check_fetching(settings_of(Audio(url=URL)))
    check_fetching(settings_of(Audio(), is_listening=False, pbx=FreeSwitchPbxSettings()))
    assert not sounds_doors(Settings())
