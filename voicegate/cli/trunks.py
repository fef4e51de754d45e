"""`voicegate trunks`: the trunks and their states; drained and resumed."""

from collections.abc import Sequence

import rich_click as click

from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import clock, json_option, print_json, print_table
from voicegate.client import Figures, Trunk


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def trunks(ctx: click.Context, *, as_json: bool) -> None:
    """The trunks, as their PBXs see them; drain one before work on it."""
    if ctx.invoked_subcommand is None:
        with connect(ctx.obj) as client:
            _print(client.trunks(), as_json=as_json)


@trunks.command("list")
@json_option
@click.pass_obj
def list_trunks(options: Options, *, as_json: bool) -> None:
    """List the trunks, in the order they are tried."""
    with connect(options) as client:
        _print(client.trunks(), as_json=as_json)


@trunks.command()
@click.argument("name")
@click.option(
    "--window",
    type=click.IntRange(60, 86400),
    default=3600,
    show_default=True,
    help="Of the calls made in so many seconds up to now.",
)
@json_option
@click.pass_obj
def show(options: Options, name: str, *, window: int, as_json: bool) -> None:
    """Show how the calls by the trunk NAME went lately: all, by country, and by SIP status."""
    with connect(options) as client:
        found = client.trunk_figures(name, window)
    if as_json:
        print_json(found)
        return
    print_table(
        ("to", "calls", "answered", "first sign", "duration", "verified", "trunk failed", "keys pressed"),
        (_figures("all", found.total), *(_figures(one.country or "?", one) for one in found.countries)),
    )
    if found.sip_failures:
        failures = ", ".join(f"SIP {status}: {count}" for status, count in found.sip_failures.items())
        click.echo(f"ended before the answer: {failures}")


@trunks.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why, in 200 characters at most; kept in the audit.")
@json_option
@click.pass_obj
def drain(options: Options, name: str, *, reason: str, as_json: bool) -> None:
    """Let the trunk NAME get no new calls, also after a restart; those that have begun go on to their end."""
    with connect(options) as client:
        _print(client.drain_trunk(name, reason), as_json=as_json)


@trunks.command()
@click.argument("name")
@click.option("--reason", help="Why, in 200 characters at most; kept in the audit.")
@json_option
@click.pass_obj
def resume(options: Options, name: str, *, reason: str | None, as_json: bool) -> None:
    """Let the drained trunk NAME get calls again."""
    with connect(options) as client:
        _print(client.resume_trunk(name, reason), as_json=as_json)


def _print(found: Sequence[Trunk], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_table(
        ("trunk", "state", "set aside until", "drained", "last hour", "PBX", "endpoint"),
        (
            (
                trunk.name,
                trunk.state,
                clock(trunk.set_aside_until) if trunk.set_aside_until else "",
                _describe_drain(trunk),
                _describe_hour(trunk),
                trunk.pbx if trunk.pbx_connected else f"{trunk.pbx} (not connected: see the daemon's log)",
                trunk.endpoint,
            )
            for trunk in found
        ),
    )


def _figures(to: str, figures: Figures) -> tuple[str, ...]:
    return (
        to,
        str(figures.calls),
        _percent(figures.answer_seizure_ratio),
        _seconds(figures.post_dial_delay_s),
        _seconds(figures.call_duration_s),
        _percent(figures.verified_ratio),
        str(figures.failures),
        _percent(figures.key_press_share),
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _seconds(length: float | None) -> str:
    return "-" if length is None else f"{length:.1f} s"


def _describe_hour(trunk: Trunk) -> str:
    if trunk.figures is None or not trunk.figures.calls:
        return "no calls" if trunk.figures is not None else ""
    return f"{trunk.figures.calls} calls, {_percent(trunk.figures.answer_seizure_ratio)} answered"


def _describe_drain(trunk: Trunk) -> str:
    drain = trunk.drained
    return f"since {clock(drain.at)} by {drain.client}: {drain.reason}" if drain else ""
