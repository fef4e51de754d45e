"""The tree of errors: what went wrong, split into what was asked wrongly and what broke.

Expected refusals are values (`policy.Deny`, `challenge.VerifyResult`, `call_outcome.CallOutcome`);
an exception means that the caller of a function broke its contract or that the world did.
A class's docstring is its default message.
"""


class VoicegateError(Exception):
    """An internal error occurred in Voicegate."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").split("\n")[0])


class InvalidNumber(VoicegateError):
    """That is not a telephone number in E.164 form, such as +12025550143."""


class InvalidExtension(VoicegateError):
    """An extension has 1 to 32 of 0-9, *, #, A-D and the pauses w (0.5 s), W (1 s) and , (2 s)."""


class InvalidPasscode(VoicegateError):
    """A passcode has 4 to 10 decimal digits."""


class InvalidTransition(VoicegateError):
    """That event cannot happen in that state."""


class ConfigError(VoicegateError):
    """A setting is wrong."""


class UnknownLanguage(VoicegateError):
    """No prompts for that language are installed."""


class SpeechError(VoicegateError):
    """The audio of a call could not be made."""


class KeyFileError(VoicegateError):
    """The key file cannot be used."""


class TooLate(VoicegateError):
    """The time for it is over; nothing was done."""


class StoreError(VoicegateError):
    """The database cannot be used."""


class StoreUnsure(StoreError):
    """The database was lost, or silent, while it stored: the change may be stored, now or later."""


class CallTaken(VoicegateError):
    """Another controller has taken this call over: nothing was stored."""


class PbxError(VoicegateError):
    """The PBX cannot be used."""


class PbxUnavailable(PbxError):
    """The PBX is not connected: nothing was sent to it."""


class PbxRefused(PbxError):
    """The PBX refused the request: no call was placed."""


class ReplyLost(PbxError):
    """The connection to the PBX was lost after something was sent: what became of it is unknown."""


class PbxProtocolError(PbxError):
    """The PBX sent something that its protocol does not allow."""


class UnsafeValue(PbxError):
    """A value with CR, LF or NUL would inject a second command: nothing was sent."""


class LegEnded(PbxError):
    """The call's channel is gone."""
