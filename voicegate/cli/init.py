"""`voicegate init`: all the files of an installation, in one folder, by the admin's answers."""

import difflib
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import phonenumbers
import rich_click as click

from voicegate.cli.exits import Exit, Failure
from voicegate.cli.install_files import AUDIO_GROUP, CLIENT_GROUP, LOOPBACK, Answers, Made, Pbx, render
from voicegate.cli.install_steps import install_script, next_steps, uninstall_script
from voicegate.cli.printing import json_option, print_json
from voicegate.config import load, read_secret
from voicegate.domain.errors import InvalidNumber
from voicegate.domain.phone_number import Destination

_SECRET_BYTES = 24


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the files."""

    new: list[str]
    """Those that were written."""
    same: list[str]
    """Those that were there already, just so."""
    different: dict[str, str]
    """Those that are there and differ, and stay as they are: each with the difference."""


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--pbx", type=click.Choice([kind.value for kind in Pbx]), help="The kind of PBX.")
@click.option("--pbx-host", help="Its address; 127.0.0.1: this machine.")
@click.option("--pbx-port", type=int, help="The port of its AMI or event socket.")
@click.option("--pbx-user", help="The Unix user that it runs as.")
@click.option("--own-address", help="This machine's address as the PBX sees it, where that is another one.")
@click.option(
    "--agi-port", type=int, default=4573, show_default=True, help="Where Asterisk hands calls over."
)
@click.option("--domain", help="FreeSWITCH's domain.")
@click.option("--trunk", help="The PJSIP endpoint, or FreeSWITCH gateway, of your carrier.")
@click.option("--caller-id", help="The number to show, one of yours, with plus sign and country code.")
@click.option(
    "--country", "countries", multiple=True, help="Country that may be called, as US; may be repeated."
)
@click.option("--service", help="Who is calling, as it is spoken: 1-60 characters.")
@click.option("--language", help="The language that is spoken, as en.")
@click.option("--backend-user", help="The Unix user of your backend, which may ask at the socket.")
@click.option("--audio-group", help=f"The group that may read sounds; {AUDIO_GROUP} or the PBX's one group.")
@click.option("--socket-group", help=f"The group that may open the socket; {CLIENT_GROUP} if a user may ask.")
@click.option("--program", type=click.Path(path_type=Path), help="The command that the unit starts.")
@click.option(
    "--credentials", is_flag=True, help="Let systemd give the daemon its secret, whose file stays root's."
)
@click.option("--state", type=click.Path(path_type=Path), default="/var/lib/voicegate", show_default=True)
@click.option("--run", type=click.Path(path_type=Path), default="/run", show_default=True)
@json_option
@click.pass_context
def init(ctx: click.RichContext, /, folder: Path, *, as_json: bool, **given: Any) -> None:
    """Write the files of an installation into FOLDER, as /etc/voicegate: settings, secret, what the PBX
    includes, units, and a script that puts them in their places.

    On a terminal it asks for what is not given. No file outside of FOLDER is written, and none that is there
    is changed: where one differs, the difference is shown and the exit code is 1. A secret that is there is
    used again.
    """
    answers = _answers(folder.absolute(), given)
    written = _write(answers)
    # What was written is what the daemon would take.
    load(answers.config)
    steps = next_steps(answers)
    if as_json:
        parts = {"new": written.new, "same": written.same, "different": list(written.different)}
        print_json({"folder": str(answers.folder), **parts, "next": steps})
    else:
        _tell(answers, written)
        click.echo("\n".join(["", "Next:", *(f"{n}. {step}" for n, step in enumerate(steps, 1))]))
    if written.different:
        ctx.exit(Exit.NO)


def _answers(folder: Path, given: Mapping[str, Any]) -> Answers:
    pbx = Pbx(str(_ask(given["pbx"], "Kind of PBX (asterisk, freepbx, freeswitch)", Pbx.ASTERISK)))
    host = str(_ask(given["pbx_host"], "Address of the PBX", LOOPBACK))
    own = (
        LOOPBACK
        if host == LOOPBACK
        else _ask(given["own_address"], "This machine's address for the PBX", None)
    )
    domain = _ask(given["domain"], "FreeSWITCH's domain", None) if pbx is Pbx.FREESWITCH else ""
    trunk = _ask(given["trunk"], "PJSIP endpoint or gateway of your carrier", "carrier")
    caller_id = _number(_ask(given["caller_id"], "Number to show (+12025550100)", None))
    home = phonenumbers.region_code_for_number(phonenumbers.parse(caller_id)) or None
    countries = given["countries"] or str(_ask(None, "Countries that may be called", home)).split()
    backend = str(_ask(given["backend_user"], "Unix user of your backend (empty: none)", ""))
    clients = CLIENT_GROUP if backend else ""
    audio, socket = given["audio_group"], given["socket_group"]
    return Answers(
        folder=folder,
        pbx=pbx,
        pbx_host=host,
        pbx_port=given["pbx_port"] or pbx.default_port,
        pbx_user=given["pbx_user"] or pbx.default_user,
        own_address=str(own),
        agi_port=given["agi_port"],
        domain=str(domain),
        trunk=str(trunk),
        caller_id=caller_id,
        countries=[country.strip(",").upper() for country in countries],
        service=str(_ask(given["service"], 'Who is calling, as in "This is …."', "Voicegate")),
        language=str(_ask(given["language"], "Language", "en")),
        backend_user=backend,
        audio_group=pbx.default_audio_group if audio is None else audio,
        socket_group=clients if socket is None else socket,
        program=(given["program"] or Path(sys.argv[0])).absolute(),
        state=given["state"],
        run=given["run"],
        is_credential=given["credentials"],
    )


def _ask(given: object, question: str, default: object) -> object:
    """Return what was given; else, on a terminal, what is answered; else the default.

    Raises:
        UsageError: nothing was given, nobody can be asked, and there is no default.
    """
    if given is not None:
        return given
    if sys.stdin.isatty():
        return click.prompt(question, default=default)
    if default is None:
        raise click.UsageError(f"not given, and nobody can be asked: {question}")
    return default


def _number(text: object) -> str:
    try:
        found = Destination.parse(str(text))
    except InvalidNumber as error:
        raise click.BadParameter(str(error), param_hint="--caller-id") from None
    if found.is_internal:
        raise click.BadParameter("a plus sign and a country code come first", param_hint="--caller-id")
    return found.number


def _write(answers: Answers) -> Written:
    secret = secrets.token_hex(_SECRET_BYTES)
    if answers.secret.exists():
        secret = read_secret(str(answers.secret), answers.pbx.secret_name)
    files = render(answers, secret) | {
        "install.sh": Made(install_script(answers), 0o755),
        "uninstall.sh": Made(uninstall_script(answers), 0o755),
    }
    written = Written([], [], {})
    try:
        answers.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name, made in files.items():
            _put(answers.folder / name, made, written, name=name)
    except OSError as error:
        raise Failure(Exit.FAILED, f"{error.filename}: {error.strerror}") from error
    return written


def _put(file: Path, made: Made, written: Written, *, name: str) -> None:
    file.parent.mkdir(mode=0o755, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, made.mode)
    except FileExistsError:
        present = file.read_text("utf-8")
        if present == made.text:
            written.same.append(name)
        else:
            written.different[name] = _difference(present, made, name)
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        # The umask may have taken away what the PBX or everybody needs.
        os.fchmod(descriptor, made.mode)
        opened.write(made.text)
    written.new.append(name)


def _difference(present: str, made: Made, name: str) -> str:
    if made.mode != Made("").mode:
        return "has a secret or is a script, and is not shown"
    lines = difflib.unified_diff(
        present.splitlines(),
        made.text.splitlines(),
        f"{name} as it is",
        f"{name} as it would be",
        lineterm="",
    )
    return "\n".join(lines)


def _tell(answers: Answers, written: Written) -> None:
    if written.new:
        click.echo(f"{answers.folder}: wrote {', '.join(written.new)}")
    if written.same:
        click.echo(f"there already, just so: {', '.join(written.same)}")
    for name, difference in written.different.items():
        click.echo(f"{answers.folder / name}: differs, and stays as it is:\n{difference}", err=True)
