"""`voicegate numbers`: which numbers are trusted, blocked, or not to be called, and why."""

from datetime import UTC, datetime, timedelta

import rich_click as click

from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import clock, hint_at_plus, json_option, print_json, print_table
from voicegate.client import ListedNumber

_number = click.argument("number")
_reason = click.option("--reason", required=True, help="Why; the audit keeps it.")
_LISTS = ("trusted", "blocked", "do_not_call", "reported")


@click.group()
def numbers() -> None:
    """Numbers that are trusted, blocked, or not to be called."""


@numbers.command()
@_number
@_reason
@click.option("--days", type=click.IntRange(1, 3650), required=True, help="How long it counts.")
@json_option
@click.pass_obj
def trust(options: Options, number: str, *, reason: str, days: int, as_json: bool) -> None:
    """Trust NUMBER, which people share: raise the limits on calls and guesses to it, and no other rule."""
    _add(options, ("trusted", number, reason), days, as_json=as_json)


@numbers.command()
@_number
@_reason
@click.option("--days", type=click.IntRange(1, 3650), help="How long it counts; until removed if not given.")
@json_option
@click.pass_obj
def block(options: Options, number: str, *, reason: str, days: int | None, as_json: bool) -> None:
    """Block NUMBER: it is never called."""
    _add(options, ("blocked", number, reason), days, as_json=as_json)


@numbers.command("do-not-call")
@_number
@_reason
@json_option
@click.pass_obj
def do_not_call(options: Options, number: str, *, reason: str, as_json: bool) -> None:
    """Never call NUMBER again: its person wants no calls."""
    _add(options, ("do_not_call", number, reason), None, as_json=as_json)


@numbers.command("list")
@click.option("--number", help="Only this number, written in full, or this extension.")
@click.option("--list", "listed", type=click.Choice(_LISTS), help="Only this list.")
@json_option
@click.pass_obj
def list_numbers(options: Options, *, number: str | None, listed: str | None, as_json: bool) -> None:
    """List the numbers on lists, the newest first; they are shown masked, and found in full."""
    with connect(options) as client:
        found = client.numbers(number, listed)
    if as_json:
        print_json(found)
        return
    hint_at_plus(number, is_found=bool(found))
    print_table(
        ("list", "number", "since", "until", "client", "by", "reason"),
        (
            (
                one.list,
                one.number,
                clock(one.listed_at),
                clock(one.expires_at) if one.expires_at else "",
                one.client or "",
                one.listed_by,
                one.reason,
            )
            for one in found
        ),
    )


@numbers.command()
@_number
@click.argument("listed", metavar="LIST", type=click.Choice(_LISTS))
@_reason
@click.option("--client", "owner", default="", help="The client whose call was reported.")
@json_option
@click.pass_obj
def remove(options: Options, number: str, listed: str, *, reason: str, owner: str, as_json: bool) -> None:
    """Take NUMBER off LIST."""
    with connect(options) as client:
        removed = client.remove_number(listed, number, reason, client=owner)
    if as_json:
        print_json(removed)
    else:
        click.echo(f"{removed.number}: no longer {removed.list}")


def _add(options: Options, entry: tuple[str, str, str], days: int | None, *, as_json: bool) -> None:
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with connect(options) as client:
        listed = client.add_number(*entry, expires_at=expires_at)
    if as_json:
        print_json(listed)
    else:
        click.echo(_describe(listed))


def _describe(listed: ListedNumber) -> str:
    until = f" until {clock(listed.expires_at)}" if listed.expires_at else ""
    return f"{listed.number}: {listed.list}{until}"
