"""What a call says, composed for one challenge: which key it asks for, the invitation, one reading of the
code.

The words come from the domain (`announcement`), the sounds from the speech adapter. The code is derived here
when its call is placed; it is kept in memory only.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from voicegate.application.ports import CallAudio, Clip, Entropy, Keyring, Speech
from voicegate.domain.announcement import (
    REPORT_PHRASES,
    HumanCheck,
    Opening,
    Part,
    PromptName,
    compose_invitation,
    compose_reading,
)
from voicegate.domain.challenge import Challenge
from voicegate.domain.errors import KeyFileError
from voicegate.domain.passcode import Passcode


@dataclass(frozen=True, slots=True)
class Announcement:
    """What one call says."""

    language: str
    """The language, as the name of a folder of `sounds/`."""
    key: str
    """The telephone key that it asks for."""
    invitation: Sequence[Part]
    """What asks for the key; has no code in it."""
    reading: Sequence[Part] = field(repr=False)
    """One reading of the code."""
    is_reportable: bool = False
    """Does the invitation say what to press if one did not ask for the call?"""


class Announcer:
    """Makes announcements and their sounds."""

    def __init__(self, *, keyring: Keyring, speech: Speech, entropy: Entropy) -> None:
        self._keyring = keyring
        self._speech = speech
        self._entropy = entropy

    def compose(self, challenge: Challenge, keys: str, *, may_report: bool = False) -> Announcement:
        """Return what a call of `challenge` says; it asks for one of `keys`.

        If it `may_report` the call, and the language has the words, the invitation tells the person how.

        Raises:
            KeyFileError: the key file no longer has the key of this code.
            SpeechError: there are no prompts for its language.
        """
        key = self._entropy.key_press(keys)
        phrasing = self._speech.phrasing(challenge.language)
        is_asked = challenge.human_check is not HumanCheck.NONE
        is_reportable = may_report and is_asked and self._can_say_reports(challenge.language)
        invitation = compose_invitation(
            challenge.human_check,
            key,
            phrasing,
            opening=Opening(challenge.service, challenge.matching_digits),
            is_reportable=is_reportable,
        )
        reading = compose_reading(passcode_of(challenge, self._keyring), phrasing)
        return Announcement(challenge.language, key, invitation, reading, is_reportable=is_reportable)

    def _can_say_reports(self, language: str) -> bool:
        return all(self._speech.has_prompt(language, name) for name in REPORT_PHRASES)

    def mix(self, announcement: Announcement) -> AbstractAsyncContextManager[CallAudio]:
        """Mix the two sound files of an announcement; leaving the context removes them. See `Speech.mix`."""
        return self._speech.mix(announcement.language, announcement.invitation, announcement.reading)

    def prompt(self, challenge: Challenge, name: PromptName) -> Clip:
        """Return a phrase in the language of `challenge`. See `Speech.prompt`."""
        return self._speech.prompt(challenge.language, name)


def passcode_of(challenge: Challenge, keyring: Keyring) -> Passcode:
    """Return the code of a challenge: the caller's own, decrypted, or the derived one.

    Raises:
        KeyFileError: the key file no longer has the key of this code.
    """
    if challenge.sealed is not None:
        return keyring.unseal(challenge.id, challenge.sealed)
    return keyring.derive_again(challenge.id, challenge.passcode_length, challenge.digest)


def has_key(keyring: Keyring, challenge: Challenge) -> bool:
    """Return whether the key file still has the key of a challenge's code."""
    try:
        passcode_of(challenge, keyring)
    except KeyFileError:
        return False
    return True
