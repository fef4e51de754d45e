"""Check the settings for what is wrong although the file is accepted."""

import os
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Final

import structlog

from voicegate.adapters.storage import engines
from voicegate.application.diagnostics import Finding, doubtful, failed, passed, user_name
from voicegate.config import (
    AsteriskPbxSettings,
    FreeSwitchPbxSettings,
    PbxSettings,
    Settings,
    SimulatorPbxSettings,
    read_secret,
    secret_path,
)
from voicegate.domain.caller_id import CallerId, CallerIdLaw, find_home_law
from voicegate.domain.errors import ConfigError
from voicegate.domain.phone_number import mask

log = structlog.get_logger(__name__)

_OTHERS: Final = stat.S_IRWXO
_GROUP_WRITES: Final = stat.S_IWGRP


class Misconfigured:
    """Reports a part that cannot be checked because its settings are wrong."""

    def __init__(self, subject: str, error: str) -> None:
        self.subject = subject
        self._error = error

    async def run(self) -> AsyncIterator[Finding]:
        """Yield the finding."""
        setting = self._error.partition(":")[0]
        yield failed(self.subject, self._error, f"mend {setting}; then look again, for nothing else was seen")


class SecretFilesCheck:
    """Fills the port `Check` for the files with secrets, by the setting that names each."""

    subject = "secrets"

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    async def run(self) -> AsyncIterator[Finding]:
        """Yield the findings; they show nothing of the secrets."""
        for setting, path in self._files.items():
            yield self._look(setting, path)

    def _look(self, setting: str, path: str) -> Finding:
        about = f"secret {setting}"
        try:
            read_secret(path, setting)
            mode = mode_open_to_others(path)
        except (ConfigError, OSError) as error:
            return failed(about, str(error), _fix_unreadable(setting, path))
        if mode is not None:
            fix = f"{_fix(path)}, and another secret if others use this machine"
            return failed(about, f"others may use {secret_path(path)} ({mode})", fix)
        return passed(about, "its file is not open to others")


def mode_open_to_others(path: str) -> str | None:
    """Return the mode of a secret's file, in octal, if other users may access it; None: they may not.

    A file that its group may read is accepted: systemd's credentials and shared services need that.

    Raises:
        OSError: its mode cannot be read.
    """
    mode = secret_path(path).stat().st_mode
    return f"{stat.S_IMODE(mode):04o}" if mode & (_OTHERS | _GROUP_WRITES) else None


def warn_of_open_secrets(settings: Settings) -> None:
    """Log each secret's file that other users may access, with the fix; one that cannot be read is refused
    elsewhere."""
    for setting, path in secret_files(settings).items():
        with suppress(OSError):
            if (mode := mode_open_to_others(path)) is not None:
                log.warning("secret file is open to others", setting=setting, mode=mode, fix=_fix(path))


def _fix_unreadable(setting: str, path: str) -> str:
    """Return what to do about a secret's file that cannot be read, or is empty."""
    file, me = secret_path(path), user_name()
    if "$" in str(file):
        return f"the variable in {setting} is not set here: look as the daemon is started, by its unit"
    above = next((one for one in file.parents if not os.access(one, os.X_OK)), None)
    if above is not None:
        return f"{setting}: {me} may not enter {above}: look as the daemon's user, or chmod o+x {above}"
    if not file.exists():
        return f"{setting}: make it, as root: install -o {me} -m 600 /dev/stdin {file}, and type the secret"
    if not os.access(file, os.R_OK):
        return f"look as the daemon's user; if that is {me}, as root: chown {me} {file} && chmod 600 {file}"
    return f"{setting}: put the secret into {file}, alone on its first line"


def _fix(path: str) -> str:
    return f"chmod 600 {secret_path(path)}"


class PolicyCheck:
    """Fills the port `Check` for the policy's settings."""

    subject = "policy"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def run(self) -> AsyncIterator[Finding]:
        """Yield the findings."""
        countries, about = self._settings.policy.allowed_countries, "allowed countries"
        if self._settings.trunks and not countries:
            fix = 'policy.allowed_countries = ["US"], with the countries of your people'
            yield doubtful(about, "none: every call by a trunk is refused (country_not_allowed)", fix)
        else:
            yield passed(about, ", ".join(countries) or "none, and no trunk")
        for name, trunk in self._settings.trunks.items():
            for shown in trunk.caller_ids:
                caller_id = CallerId(shown.number, is_excepted=shown.is_excepted)
                law = find_home_law(caller_id, trunk.home_country)
                if law is not None and law.country in countries:
                    yield _unlawful(name, caller_id, law)


def _unlawful(trunk: str, caller_id: CallerId, law: CallerIdLaw) -> Finding:
    return doubtful(
        f"caller IDs of {trunk}",
        f"{mask(caller_id.number)} is not shown to {law.country}: {law.rule} ({law.source})",
        "a number of another country for those calls, or is_excepted = true where the carrier vouches for it",
    )


def secret_files(settings: Settings) -> Mapping[str, str]:
    """Return the files that hold secrets, by the names of their settings."""
    files = {
        f"pbx.{name}.{setting}": file
        for name, pbx in settings.pbx.items()
        for setting, file in _pbx_secrets(pbx).items()
    }
    tcp = settings.tcp
    if tcp.enabled and (key := tcp.key or tcp.certificate):
        files["tcp.key"] = key
    if settings.testing.enabled:
        files["testing.password_file"] = settings.testing.password_file
    files |= {
        f"providers.{name}.signature_secret_file": entry.signature_secret_file
        for name, entry in settings.providers.items()
        if entry.signature_secret_file
    }
    if passfile := engines.passfile_of(settings.storage.database):
        files[f"{engines.SETTING} (passfile)"] = passfile
    files |= {f"webhooks.{name}.secret_file": entry.secret_file for name, entry in settings.webhooks.items()}
    return files


def _pbx_secrets(pbx: PbxSettings) -> Mapping[str, str]:
    match pbx:
        case AsteriskPbxSettings():
            return {"ami_secret_file": pbx.ami_secret_file}
        case FreeSwitchPbxSettings():
            return {"esl_password_file": pbx.esl_password_file}
        case SimulatorPbxSettings():
            return {}
