"""`voicegate clients`: programs that ask by API key. A new key is printed once, alone on standard output."""

import rich_click as click

from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import clock, json_option, print_json, print_table
from voicegate.client import ApiClient, GivenKey


@click.group()
def clients() -> None:
    """Clients that ask by API key."""


@clients.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["verifications", "factors", "hooks", "admin"]),
    help="What it may do; may be given more than once.",
)
@json_option
@click.pass_obj
def add(options: Options, name: str, *, scopes: tuple[str, ...], as_json: bool) -> None:
    """Add the client NAME and print its API key, once: only a digest of it is kept."""
    with connect(options) as client:
        _print_key(client.add_client(name, scopes), as_json=as_json)


@clients.command("list")
@json_option
@click.pass_obj
def list_clients(options: Options, *, as_json: bool) -> None:
    """List the clients, also revoked ones."""
    with connect(options) as client:
        found = client.clients()
    if as_json:
        print_json(found)
        return
    print_table(
        ("client", "scopes", "since", "keys"),
        ((one.name, ", ".join(one.scopes), clock(one.created_at), _keys(one)) for one in found),
    )


@clients.command()
@click.argument("name")
@click.option(
    "--grace",
    type=click.IntRange(0, 30 * 86400),
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="How long its present keys stay valid.",
)
@json_option
@click.pass_obj
def rotate(options: Options, name: str, *, grace: int, as_json: bool) -> None:
    """Give the client NAME a new API key and print it, once: only a digest of it is kept."""
    with connect(options) as client:
        _print_key(client.rotate_key(name, grace), as_json=as_json)


@clients.command()
@click.argument("name")
@json_option
@click.pass_obj
def revoke(options: Options, name: str, *, as_json: bool) -> None:
    """Revoke the client NAME: its API keys stop working; its challenges, factors and calls stay."""
    with connect(options) as client:
        revoked = client.revoke_client(name)
    if as_json:
        print_json(revoked)
    else:
        click.echo(f"{revoked.name}: revoked")


def _print_key(given: GivenKey, *, as_json: bool) -> None:
    if as_json:
        print_json(given)
    else:
        click.echo(given.key)


def _keys(client: ApiClient) -> str:
    if client.revoked_at is not None:
        return f"revoked {clock(client.revoked_at)}"
    return ", ".join(
        key.id if key.expires_at is None else f"{key.id} until {clock(key.expires_at)}" for key in client.keys
    )
