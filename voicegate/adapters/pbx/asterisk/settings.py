"""How one Asterisk is reached. Values only; `config` reads them from TOML."""

import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from voicegate.adapters.pbx.common.connection import ReconnectPolicy, Secret


@dataclass(frozen=True, slots=True)
class AsteriskSettings:
    """How one Asterisk is reached, and how it reaches us."""

    name: str
    """The PBX's name in our settings."""
    ami_username: str
    """Our name in its manager.conf."""
    ami_secret: Secret
    """Our secret there."""
    ami_host: str = "127.0.0.1"
    """Where its manager interface listens. Default: this machine."""
    ami_port: int = 5038
    """The TCP port of its manager interface. Default: 5038."""
    ami_tls: ssl.SSLContext | None = None
    """How its certificate is verified. Default: none, without TLS."""
    agi_host: str = "127.0.0.1"
    """The address our FastAGI server is bound to. Default: loopback only."""
    agi_port: int = 4573
    """Its TCP port; 0 takes any free one. Default: 4573."""
    agi_advertised_host: str | None = None
    """What the PBX dials to reach us. Default: `agi_host`."""
    agi_advertised_port: int | None = None
    """The port that the PBX dials. Default: the port that was bound."""
    agi_allowed_peers: tuple[str, ...] = ("127.0.0.1/32", "::1/128")
    """Networks from which FastAGI is accepted. Default: this machine."""
    agi_socket: Path | None = None
    """Unix socket on which `voicegate-agi` passes calls to us. Default: none."""
    agi_socket_group: int | None = None
    """Group of the socket's file: the PBX's. Default: our own."""
    call_sounds_url: str = ""
    """Where it fetches the sounds of calls in progress, which it must delete after the call. Default: it
    fetches none."""
    lost_grace: timedelta = timedelta(seconds=15)
    """How long a call in progress continues after the AMI connection was lost. Default: 15 s."""
    action_timeout: timedelta = timedelta(seconds=5)
    """How long an AMI action or a FastAGI command may take beyond its own duration. Default: 5 s."""
    max_agi_connections: int = 500
    """How many FastAGI connections may be open at once. Default: 500."""
    pace: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    """How often the AMI connection is tried and checked."""
