"""The wheel, installed beside what it needs and no more: versions follow one another, extras are named."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from trove_classifiers import classifiers

from tests.pages import ROOT
from voicegate import DISTRIBUTION, __version__
from voicegate.cli.exits import Exit
from voicegate.lab.deadlines import at_most

FREESWITCH: Final = """
[storage]
database = "voicegate.db"
key_file = "key"
state_folder = "."
[socket]
path = "voicegate.sock"
[audio]
folder = "audio"
[pbx.main]
kind = "freeswitch"
esl_password_file = "password"
[trunks.carrier]
pbx = "main"
endpoint = "carrier"
caller_ids = [{ number = "+12025550100" }]
"""


def build(checkout: Path, folder: Path) -> Path:
    """Return the checkout's wheel."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, check=True, cwd=checkout, capture_output=True, timeout=at_most(60))
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(environment: Path, wheel: Path) -> str:
    """Install a wheel as an admin would, but without an index, and return what pip says."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(environment)]
    command = [*pip, "install", "--no-index", "--no-deps", str(wheel)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=at_most(60)).stdout


def requirements(distribution: metadata.Distribution) -> Iterator[metadata.Distribution]:
    """Yield what a distribution needs without extras, from our own environment, and what that needs."""
    for line in distribution.requires or ():
        requirement = Requirement(line)
        extras = requirement.extras or {""}
        if requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras
        ):
            needed = metadata.distribution(requirement.name)
            yield needed
            yield from requirements(needed)


def link(distribution: metadata.Distribution, site: Path) -> None:
    """Have a distribution in another environment too."""
    tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
    for top in tops:
        if not (site / top).exists():
            (site / top).symlink_to(Path(str(distribution.locate_file(top))))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and with what it needs without extras."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    install(folder, wheel)
    (site,) = folder.glob("lib/python*/site-packages")
    (installed,) = metadata.distributions(name=DISTRIBUTION, path=[str(site)])
    for needed in requirements(installed):
        link(needed, site)
    return folder


def run(
    environment: Path, program: str, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(environment / "bin" / program), *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=environment,
        env={"PATH": os.environ["PATH"], "HOME": str(environment), **variables},
        timeout=at_most(30),
    )


def test_a_newer_wheel_replaces_the_older_one(wheel: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(ROOT / "voicegate", older / "voicegate", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, older)
    for name in ("dialplan", "sounds", "config"):
        (older / name).mkdir()
        (older / name / "file").touch()
    version = older / "voicegate/__init__.py"
    version.write_text(version.read_text().replace(f'"{__version__}"', '"0.1.999"'))
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    install(environment, build(older, tmp_path / "dist"))
    said = install(environment, wheel)
    assert f"Successfully installed {DISTRIBUTION}-{__version__}" in said, said


def test_its_metadata_is_what_an_index_takes(environment: Path) -> None:
    (site,) = environment.glob("lib/python*/site-packages")
    (installed,) = metadata.distributions(name=DISTRIBUTION, path=[str(site)])
    told = installed.metadata
    assert set(told.get_all("Classifier", ())) <= set(classifiers)
    assert {"Programming Language :: Python :: 3.11", "Typing :: Typed"} <= set(
        told.get_all("Classifier", ())
    )
    urls = dict(one.split(", ") for one in told.get_all("Project-URL", ()))
    assert {"Homepage", "Documentation", "Changelog"} <= urls.keys()
    assert all(url.startswith("https://") for url in urls.values())
    assert (told["Description-Content-Type"], told["License-Expression"]) == ("text/markdown", "Apache-2.0")
    assert set(told.get_all("License-File", ())) == {"LICENSE", "NOTICE"}
    assert str(told.json["description"]).startswith("# Voicegate")


def test_wheel_and_source_carry_everything(wheel: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)]
    subprocess.run(build, check=True, cwd=ROOT, capture_output=True, timeout=at_most(60))
    (source,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as opened:
        sent = {name.partition("/")[2] for name in opened.getnames()}
    with zipfile.ZipFile(wheel) as opened_wheel:
        installed = set(opened_wheel.namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "voicegate", "config", "dialplan", "sounds"],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=at_most(20),
    ).stdout.split()
    assert len(tracked) > 1500
    data = ("config/", "dialplan/", "sounds/")
    wanted = {f"voicegate/_project/{name}" if name.startswith(data) else name for name in tracked}
    assert wanted - installed == set()
    assert {
        *tracked,
        "pyproject.toml",
        "README.md",
        "docs/install/daemon.md",
        "docker/trial.yaml",
    } - sent == set()
    assert not any(name.startswith((".ci", ".git/", ".venv")) for name in sent)


def test_the_installed_program_knows_its_version_and_folders(environment: Path) -> None:
    assert run(environment, "voicegate", "--version").stdout.split()[-1] == __version__
    folders = run(environment, "voicegate", "config", "folders").stdout
    assert "_project/dialplan" in folders, folders


@pytest.mark.parametrize(
    "arguments", [("lab", "up"), ("lab", "numbers", "--json"), ("lab", "--help"), ("lab",)]
)
def test_without_its_extra_the_lab_says_what_to_install(
    environment: Path, arguments: tuple[str, ...]
) -> None:
    asked = run(environment, "voicegate", *arguments)
    assert asked.returncode == Exit.FAILED
    (line,) = asked.stderr.splitlines()
    assert re.fullmatch(r"voicegate: \w+ is not installed: pip install 'voicegate-pbx\[lab\]'", line)


def test_without_its_extra_the_lab_is_listed_and_completed(environment: Path) -> None:
    assert " lab " in run(environment, "voicegate", "--help").stdout
    words = {"_VOICEGATE_COMPLETE": "bash_complete", "COMP_WORDS": "voicegate lab ", "COMP_CWORD": "2"}
    completed = run(environment, "voicegate", **words)
    assert (completed.returncode, completed.stderr) == (0, "")


def test_without_its_extra_the_relay_says_what_to_install(environment: Path) -> None:
    asked = run(environment, "voicegate-agi", "/run/voicegate/agi.sock")
    assert asked.returncode == 1
    assert (
        asked.stderr == "voicegate-agi: asterisk is not installed: pip install 'voicegate-pbx[classic-agi]'\n"
    )


def test_without_its_extra_a_freeswitch_says_what_to_install(environment: Path) -> None:
    (environment / "freeswitch.toml").write_text(FREESWITCH)
    (environment / "password").touch(mode=0o600)
    (environment / "password").write_text("mumble")
    asked = run(environment, "voicegate", "--config", "freeswitch.toml", "serve")
    assert asked.returncode == Exit.CONFIG, asked.stderr
    assert "pip install 'voicegate-pbx[freeswitch]'" in asked.stderr
