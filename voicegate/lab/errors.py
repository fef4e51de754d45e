"""What can go wrong while a lab is set up; only the lab raises and catches these."""

from voicegate.domain.errors import VoicegateError


class LabError(VoicegateError):
    """The lab cannot run."""


class PackageError(LabError):
    """A Debian package could not be fetched."""
