"""How one FreeSWITCH is reached. Values only; `config` reads them from TOML."""

from dataclasses import dataclass, field
from datetime import timedelta

from voicegate.adapters.pbx.common.connection import ReconnectPolicy, Secret


@dataclass(frozen=True, slots=True)
class FreeSwitchSettings:
    """How one FreeSWITCH is reached, and what it does by itself."""

    name: str
    """The PBX's name in our settings."""
    esl_password: Secret
    """The password in its event_socket.conf, or that of `esl_user`."""
    esl_user: str | None = None
    """Our name in its directory, user@domain. Default: none, the event socket's own password."""
    esl_host: str = "127.0.0.1"
    """Where its event socket listens. Default: this machine."""
    esl_port: int = 8021
    """The TCP port of its event socket. Default: 8021."""
    sound_suffix: str = "wav"
    """The end of a sound file's name; FreeSWITCH needs the whole name. Default: wav."""
    lost_grace: timedelta = timedelta(seconds=15)
    """How long a call in progress continues after the ESL connection was lost. Default: 15 s."""
    command_timeout: timedelta = timedelta(seconds=5)
    """How long an ESL command may take beyond its own duration. Default: 5 s."""
    call_cap: timedelta = timedelta(seconds=150)
    """How long an answered call may last if no controller is there to end it. Default: 150 s."""
    pace: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    """How often the ESL connection is tried and checked."""
