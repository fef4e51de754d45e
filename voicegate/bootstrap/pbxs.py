"""The PBXs, as configured: the only place that names their adapters."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta
from typing import Final, assert_never

from voicegate.adapters.asterisk.pbx import AsteriskPbx
from voicegate.adapters.simulator.pbx import SimulatedPbx
from voicegate.application.linking import Secret
from voicegate.application.ports import Pbx
from voicegate.bootstrap.exchanges import asterisk_settings
from voicegate.config import Settings, read_secret
from voicegate.domain.errors import ConfigError

# A PBX's own cap is for calls whose controller is gone: it must not cut what we still hold.
_CAP_MARGIN: Final = timedelta(seconds=30)


def make_pbx(name: str, settings: Settings, endpoints: Sequence[str]) -> AbstractAsyncContextManager[Pbx]:
    """Return the PBX of that name, to be entered; `endpoints` are those of its trunks.

    Raises:
        ConfigError: a secret's file cannot be read, or a package is missing.
    """
    pbx = settings.pbx[name]
    match pbx.kind:
        case "simulator":
            return nullcontext(SimulatedPbx(endpoints=tuple(endpoints)))
        case "asterisk":
            return AsteriskPbx(asterisk_settings(settings, name))
        case "freeswitch":
            return _freeswitch(name, settings)
        case _:
            assert_never(pbx.kind)


def _freeswitch(name: str, settings: Settings) -> AbstractAsyncContextManager[Pbx]:
    try:
        # Its libraries are an extra: who has no FreeSWITCH need not have them.
        from voicegate.adapters.freeswitch.pbx import FreeSwitchPbx  # noqa: PLC0415
        from voicegate.adapters.freeswitch.settings import FreeSwitchSettings  # noqa: PLC0415
    except ModuleNotFoundError as error:
        cure = "pip install 'voicegate[freeswitch]'"
        raise ConfigError(f"pbx.{name}.kind: {error.name} is not installed: {cure}") from error
    if settings.audio.format == "wav16":
        raise ConfigError(f"audio.format: FreeSWITCH ({name}) plays wav, ulaw and alaw, not wav16")
    pbx, call = settings.pbx[name], settings.call
    return FreeSwitchPbx(
        FreeSwitchSettings(
            name=name,
            esl_host=pbx.esl_host,
            esl_port=pbx.esl_port,
            esl_user=pbx.esl_user or None,
            esl_password=Secret(read_secret(pbx.esl_password_file, f"pbx.{name}.esl_password_file")),
            sound_suffix=settings.audio.format,
            lost_grace=timedelta(seconds=pbx.lost_grace_s),
            call_cap=timedelta(seconds=max(call.time_cap_s, call.time_cap_extension_s)) + _CAP_MARGIN,
        )
    )
