"""Examples are filled in where they say a setting is, and nowhere else."""

import pytest

from voicegate.lab.errors import LabError
from voicegate.lab.filling import fill_in

EXAMPLE = """\
# a = "prose, before any section"
[one]
# a = 1     # a default, commented out
b = 2
[two]
b = 2
# [three]
# a = 3
"""


def test_a_commented_default_is_set() -> None:
    assert '[one]\na = "x"\nb = 2\n' in fill_in(EXAMPLE, {("one", "a"): '"x"'})


def test_only_the_named_section_changes() -> None:
    filled = fill_in(EXAMPLE, {("two", "b"): "9"})
    assert "[one]\n# a = 1     # a default, commented out\nb = 2\n[two]\nb = 9\n" in filled


def test_a_commented_section_comes_to_life_with_its_first_setting() -> None:
    assert fill_in(EXAMPLE, {("three", "a"): "7"}).endswith("[three]\na = 7\n")


def test_nothing_to_fill_in_changes_nothing() -> None:
    assert fill_in(EXAMPLE, {}) == EXAMPLE


@pytest.mark.parametrize("place", [("one", "c"), ("four", "a")])
def test_a_setting_the_example_lacks_is_refused(place: tuple[str, str]) -> None:
    with pytest.raises(LabError, match=r"no setting"):
        fill_in(EXAMPLE, {place: "1"})
