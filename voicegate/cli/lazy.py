"""A group whose commands are imported when they run, so that `--help` and completion are quick.

The help page is written from one line for each command, which is kept with its address; a test compares it
with the command's own.
"""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import rich_click as click

from voicegate import how_to_install
from voicegate.cli.exits import Exit, Failure, code_of, is_text, reason_of
from voicegate.domain.errors import VoicegateError


@dataclass(frozen=True, slots=True)
class Address:
    """Where a command is defined."""

    module: str
    """The module's full name."""
    attribute: str
    """The command's name in it."""
    help: str
    """Its line on the group's help page."""
    extra: str | None = None
    """The extra of the installation that it needs; None: none."""

    def load(self) -> click.Command:
        """Import the command; where its extra is not installed, return one that says what to install."""
        try:
            command = getattr(import_module(self.module), self.attribute)
        except ModuleNotFoundError as error:
            if self.extra is None:
                raise
            return _Missing(self, f"{error.name} is not installed: {how_to_install(self.extra)}")
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.module}.{self.attribute} is not a command")
        _demand_text(command)
        return command


class _Missing(click.Command):
    """Replaces a command whose libraries are not installed; it only says so."""

    def __init__(self, address: Address, message: str) -> None:
        rest = click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED)
        settings = {"ignore_unknown_options": True}
        super().__init__(address.attribute, settings, params=[rest], help=address.help, add_help_option=False)
        self._message = message

    def invoke(self, ctx: click.Context) -> None:  # noqa: ARG002  # click's signature
        """Refuse to run, and say what to install.

        Raises:
            Failure: always.
        """
        raise Failure(Exit.FAILED, self._message)


class LazyGroup(click.RichGroup):
    """A group of commands that are imported late; its errors are one line and an exit code."""

    def __init__(self, *args: Any, addresses: Mapping[str, Address], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.addresses = addresses
        """Its commands, by name."""
        self._is_helping = False
        _demand_text(self)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the commands' names, sorted."""
        return sorted(self.addresses)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's
        """Return a command: imported; for the help page, only its line."""
        address = self.addresses.get(cmd_name)
        if address is None:
            return None
        return click.RichCommand(name=cmd_name, help=address.help) if self._is_helping else address.load()

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help page without importing the commands."""
        self._is_helping = True
        try:
            super().format_help(ctx, formatter)  # type: ignore[arg-type]  # rich-click makes its own
        finally:
            self._is_helping = False

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an expected error ends in one line and its exit code."""
        try:
            return super().invoke(ctx)
        except VoicegateError as error:
            click.echo(f"voicegate: {error}", err=True)
            ctx.exit(code_of(error))
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # who read our output has gone: click ends quietly
            click.echo(f"voicegate: {reason_of(error)}", err=True)
            ctx.exit(Exit.FAILED)


def _demand_text(command: click.Command) -> None:
    """Make every parameter of a command, and of a group's commands, refuse bytes that are not UTF-8."""
    for parameter in command.params:
        if not isinstance(parameter.callback, _TextOnly):
            parameter.callback = _TextOnly(parameter.callback)
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _demand_text(inner)


@dataclass(frozen=True, slots=True)
class _TextOnly:
    """A parameter's callback that is called only with UTF-8."""

    callback: Callable[[click.Context, click.Parameter, Any], Any] | None

    def __call__(self, ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        for part in value if isinstance(value, tuple) else (value,):
            if not is_text(str(part)):
                raise click.BadParameter("it holds bytes that are not UTF-8", ctx, parameter)
        return self.callback(ctx, parameter, value) if self.callback else value
