"""`voicegate config telephone`: what the PBX needs for the telephone in the browser, from our own settings.

The password is not among it, but the file that holds it: as of all secrets.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import rich_click as click

from voicegate.cli.exits import Exit, Failure
from voicegate.cli.options import Options
from voicegate.cli.place import read_settings
from voicegate.cli.printing import json_option, print_json
from voicegate.config import AsteriskPbxSettings, FreeSwitchPbxSettings, Settings, Testing, project_folder
from voicegate.lab.config_templates import fill_in, fill_in_xml

_EXAMPLE: Final = "4109"
_ANY: Final = "0.0.0.0"  # noqa: S104  # the PBX's addresses, where only its name is known
_WHERE: Final = "the file that testing.password_file names"
_PORTS: Final = {"ws": 80, "wss": 443}


@click.command()
@json_option
@click.pass_obj
def telephone(options: Options, *, as_json: bool) -> None:
    """Print what the PBX needs for the telephone in the browser, as [testing] describes it."""
    files = telephone_files(read_settings(options))
    if as_json:
        print_json(files)
        return
    for name, text in files.items():
        click.echo(f"##### {name}\n{text}")


def telephone_files(settings: Settings) -> Mapping[str, str]:
    """Return the PBX's files about the account in `[testing]`, by where they belong.

    Raises:
        Failure: a setting that it needs is missing, or the account's PBX has no files.
    """
    testing = settings.testing
    for name in ("websocket_url", "account"):
        if not getattr(testing, name):
            raise Failure(Exit.CONFIG, f"testing.{name} is missing")
    try:
        routes = [way for way in settings.internal.values() if re.fullmatch(way.pattern, testing.account)]
    except re.error as error:
        raise Failure(Exit.CONFIG, f"internal: a pattern is not a regular expression: {error}") from error
    match settings.pbx.get(routes[0].pbx) if routes else None:
        case AsteriskPbxSettings():
            return _of_asterisk(testing)
        case FreeSwitchPbxSettings():
            return _of_freeswitch(testing)
    raise Failure(Exit.CONFIG, f"no [internal.NAME] of an Asterisk or FreeSWITCH calls {testing.account}")


def _of_asterisk(testing: Testing) -> Mapping[str, str]:
    scheme, address, port = _where(testing)
    values = {("transport-ws", "protocol"): scheme, (_EXAMPLE, "media_address"): address or _ANY}
    example = fill_in((project_folder("dialplan") / "asterisk/telephone.conf").read_text("utf-8"), values)
    if not address:
        # It takes no name here; without these lines sound goes to any address of the PBX.
        example = re.sub(r"^(?=(bind_rtp_to_)?media_address = )", "; ", example, flags=re.MULTILINE)
    everywhere = address or _ANY
    http = (
        f"bindaddr = {everywhere}\nbindport = {port}\n"
        if scheme == "ws"
        else f"tlsenable = yes\ntlsbindaddr = {everywhere}:{port}\n"
        "; The certificate with its chain, and its key; browsers must trust it.\n"
        "tlscertfile = /etc/asterisk/keys/fullchain.pem\ntlsprivatekey = /etc/asterisk/keys/privkey.pem\n"
    )
    return {"pjsip.conf": _named(example, testing), "http.conf": f"[general]\nenabled = yes\n{http}"}


def _of_freeswitch(testing: Testing) -> Mapping[str, str]:
    scheme, given, port = _where(testing)
    examples = project_folder("dialplan") / "freeswitch"
    # It binds to addresses, not to names.
    address = given or "$${local_ip_v4}"
    values = {
        ("telephone", "sip-ip"): address,
        ("telephone", "rtp-ip"): address,
        ("telephone", "ws-binding"): f"{address}:{port}",
    }
    profile = fill_in_xml((examples / "telephone.xml").read_text("utf-8"), values)
    return {
        "sip_profiles/telephone.xml": profile.replace('name="ws-binding"', f'name="{scheme}-binding"'),
        f"directory/default/{testing.account}.xml": _named(
            (examples / "telephone-user.xml").read_text("utf-8"), testing
        ),
    }


def _named(example: str, testing: Testing) -> str:
    named = re.sub(rf"\b{_EXAMPLE}\b", testing.account, example)
    return named.replace(_WHERE, testing.password_file or _WHERE)


def _where(testing: Testing) -> tuple[str, str, int]:
    """Return scheme, IPv4 address (empty: a name is given) and port of the WebSocket."""
    url = urlsplit(testing.websocket_url)
    host = "127.0.0.1" if url.hostname == "localhost" else url.hostname or ""
    try:
        address = str(ipaddress.IPv4Address(host))
    except ValueError:
        address = ""
    return url.scheme, address, url.port or _PORTS[url.scheme]
