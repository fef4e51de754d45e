"""The configuration files of a lab: of the company's PBXs, of the carrier, and of the controller.

The PBXs' and the controller's files are our own examples from `dialplan/` and `config/`, filled in: what runs
here is what an admin reads. Templates in `company/` add the testers, what they may dial, and trunks that no
admin would want. The carrier's files are templates in `carrier/`, rendered from the table in `numbers`.
`world` writes them and runs the programs.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, assert_never

import jinja2

from voicegate.config import project_folder
from voicegate.lab.certificates import Certificates
from voicegate.lab.config_templates import as_toml, fill_in, fill_in_xml, without_section
from voicegate.lab.numbers import NUMBERS, PREMIUM
from voicegate.lab.ports import Ports
from voicegate.lab.services import all_services
from voicegate.lab.settings import LabSettings, PbxKind
from voicegate.lab.testers import BROWSER, Account
from voicegate.lab.trunks import ACCOUNT, PASSWORD

# The least that FreeSWITCH takes, for registrations too; a trunk that came back is known as soon as that.
_PING_S: Final = "5"
_DOMAIN: Final = "127.0.0.1"
# Its telephones are there to be called, again and again, in a row; one call at a time remains.
_NO_LIMITS: Final = (
    "policy.call_spacing_s",
    "policy.call_lock_after",
    "policy.calls_per_prefix",
    "policy.calls_per_subscriber",
    "policy.sequential_numbers",
    "policy.conversion_floor",
)


def render_pbx(settings: LabSettings, secret: str, accounts: Sequence[Account]) -> Mapping[str, str]:
    """Return an Asterisk's configuration files; `secret` is its manager interface's, `accounts` are the
    testers'."""
    examples, ports = project_folder("dialplan") / "asterisk", settings.ports
    values: dict[str, dict[tuple[str, str], str]] = {
        "voicegate.conf": {},
        "extensions.conf": {},
        "manager.conf": _manager_values(settings, secret),
        "pjsip.conf": {
            ("transport-udp", "bind"): f"127.0.0.1:{ports.pbx_sip}",
            # Wideband only for a far end that speaks nothing else.
            ("carrier", "allow"): "ulaw,alaw,g722,opus",
            ("carrier-aor", "contact"): f"sip:127.0.0.1:{ports.carrier_sip}",
            # With its port, for the testers' softphones may have the same address.
            ("carrier-identify", "match"): f"127.0.0.1:{ports.carrier_sip}",
            ("4021-aor", "contact"): f"sip:4021@127.0.0.1:{ports.carrier_sip}",
        },
        "trunk-tls.conf": {
            ("transport-tls", "bind"): f"127.0.0.1:{ports.pbx_tls}",
            ("transport-tls", "ca_list_file"): str(Certificates(settings.certificates).authority),
            ("secure-aor", "contact"): f"sip:127.0.0.1:{ports.carrier_tls}\\;transport=tls",
        },
        "trunk-registered.conf": {
            ("registered", "from_user"): ACCOUNT,
            ("registered-auth", "username"): ACCOUNT,
            ("registered-auth", "password"): PASSWORD,
            ("registered-aor", "contact"): f"sip:127.0.0.1:{ports.carrier_sip}",
            ("registered-registration", "server_uri"): f"sip:127.0.0.1:{ports.carrier_sip}",
            ("registered-registration", "client_uri"): f"sip:{ACCOUNT}@127.0.0.1:{ports.carrier_sip}",
        },
    }
    filled = {name: fill_in((examples / name).read_text("utf-8"), these) for name, these in values.items()}
    filled["pjsip.conf"] = _render_company("pjsip.conf", settings, accounts) + filled["pjsip.conf"]
    filled["extensions.conf"] += _render_company("extensions.conf", settings, accounts)
    filled["odd-trunks.conf"] = _render("company", "odd-trunks.conf", settings)
    trunks = "".join(f'#include "{name}"\n' for name in filled if "trunk" in name)
    filled["pjsip.conf"] += f"\n{trunks}"
    if accounts:
        filled["pjsip.conf"] += '#include "telephone.conf"\n'
        filled |= _render_telephone(settings)
    return {**filled, "rtp.conf": _render_rtp(_rtp_ports(settings, PbxKind.ASTERISK))}


def _render_telephone(settings: LabSettings) -> Mapping[str, str]:
    """Return an Asterisk's files about the telephone in the browser; it may dial what testers may."""
    example = (project_folder("dialplan") / "asterisk/telephone.conf").read_text("utf-8")
    values = {
        (BROWSER, "context"): "testers",
        (f"{BROWSER}-auth", "password"): settings.keep_telephone_password(),
    }
    http = {"enabled": "yes", "bindaddr": "127.0.0.1", "bindport": str(settings.ports.websocket)}
    lines = "".join(f"{name} = {value}\n" for name, value in http.items())
    return {"telephone.conf": fill_in(example, values), "http.conf": f"[general]\n{lines}"}


def _manager_values(settings: LabSettings, secret: str) -> dict[tuple[str, str], str]:
    """Return the values of the manager interface that differ from our example: it speaks TLS as well."""
    # The carrier's certificate is one for any server of this address.
    ports, certificates = settings.ports, Certificates(settings.certificates)
    return {
        ("general", "port"): str(ports.ami),
        ("general", "tlsenable"): "yes",
        ("general", "tlsbindaddr"): f"127.0.0.1:{ports.ami_tls}",
        ("general", "tlscertfile"): str(certificates.carrier),
        ("general", "tlsprivatekey"): str(certificates.carrier_key),
        ("voicegate", "secret"): secret,
    }


def render_freeswitch(settings: LabSettings, secret: str, accounts: Sequence[Account]) -> Mapping[str, str]:
    """Return a FreeSWITCH's configuration files; `secret` is its event socket's, `accounts` are the
    testers'."""
    examples = project_folder("dialplan") / "freeswitch"
    filled = {
        name: fill_in_xml((examples / name).read_text("utf-8"), _places(values))
        for name, values in _freeswitch_values(settings, secret).items()
    }
    # Of the folder whose files the profile includes.
    filled["voicegate/trunk-registered.xml"] = filled.pop("trunk-registered.xml")
    filled["voicegate/odd-trunks.xml"] = _render("company", "odd-trunks.xml", settings)
    own = {"rtp": _rtp_ports(settings, PbxKind.FREESWITCH), "domain": _DOMAIN}
    return {**filled, "freeswitch.xml": _render_company("freeswitch.xml", settings, accounts, **own)}


def render_carrier(settings: LabSettings) -> Mapping[str, str]:
    """Return the carrier's configuration files."""
    first = settings.ports.carrier_rtp
    names = ("extensions.conf", "pjsip.conf")
    return {
        **{name: _render("carrier", name, settings) for name in names},
        "manager.conf": "[general]\nenabled = no\n",
        "rtp.conf": _render_rtp(range(first, first + Ports.RTP_SPAN)),
    }


def render_controller(settings: LabSettings) -> str:
    """Return the controller's settings: our example, filled in for this lab."""
    here, first = settings, settings.pbxs[0]
    values = {
        "service.name": here.service,
        "storage.database": str(here.folder / "voicegate.db"),
        "storage.key_file": str(here.folder / "key"),
        "storage.state_folder": str(here.state),
        "socket.path": str(here.socket),
        "audio.folder": str(here.audio),
        "policy.allowed_countries": ["US", "GB"],
        **dict.fromkeys(_NO_LIMITS, 0),
        # Who stops a lab is not to wait for its telephones.
        "call.drain_timeout_s": 0,
        **{f"pbx.{kind.section}.{key}": value for kind in here.pbxs for key, value in _door(here, kind)},
        "trunks.carrier.pbx": first.section,
        # The page with a telephone.
        "tcp.enabled": True,
        "tcp.port": here.ports.http,
        "testing.enabled": True,
        "testing.websocket_url": here.websocket_url,
        "testing.account": BROWSER,
        "testing.domain": _DOMAIN,
        "testing.password_file": str(here.telephone_password_file),
        "internal.desks.pbx": first.section,
        "internal.desks.pattern": "4[0-9]{3}|tester[0-9]",
        "internal.desks.caller_id": {"number": "4000", "name": "Voicegate"},
        **({"trunks.carrier.countries": ["US"]} if len(here.pbxs) > 1 else {}),
        **here.overrides,
    }
    example = (project_folder("config") / "voicegate.toml").read_text("utf-8")
    if PbxKind.ASTERISK not in here.pbxs:
        example = without_section(example, f"pbx.{PbxKind.ASTERISK.section}")
    places = {(path.rpartition(".")[0], path.rpartition(".")[2]): value for path, value in values.items()}
    filled = fill_in(example, {place: as_toml(value) for place, value in places.items()})
    before, ours, after = _cut_out(filled, "[trunks.carrier]")
    trunks = (
        ours.replace(".carrier]", f".{name}]").replace('"carrier"', f'"{name}"') for name in here.trunks
    )
    second = (_second_trunk(kind) for kind in here.pbxs[1:])
    return "".join((before, "\n".join(trunks), after, *second))


def _door(settings: LabSettings, kind: PbxKind) -> Iterable[tuple[str, object]]:
    """Return the values in a PBX's section of the controller's settings that differ from our example."""
    ports, secret = settings.ports, str(settings.secret_file)
    match kind:
        case PbxKind.ASTERISK:
            return (("ami_port", ports.ami), ("ami_secret_file", secret), ("agi_port", ports.agi))
        case PbxKind.FREESWITCH:
            account = (("esl_user", f"voicegate@{_DOMAIN}"), ("esl_password_file", secret))
            return (("kind", kind.value), ("esl_port", ports.esl), *account)
        case never:
            assert_never(never)


def _second_trunk(kind: PbxKind) -> str:
    """Return the section of a second PBX's trunk."""
    caller_ids = [{"number": "+442079460000", "name": "Voicegate"}]
    values = {"pbx": kind.section, "endpoint": "carrier", "caller_ids": caller_ids, "countries": ["GB"]}
    return "\n[trunks.second]\n" + "".join(f"{key} = {as_toml(value)}\n" for key, value in values.items())


def _freeswitch_values(settings: LabSettings, secret: str) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Return the values in a FreeSWITCH's files that differ from our examples: by file, element and
    parameter."""
    ports, loopback = settings.ports, {"sip-ip": "127.0.0.1", "rtp-ip": "127.0.0.1"}
    account = {"username": ACCOUNT, "password": PASSWORD, "retry-seconds": _PING_S}
    # Wideband only for a far end that speaks nothing else.
    codecs = {"outbound-codec-prefs": "PCMU,PCMA,G722,OPUS"}
    tls = {"tls-sip-port": str(ports.freeswitch_tls), "tls-cert-dir": str(settings.certificates)}
    return {
        "acl.conf.xml": {},
        "directory.xml": {"voicegate": {"esl-password": secret}},
        "event_socket.conf.xml": {"event_socket.conf": {"listen-port": str(ports.esl), "password": secret}},
        "profile.xml": {
            "voicegate": loopback | codecs | {"sip-port": str(ports.freeswitch_sip)},
            "carrier": _watched(ports.carrier_sip),
        },
        "trunk-tls.xml": {"voicegate-tls": loopback | tls, "secure": _watched(ports.carrier_tls)},
        "trunk-registered.xml": {"registered": _watched(ports.carrier_sip) | account},
    }


def _watched(port: int) -> dict[str, str]:
    """Return the parameters of a gateway to the carrier at this port."""
    return {"proxy": f"127.0.0.1:{port}", "ping": _PING_S}


def _places(values: Mapping[str, Mapping[str, str]]) -> Mapping[tuple[str, str], str]:
    """Return an example's values by (element, parameter), for `fill_in_xml`."""
    return {(element, name): value for element, these in values.items() for name, value in these.items()}


def _render_company(name: str, settings: LabSettings, accounts: Sequence[Account], **own: object) -> str:
    """Return what the lab adds to a PBX's file, or the whole file: with the testers, and the values `own`."""
    return (
        _templates("company")
        .get_template(f"{name}.j2")
        .render(
            accounts=accounts,
            services=all_services(),
            browser=BROWSER,
            browser_password=settings.keep_telephone_password(),
            sounds=settings.sounds,
            listen=settings.listen,
            ports=settings.ports,
            **own,
        )
    )


def _templates(folder: str) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("voicegate.lab", folder),
        autoescape=jinja2.select_autoescape(("xml.j2",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )


def _rtp_ports(settings: LabSettings, kind: PbxKind) -> range:
    """Return a PBX's part of the PBXs' RTP ports."""
    span = Ports.RTP_SPAN // len(settings.pbxs)
    first = settings.ports.pbx_rtp + span * settings.pbxs.index(kind)
    return range(first, first + span)


def _render(folder: str, name: str, settings: LabSettings) -> str:
    """Return the file `name` made from its template in `folder`."""
    return (
        _templates(folder)
        .get_template(f"{name}.j2")
        .render(
            numbers=NUMBERS,
            premium=PREMIUM,
            ports=settings.ports,
            certificates=Certificates(settings.certificates),
            account=ACCOUNT,
            password=PASSWORD,
            ping_s=_PING_S,
        )
    )


def _cut_out(text: str, header: str) -> tuple[str, str, str]:
    """Return the text before a section, the section up to an empty line, and the text after it."""
    before, _, rest = text.partition(header)
    section, _, after = rest.partition("\n\n")
    return before, f"{header}{section}\n", f"\n{after}"


def _render_rtp(ports: range) -> str:
    return f"[general]\nrtpstart = {ports.start}\nrtpend = {ports.stop - 1}\n"
