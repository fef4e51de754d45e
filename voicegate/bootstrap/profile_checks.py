"""Checks clause by clause what the profile `nist-800-63b-4` asks for: what is met, and what is left to do."""

from collections.abc import AsyncIterator, Iterator

from voicegate.application.diagnostics import Finding, doubtful, passed
from voicegate.config import Settings
from voicegate.config.profile import DUTIES, MAX_LIFETIME_S, MIN_DIGITS, STANDARD
from voicegate.domain.factor import MAX_FAILURES


class ProfileCheck:
    """Fills the port `Check` for the profile. Settings that contradict it are refused before."""

    subject = "profile"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def run(self) -> AsyncIterator[Finding]:
        """Yield the findings, in the order of the clauses."""
        for clause, text in self._met():
            yield passed(f"{STANDARD}, {clause}", text)
        for finding in (*self._of_others(), *self._left_to_do()):
            yield finding

    def _met(self) -> Iterator[tuple[str, str]]:
        code = self._settings.passcode
        yield "3.1.3", "a code goes from the telephone to the sign-in: no key press approves one in its place"
        yield (
            "3.1.3.2 (length)",
            f"codes have {code.length} digits (passcode.length), a client's own at least {MIN_DIGITS}",
        )
        yield (
            "3.1.3.2 (time)",
            f"a code counts for {code.lifetime_s} s (passcode.lifetime_s), for {MAX_LIFETIME_S} s at most "
            "whatever a request asks for",
        )
        yield "3.1.3.2 and 3.2.7 (single use)", "a code counts once"
        yield (
            "3.1.3.2 and 3.2.2 (throttling)",
            f"{MAX_FAILURES} wrong guesses in a row lock a factor, a new code does not reset the count, "
            f"and a code takes {code.guesses} (passcode.guesses)",
        )
        yield "3.2.12 (random values)", "codes are HMAC-SHA-256 of a random key of the operating system's"

    def _of_others(self) -> Iterator[Finding]:
        settings = self._settings
        if settings.providers:
            yield doubtful(
                f"{STANDARD}, 3.1.3.2 (codes of others)",
                f"identity providers make codes of their own: {', '.join(settings.providers)}",
                "set there at least six digits, ten minutes at most, and a lock by wrong guesses",
            )
        yield passed(
            f"{STANDARD}, 3.2.2 (without factors)",
            "verifications without a factor know no account: their client counts its accounts' wrong guesses",
        )

    def _left_to_do(self) -> Iterator[Finding]:
        for name, duty in DUTIES.items():
            about = f"{STANDARD}, {duty.clause}"
            if name in self._settings.policy.profile_provisions:
                yield passed(about, f"your organisation does: {duty.text}")
            else:
                fix = f'do so, then add "{name}" to policy.profile_provisions'
                yield doubtful(about, f"calls are a restricted authenticator: {duty.text}", fix)
