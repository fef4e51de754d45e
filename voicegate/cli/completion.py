"""`voicegate completion`: click's own scripts, printed so that a shell can load them."""

import rich_click as click
from click.shell_completion import get_completion_class

from voicegate.cli.exits import Exit, Failure


@click.command(short_help="Print a shell's completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print SHELL's completion script.

    For bash: `eval "$(voicegate completion bash)"` in ~/.bashrc.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise Failure(Exit.FAILED, f"click knows no {shell}")
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "voicegate", "_VOICEGATE_COMPLETE").source())
