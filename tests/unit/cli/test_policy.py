"""`voicegate policy`, by a configuration file alone."""

import json
import shlex
from pathlib import Path

import pytest

from tests.unit.cli.conftest import run
from voicegate.cli.exits import Exit
from voicegate.config import project_folder

CONFIGURATION = """
pbx.main.kind = "simulator"
[policy]
allowed_countries = ["US"]
[trunks.carrier]
pbx = "main"
endpoint = "out"
caller_ids = [{ number = "+12025550100" }]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "voicegate.toml"
    path.write_text(CONFIGURATION)
    return str(path)


def test_a_number_that_would_be_called_is_told_with_its_route(file: str) -> None:
    result = run("--config", file, "policy", "explain", "+1 202 555 0143", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["decision"], told["rule"]) == (Exit.OK, "allowed", None)
    assert told["route"] == [
        {"trunk": "carrier", "pbx": "main", "dialed": "+12025550143 at out", "caller_id": "+12025550100"}
    ]


def test_a_number_that_would_be_refused_is_told_with_the_rule(file: str) -> None:
    result = run("--config", file, "policy", "explain", "+44 20 7946 0101")
    assert result.exit_code == Exit.NO
    assert result.stdout.startswith("+442079460101: country_not_allowed by policy.allowed_countries\n")


def test_what_is_no_number_is_told_in_one_line(file: str) -> None:
    result = run("--config", file, "policy", "explain", "+1 call me")
    assert (result.exit_code, result.stderr.count("\n")) == (Exit.FAILED, 1)


def test_the_page_about_toll_fraud_shows_what_is_printed(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/operate/toll-fraud.md").read_text("utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    shown = page.rpartition("```console\n")[2].partition("```")[0]
    file = tmp_path / "voicegate.toml"
    file.write_text(CONFIGURATION.replace('[policy]\nallowed_countries = ["US"]\n', example))
    command, line = shown.splitlines()
    result = run("--config", str(file), *shlex.split(command)[2:])
    assert result.stdout.splitlines()[0] == line
    assert run("--config", str(file), "policy", "explain", "+37281234567").exit_code == Exit.OK


ATTACKS = {
    "one-number-every-30-s": 10,
    "sequential-numbers": 50,
    "one-range-many-people": 300,
    "one-person-many-numbers": 60,
    "special-numbers": 0,
    "spellings-of-one-number": 1,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_but_for_so_many_calls(tmp_path: Path, name: str) -> None:
    file = tmp_path / "voicegate.toml"
    wide = CONFIGURATION.replace('["US"]', '["US", "GB", "FR", "DE"]')
    file.write_text(wide)
    attack = project_folder("config") / "attacks" / f"{name}.csv"
    result = run("--config", str(file), "policy", "simulate", str(attack), "--price", "0.06", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == Exit.OK
    assert told["placed"] <= ATTACKS[name]
    assert told["asked"] == told["placed"] + sum(told["refused"].values())
    assert told["bill_avoided"] > 0


RATES = project_folder("config") / "rates-example.csv"


def test_the_bill_avoided_is_by_the_rates_where_they_are_given(tmp_path: Path) -> None:
    file = tmp_path / "voicegate.toml"
    file.write_text(f'{CONFIGURATION}[spend]\nrates_file = "{RATES}"\nmoney_per_client = 0.5\n')
    attack = project_folder("config") / "attacks" / "one-range-many-people.csv"
    result = run("--config", str(file), "policy", "simulate", str(attack), "--json")
    told = json.loads(result.stdout)
    rule = "spend_limited spend.money_per_client"
    assert told["refused"].get(rule) == told["asked"] - told["placed"]
    assert told["bill_placed"] <= 0.5
    assert told["bill_avoided"] == round((600 - told["placed"]) * 0.006, 2)


TWO_TRUNKS = """
pbx.main.kind = "simulator"
[policy]
allowed_countries = ["US"]
[spend]
rates_file = "{rates}"
{caps}
[trunks.dear]
pbx = "main"
endpoint = "out"
priority = 1
caller_ids = [{{ number = "+12025550100" }}]
[trunks.cheap]
pbx = "main"
endpoint = "other"
priority = {priority}
caller_ids = [{{ number = "+12025550100" }}]
"""
DEAR, CHEAP = 0.60, 0.06


@pytest.mark.parametrize(
    ("priority", "caps", "placed", "bill_placed", "bill_avoided"),
    [
        # Among equals the cheaper one has every call; nothing is refused.
        (1, "", 6, 6 * CHEAP, 0),
        # One that comes first by its priority has them, whatever it costs.
        (2, "", 6, 6 * DEAR, 0),
        # The cheaper one until its cap is reached, then the other; what is left would have gone by the first.
        (1, "minutes_per_trunk = 3", 4, 2 * CHEAP + 2 * DEAR, 2 * CHEAP),
        (2, "minutes_per_trunk = 3", 4, 2 * CHEAP + 2 * DEAR, 2 * DEAR),
    ],
)
def test_the_bill_of_several_trunks_is_by_the_one_that_each_call_takes(
    tmp_path: Path, priority: int, caps: str, placed: int, bill_placed: float, bill_avoided: float
) -> None:
    rates, file, asked = tmp_path / "rates.csv", tmp_path / "voicegate.toml", tmp_path / "asked.csv"
    rates.write_text(
        f"trunk,prefix,price_per_minute,minimum_s,increment_s\ndear,+1,{DEAR},60,60\ncheap,+1,{CHEAP},60,60\n"
    )
    file.write_text(TWO_TRUNKS.format(rates=rates, caps=caps, priority=priority))
    # Further apart than a call lasts, to numbers far from each other.
    rows = (f"{40 * n},web,+1202{500 + 7 * n}0143,," for n in range(6))
    asked.write_text("\n".join(("at_s,client,number,subscriber,end_user_ip", *rows)))
    told = json.loads(run("--config", str(file), "policy", "simulate", str(asked), "--json").stdout)
    assert (told["asked"], told["placed"]) == (6, placed)
    assert told["refused"] == ({"spend_limited spend.minutes_per_trunk": 6 - placed} if placed < 6 else {})
    assert (told["bill_placed"], told["bill_avoided"]) == (round(bill_placed, 2), round(bill_avoided, 2))


def test_explain_says_what_a_call_may_cost_and_which_cap_has_no_room_for_it(tmp_path: Path) -> None:
    file = tmp_path / "voicegate.toml"
    file.write_text(f'{CONFIGURATION}[spend]\nrates_file = "{RATES}"\nmoney_per_client = 0.5\n')
    result = run("--config", str(file), "policy", "explain", "+12025550143", "--json")
    told = json.loads(result.stdout)["rules"][-1]
    assert (told["rule"], told["decision"]) == ("spend", "allowed")
    assert told["facts"].startswith("at most: carrier 0.02")
    file.write_text(f'{CONFIGURATION}[spend]\nrates_file = "{RATES}"\nmoney_per_client = 0.01\n')
    result = run("--config", str(file), "policy", "explain", "+12025550143")
    assert result.exit_code == Exit.NO
    assert result.stdout.startswith("+12025550143: spend_limited by spend.money_per_client\n")


def test_a_file_without_its_columns_is_wrong_usage(file: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("number\n+12025550143\n")
    result = run("--config", file, "policy", "simulate", str(wrong))
    assert (result.exit_code, "at_s" in result.stderr) == (Exit.USAGE, True)
