"""A mixer on the shipped prompts, and the real engine."""

import os
from pathlib import Path

import pytest

from voicegate.adapters.speech.mixer import Mixer, SpeechSettings
from voicegate.config import project_folder
from voicegate.lab.packages import ensure_program

SOUNDS = project_folder("sounds")


def settings(folder: Path, **but: object) -> SpeechSettings:
    values: dict[str, object] = {
        "sounds": SOUNDS,
        "audio_folder": folder / "audio",
        "pbx_audio_folder": "/pbx/audio",
        "pbx_sounds_folder": "/pbx/sounds",
        "service_name": "Voicegate",
        "state_folder": folder / "state",
    }
    return SpeechSettings(**(values | but))  # type: ignore[arg-type]


@pytest.fixture
def mixer(tmp_path: Path) -> Mixer:
    return Mixer(settings(tmp_path))


@pytest.fixture(scope="session")
def flite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the real flite: this machine's, or one unpacked where nothing may be installed."""
    folder = tmp_path_factory.mktemp("flite")
    program = folder / "flite"
    program.write_text(f'#!/bin/sh\nexec {" ".join(ensure_program("flite"))} "$@"\n')
    program.chmod(0o755)
    return folder


@pytest.fixture
def engine(flite: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The engine first on PATH."""
    monkeypatch.setenv("PATH", f"{flite}{os.pathsep}{os.environ['PATH']}")
    return flite
