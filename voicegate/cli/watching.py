"""A call in progress, as it happens: lines for a person, JSON lines for a program; then its result."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile

import rich_click as click
from rich.console import Console

from voicegate.cli.exits import Exit, Failure
from voicegate.cli.printing import describe_end, is_news, label_of, print_json_line
from voicegate.client import Client, Step


@dataclass(frozen=True, slots=True)
class Watched:
    """The call that is watched, and what its code is for."""

    verification_id: str
    """The verification."""
    call_id: str
    """Its call; earlier calls are not shown."""
    destination: str
    """Who is called, masked."""
    began: datetime
    """When the call was requested."""
    next_step: str
    """What to do with the code."""


def follow(client: Client, watched: Watched, result: Callable[[], object], *, as_json: bool) -> None:
    """Print a call's steps and its end; exit with 1 unless it was delivered.

    As JSON, each step is a line, and `result` the last one.

    Raises:
        Failure: interrupted.
    """
    try:
        steps = dropwhile(lambda step: step.call_id != watched.call_id, client.watch(watched.verification_id))
        if as_json:
            for step in steps:
                print_json_line(step)
        else:
            _show(steps, watched)
    except KeyboardInterrupt:
        raise Failure(Exit.NO, f"the call goes on; {watched.next_step}") from None
    if as_json:
        print_json_line(result())
    _conclude(client, watched, as_json=as_json)


def _show(steps: Iterable[Step], watched: Watched) -> None:
    """Print a line for each step that tells something new, with a spinner on a terminal."""
    console = Console(highlight=False, markup=False)
    console.print(f"calling {watched.destination}")
    before: Step | None = None
    spinner = console.status("Call is in progress…") if console.is_terminal else nullcontext()
    with spinner:
        for step in steps:
            if before is not None and step.call_id != before.call_id:
                console.print("next trunk")
            if is_news(step, before):
                console.print(f"{(step.at - watched.began).total_seconds():6.1f} s  {label_of(step)}")
                before = step


def _conclude(client: Client, watched: Watched, *, as_json: bool) -> None:
    last = client.verification(watched.verification_id).call
    is_delivered = last is not None and last.outcome == "delivered"
    if last is not None and not as_json:
        click.echo(describe_end(last))
        if is_delivered:
            click.echo(watched.next_step)
    if not is_delivered:
        raise SystemExit(Exit.NO)
