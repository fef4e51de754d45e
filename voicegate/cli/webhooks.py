"""`voicegate webhooks`: who is told what, messages sent again, and one tried."""

import rich_click as click

from voicegate.cli.exits import Exit
from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import clock, json_option, print_json, print_table


@click.group()
def webhooks() -> None:
    """Programs that are told of calls and verifications."""


@webhooks.command("list")
@json_option
@click.pass_obj
def list_webhooks(options: Options, *, as_json: bool) -> None:
    """List the webhooks of the settings, with how many messages are in which state."""
    with connect(options) as client:
        found = client.webhooks.list()
    if as_json:
        print_json(found)
        return
    print_table(
        ("webhook", "client", "pending", "delivered", "given up", "events"),
        (
            (
                one.name,
                one.client or "all",
                str(one.pending),
                str(one.delivered),
                str(one.given_up),
                ", ".join(one.events),
            )
            for one in found
        ),
    )


@webhooks.command()
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Messages to show.")
@click.option("--webhook", help="Only those to this webhook.")
@click.option(
    "--state", type=click.Choice(["pending", "delivered", "given_up"]), help="Only those in this state."
)
@json_option
@click.pass_obj
def messages(options: Options, *, limit: int, webhook: str | None, state: str | None, as_json: bool) -> None:
    """List the newest messages, and what became of them."""
    with connect(options) as client:
        found = client.webhooks.messages(limit, webhook=webhook, state=state)
    if as_json:
        print_json(found)
        return
    print_table(
        ("when", "message", "webhook", "type", "state", "tries", "next try", "error"),
        (
            (
                clock(one.at),
                one.id,
                one.webhook,
                one.type,
                one.state,
                str(one.tries),
                clock(one.next_at) if one.next_at else "",
                one.error or "",
            )
            for one in found
        ),
    )


@webhooks.command()
@click.argument("name")
@click.option("--message", "message_id", metavar="ID", help="Only this message, whatever became of it.")
@json_option
@click.pass_obj
def replay(options: Options, name: str, *, message_id: str | None, as_json: bool) -> None:
    """Send the webhook NAME all messages again that were given up; with the ids that they had."""
    with connect(options) as client:
        replayed = client.webhooks.replay(name, message_id)
    if as_json:
        print_json(replayed)
    else:
        click.echo(f"{name}: {replayed.messages} messages are sent again")


@webhooks.command("test")
@click.argument("name")
@json_option
@click.pass_obj
@click.pass_context
def try_webhook(ctx: click.Context, options: Options, name: str, *, as_json: bool) -> None:
    """Send the webhook NAME a test message now, and say what its receiver answers; exits with 1 if not
    well."""
    with connect(options) as client:
        result = client.webhooks.test(name)
    if as_json:
        print_json(result)
    else:
        click.echo(f"{name}: {'taken' if result.is_accepted else result.error}")
    if not result.is_accepted:
        ctx.exit(Exit.NO)
