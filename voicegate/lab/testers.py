"""Testers: accounts at the company's PBX for softphones, and their passwords.

What they may dial is in `services`, the PBX's files about them in `rendering`. A password is made once for
each lab, and kept in a file that only its user can read; it is never an option or a line of the log.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from voicegate.lab.errors import LabError

# Easy to type on a telephone, without what looks alike: 80 bits in 16 of them.
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class Tester:
    """A person with a softphone, who can be called by name or by extension."""

    name: str
    """The account's name, by which it registers."""
    extension: str
    """Its extension in the company."""


@dataclass(frozen=True, slots=True)
class Account:
    """A tester's account in one lab."""

    tester: Tester
    """The tester it belongs to."""
    password: str = field(repr=False)
    """Its password; it registers with it by digest."""


TESTERS: Final = tuple(Tester(f"tester{count}", f"410{count}") for count in range(1, 7))
"""Every tester of a lab."""
BROWSER: Final = "4109"
"""The telephone in the browser: its account, and its extension."""


def keep_accounts(file: Path) -> Sequence[Account]:
    """Return the testers' accounts, kept in `file`; those without a password get one. Blocks.

    Raises:
        LabError: the file is damaged, or cannot be read or written.
    """
    known = _read(file)
    passwords = {tester.name: known.get(tester.name) or _invent() for tester in TESTERS}
    if passwords != known:
        try:
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as kept:  # noqa: PTH123
                kept.write(msgspec.json.format(msgspec.json.encode(passwords)))
        except OSError as error:
            raise LabError(f"{file} cannot be written: {error.strerror}") from error
    return [Account(tester, passwords[tester.name]) for tester in TESTERS]


def recall_accounts(file: Path) -> Sequence[Account]:
    """Return the accounts kept in `file`; empty before the lab was started first. Blocks.

    Raises:
        LabError: the file is damaged or cannot be read.
    """
    known = _read(file)
    return [Account(tester, known[tester.name]) for tester in TESTERS if tester.name in known]


def _invent() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def _read(file: Path) -> Mapping[str, str]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LabError(f"{file} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise LabError(f"{file} is damaged: {error}") from error
