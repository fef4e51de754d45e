"""`voicegate config`: is the file right, and which settings are in force? Never shows a secret: files are
named."""

import difflib
import itertools
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click
from msgspec import Struct

from voicegate.cli.exits import Failure, code_of
from voicegate.cli.options import Options
from voicegate.cli.place import read_settings
from voicegate.cli.printing import json_option, print_json, print_table
from voicegate.cli.telephone import telephone
from voicegate.config import DEFAULT_FILE, Settings, project_folder
from voicegate.config.renames import Renamed, rewrite
from voicegate.domain.errors import ConfigError, VoicegateError


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is in force."""

    name: str
    """Its path in the file."""
    value: object
    """Its value, as JSON."""
    is_default: bool
    """Is it the default?"""


_file = click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def config() -> None:
    """The configuration file: is it right, and what is in force?"""


@config.command("check")
@_file
@json_option
@click.pass_obj
def check_config(options: Options, file: Path | None, *, as_json: bool) -> None:
    """Check FILE, or the configuration in use: is every setting known and right, and is what it names
    there?"""
    chosen = _choose(options, file)
    settings = read_settings(chosen)
    name = str(chosen.config or DEFAULT_FILE)
    _look_behind(settings, name)
    counts = {"pbx": len(settings.pbx), "trunks": len(settings.trunks), "internal": len(settings.internal)}
    if as_json:
        print_json({"file": name, "ok": True, **counts})
        return
    click.echo(f"{name}: right; " + ", ".join(f"{count} in [{table}]" for table, count in counts.items()))


@config.command("show")
@_file
@json_option
@click.pass_obj
def show_config(options: Options, file: Path | None, *, as_json: bool) -> None:
    """Show every setting that is in force, and whether it is the default."""
    found = list(effective(read_settings(_choose(options, file))))
    if as_json:
        print_json({entry.name: {"value": entry.value, "default": entry.is_default} for entry in found})
        return
    print_table(
        ("setting", "value", ""),
        (
            (entry.name, msgspec.json.encode(entry.value).decode(), "default" if entry.is_default else "")
            for entry in found
        ),
    )


@config.command("migrate")
@_file
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@json_option
@click.pass_obj
def migrate_config(options: Options, file: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Write the new names of settings that were renamed into FILE; comments and layout stay.

    A copy of the old file is kept beside it as FILE.bak. Exit code 0: done, or nothing to do; 5: the file
    cannot be read, or not be changed by this command.
    """
    chosen = _choose(options, file).config or DEFAULT_FILE
    before, after, renamed = _rewritten(chosen)
    backup = _replace(chosen, after) if renamed and not dry_run else None
    if as_json:
        names = {setting.old: setting.new for setting in renamed}
        print_json({"file": str(chosen), "renamed": names, "backup": backup and str(backup)})
    elif not renamed:
        click.echo(f"{chosen}: all names are right")
    elif backup is None:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
        click.echo("".join(difflib.unified_diff(old, new, str(chosen), str(chosen))), nl=False)
    else:
        click.echo(f"{chosen}: {', '.join(map(str, renamed))}; as it was: {backup}")


@config.command("folders")
@json_option
def show_folders(*, as_json: bool) -> None:
    """Show where the files are that came with Voicegate: for the PBX, the sounds, examples of settings."""
    folders = {name: str(project_folder(name)) for name in ("dialplan", "sounds", "config")}
    if as_json:
        print_json(folders)
        return
    print_table(("folder", "path"), folders.items())


config.add_command(telephone)


def _rewritten(file: Path) -> tuple[str, str, list[Renamed]]:
    """Return a file's text, its text with new names, and what was renamed."""
    try:
        # Its bytes: reading text would change its line ends.
        before = file.read_bytes().decode()
        return before, *rewrite(before)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error


def _replace(file: Path, text: str) -> Path:
    """Replace a file's text, and return the copy of the old file; an older copy is never overwritten."""
    names = (file.with_name(f"{file.name}.bak{n or ''}") for n in itertools.count())
    backup = next(name for name in names if not name.exists())
    shutil.copy2(file, backup)
    # Into the same file: its owner, group and mode stay, which the daemon's user may depend on.
    file.write_bytes(text.encode())
    return backup


def _look_behind(settings: Settings, name: str) -> None:
    """Refuse what `serve` would refuse: a user, secret, folder or language that is named but missing."""
    # Imported here, for it brings the whole daemon along.
    from voicegate import bootstrap  # noqa: PLC0415

    try:
        bootstrap.check(settings)
    except VoicegateError as error:
        raise Failure(code_of(error), f"{name}: {error}") from error


def effective(section: Struct, prefix: str = "") -> Iterator[Setting]:
    """Yield the settings of a section and of the sections in it."""
    for entry in msgspec.structs.fields(section):
        value = getattr(section, entry.name)
        yield from _settings(f"{prefix}{entry.name}", value, default=_default(entry))


def _settings(name: str, value: Any, *, default: object) -> Iterator[Setting]:
    if isinstance(value, Struct):
        yield from effective(value, f"{name}.")
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _settings(f"{name}.{key}", entry, default=msgspec.NODEFAULT)
    else:
        yield Setting(name, msgspec.to_builtins(value), value == default)


def _default(entry: msgspec.structs.FieldInfo) -> object:
    if entry.default_factory is not msgspec.NODEFAULT:
        return entry.default_factory()
    return entry.default


def _choose(options: Options, file: Path | None) -> Options:
    return replace(options, config=file) if file is not None else options
