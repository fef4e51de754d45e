"""The command group and the options that every command shares; each noun has its own file."""

from pathlib import Path
from typing import Final

import rich_click as click

from voicegate import __version__
from voicegate.cli.exits import EPILOG
from voicegate.cli.lazy import Address, LazyGroup
from voicegate.cli.options import Options

ADDRESSES: Final = {
    "audit": Address(
        "voicegate.cli.audit",
        "audit",
        "Who asked for what, and what was decided; and signed receipts of calls.",
    ),
    "call": Address("voicegate.cli.call", "call", "Call a number and speak a code."),
    "calls": Address("voicegate.cli.calls", "calls", "Calls that were placed, and how they ended."),
    "check": Address("voicegate.cli.check", "check", "Check a code that somebody entered."),
    "clients": Address("voicegate.cli.clients", "clients", "Clients that ask by API key."),
    "completion": Address("voicegate.cli.completion", "completion", "Print a shell's completion script."),
    "config": Address(
        "voicegate.cli.config", "config", "The configuration file: is it right, and what is in force?"
    ),
    "db": Address(
        "voicegate.cli.database", "database", "The database: upgrade it, back it up, delete what is old."
    ),
    "doctor": Address("voicegate.cli.doctor", "doctor", "Find out what is wrong, and how to fix it."),
    "factors": Address(
        "voicegate.cli.factors", "factors", "Telephones of subscribers, which they sign in with."
    ),
    "call-again": Address(
        "voicegate.cli.call", "call_again", "Call again for the verification ID, with the same code."
    ),
    "init": Address(
        "voicegate.cli.init",
        "init",
        "Write the files of an installation into FOLDER, as /etc/voicegate: settings, secret, what the PBX"
        " includes, units, and a script that puts them in their places.",
    ),
    "key": Address(
        "voicegate.cli.key", "key", "The key file that codes are derived with: create it, add a key."
    ),
    "lab": Address(
        "voicegate.cli.lab",
        "lab",
        "A complete PBX, carrier and telephones on this machine, for trial and for tests.",
        extra="lab",
    ),
    "limits": Address(
        "voicegate.cli.limits",
        "limits",
        "Every limit in force: its setting, what it allows and counts by, how much is used, when it is free.",
    ),
    "numbers": Address(
        "voicegate.cli.numbers", "numbers", "Numbers that are trusted, blocked, or not to be called."
    ),
    "policy": Address(
        "voicegate.cli.policy", "policy", "Who may be called: why a number is called or refused."
    ),
    "prompts": Address("voicegate.cli.prompts", "prompts", "The spoken phrases."),
    "reload": Address("voicegate.cli.reload", "reload", "Have the running daemon read its settings again."),
    "serve": Address("voicegate.cli.serve", "serve", "Run the daemon until SIGTERM or Ctrl-C."),
    "spend": Address(
        "voicegate.cli.limits",
        "spend",
        "What today's calls cost, by trunk, country, prefix, client and subscriber; a day is of UTC.",
    ),
    "webhooks": Address(
        "voicegate.cli.webhooks", "webhooks", "Programs that are told of calls and verifications."
    ),
    "prefixes": Address(
        "voicegate.cli.prefixes",
        "prefixes",
        "Ranges and countries that are held: by what their calls showed, or by an admin.",
    ),
    "trunks": Address(
        "voicegate.cli.trunks", "trunks", "The trunks, as their PBXs see them; drain one before work on it."
    ),
}
# `config.DEFAULT_FILE` once more: importing it would slow `--help` down. A test holds them equal.
DEFAULT_CONFIG: Final = "/etc/voicegate/voicegate.toml"


@click.group(cls=LazyGroup, addresses=ADDRESSES, epilog=EPILOG)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="VOICEGATE_CONFIG",
    show_envvar=True,
    help=f"Configuration file; {DEFAULT_CONFIG} when not given.",
)
@click.option(
    "--socket",
    type=click.Path(path_type=Path),
    envvar="VOICEGATE_SOCKET",
    show_envvar=True,
    help="The daemon's socket; as configured when not given.",
)
@click.version_option(__version__, prog_name="voicegate")
@click.pass_context
def main(ctx: click.Context, config: Path | None, socket: Path | None) -> None:
    """A one-time code by telephone through the company's own PBX, and what really happened."""
    ctx.obj = Options(config, socket)
