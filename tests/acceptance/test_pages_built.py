"""`make docs`: every page becomes HTML without a warning, and the HTML fetches nothing from other hosts."""

import re
import subprocess
import sys
from pathlib import Path

from tests.pages import PAGES, ROOT
from voicegate.lab.deadlines import at_most


def test_the_pages_are_built_without_a_warning_and_ask_no_other_host(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-b", "html"]
    built = subprocess.run(
        [*command, "-d", str(tmp_path / "trees"), str(ROOT / "docs"), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        check=False,
        timeout=at_most(60),
    )
    assert built.returncode == 0, built.stderr
    pages = list((tmp_path / "html").rglob("*.html"))
    assert {page.relative_to(tmp_path / "html").with_suffix("") for page in pages} >= {
        page.relative_to(ROOT / "docs").with_suffix("")
        for page in PAGES
        if page.is_relative_to(ROOT / "docs")
    }
    for page in pages:
        fetched = re.findall(
            r'<(?:link|script|img|iframe)[^>]+(?:src|href)="([^"]+)"', page.read_text("utf-8")
        )
        assert not [address for address in fetched if re.match(r"(?:[a-z]+:)?//", address)], page
    samples = (tmp_path / "html" / "samples.html").read_text("utf-8")
    played = re.findall(r'<(?:audio|img|a)[^>]+(?:src|href)="([^"]+)"', samples)
    assert [address for address in played if not (tmp_path / "html" / address).is_file()] == []
    sounds = {f"sounds/{sound.parent.name}/{sound.name}" for sound in ROOT.glob("sounds/*/*.wav")}
    assert sounds <= set(played)
    assert 'href="samples.html"' in (tmp_path / "html" / "heard.html").read_text("utf-8")
