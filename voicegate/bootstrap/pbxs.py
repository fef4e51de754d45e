"""The PBXs, as configured: the only place that names their adapters."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from typing import Final, assert_never

from voicegate import how_to_install
from voicegate.adapters.pbx.asterisk.driver import AsteriskDriver
from voicegate.adapters.pbx.common.call_supervisor import CallSupervisor
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.adapters.pbx.simulator.pbx import SimulatedPbx
from voicegate.application.ports import Pbx
from voicegate.bootstrap.asterisk import asterisk_settings, secret_of
from voicegate.bootstrap.times import timings
from voicegate.config import (
    AsteriskPbxSettings,
    FreeSwitchPbxSettings,
    Settings,
    SimulatorPbxSettings,
)
from voicegate.domain.errors import ConfigError

# A PBX's own cap is for calls whose controller is gone: it must not cut what we still hold.
_CAP_MARGIN: Final = timedelta(seconds=30)


def make_pbx(name: str, settings: Settings, endpoints: Sequence[str]) -> AbstractAsyncContextManager[Pbx]:
    """Return the PBX of that name, to be entered; `endpoints` are those of its trunks.

    Raises:
        ConfigError: a secret's file cannot be read, or a package is not installed.
    """
    pbx = settings.pbx[name]
    match pbx:
        case SimulatorPbxSettings():
            return nullcontext(SimulatedPbx(endpoints=tuple(endpoints)))
        case AsteriskPbxSettings():
            return CallSupervisor(partial(AsteriskDriver, asterisk_settings(settings, name, pbx)))
        case FreeSwitchPbxSettings():
            with needing_freeswitch(name):
                from voicegate.adapters.pbx.freeswitch.driver import FreeSwitchDriver  # noqa: PLC0415
            return CallSupervisor(partial(FreeSwitchDriver, freeswitch_settings(settings, name, pbx)))
        case _:
            assert_never(pbx)


def freeswitch_settings(whole: Settings, name: str, pbx: FreeSwitchPbxSettings) -> FreeSwitchSettings:
    """Return how a FreeSWITCH is reached, as configured.

    Raises:
        ConfigError: its password cannot be read, or it cannot play our sounds; names the setting.
    """
    if whole.audio.format == "wav16":
        raise ConfigError(f"audio.format: FreeSWITCH ({name}) plays wav, ulaw and alaw, not wav16")
    return FreeSwitchSettings(
        name=name,
        esl_host=pbx.esl_host,
        esl_port=pbx.esl_port,
        esl_user=pbx.esl_user or None,
        esl_password=secret_of(pbx.esl_password_file, f"pbx.{name}.esl_password_file"),
        sound_suffix=whole.audio.format,
        lost_grace=timedelta(seconds=pbx.lost_grace_s),
        call_cap=timings(whole).longest + _CAP_MARGIN,
    )


@contextmanager
def needing_freeswitch(name: str) -> Iterator[None]:
    """A context in which FreeSWITCH's adapter is imported; its libraries are an optional extra.

    Raises:
        ConfigError: they are not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        fix = how_to_install("freeswitch")
        raise ConfigError(f"pbx.{name}.kind: {error.name} is not installed: {fix}") from error
