"""`voicegate trunks`: the trunks and their states; drained and resumed."""

from collections.abc import Sequence

import rich_click as click

from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import clock, json_option, print_json, print_table
from voicegate.client import Trunk


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
        ("trunk", "state", "set aside until", "drained", "PBX", "endpoint"),
        (
            (
                trunk.name,
                trunk.state,
                clock(trunk.set_aside_until) if trunk.set_aside_until else "",
                _describe_drain(trunk),
                trunk.pbx if trunk.pbx_connected else f"{trunk.pbx} (not connected: see the daemon's log)",
                trunk.endpoint,
            )
            for trunk in found
        ),
    )


def _describe_drain(trunk: Trunk) -> str:
    drain = trunk.drained
    return f"since {clock(drain.at)} by {drain.client}: {drain.reason}" if drain else ""
