"""Which configuration and which daemon a command uses, from the global options; and how to reach them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import rich_click as click

from voicegate.cli.exits import Exit, Failure
from voicegate.cli.options import Options
from voicegate.client import ApiError, Client, Unreachable
from voicegate.config import DEFAULT_FILE, Settings, load
from voicegate.config.renames import Renamed
from voicegate.domain.errors import ConfigError

MIGRATE: Final = "the old name is taken until the next release: `voicegate config migrate` rewrites the file"
"""What to do about a setting's old name."""


def read_settings(options: Options, warn: Callable[[Renamed], None] | None = None) -> Settings:
    """Return the settings of the configuration file in use.

    `warn` is given each setting that has an old name there; by default a line on standard error says so.

    Raises:
        ConfigError: the file cannot be read, or is wrong.
    """
    file = options.config or DEFAULT_FILE
    return load(
        file, warn or (lambda renamed: click.echo(f"voicegate: {file}: {renamed}; {MIGRATE}", err=True))
    )


def read_settings_if_any(options: Options) -> Settings:
    """Return the settings of the configuration file in use; the defaults if none was named and there is none.

    Raises:
        ConfigError: the file cannot be read, or is wrong.
    """
    is_there = options.config is not None or DEFAULT_FILE.exists()
    return read_settings(options) if is_there else Settings()


def find_socket(options: Options) -> Path:
    """Return the daemon's socket: as given, else as configured, else the default one.

    Raises:
        ConfigError: a configuration file was named and is wrong.
    """
    if options.socket is not None:
        return options.socket
    try:
        # Who only asks the daemon need not be able to change its settings: no warning.
        return Path(load(options.config or DEFAULT_FILE).socket.path)
    except ConfigError:
        # A backend's user need not be able to read the daemon's configuration.
        if options.config is not None:
            raise
        return Path(Settings().socket.path)


@contextmanager
def connect(options: Options) -> Iterator[Client]:
    """Give a client of the daemon; an error of the daemon ends the command.

    Raises:
        Failure: the daemon refused the request, failed, or cannot be reached.
    """
    try:
        with Client(find_socket(options)) as client:
            yield client
    except Unreachable as error:
        raise Failure(Exit.UNREACHABLE, str(error)) from error
    except ApiError as error:
        code = Exit.FAILED if error.status >= 500 else Exit.REFUSED
        raise Failure(code, f"{error} ({error.problem.name}, {error.status})") from error
