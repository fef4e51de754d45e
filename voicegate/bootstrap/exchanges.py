"""How the PBXs are reached, as the settings say."""

from datetime import timedelta

from voicegate.adapters.asterisk.settings import AsteriskSettings, Secret
from voicegate.config import PbxSettings, read_secret


def asterisk_settings(name: str, settings: PbxSettings) -> AsteriskSettings:
    """Return how an Asterisk is reached, as configured.

    Raises:
        ConfigError: its secret cannot be read; names the setting.
    """
    return AsteriskSettings(
        name=name,
        ami_host=settings.ami_host,
        ami_port=settings.ami_port,
        ami_username=settings.ami_username,
        ami_secret=Secret(read_secret(settings.ami_secret_file, f"pbx.{name}.ami_secret_file")),
        agi_host=settings.agi_host,
        agi_port=settings.agi_port,
        agi_advertised_host=settings.agi_advertised_host or None,
        agi_allowed_peers=settings.agi_allowed_peers,
        lost_grace=timedelta(seconds=settings.lost_grace_s),
    )
