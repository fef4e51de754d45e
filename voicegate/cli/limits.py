"""`voicegate limits` and `voicegate spend`: which limits are in force, how much is used, what calls cost."""

import rich_click as click

from voicegate.cli.options import Options, end_user_ip_option
from voicegate.cli.place import connect
from voicegate.cli.printing import clock, json_option, print_json, print_table
from voicegate.client import Limit


@click.command()
@click.option("--number", help="How much is used for this number, written in full, or this extension.")
@click.option("--client", "owner", help="The client that would ask; you, if not given.")
@click.option("--subscriber", help="How much is used for this subscriber.")
@end_user_ip_option
@json_option
@click.pass_obj
def limits(
    options: Options,
    *,
    number: str | None,
    owner: str | None,
    subscriber: str | None,
    end_user_ip: str | None,
    as_json: bool,
) -> None:
    """Every limit in force: its setting, what it allows and counts by, how much is used, when it is free."""
    with connect(options) as client:
        found = client.limits(number=number, client=owner, subscriber=subscriber, end_user_ip=end_user_ip)
    if as_json:
        print_json(found)
        return
    print_table(
        ("limit", "allows", "of", "by", "within", "used", "free again"), (_row(one) for one in found.limits)
    )
    if found.refused is not None:
        when = f", try at {clock(found.refused.retry_at)}" if found.refused.retry_at else ""
        click.echo(f"\na call now: refused, {found.refused.reason} by {found.refused.rule}{when}")
    elif number is not None:
        click.echo("\na call now: allowed")


@click.command()
@json_option
@click.pass_obj
def spend(options: Options, *, as_json: bool) -> None:
    """What today's calls cost, by trunk, country, prefix, client and subscriber; a day is of UTC."""
    with connect(options) as client:
        found = client.spent()
    if as_json:
        print_json(found)
        return
    print_table(
        ("by", "client", "of", "minutes", "of at most", "money", "of at most"),
        (
            (
                one.counted_by,
                one.client or "all",
                one.counter,
                f"{one.minutes:g}",
                "" if one.minutes_cap is None else str(one.minutes_cap),
                f"{one.money:g}",
                "" if one.money_cap is None else f"{one.money_cap:g}",
            )
            for one in found
        ),
    )


def _row(limit: Limit) -> tuple[str, ...]:
    values = limit.value if isinstance(limit.value, list) else [limit.value]
    used = "" if limit.used is None else f"{limit.used:g} for {limit.counter or 'all'}"
    free = "now" if limit.counter is not None else ""
    if limit.is_reached:
        free = clock(limit.free_at) if limit.free_at else "not by waiting"
    return (
        limit.rule,
        ", ".join(f"{value:g}" for value in values),
        limit.unit,
        limit.counted_by,
        "" if limit.window_s is None else f"{limit.window_s:g} s",
        used,
        free,
    )
