"""`requirements/`, which `make lock` writes, holds all that pyproject.toml asks for, in versions that fit."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.pages import ROOT

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PIN: Final = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)
SETS: Final = {"daemon": ["freeswitch", "classic-agi", "postgresql"], "tests": ["test"]}


def wanted(extras: Sequence[str]) -> Iterator[Requirement]:
    """Yield what the project asks for with these extras, and with those that they name."""
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    for line in lines:
        requirement = Requirement(line)
        if requirement.name == PROJECT["name"]:
            yield from wanted(sorted(requirement.extras))
        else:
            yield requirement


@pytest.mark.parametrize("name", SETS)
def test_the_lock_fits_the_project(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    pins = {canonicalize_name(package): version for package, version in PIN.findall(text)}
    wrong = [
        str(requirement)
        for requirement in wanted(SETS[name])
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]
    assert not wrong, "run `make lock`"
    assert len(re.findall(r"\\\n    --hash=sha256:[0-9a-f]{64}", text)) >= len(pins)
    assert "://" not in text, "no index is named"
