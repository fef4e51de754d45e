"""What is found of the key file, the database and the sounds when one thing is wrong with them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import copytree, rmtree

import pytest

from tests.contract.making import make_call, make_challenge, open_challenge
from voicegate.adapters.keyfile import FileKeyring, KeyFileCheck
from voicegate.adapters.speech import checks as speech_check
from voicegate.adapters.speech.checks import SpeechCheck, file_system_of
from voicegate.adapters.speech.mixer import SpeechSettings
from voicegate.adapters.speech.pack import load_pack
from voicegate.adapters.speech.recordings import FOLDER, take_in
from voicegate.adapters.storage.checks import StoreCheck
from voicegate.adapters.storage.store import SqlStore
from voicegate.application.announcer import has_key
from voicegate.application.diagnostics import Check, Finding, Level, run
from voicegate.config import project_folder
from voicegate.domain.passcode import Passcode


def findings(*checks: Check) -> list[Finding]:
    async def look() -> list[Finding]:
        return [finding async for finding in run(checks, lambda _: None)]

    return asyncio.run(look())


def bad(*checks: Check) -> list[tuple[str, Level]]:
    wrong = [finding for finding in findings(*checks) if finding.level is not Level.OK]
    assert all(finding.fix for finding in wrong)
    return [(finding.about, finding.level) for finding in wrong]


def test_a_check_that_breaks_hides_nothing() -> None:
    class Broken:
        subject = "nothing"

        def run(self) -> object:
            raise RuntimeError("odd")

    found = findings(Broken(), KeyFileCheck(Path("/nowhere/key")))  # type: ignore[arg-type]
    assert [finding.level for finding in found] == [Level.ERROR, Level.WARNING]
    assert "odd" in found[0].text


def test_a_key_file_of_ones_own_is_well_and_its_backup_is_called_to_mind(tmp_path: Path) -> None:
    FileKeyring.open(tmp_path / "key")
    (finding,) = findings(KeyFileCheck(tmp_path / "key"))
    assert (finding.level, "backup" in finding.text) == (Level.OK, True)


@pytest.mark.parametrize("spoil", [lambda key: key.chmod(0o640), lambda key: key.write_text("x\n")])
def test_a_key_file_that_others_may_read_or_that_is_none_is_wrong(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    FileKeyring.open(tmp_path / "key")
    spoil(tmp_path / "key")
    assert bad(KeyFileCheck(tmp_path / "key")) == [("key file", Level.ERROR)]


def test_somebody_elses_key_file_is_doubtful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FileKeyring.open(tmp_path / "key")
    monkeypatch.setattr("voicegate.adapters.keyfile.checks.os.geteuid", lambda: 4_000_000)
    assert bad(KeyFileCheck(tmp_path / "key")) == [("key file", Level.WARNING)]


def test_a_key_file_that_cannot_be_read_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert bad(KeyFileCheck(tmp_path / "file/key")) == [("key file", Level.ERROR)]


def test_a_key_file_that_is_gone_beside_a_database_is_wrong(tmp_path: Path) -> None:
    assert bad(KeyFileCheck(tmp_path / "key", tmp_path / "db")) == [("key file", Level.ERROR)]
    assert bad(KeyFileCheck(tmp_path / "key")) == [("key file", Level.WARNING)]


async def make_store(file: Path) -> None:
    async with SqlStore(file):
        pass


def test_a_database_of_this_version_is_well(tmp_path: Path) -> None:
    asyncio.run(make_store(tmp_path / "db"))
    assert bad(StoreCheck(str(tmp_path / "db"))) == []


def test_a_database_that_is_not_there_is_made_later_and_not_by_looking(tmp_path: Path) -> None:
    assert bad(StoreCheck(str(tmp_path / "db"))) == [("database", Level.WARNING)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["none/db", "folder"])
def test_a_database_without_a_place_is_wrong(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    assert bad(StoreCheck(str(tmp_path / place))) == [("database", Level.ERROR)]


def test_a_damaged_database_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"not a database, " * 1000)
    assert bad(StoreCheck(str(tmp_path / "db"))) == [("database", Level.ERROR)]


def test_an_older_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "db").touch()
    assert bad(StoreCheck(str(tmp_path / "db"))) == [("database", Level.WARNING)]


def test_open_codes_of_another_key_file_are_told(tmp_path: Path) -> None:
    keyring, another = (FileKeyring.open(tmp_path / name) for name in ("key", "another"))
    own = make_challenge("own", sealed=keyring.seal("ver_own", Passcode("471029")))
    code = keyring.derive("ver_ours", own.passcode_length)
    ours = replace(own, id="ver_ours", sealed=None, digest=keyring.digest("ver_ours", code))

    async def fill() -> None:
        async with SqlStore(tmp_path / "db") as store:
            await open_challenge(store, own, make_call("own", "own"), None)
            await open_challenge(store, ours, make_call("ours", "ours"), None)

    asyncio.run(fill())
    assert bad(StoreCheck(str(tmp_path / "db"), partial(has_key, keyring))) == []
    assert bad(StoreCheck(str(tmp_path / "db"), partial(has_key, another))) == [("database", Level.ERROR)]
    assert bad(StoreCheck(str(tmp_path / "db"))) == []


def test_a_url_that_is_none_is_wrong() -> None:
    assert bad(StoreCheck("://")) == [("database", Level.ERROR)]


def sounds(folder: Path, service: str = "Voicegate") -> SpeechSettings:
    return SpeechSettings(
        sounds=folder / "sounds",
        audio_folder=folder / "audio",
        pbx_audio_folder="/a",
        pbx_sounds_folder="/s",
        service_name=service,
        state_folder=folder / "state",
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copytree(project_folder("sounds") / "en", tmp_path / "sounds/en")
    monkeypatch.setattr(speech_check, "file_system_of", lambda _: "tmpfs")
    return tmp_path


def test_shipped_sounds_are_well(folder: Path) -> None:
    assert bad(SpeechCheck(sounds(folder), "en-GB")) == []


def test_a_language_that_is_not_there_is_wrong(folder: Path) -> None:
    assert bad(SpeechCheck(sounds(folder), "tlh")) == [("languages", Level.ERROR)]


def test_a_folder_of_sounds_that_is_not_there_is_wrong(folder: Path) -> None:
    rmtree(folder / "sounds")
    assert bad(SpeechCheck(sounds(folder), "en")) == [("languages", Level.ERROR)]


def test_how_much_more_is_wrong_is_told_where_there_is_more(folder: Path) -> None:
    (folder / "sounds/en/stray.wav").write_bytes(b"")
    assert told_of_english(folder).endswith("stray.wav: belongs to no prompt")
    (folder / "sounds/en/stray2.wav").write_bytes(b"")
    assert told_of_english(folder).endswith(", and 1 more")


def told_of_english(folder: Path) -> str:
    (text,) = (one.text for one in findings(SpeechCheck(sounds(folder), "en")) if one.about == "language en")
    return text


def test_a_missing_prompt_is_wrong_and_an_old_one_is_told(folder: Path) -> None:
    (folder / "sounds/en/manifest.json").unlink()
    assert bad(SpeechCheck(sounds(folder), "en")) == [("language en", Level.WARNING)]
    (folder / "sounds/en/digit_7.wav").unlink()
    assert bad(SpeechCheck(sounds(folder), "en")) == [("language en", Level.ERROR)]


def test_a_name_of_ones_own_needs_the_engine_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert bad(SpeechCheck(sounds(folder), "en")) == []
    named = sounds(folder, "Example Bank")
    assert bad(SpeechCheck(named, "en")) == [("name 'Example Bank'", Level.ERROR)]
    (finding,) = of_names(named)
    assert finding.fix.startswith("apt install flite; or record it: ")
    assert "import en FILE --service 'Example Bank'" in finding.fix
    for engine, level, text in (
        ("espeak-ng", Level.WARNING, "en will be spoken by espeak-ng, the fallback engine"),
        ("flite", Level.OK, "en will be spoken by flite"),
    ):
        (folder / engine).touch(mode=0o755)
        (finding,) = of_names(named)
        assert (finding.level, finding.text) == (level, text)
    assert [finding.text for finding in of_names(sounds(folder))] == ["en as it came"]


def test_a_recording_of_a_name_needs_no_engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    settings = replace(sounds(folder), service_names={"VA1": "Example Bank"})
    assert [finding.level for finding in of_names(settings)] == [Level.OK, Level.ERROR]
    pack = load_pack(folder / "sounds", "en")
    take_in(pack, folder / "sounds/en/goodbye.wav", folder / "state" / FOLDER, service="Example Bank")
    assert [finding.text for finding in of_names(settings)] == ["en as it came", "en recorded"]


def test_a_name_that_takes_longer_than_screening_telephones_listen_is_told(folder: Path) -> None:
    pack = load_pack(folder / "sounds", "en")
    settings = sounds(folder, "Bank")
    for prompt, levels in (("goodbye", [Level.OK]), ("press_any_key", [Level.OK, Level.WARNING])):
        file = folder / f"sounds/en/{prompt}.wav"
        take_in(pack, file, folder / "state" / FOLDER, service="Bank")
        assert [finding.level for finding in of_names(settings)] == levels
    assert "in en it takes more than 3 s to say who calls and why" in of_names(settings)[1].text


def of_names(settings: SpeechSettings) -> list[Finding]:
    found = findings(SpeechCheck(settings, "en"))
    return [finding for finding in found if finding.about.startswith("name ")]


def test_a_language_that_nobody_judged_is_told_where_it_is_spoken(folder: Path) -> None:
    script = folder / "sounds/en/prompts.toml"
    script.write_text("judged = false\n" + script.read_text("utf-8"), "utf-8")
    assert bad(SpeechCheck(sounds(folder), "en")) == [("languages", Level.ERROR)]
    settings = replace(sounds(folder), unjudged=("en",))
    assert bad(SpeechCheck(settings, "en")) == [("language en", Level.WARNING)]


def test_an_audio_folder_on_a_disk_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_check, "file_system_of", lambda _: "ext4")
    assert bad(SpeechCheck(sounds(folder), "en")) == [("audio folder", Level.WARNING)]


def test_an_audio_folder_that_is_not_ours_is_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "audio").mkdir()
    monkeypatch.setattr("voicegate.application.diagnostics.os.access", lambda *_: False)
    assert bad(SpeechCheck(sounds(folder), "en")) == [("audio folder", Level.ERROR)]


def test_an_audio_folder_that_nobody_made_and_we_cannot_is_wrong(folder: Path) -> None:
    settings = replace(sounds(folder), audio_folder=folder / "file/audio")
    (folder / "file").touch()
    assert bad(SpeechCheck(settings, "en")) == [("audio folder", Level.ERROR)]


def test_a_path_lies_on_the_nearest_mount_above_it(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("a / ext4 rw 0 0\nb /run tmpfs rw 0 0\nc /run/a\\040b ramfs rw 0 0\n")
    assert file_system_of(Path("/run/voicegate/audio"), mounts) == "tmpfs"
    assert file_system_of(Path("/run/a b/audio"), mounts) == "ramfs"
    assert file_system_of(Path("/runner"), mounts) == "ext4"
