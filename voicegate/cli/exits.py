"""What `voicegate`'s exit codes mean; shown in `voicegate --help`."""

from enum import IntEnum
from typing import Final

from voicegate.domain.errors import ConfigError, VoicegateError


class Exit(IntEnum):
    """An exit code."""

    OK = 0
    """Done; with --watch: delivered; of a check: verified."""
    NO = 1
    """The answer is no: not delivered, denied, not ready; with `doctor`: something is wrong."""
    USAGE = 2
    """Wrong options or arguments."""
    UNREACHABLE = 3
    """The daemon does not answer."""
    REFUSED = 4
    """The daemon refused the request."""
    CONFIG = 5
    """A setting is wrong."""
    FAILED = 6
    """Something broke, here or in the daemon."""


EPILOG: Final = (
    "Exit codes: 0 done (--watch: delivered; check: verified), 1 not delivered, denied, or found wrong, "
    "2 wrong usage, 3 daemon not reachable, 4 refused by it, 5 wrong configuration, 6 something broke."
)


class Failure(VoicegateError):
    """The command ends with a message and an exit code."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


def is_text(written: str) -> bool:
    """Return whether this can be written in UTF-8. Python keeps other bytes of arguments and streams as lone
    surrogates."""
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return True


def reason_of(error: OSError) -> str:
    """Return the operating system's reason in one line, with the name of the file if there is one."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def code_of(error: VoicegateError) -> Exit:
    """Return the exit code for an error that ends the command."""
    match error:
        case Failure():
            return error.code
        case ConfigError():
            return Exit.CONFIG
        case _:
            return Exit.FAILED
