"""Programs are taken from PATH, else from the cache, and fetched only when neither has them."""

from pathlib import Path

import pytest

from voicegate.lab import packages
from voicegate.lab.errors import PackageError
from voicegate.lab.packages import ensure_asterisk, ensure_packages, ensure_program, no_progress

LIBRARIES = "usr/lib/x86_64-linux-gnu"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(packages, "find_archive", lambda: pytest.fail("something was to be fetched"))
    return tmp_path / "voicegate/packages"


def unpack(root: Path, *files: str) -> None:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_an_unpacked_program_runs_by_its_own_loader(cache: Path) -> None:
    root = cache / "flite"
    unpack(root, f"{LIBRARIES}/ld-linux-x86-64.so.2", "usr/bin/flite")
    loader = root / LIBRARIES / "ld-linux-x86-64.so.2"
    assert ensure_program("flite") == (
        *(str(loader), "--library-path", str(root / LIBRARIES)),
        str(root / "usr/bin/flite"),
    )


def test_a_program_on_the_path_is_preferred(cache: Path, tmp_path: Path) -> None:
    unpack(tmp_path, "bin/flite")
    (tmp_path / "bin/flite").chmod(0o700)
    assert ensure_program("flite") == (str(tmp_path / "bin/flite"),)


def test_an_incomplete_cache_says_what_to_do(cache: Path) -> None:
    unpack(cache / "flite", "usr/bin/flite")
    with pytest.raises(PackageError, match="incomplete: delete it"):
        ensure_program("flite")


def test_an_unpacked_asterisk_knows_its_modules_data_and_voice(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_more: None)
    root = cache / "asterisk"
    unpack(
        root,
        f"{LIBRARIES}/ld-linux-x86-64.so.2",
        f"{LIBRARIES}/asterisk/modules/res_agi.so",
        "usr/sbin/asterisk",
        "usr/share/asterisk/sounds/en_US_someone/beep.wav",
    )
    found = ensure_asterisk()
    assert found.modules == root / LIBRARIES / "asterisk/modules"
    assert found.data == root / "usr/share/asterisk"
    assert found.sounds == root / "usr/share/asterisk/sounds/en_US_someone"


def test_an_asterisk_too_old_is_passed_over(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack(tmp_path, "bin/asterisk")
    old = tmp_path / "bin/asterisk"
    old.write_text("#!/bin/sh\necho Asterisk 18.10.0\n")
    old.chmod(0o700)
    (cache / "asterisk").mkdir(parents=True)
    with pytest.raises(PackageError, match="incomplete"):
        ensure_asterisk()


def test_a_failed_fetch_leaves_nothing_behind_and_removes_what_a_killed_one_left(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise PackageError("no archive")

    monkeypatch.setattr(packages, "find_archive", fail)
    unpack(cache, ".flite-killed-in-the-middle/root/x")
    with pytest.raises(PackageError, match="no archive"):
        ensure_packages(("flite",), suites=(), progress=no_progress)
    assert [path.name for path in cache.iterdir()] == ["flite.lock"]
