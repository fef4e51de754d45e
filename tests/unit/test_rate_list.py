"""The list of rates: read with the config, and refused by its line."""

from pathlib import Path

import pytest

from voicegate.bootstrap.policies import spend_policy
from voicegate.config import parse, project_folder
from voicegate.config.rate_list import read_rates
from voicegate.domain.errors import ConfigError
from voicegate.domain.policy.spend import Cap, Rate, SpendKind, to_micros

HEADING = "trunk,prefix,price_per_minute,minimum_s,increment_s\n"
TRUNK = {"pbx": "main", "endpoint": "e", "caller_ids": [{"number": "10"}]}
BASE = {"pbx": {"main": {"kind": "simulator"}}, "trunks": {"carrier": TRUNK}}


def test_the_example_that_ships_can_be_read() -> None:
    rates = read_rates(str(project_folder("config") / "rates-example.csv"), ())
    assert rates.find("any", "+447700900123") == Rate(35_000, 60, 1)


def test_rates_and_caps_come_from_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(f"# ours\n{HEADING}carrier,+1,0.0125,30,6\n")
    spend = {"rates_file": str(file), "money_per_client": 2.5, "minutes_per_trunk": 7}
    policy = spend_policy(parse({**BASE, "spend": spend}))
    assert policy.rates.find("carrier", "+12025550143") == Rate(12_500, 30, 6)
    assert policy.caps[SpendKind.CLIENT] == Cap(0, 2_500_000)
    assert policy.caps[SpendKind.TRUNK] == Cap(7, 0)
    assert policy.is_counted


def test_without_rates_and_caps_nothing_is_counted() -> None:
    assert not spend_policy(parse(BASE)).is_counted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("carrier,+1,1,60,60\n", "heading"),
        (f"{HEADING}\n# a comment\ncarrier,+1,1,60\n", "line 4: must have 5 columns"),
        (f"{HEADING}carier,+1,1,60,60\n", r"line 2: there is no \[trunks.carier\]"),
        (f"{HEADING}*,1,1,60,60\n", "line 2: prefix"),
        (f"{HEADING}*,+1,-1,60,60\n", "line 2: price_per_minute"),
        (f"{HEADING}*,+1,0.0000001,60,60\n", "line 2: price_per_minute"),
        (f"{HEADING}*,+1,1,0,60\n", "line 2: minimum_s"),
        (f"{HEADING}*,+1,1,60,60\n*,+1,2,60,60\n", "line 3: is there twice"),
    ],
)
def test_a_wrong_list_is_refused_by_its_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_rates(str(file), {"carrier"})


def test_money_cannot_be_capped_without_prices(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"spend\.rates_file"):
        spend_policy(parse({**BASE, "spend": {"money_per_client": 1}}))
    with pytest.raises(ConfigError, match=r"spend\.rates_file"):
        read_rates(str(tmp_path / "none.csv"), ())


def test_a_price_is_never_rounded_down() -> None:
    assert (to_micros("0.0125"), to_micros(0.1), to_micros(0.0000001)) == (12_500, 100_000, 1)
