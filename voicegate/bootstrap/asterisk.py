"""The settings of a connection to Asterisk, from the configuration."""

import grp
import ssl
from datetime import timedelta
from functools import partial
from pathlib import Path

from voicegate.adapters.pbx.asterisk.settings import AsteriskSettings
from voicegate.adapters.pbx.common.connection import Secret
from voicegate.bootstrap.fetching import call_sounds_url
from voicegate.config import AsteriskPbxSettings, Settings, read_secret
from voicegate.domain.errors import ConfigError


def asterisk_settings(whole: Settings, name: str, settings: AsteriskPbxSettings) -> AsteriskSettings:
    """Return how an Asterisk is reached, as configured.

    Raises:
        ConfigError: its secret or certificate cannot be read, or its group does not exist; names the setting.
    """
    group = whole.audio.group
    return AsteriskSettings(
        name=name,
        ami_host=settings.ami_host,
        ami_port=settings.ami_port,
        ami_username=settings.ami_username,
        ami_secret=secret_of(settings.ami_secret_file, f"pbx.{name}.ami_secret_file"),
        ami_tls=tls_context(settings.ami_tls_ca, f"pbx.{name}.ami_tls_ca") if settings.ami_tls_ca else None,
        agi_host=settings.agi_host,
        agi_port=settings.agi_port,
        agi_advertised_host=settings.agi_advertised_host or None,
        agi_allowed_peers=settings.agi_allowed_peers,
        agi_socket=Path(settings.agi_socket) if settings.agi_socket else None,
        agi_socket_group=group_id(group, "audio.group") if group else None,
        call_sounds_url=call_sounds_url(whole),
        lost_grace=timedelta(seconds=settings.lost_grace_s),
    )


def secret_of(file: str, setting: str) -> Secret:
    """Return a PBX's secret, which is read again at each log-in.

    Raises:
        ConfigError: it cannot be read; names the setting.
    """
    read = partial(read_secret, file, setting)
    return Secret(read(), read)


def group_id(name: str, setting: str) -> int:
    """Return a group's number.

    Raises:
        ConfigError: there is no such group; names `setting`.
    """
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError(f"{setting}: there is no group {name}") from None


def tls_context(authority: str, setting: str) -> ssl.SSLContext:
    """Return a TLS context that trusts only `authority`, a PEM file, and verifies the name or address.

    Raises:
        ConfigError: the file holds no certificate, or cannot be read; names `setting`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(authority)
    except ssl.SSLError:
        raise ConfigError(f"{setting}: {authority} holds no certificate") from None
    except OSError as error:
        raise ConfigError(f"{setting}: {authority} cannot be read: {error.strerror}") from error
    return context
