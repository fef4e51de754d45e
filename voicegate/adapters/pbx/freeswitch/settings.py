"""How one FreeSWITCH is reached. Values only; their reading from TOML is `config`'s."""

from dataclasses import dataclass, field
from datetime import timedelta

from voicegate.adapters.pbx.common.connection import ReconnectPolicy, Secret


@dataclass(frozen=True, slots=True)
class FreeSwitchSettings:
    """How one FreeSWITCH is reached, and what it may do by itself."""

    name: str
    """The PBX's name in our config."""
    esl_password: Secret
    """The password of its event_socket.conf."""
    esl_user: str | None = None
    """Our name in its directory, user@domain. Default: none, the event socket's own password."""
    esl_host: str = "127.0.0.1"
    """Where its event socket listens. Default: this machine."""
    esl_port: int = 8021
    """And on which TCP port. Default: 8021."""
    sound_suffix: str = "wav"
    """The end of a sound file's name, which FreeSWITCH wants whole. Default: wav."""
    lost_grace: timedelta = timedelta(seconds=15)
    """How long a call in progress outlives a lost ESL connection. Default: 15 s."""
    command_timeout: timedelta = timedelta(seconds=5)
    """How long an ESL command may take beyond its own length. Default: 5 s."""
    call_cap: timedelta = timedelta(seconds=150)
    """How long an answered call may last if nobody is left to end it. Default: 150 s."""
    pace: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    """How often the ESL connection is tried and proved."""
