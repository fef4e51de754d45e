"""The benchmark's own arithmetic, and the rules by which it calls a run invalid."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from click.testing import CliRunner

from tests.bench import quick, report, scale
from tests.bench.__main__ import find, main
from tests.bench.backend import Schedule
from tests.bench.drive import Plan, Round
from tests.bench.far_end import read_notes
from tests.bench.figures import Spread, bootstrap, fit, paired_ratio, percentile
from tests.bench.machine import Moment, Speed, processor_s
from tests.bench.numbers import all_numbers
from tests.bench.parts.capacity import Overload, broken
from tests.bench.parts.floor import compare
from tests.bench.parts.privacyidea import hotp
from tests.bench.report import PARTS, Figure, Result, load, page, save, table
from tests.bench.validity import Count, Load, judge_count, judge_load, judge_schedule
from tests.bench.watch import Watch
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Allow, CallPolicy
from voicegate.domain.policy.destinations import may_reach

QUIET = [Speed(100, 100), Speed(101, 102)]


def load_of(**differing: float) -> Load:
    return Load(
        **{"others": 0.01, "steal": 0.0, "generators": 0.1, "wall_s": 60, **differing}, speeds=[*QUIET]
    )


def round_of(side: str, pbx: float, controller: float = 0) -> Round:
    costs = {"pbx": pbx, **({"controller": controller} if controller else {})}
    count = Count(10, 10, 10, 10)
    return Round(side, count, costs, sum(costs.values()), load_of(), [0.0], 41.0, 41.0, [0.01])


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1) == 100
    assert percentile([7.0], 0.01) == 7
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_a_ratio_is_of_rounds_side_by_side_so_that_what_slows_both_drops_out() -> None:
    theirs = [100.0, 200.0, 100.0, 300.0]
    same = paired_ratio([110.0, 220.0, 110.0, 330.0], theirs)
    assert same.value == pytest.approx(1.1)
    assert same.low == pytest.approx(1.1)
    assert same.high == pytest.approx(1.1)
    with pytest.raises(ValueError, match="zip"):
        paired_ratio([1.0], theirs)


def test_the_spread_holds_the_figure_and_widens_with_noise() -> None:
    calm = bootstrap([1.0, 1.01, 0.99, 1.0, 1.02, 0.98], median)
    wild = bootstrap([1.0, 1.5, 0.5, 1.2, 0.8, 1.0], median)
    for spread in (calm, wild):
        assert spread.low <= spread.value <= spread.high
        assert spread.holds_one
    assert wild.high - wild.low > calm.high - calm.low
    assert not Spread(1.2, 1.1, 1.3).holds_one


def test_a_line_is_fitted_with_the_error_of_its_slope() -> None:
    exact = fit([(0, 5), (10, 25), (20, 45)])
    assert exact.slope == pytest.approx(2)
    assert exact.intercept == pytest.approx(5)
    assert exact.slope_error == pytest.approx(0)
    assert fit([(0, 0), (1, 2), (2, 1), (3, 4)]).slope_error > 0
    with pytest.raises(ValueError, match="above each other"):
        fit([(1, 1), (1, 2)])


def test_a_quiet_run_on_an_even_machine_is_valid() -> None:
    assert judge_load(load_of()) == []
    assert judge_schedule([0.001] * 100) == []
    assert judge_count("floor", Count(10, 10, 10, 10, None)) == []
    assert judge_count("ours", Count(10, 10, 10, 10, 10)) == []


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (load_of(others=0.06), "other programs"),
        (load_of(steal=0.02), "hypervisor"),
        (Load(0, 0, 0, 60, [Speed(100, 100), Speed(115, 115)]), "speed changed"),
        (Load(0, 0, 0, 60, [Speed(100, 100), Speed(100, 130)]), "waited for a processor"),
        (Load(0, 0, 0, 60, [Speed(100, 100)]), "not looked at"),
    ],
)
def test_a_noisy_run_is_invalid(load: Load, reason: str) -> None:
    (fault,) = judge_load(load)
    assert reason in fault


def test_a_program_of_ours_is_not_taken_for_another_once_it_has_ended() -> None:
    watch = Watch()
    watch.spent_s -= 60
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    load = watch.load()
    assert load.others == 0
    assert len(load.speeds) == 2


def test_a_generator_that_falls_behind_makes_the_run_invalid() -> None:
    assert "behind" in judge_schedule([0.0] * 90 + [0.2] * 10)[0]
    # One that is very late counts even where 99 of 100 are not.
    assert "once" in judge_schedule([0.0] * 999 + [0.7])[0]
    assert judge_schedule([])


@pytest.mark.parametrize(
    ("count", "step"),
    [
        (Count(10, 9, 9, 9), "accepted"),
        (Count(10, 10, 9, 9), "arrived"),
        (Count(10, 10, 11, 10), "arrived"),
        (Count(10, 10, 10, 9), "played to the end"),
        (Count(10, 10, 10, 10, 9), "proven"),
    ],
)
def test_calls_that_do_not_add_up_make_the_run_invalid(count: Count, step: str) -> None:
    assert any(step in fault for fault in judge_count("ours", count))


def test_the_far_ends_notes_are_read_call_by_call_also_when_a_number_is_called_again() -> None:
    notes = "\n".join(
        f"{event} {number} 2026-12-01\t05:16:49.126138\t{at:.6f}"
        for event, number, at in (
            ("invited", "2025550143", 10),
            ("invited", "2125550143", 11),
            ("answered", "2025550143", 12),
            ("ended", "2025550143", 53),
            ("invited", "2025550143", 60),
            ("answered", "2025550143", 61),
        )
    )
    first, other, again = read_notes(notes + "\ninvit")
    assert (first.length_s, first.invited_at) == (41, 10)
    assert (other.answered_at, other.length_s) == (None, 0)
    assert (again.answered_at, again.ended_at) == (61, None)


async def test_a_schedule_goes_on_and_says_how_late_it_was() -> None:
    schedule = Schedule(rate=1000, count=20)
    assert [number async for number in schedule] == list(range(20))
    assert len(schedule.lateness_s) == 20
    assert min(schedule.lateness_s) >= 0


def test_processor_time_is_counted_with_that_of_programs_that_were_waited_for() -> None:
    before, machine = processor_s(os.getpid()), Moment.now()
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    assert processor_s(os.getpid()) > before
    assert Moment.now().busy_s > machine.busy_s


def test_the_numbers_are_different_and_kept_for_fiction() -> None:
    numbers = all_numbers()
    assert len(numbers) == len(set(numbers)) > 20000
    assert all(number[5:10] == "55501" for number in numbers)


def test_voicegate_may_call_every_one_of_them() -> None:
    policy = CallPolicy(allowed_countries=frozenset({"US"}))
    areas = {number[:5]: number for number in all_numbers()}
    assert not [number for number in areas.values() if may_reach(Destination(number), policy) != Allow()]


def test_voicegate_is_compared_with_the_floor_of_the_same_turn() -> None:
    rounds = [
        round_of("floor", 100),
        round_of("ours", 110, 5),
        round_of("ours", 220, 10),
        round_of("floor", 200),
    ]
    figures = {figure.name: figure for figure in compare(rounds, "ours", "floor")}
    ratio = figures["ours over the floor, PBX and controller"]
    assert ratio.value == pytest.approx(1.15)
    assert ratio.is_met
    assert figures["controller"].value == pytest.approx(7.5)
    assert figures["controller"].is_met is False


def test_an_overload_is_told_lost_and_wrong_calls() -> None:
    good = Overload(Counter({202: 10, 503: 5}), Counter({"delivered": 8, "queue_timeout": 2}), 8, 8)
    assert (good.lost, good.wrong) == (0, 0)
    bad = Overload(Counter({202: 10, 500: 1}), Counter({"delivered": 8, "hung_up": 1}), 8, 7)
    assert (bad.lost, bad.wrong) == (2, 2)


def test_a_rate_was_not_kept_up_where_calls_fail_or_are_played_too_slowly() -> None:
    one = round_of("floor", 100)
    assert not broken(one)
    one.faults.append("other programs took 20% of the processors")
    assert not broken(one)
    one.length_s = 43
    assert "instead of 41.0" in broken(one)[0]
    assert Plan(1, 1).length_s == 0


def test_figures_are_shown_ratios_first_with_their_aims() -> None:
    text = table([Figure("cost", 12.345, "ms", aim=10), Figure("ratio", 1.1, "", 1.05, 1.15, 1.2)])
    rows = text.splitlines()[2:]
    assert rows[0] == "| ratio | 1.1  | 1.05 to 1.15 | at most 1.2 | met |"
    assert rows[1] == "| cost | 12.3 ms |  | at most 10 | **not met** |"
    assert Figure("rate", 5, aim=4, is_least=True).is_met
    assert Figure("rate", 5).is_met is None


def test_parts_are_kept_apart_and_merged_into_one_page(tmp_path: Path) -> None:
    save(Result("start", "Starts", [Figure("first", 1, "s")]), tmp_path)
    save(Result("floor", "Floor", faults=["other programs took 20%"]), tmp_path)
    assert [result.part for result in load(tmp_path)] == ["floor", "start"]
    text = (tmp_path / "README.md").read_text()
    assert text == page(load(tmp_path))
    assert (
        text.index("## Floor (invalid)") < text.index("**Invalid**: other programs") < text.index("## Starts")
    )


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_found(part: str) -> None:
    assert callable(find(part))


def test_another_part_is_refused() -> None:
    assert CliRunner().invoke(main, ["nothing"]).exit_code == 2


def test_only_a_change_that_certainly_costs_more_fails_the_quick_bench() -> None:
    assert quick.is_worse(Spread(1.2, 1.1, 1.3))
    assert not quick.is_worse(Spread(1.2, 0.9, 1.5))
    assert not quick.is_worse(Spread(1.015, 1.01, 1.019))
    assert not quick.is_worse(Spread(0.8, 0.7, 0.9))


def test_the_plan_for_many_calls_is_held_by_the_simulation_and_half_of_it_is_not() -> None:
    costs = scale.Costs()
    fleet = scale.plan(costs, rate=300)
    assert scale.simulate(fleet, costs, rate=300, seconds=90).is_good
    fewer = replace(fleet, controllers=fleet.controllers // 2)
    assert not scale.simulate(fewer, costs, rate=300, seconds=90).is_good
    slower = replace(costs, pbx_ms=costs.pbx_ms * 2)
    assert not scale.simulate(fleet, slower, rate=300, seconds=90).is_good


def test_the_page_about_scale_tells_what_follows_from_the_results_that_are_kept() -> None:
    costs = scale.measured(load())
    assert scale.tables(costs) in scale.PAGE.read_text("utf-8"), "run `python -m tests.bench.scale`"
    assert scale.simulate(scale.plan(costs), costs).is_good


def test_only_valid_results_are_planned_with() -> None:
    figures = [Figure("controller", 5, "ms"), Figure("Voicegate: PBX", 100, "ms")]
    assert scale.measured([Result("floor", "", figures)]).pbx_ms == 100
    assert scale.measured([Result("floor", "", figures, faults=["noise"])]) == scale.Costs()


def test_channels_are_counted_by_erlangs_formula() -> None:
    # From his table: 100 erlang, one in a thousand blocked.
    assert scale.channels(100) == 128


def test_a_peers_codes_are_those_of_rfc_4226() -> None:
    # Its appendix D.
    assert [hotp(b"12345678901234567890", counter) for counter in range(3)] == ["755224", "287082", "359152"]


def test_the_revision_is_the_checkouts(tmp_path: Path) -> None:
    assert report.revision() != "unknown"
    assert report.revision(tmp_path) == "unknown"
