"""The list of denied prefixes: the one that came with Voicegate, and an admin's own."""

from pathlib import Path

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from voicegate.bootstrap.policies import prefix_rules
from voicegate.config import parse
from voicegate.config.prefix_list import read_prefixes
from voicegate.domain.errors import ConfigError
from voicegate.domain.policy import PrefixRules


def examples() -> list[str]:
    """A fixed and a mobile line of every country."""
    found = (
        phonenumbers.example_number_for_type(region, kind)
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)
    )
    return [phonenumbers.format_number(number, PhoneNumberFormat.E164) for number in found if number]


def test_the_shipped_list_denies_no_ordinary_line() -> None:
    rules = PrefixRules(read_prefixes(""))
    assert not [number for number in (*examples(), "+441189496012") if rules.find(number)]


@pytest.mark.parametrize("number", ["+88213123456", "+97912345678", "+447012345678", "+15002345678"])
def test_the_shipped_list_denies_what_it_is_for_with_its_source(number: str) -> None:
    denied = PrefixRules(read_prefixes("")).find(number)
    assert denied is not None
    assert "(" in denied.why


def test_an_admin_adds_to_the_list_lifts_from_it_or_has_another(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("# ours\nprefix,why,source\n+37060,dear,our bill\n")
    own = prefix_rules(
        parse(
            {
                "policy": {
                    "denied_prefixes": ["+3706"],
                    "allowed_prefixes": ["+370601"],
                    "denied_prefixes_file": str(file),
                }
            }
        )
    )
    assert [
        bool(own.find(number)) for number in ("+37060023456", "+37060123456", "+37061123456", "+979123")
    ] == [
        True,
        False,
        True,
        False,
    ]


def test_an_admin_may_have_no_list() -> None:
    assert not read_prefixes("none")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("+882,why,who\n", "heading"),
        ("prefix,why,source\n882,why,who\n", "line 2"),
        ("prefix,why,source\n# a comment\n\n+882,why\n", "line 4"),
    ],
)
def test_a_wrong_list_is_refused_by_its_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "own.csv"
    file.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_prefixes(str(file))


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"policy\.denied_prefixes_file"):
        read_prefixes(str(tmp_path / "none.csv"))
