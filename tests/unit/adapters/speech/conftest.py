"""A mixer on the shipped prompts, and the real engines."""

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
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the real engines: this machine's, or unpacked ones where nothing may be installed."""
    folder = tmp_path_factory.mktemp("engines")
    for name in ("flite", "espeak-ng"):
        command = ensure_program(name)
        # An unpacked espeak-ng looks for its voices where it would have been installed.
        voices = next(Path(command[-1]).parents[1].glob("lib/*/espeak-ng-data"), None)
        setting = f"ESPEAK_DATA_PATH={voices.parent} " if voices else ""
        (folder / name).write_text(f'#!/bin/sh\n{setting}exec {" ".join(command)} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def engine(engines: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The engines first on PATH."""
    monkeypatch.setenv("PATH", f"{engines}{os.pathsep}{os.environ['PATH']}")
    return engines
