"""The configuration files of a lab: of the company's PBX, of the carrier, and of the controller.

The PBX's and the controller's are our own examples from `dialplan/` and `config/`, filled in: what runs
here is what an admin reads. To the PBX's, templates in `company/` add the testers and what they may dial.
The carrier's are templates in `carrier/`, rendered from the table in `numbers`. Who writes and runs them
is `world`.
"""

import json
from collections.abc import Mapping, Sequence

import jinja2

from voicegate.config import project_folder
from voicegate.lab.behaviour import LabNumber
from voicegate.lab.filling import fill_in
from voicegate.lab.numbers import NUMBERS, PREMIUM
from voicegate.lab.ports import Ports
from voicegate.lab.services import all_services
from voicegate.lab.settings import LabSettings
from voicegate.lab.testers import Account


def render_pbx(settings: LabSettings, secret: str, accounts: Sequence[Account]) -> Mapping[str, str]:
    """Return the PBX's configuration files; `secret` opens its manager interface, `accounts` the testers'."""
    examples, ports = project_folder("config") / "asterisk", settings.ports
    dialplan = {
        file.name: file.read_text("utf-8")
        for file in (project_folder("dialplan") / "asterisk").glob("*.conf")
    }
    values: dict[str, dict[tuple[str, str], str]] = {
        "extensions.conf": {},
        "manager.conf": {("general", "port"): str(ports.ami), ("voicegate", "secret"): secret},
        "pjsip.conf": {
            ("transport-udp", "bind"): f"127.0.0.1:{ports.pbx_sip}",
            ("carrier-aor", "contact"): f"sip:127.0.0.1:{ports.carrier_sip}",
            # With its port, for the testers' softphones may have the same address.
            ("carrier-identify", "match"): f"127.0.0.1:{ports.carrier_sip}",
            ("4021-aor", "contact"): f"sip:4021@127.0.0.1:{ports.carrier_sip}",
        },
    }
    filled = {name: fill_in((examples / name).read_text("utf-8"), these) for name, these in values.items()}
    added = _render_company(settings, accounts)
    filled["pjsip.conf"] = added["pjsip.conf"] + filled["pjsip.conf"]
    filled["extensions.conf"] += added["extensions.conf"]
    return {**dialplan, **filled, "rtp.conf": _render_rtp(ports.pbx_rtp)}


def render_carrier(settings: LabSettings, numbers: Sequence[LabNumber] = NUMBERS) -> Mapping[str, str]:
    """Return the carrier's configuration files."""
    ports, templates = settings.ports, _templates("carrier")
    values = {
        "numbers": numbers,
        "premium": PREMIUM,
        "telephones_port": ports.telephones,
        "carrier_sip": ports.carrier_sip,
        "pbx_sip": ports.pbx_sip,
    }
    names = ("extensions.conf", "pjsip.conf")
    rendered = {name: templates.get_template(f"{name}.j2").render(values) for name in names}
    return {
        **rendered,
        "manager.conf": "[general]\nenabled = no\n",
        "rtp.conf": _render_rtp(ports.carrier_rtp),
    }


def render_controller(settings: LabSettings) -> str:
    """Return the controller's settings: our example, filled in for this lab."""
    here = settings
    values = {
        "service.name": here.service,
        "storage.database": str(here.folder / "voicegate.db"),
        "storage.key_file": str(here.folder / "key"),
        "storage.state_folder": str(here.state),
        "socket.path": str(here.socket),
        "audio.folder": str(here.audio),
        "policy.allowed_countries": ["US", "GB"],
        "pbx.main.ami_port": here.ports.ami,
        "pbx.main.ami_secret_file": str(here.secret_file),
        "pbx.main.agi_port": here.ports.agi,
        "internal.desks.pbx": "main",
        "internal.desks.pattern": "4[0-9]{3}|tester[0-9]",
        "internal.desks.caller_id": {"number": "4000", "name": "Voicegate"},
        **here.overrides,
    }
    example = (project_folder("config") / "voicegate.toml").read_text("utf-8")
    places = {(path.rpartition(".")[0], path.rpartition(".")[2]): value for path, value in values.items()}
    return fill_in(example, {place: as_toml(value) for place, value in places.items()})


def as_toml(value: object) -> str:
    """Return a string, number, truth, list or flat table as TOML writes it."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {as_toml(entry)}' for key, entry in value.items())} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(as_toml(entry) for entry in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _render_company(settings: LabSettings, accounts: Sequence[Account]) -> Mapping[str, str]:
    """Return what the lab adds to the PBX's files."""
    values = {
        "accounts": accounts,
        "services": all_services(),
        "sounds": settings.sounds,
        "listen": settings.listen,
        "testers_port": settings.ports.testers,
        "callback_port": settings.ports.callback,
    }
    names, templates = ("extensions.conf", "pjsip.conf"), _templates("company")
    return {name: templates.get_template(f"{name}.j2").render(values) for name in names}


def _templates(folder: str) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("voicegate.lab", folder),
        autoescape=jinja2.select_autoescape(),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )


def _render_rtp(first: int) -> str:
    return f"[general]\nrtpstart = {first}\nrtpend = {first + Ports.RTP_SPAN - 1}\n"
