"""What every `Keyring` promises, on every keeper of keys in `KEYRINGS`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from voicegate.adapters.keyfile import FileKeyring
from voicegate.application.ports import Keyring
from voicegate.domain.errors import InvalidPasscode, KeyFileError
from voicegate.domain.passcode import Passcode

Opener = Callable[[Path], Keyring]


def file(folder: Path) -> Keyring:
    return FileKeyring.open(folder / "key")


KEYRINGS: dict[str, Opener] = {"file": file}
CODE = Passcode("471029")


@pytest.fixture(params=KEYRINGS)
def opener(request: pytest.FixtureRequest) -> Opener:
    """Opens the same keys each time for the same folder."""
    return KEYRINGS[request.param]


@pytest.fixture
def keyring(opener: Opener, tmp_path: Path) -> Keyring:
    return opener(tmp_path)


@pytest.fixture
def other(opener: Opener, tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    """Other keys."""
    return opener(tmp_path_factory.mktemp("other"))


def test_a_code_survives_a_restart(opener: Opener, tmp_path: Path) -> None:
    before = opener(tmp_path).derive("ver_1", 6)
    assert opener(tmp_path).derive("ver_1", 6) == before


def test_another_challenge_or_other_keys_give_another_code(keyring: Keyring, other: Keyring) -> None:
    codes = {keyring.derive("ver_1", 10), keyring.derive("ver_2", 10), other.derive("ver_1", 10)}
    assert len(codes) == 3


@pytest.mark.parametrize("length", range(4, 11))
def test_a_code_has_the_length_asked_for(keyring: Keyring, length: int) -> None:
    assert len(keyring.derive("ver_1", length).digits) == length


def test_only_the_right_guess_matches(keyring: Keyring) -> None:
    expected = keyring.digest("ver_1", CODE)
    assert len(expected) == 32
    assert keyring.matches("ver_1", expected, CODE)
    assert not keyring.matches("ver_1", expected, Passcode("471028"))
    assert not keyring.matches("ver_2", expected, CODE)


@pytest.mark.parametrize("guess", ["47102", "4710290", "0471029", "4710"])
def test_a_guess_of_another_length_does_not_match(keyring: Keyring, guess: str) -> None:
    assert not keyring.matches("ver_1", keyring.digest("ver_1", CODE), Passcode(guess))


@pytest.mark.parametrize("guess", ["", "४७१०२९", "471029\n", " 471029", "\ud800", "\0"])
def test_a_guess_that_is_no_code_cannot_be_asked_about(keyring: Keyring, guess: str) -> None:
    with pytest.raises(InvalidPasscode):
        keyring.matches("ver_1", keyring.digest("ver_1", CODE), Passcode(guess))


def test_a_digest_means_nothing_to_other_keys(keyring: Keyring, other: Keyring) -> None:
    assert not other.matches("ver_1", keyring.digest("ver_1", CODE), CODE)


def test_a_sealed_code_is_opened_after_a_restart(opener: Opener, tmp_path: Path) -> None:
    sealed = opener(tmp_path).seal("ver_1", CODE)
    assert opener(tmp_path).unseal("ver_1", sealed) == CODE


def test_a_sealed_code_does_not_show_and_is_sealed_anew_each_time(keyring: Keyring) -> None:
    sealed = [keyring.seal("ver_1", CODE) for _ in range(50)]
    assert len(set(sealed)) == 50
    assert not any(CODE.digits.encode() in each for each in sealed)


def test_a_sealed_code_opens_for_its_own_challenge_only(keyring: Keyring) -> None:
    sealed = keyring.seal("ver_1", CODE)
    with pytest.raises(KeyFileError):
        keyring.unseal("ver_2", sealed)


def test_a_sealed_code_does_not_open_with_other_keys(keyring: Keyring, other: Keyring) -> None:
    sealed = keyring.seal("ver_1", CODE)
    with pytest.raises(KeyFileError):
        other.unseal("ver_1", sealed)


def test_a_sealed_code_that_was_touched_does_not_open(keyring: Keyring) -> None:
    sealed = keyring.seal("ver_1", CODE)
    touched = [sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :] for n in range(len(sealed))]
    for damaged in (*touched, sealed[:-1], sealed[:12], sealed[:5], b"", sealed + b"\0"):
        with pytest.raises(KeyFileError):
            keyring.unseal("ver_1", damaged)


def test_keys_do_not_show(keyring: Keyring, tmp_path: Path) -> None:
    assert repr(keyring) == str(keyring) == f"{keyring}" == "FileKeyring(redacted)"
