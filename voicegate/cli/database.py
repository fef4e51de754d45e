"""`voicegate db`: upgrade, back up and prune the database, also while the daemon runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from voicegate.bootstrap.backup import back_up
from voicegate.bootstrap.database import prune, sqlite_file, upgrade_database
from voicegate.cli.options import Options
from voicegate.cli.place import read_settings
from voicegate.cli.printing import json_option, print_json, print_table
from voicegate.config import DEFAULT_FILE


@click.group("db")
def database() -> None:
    """The database: upgrade it, back it up, delete what is old."""


@database.command("upgrade")
@json_option
@click.pass_obj
def upgrade(options: Options, *, as_json: bool) -> None:
    """Bring the database to the tables of this version, as the daemon's start does.

    An SQLite file is copied beside itself first (storage.copies_kept). PostgreSQL is not: run pg_dump before.
    The daemon of the version before goes on working.
    """
    settings = read_settings(options)
    done = upgrade_database(settings)
    if as_json:
        print_json({"before": done.before, "after": done.after, "copy": done.copy and str(done.copy)})
    elif done.before == done.after:
        click.echo(f"is at revision {done.after}: nothing to do")
    else:
        click.echo(f"upgraded from revision {done.before or 'none'} to {done.after}")
        if done.copy is not None:
            click.echo(f"as it was: {done.copy}")
        elif sqlite_file(settings.storage.database) is None:
            click.echo("no copy was made: a PostgreSQL database is backed up by pg_dump")


@database.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def backup(options: Options, target: Path, *, as_json: bool) -> None:
    """Write database, key files, configuration and own recordings to the new folder TARGET, or to one file if
    TARGET ends in .tar.

    The daemon may run. Keep a backup as you keep passwords: who can read it can read codes that are out.
    Other programs' secrets are not in it; the last lines name them.
    """
    settings = read_settings(options)
    with _bar("copying") as (bar, task):
        made = back_up(
            settings,
            options.config or DEFAULT_FILE,
            target,
            report=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        print_json({"target": str(target), **asdict(made)})
        return
    click.echo(f"{target}: {', '.join(made.files)}; made by version {made.version}")
    for setting, place in made.missing.items():
        hint = "back it up with pg_dump" if setting == "storage.database" else "not in the backup"
        click.echo(f"{setting}: {place}: {hint}")


@database.command("prune")
@click.option("--dry-run", is_flag=True, help="Count what would be deleted, and delete nothing.")
@json_option
@click.pass_obj
def prune_database(options: Options, *, dry_run: bool, as_json: bool) -> None:
    """Delete now what is older than `[retention]` says; the daemon does so by itself, in small batches."""
    settings = read_settings(options)
    with _bar("deleting") as (bar, task):
        rows = prune(
            settings, is_dry=dry_run, report=lambda done: bar.update(task, description=f"deleted {done} rows")
        )
    if as_json:
        print_json({"dry_run": dry_run, "rows": rows})
        return
    found = [(name, str(count)) for name, count in sorted(rows.items()) if count]
    if found:
        print_table(("table", "would be deleted" if dry_run else "deleted"), found)
    else:
        click.echo("nothing is old enough")


@contextmanager
def _bar(description: str) -> Iterator[tuple[Progress, TaskID]]:
    """Give a progress bar on standard error, which only a terminal shows."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar, bar.add_task(description, total=None)
