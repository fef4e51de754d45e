from pathlib import Path

from tests.browser.bundle import BUNDLE, JSSIP, build_jssip


def test_jssip_is_what_esbuild_makes_of_the_locked_packages(tmp_path: Path) -> None:
    assert build_jssip(tmp_path) == JSSIP.read_bytes(), "run `.venv/bin/python -m tests.browser.bundle`"


def test_the_lock_has_a_hash_for_each_package_and_names_no_registry() -> None:
    lock = (BUNDLE / "package-lock.json").read_text("utf-8")
    assert lock.count('"integrity": "sha512-') == lock.count('"node_modules/') > 5
    assert "resolved" not in lock
