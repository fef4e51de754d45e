"""`voicegate policy`: who may be called, by the settings alone: no daemon is asked, and nobody is called."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rich_click as click

from voicegate.cli.exits import Exit
from voicegate.cli.options import Options
from voicegate.cli.place import connect, read_settings
from voicegate.cli.printing import json_option, print_json, print_table
from voicegate.cli.requests_file import read_requests
from voicegate.domain.errors import VoicegateError
from voicegate.domain.explanation import Explanation, explain
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, ListedNumber, NumberList, RuleResult, apply_list_rules
from voicegate.domain.policy.spend import MICROS, Rates
from voicegate.domain.routing import Hop
from voicegate.domain.simulation import Simulated, price_of, simulate


@click.group()
def policy() -> None:
    """Who may be called: why a number is called or refused."""


@policy.command("explain")
@click.argument("number")
@click.option("--client", "owner", default="", help="The client that would ask.")
@json_option
@click.pass_obj
@click.pass_context
def explain_number(ctx: click.Context, options: Options, number: str, *, owner: str, as_json: bool) -> None:
    """Say what would happen to a call to NUMBER (E.164, or an internal extension), rule by rule.

    Nobody is called. Earlier calls, and so the wait between two, are not considered. The lists of numbers are
    asked of the daemon, if it runs; --client names the client that would ask. Exits with 1 if the call would
    be refused.
    """
    settings = read_settings(options)
    # Imported here, for it brings the whole daemon along.
    from voicegate.bootstrap.policies import call_policy  # noqa: PLC0415
    from voicegate.bootstrap.routing import routes  # noqa: PLC0415
    from voicegate.bootstrap.times import longest  # noqa: PLC0415

    called = Destination.parse(number)
    listed = _ask_lists(options, called, owner)
    found = explain(
        called,
        call_policy(settings),
        routes(settings),
        longest=longest(settings, called.extension),
        listed=listed or (),
    )
    if as_json:
        print_json(_as_json(found))
    else:
        _print(found)
        if listed is None:
            click.echo("\nthe lists of numbers were not asked: no daemon answers an admin here", err=True)
    if found.refused is not None:
        ctx.exit(Exit.NO)


@policy.command("simulate")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--call-s", type=click.FloatRange(1, 600), default=30, help="Seconds that a call lasts; 30.")
@click.option(
    "--price",
    type=click.FloatRange(0),
    default=0,
    help="What a minute costs where spend.rates_file has no price.",
)
@json_option
@click.pass_obj
def simulate_requests(options: Options, file: Path, *, call_s: float, price: float, as_json: bool) -> None:
    """Say what the rules would have done to the requests in FILE: how many calls, refused by which rule.

    A CSV file with the columns at_s, client, number, subscriber and end_user_ip; config/attacks has examples.
    Nobody is called. No call proves its code, and the queue and the trunks are left out.
    """
    settings = read_settings(options)
    # Imported here, for it brings the whole daemon along.
    from voicegate.bootstrap.policies import call_policy  # noqa: PLC0415
    from voicegate.bootstrap.routing import routes  # noqa: PLC0415
    from voicegate.bootstrap.times import longest  # noqa: PLC0415

    requests, unreadable = read_requests(file)
    call_time, rules = timedelta(seconds=call_s), call_policy(settings)
    found = list(
        simulate(
            requests,
            rules,
            routes=routes(settings),
            call_time=call_time,
            longest=longest(settings, None),
        )
    )
    bill = _Bill(rules.spend.rates, call_time, price)
    report = _report(found, bill, unreadable=unreadable)
    if as_json:
        print_json(report)
        return
    asked, placed, by_rule = report["asked"], report["placed"], report["refused"]
    click.echo(f"{asked} asked for, {placed} placed, {asked - placed} refused\n")
    print_table(("refused by", "calls"), ((rule, str(count)) for rule, count in by_rule.items()))
    by = "by the rates" if rules.spend.rates.by_prefix else f"at {price:g} a minute"
    click.echo(f"\n{report['minutes_avoided']:g} minutes avoided, {report['bill_avoided']:g} {by}")


@dataclass(frozen=True, slots=True)
class _Bill:
    """What calls cost, or would have cost."""

    rates: Rates
    """What is known of prices."""
    call_time: timedelta
    """How long each call lasts."""
    price: float
    """What a minute costs of a call whose price is not known."""

    def of(self, calls: Iterable[Simulated], unpriced: int = 0) -> float:
        """Return the sum of calls, and of `unpriced` others, rounded to hundredths."""
        prices = [price_of(call, self.rates, self.call_time) for call in calls]
        known = [micros for micros in prices if micros is not None]
        others = len(prices) - len(known) + unpriced
        minutes = others * self.call_time.total_seconds() / 60
        return round(sum(known) / MICROS + minutes * self.price, 2)


def _report(found: Sequence[Simulated], bill: _Bill, *, unreadable: int) -> dict[str, Any]:
    """Return what became of requests; `unreadable`: how many more of them named no number."""
    refused = [one for one in found if isinstance(one.decision, Deny)]
    denials = (one.decision for one in refused if isinstance(one.decision, Deny))
    by_rule = Counter(f"{deny.reason} {deny.rule}".strip() for deny in denials)
    by_rule["invalid_number"] += unreadable
    call_min = bill.call_time.total_seconds() / 60
    placed = len(found) - len(refused)
    return {
        "asked": len(found) + unreadable,
        "placed": placed,
        "refused": {rule: count for rule, count in by_rule.most_common() if count},
        "minutes_placed": round(placed * call_min, 1),
        "minutes_avoided": round((len(refused) + unreadable) * call_min, 1),
        "bill_placed": bill.of(one for one in found if not isinstance(one.decision, Deny)),
        "bill_avoided": bill.of(refused, unpriced=unreadable),
    }


def _ask_lists(options: Options, destination: Destination, owner: str) -> Sequence[RuleResult] | None:
    """Return what the lists of numbers say; None: no daemon answers, or not to this user."""
    try:
        with connect(options) as client:
            found = client.numbers(destination.number)
    except VoicegateError:
        return None
    listed = [
        ListedNumber(
            NumberList(one.list),
            one.number,
            b"",
            one.reason,
            one.listed_by,
            one.listed_at,
            one.expires_at,
            one.client or "",
        )
        for one in found
    ]
    return list(apply_list_rules(listed, owner, datetime.now(UTC)))


def _as_json(found: Explanation) -> dict[str, Any]:
    refused = found.refused
    return {
        "number": found.destination.number,
        "country": found.destination.country,
        "decision": _decision(found),
        "rule": refused.rule if refused else None,
        "rules": [
            {"rule": one.rule, "decision": _said(one.decision), "facts": one.facts}
            for one in found.judgements
        ],
        "trunks": [
            {"trunk": choice.trunk.name, "is_tried": not choice.obstacle, "obstacle": choice.obstacle or None}
            for choice in found.trunks
        ],
        "route": [
            {
                "trunk": hop.trunk.name,
                "pbx": hop.trunk.pbx,
                "dialed": _dialed(hop),
                "caller_id": hop.caller_id.number,
            }
            for hop in found.route
        ],
    }


def _print(found: Explanation) -> None:
    refused = found.refused
    by = f" by {refused.rule}" if refused else ""
    click.echo(f"{found.destination.number}: {_decision(found)}{by}\n")
    print_table(
        ("rule", "decision", "because"),
        ((one.rule, _said(one.decision), one.facts) for one in found.judgements),
    )
    if found.trunks:
        click.echo()
        print_table(
            ("trunk", "is tried", "because"),
            ((one.trunk.name, "no" if one.obstacle else "yes", one.obstacle) for one in found.trunks),
        )
    if found.route:
        click.echo()
        print_table(
            ("", "trunk", "PBX", "dials", "shows"),
            (
                (f"{place}.", hop.trunk.name, hop.trunk.pbx, _dialed(hop), hop.caller_id.number)
                for place, hop in enumerate(found.route, 1)
            ),
        )


def _decision(found: Explanation) -> str:
    return "allowed" if found.refused is None else _said(found.refused.decision)


def _said(decision: object) -> str:
    return str(decision.reason) if isinstance(decision, Deny) else "allowed"


def _dialed(hop: Hop) -> str:
    return hop.endpoint if hop.number is None else f"{hop.number} at {hop.endpoint}"
