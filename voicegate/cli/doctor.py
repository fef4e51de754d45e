"""`voicegate doctor`: check every part, say what is wrong and how to fix it. Changes nothing."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import rich_click as click
from rich.console import Console
from rich.text import Text

from voicegate.adapters import logs
from voicegate.application.diagnostics import Finding, Level, doubtful, failed, passed, run
from voicegate.cli.exits import Exit
from voicegate.cli.options import Options
from voicegate.cli.place import read_settings
from voicegate.cli.printing import describe_end, json_option, print_json
from voicegate.client import ApiError, Client, Unreachable
from voicegate.config import Settings

_UNEXPLAINED: Final = "see its log; restart it where it runs with older settings, or was refused before"
_STYLES: Final[Mapping[Level, str]] = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "bold red"}


@click.command()
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too, not only for errors.")
@click.option(
    "--call",
    "number",
    metavar="NUMBER",
    help="Have the running daemon call NUMBER too, a telephone that you can answer; its code is void.",
)
@json_option
@click.pass_obj
def doctor(options: Options, *, strict: bool, number: str | None, as_json: bool) -> None:
    """Find out what is wrong, and how to fix it.

    Checks the key file, the database, the sounds and each PBX, which connects to us and plays a sound that
    nobody hears. Without --call no telephone rings, and nothing is changed. Works with and without a running
    daemon. Run it as the daemon's user, because that user's rights count. Exit code 0: no error; 1: an error,
    or with --strict a warning.
    """
    settings = read_settings(options)
    # What the parts log while they are looked at is said in the findings.
    logs.configure("error", settings.log.format)
    findings = asyncio.run(_run_checks(settings, number, shows=not as_json))
    if as_json:
        # `cure` is what `fix` was called; it stays for one release.
        print_json([{**msgspec.to_builtins(finding), "cure": finding.fix} for finding in findings])
    else:
        counts = {level: sum(finding.level is level for finding in findings) for level in Level}
        click.echo(f"{counts[Level.ERROR]} errors, {counts[Level.WARNING]} warnings, {counts[Level.OK]} well")
    bad = (Level.ERROR, Level.WARNING) if strict else (Level.ERROR,)
    if any(finding.level in bad for finding in findings):
        raise SystemExit(Exit.NO)


async def _run_checks(settings: Settings, number: str | None, *, shows: bool) -> list[Finding]:
    # Imported here, for it brings the whole daemon along.
    from voicegate.bootstrap import checks  # noqa: PLC0415

    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        if shows:
            _show(Console(highlight=False), finding)

    with Console(stderr=True).status("looking") as status:
        daemon = await asyncio.to_thread(_look_at_daemon, settings)
        if daemon is not None:
            tell(daemon)
        async for finding in run(
            checks.checks(settings), lambda subject: status.update(f"looking at {subject}")
        ):
            tell(finding)
        if daemon is None:
            tell(await asyncio.to_thread(_look_again, settings, findings))
        if number is not None:
            status.update("calling: answer, and press the key that is asked for")
            tell(await asyncio.to_thread(_place_test_call, settings, number))
    return findings


def _place_test_call(settings: Settings, number: str) -> Finding:
    """Return what became of a call to a telephone of the admin's choice; its code is withdrawn after it."""
    about = "test call"
    try:
        with Client(settings.socket.path) as client:
            created = client.create_verification(number, reference="voicegate doctor")
            try:
                deque(client.watch(created.id), maxlen=0)
                call = client.verification(created.id).call
            finally:
                client.cancel(created.id)
    except Unreachable as error:
        return failed(about, str(error), "start the daemon: it places the call")
    except ApiError as error:
        fix = "voicegate policy explain NUMBER says which rule, and the errors above what is in the way"
        return failed(about, f"refused: {error} ({error.problem.name})", fix)
    if call is not None and call.outcome == "delivered":
        return passed(about, describe_end(call))
    told = "the call was not placed" if call is None else describe_end(call)
    see = f"voicegate calls show {created.call.id}; docs/operate/outcomes.md says what each outcome needs"
    return failed(about, told, see)


def _show(console: Console, finding: Finding) -> None:
    line = Text.assemble(
        (f"{finding.level.value:8}", _STYLES[finding.level]), f" {finding.about}: {finding.text}"
    )
    console.print(line, soft_wrap=True)
    if finding.fix:
        console.print(Text(f"{'':8} fix: {finding.fix}"), soft_wrap=True)


def _look_at_daemon(settings: Settings) -> Finding | None:
    """Return the state of the daemon; None: it runs but cannot place calls, which the next checks may
    explain."""
    path = settings.socket.path
    try:
        with Client(path) as client:
            client.ready()
    except Unreachable as error:
        return doubtful("daemon", str(error), "fine if it is not meant to run now")
    except ApiError:
        return None
    return passed("daemon", f"runs at {path}, and can place calls")


def _look_again(settings: Settings, findings: Sequence[Finding]) -> Finding:
    """Return the state of the daemon after all other checks; it has tried to connect again meanwhile."""
    path = settings.socket.path
    try:
        with Client(path) as client:
            client.ready()
    except (ApiError, Unreachable) as error:
        explained = any(finding.level is Level.ERROR for finding in findings)
        fix = "fix the errors above" if explained else _UNEXPLAINED
        return doubtful("daemon", f"runs at {path}, and cannot place calls: {error}", fix)
    return passed("daemon", f"runs at {path}, and can place calls again")
