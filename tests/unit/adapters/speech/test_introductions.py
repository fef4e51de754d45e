"""How calls are introduced by a name of the admin's own: recorded, by the language's engine or by another."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.unit.adapters.speech.conftest import SOUNDS, settings
from voicegate.adapters.speech.formats import FORMATS
from voicegate.adapters.speech.inspection import inspect
from voicegate.adapters.speech.introductions import (
    IntroductionFolder,
    Source,
    find_introduction,
    make_introduction,
)
from voicegate.adapters.speech.mixer import Mixer
from voicegate.adapters.speech.pack import load_pack
from voicegate.adapters.speech.recordings import FOLDER, introduction_name, take_in
from voicegate.domain.announcement import HumanCheck, Opening, compose_invitation
from voicegate.domain.errors import SpeechError

PACK = load_pack(SOUNDS, "en")
NAME = "Example Bank"


@pytest.fixture
def place(tmp_path: Path) -> IntroductionFolder:
    return IntroductionFolder(tmp_path / "state", FORMATS["wav"])


@pytest.fixture
def installed(engines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """What installs an engine; none is to begin with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(name: str) -> None:
        # For what it runs itself, this machine's own PATH.
        program = (engines / name).read_text().replace("#!/bin/sh\n", "#!/bin/sh\nPATH=/usr/bin:/bin\n")
        (folder / name).write_text(program)
        (folder / name).chmod(0o755)

    return install


async def test_without_any_engine_the_languages_own_is_named(
    installed: Callable[[str], None], place: IntroductionFolder
) -> None:
    assert find_introduction(PACK, NAME, place).source is Source.NOBODY
    with pytest.raises(SpeechError, match="flite: is not installed"):
        await make_introduction(PACK, NAME, place)


async def test_the_fallback_says_a_name_until_the_languages_own_engine_is_there(
    installed: Callable[[str], None], place: IntroductionFolder
) -> None:
    installed("espeak-ng")
    assert find_introduction(PACK, NAME, place).source is Source.TO_BE_MADE
    made = await make_introduction(PACK, NAME, place)
    assert (made.source, made.script.engine, made.is_fallback) == (Source.MADE, "espeak-ng", True)
    assert place.kind.read(made.file).size > 4000
    assert all(made.file.with_suffix(f".{suffix}").is_file() for suffix in FORMATS)
    assert find_introduction(PACK, NAME, place) == made
    installed("flite")
    assert find_introduction(PACK, NAME, place).source is Source.TO_BE_MADE
    made = await make_introduction(PACK, NAME, place)
    assert (made.script.engine, made.is_fallback) == ("flite", False)
    assert find_introduction(PACK, NAME, place) == made


async def test_a_recording_goes_before_every_engine(
    place: IntroductionFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    recordings = place.state / FOLDER
    taken = take_in(PACK, SOUNDS / "en" / "goodbye.wav", recordings, service=NAME)
    assert taken.names == [introduction_name(NAME)]
    made = await make_introduction(PACK, NAME, place, force=True)
    assert made.source is Source.RECORDED
    assert abs(place.kind.read(made.file).size - place.kind.read(SOUNDS / "en" / "goodbye.wav").size) < 800
    assert find_introduction(PACK, "Another Bank", place).source is Source.NOBODY
    assert inspect(PACK, recordings) == []


async def test_services_that_were_recorded_are_introduced_so_without_an_engine(
    place: IntroductionFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, prompt in (("Bank", "goodbye"), ("Shop", "apology")):
        take_in(PACK, SOUNDS / "en" / f"{prompt}.wav", place.state / FOLDER, service=name)
    mixer = Mixer(settings(tmp_path, service_name="Bank", service_names={"s": "Shop"}))
    await mixer.prepare()
    assert mixer.languages() == ["en"]
    lengths = []
    for service in (None, "s"):
        parts = compose_invitation(HumanCheck.NONE, "", mixer.phrasing("en"), opening=Opening(service))
        async with mixer.mix("en", parts, parts) as audio:
            lengths.append(audio.reading.length.total_seconds())
    shipped = [len(FORMATS["wav"].read(SOUNDS / "en" / f"{name}.wav")) for name in ("goodbye", "apology")]
    assert np.allclose(lengths, [size / 8000 + 0.2 for size in shipped], atol=0.1)


def test_a_folder_without_an_introduction_is_named(tmp_path: Path) -> None:
    (tmp_path / "goodbye.wav").touch()
    with pytest.raises(SpeechError, match=r"holds no recording that introduces 'Bank': this_is\.wav"):
        take_in(PACK, tmp_path, tmp_path / "recordings", service="Bank")
