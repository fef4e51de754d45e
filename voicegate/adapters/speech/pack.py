"""Read a language folder's `prompts.toml`, check every key, and turn it into scripts.

The folder holds everything about its language, so adding a language means adding a folder. `build` makes
sound from the scripts, and `mixer` joins it.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from voicegate.domain.announcement import OPTIONAL_PHRASES, Asking, Phrasing, PromptName
from voicegate.domain.errors import SpeechError, UnknownLanguage
from voicegate.domain.passcode import MAX_LENGTH, MIN_LENGTH
from voicegate.domain.shape_errors import read_shape_error

SCRIPT_FILE: Final = "prompts.toml"
SERVICE_FIELD: Final = "{service}"
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", re.ASCII)
# Part of every script's fingerprint: raise it when `build` makes other sound of the same words.
_RECIPE: Final = "1"

_Text = Annotated[str, Meta(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Engine = Literal["flite", "espeak-ng", "pico", "rhvoice", "kokoro"]
# flite takes a path or a URL for a voice: only plain names may get there.
_Voice = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]{0,63}\Z")]
_Milliseconds = Annotated[int, Meta(ge=50, le=5000)]


class _Asking(Struct, frozen=True, forbid_unknown_fields=True):
    order: tuple[Asking, ...]


class _Reading(Struct, frozen=True, forbid_unknown_fields=True):
    digit_pause_ms: _Milliseconds
    group_pause_ms: _Milliseconds
    groups: dict[str, Annotated[tuple[Annotated[int, Meta(ge=1)], ...], Meta(min_length=1)]]


class _Fallback(Struct, frozen=True, forbid_unknown_fields=True):
    engine: _Engine
    voice: _Voice


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    engine: _Engine
    voice: _Voice
    service: _Text
    phrases: dict[str, _Text]
    asking: _Asking
    digits: dict[str, _Text]
    reading: _Reading
    judged: bool = True
    fallback: _Fallback | None = None
    variants: dict[Annotated[str, Meta(pattern=r"^[a-z0-9]{1,16}\Z")], dict[str, _Text]] = {}
    pronunciations: dict[str, _Text] = {}
    speed: Annotated[float, Meta(ge=0.5, le=2)] = 1.0


@dataclass(frozen=True, slots=True)
class Script:
    """A fixed phrase for an engine to speak; never a code."""

    engine: str
    """Its name in `engines`."""
    voice: str
    """The engine's name of the voice."""
    text: str
    """The words."""
    speed: float = 1.0
    """How fast; 1 is the engine's own pace."""
    spelling: str = ""
    """The spelling that the engine is given, if it then says the words better; "": the words themselves."""

    @property
    def fingerprint(self) -> str:
        """A digest that changes with the words, the voice, the engine, or the way prompts are built."""
        parts = [_RECIPE, self.engine, self.voice, self.text]
        parts += [] if self.speed == 1 else [f"{self.speed:g}"]
        parts += ["spelling", self.spelling] if self.spelling else []
        return sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Pack:
    """A language, as its folder describes it."""

    language: str
    """The folder's name."""
    folder: Path
    """The folder."""
    service: str
    """The service name in the folder's own `this_is`."""
    phrasing: Phrasing
    """How the key is asked for and a code is read."""
    scripts: Mapping[str, Script]
    """Prompt file name without suffix -> what it says."""
    this_is: Script
    """"This is {service}." before the name is filled in."""
    fallback: Script | None
    """The same for the fallback engine; None: there is none."""
    pronunciations: Mapping[str, str]
    """Service name or digit's word -> its spelling for the engine, if that differs."""
    is_judged: bool
    """Was it understood in listening tests? An unjudged language is spoken only if a setting lists it."""
    variants: Mapping[str, Mapping[str, str]]
    """Name of a variant, such as "zwo" -> digit that it says by another word -> the prompt of that word."""

    def introduce(self, service: str) -> Script:
        """Return the script of "This is <service>." for the language's own engine."""
        return self.introductions(service)[0]

    def introductions(self, service: str) -> Sequence[Script]:
        """Return the scripts of "This is <service>.": the language's own engine's, then the fallback's."""
        spoken = self.pronunciations.get(service, service)
        scripts = (self.this_is, self.fallback) if self.fallback else (self.this_is,)
        return [replace(script, text=script.text.replace(SERVICE_FIELD, spoken)) for script in scripts]


def digit_name(value: str, variant: str | None = None) -> str:
    """Return the prompt file name of a digit, in a variant such as "zwo" if one is named."""
    return f"digit_{value}-{variant}" if variant else f"digit_{value}"


def find_languages(sounds: Path) -> Sequence[str]:
    """Return the names of the language folders in `sounds`, sorted; blocks on reading the folder.

    Raises:
        SpeechError: the folder cannot be read; names it.
    """
    try:
        return sorted(
            entry.name
            for entry in sounds.iterdir()
            if _LANGUAGE.fullmatch(entry.name) and (entry / SCRIPT_FILE).is_file()
        )
    except OSError as error:
        raise SpeechError(f"{sounds}: cannot be read: {error.strerror}") from error


def load_spoken(sounds: Path, unjudged: Sequence[str] = ()) -> list[Pack]:
    """Return the languages that are spoken: all judged ones, and those in `unjudged`.

    Blocks while it reads a file for each language.

    Raises:
        SpeechError: the folder cannot be read, or a pack is wrong; names it.
        UnknownLanguage: a language in `unjudged` has no folder.
    """
    packs = {language: load_pack(sounds, language) for language in find_languages(sounds)}
    for language in unjudged:
        if language not in packs:
            there = ", ".join(packs)
            raise UnknownLanguage(
                f"service.unjudged_languages: no prompts for {language!r} in {sounds}; there are {there}"
            )
    return [pack for pack in packs.values() if pack.is_judged or pack.language in unjudged]


def load_pack(sounds: Path, language: str) -> Pack:
    """Return a language as its folder describes it; blocks while it reads one file.

    Raises:
        UnknownLanguage: no such folder.
        SpeechError: a key is unknown, missing or wrong; names file and key.
    """
    folder = sounds / language
    file = folder / SCRIPT_FILE
    if not _LANGUAGE.fullmatch(language) or not file.is_file():
        raise UnknownLanguage(f"No prompts for the language {language!r} are installed in {sounds}")
    try:
        raw = msgspec.convert(tomllib.loads(file.read_text("utf-8")), _File)
        _check_keys(raw)
    except OSError as error:
        raise SpeechError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpeechError(f"{file}: is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        found = read_shape_error(error)
        raise SpeechError(f"{file}: {found.where or 'the file'}: {found.told}") from None
    return _assemble(raw, folder)


def _assemble(raw: _File, folder: Path) -> Pack:
    digits = {digit_name(value): text for value, text in raw.digits.items()}
    for variant, words in raw.variants.items():
        digits |= {digit_name(value, variant): text for value, text in words.items()}
    # A digit's pace is that of its take.
    scripts = {name: Script(raw.engine, raw.voice, text, raw.speed) for name, text in raw.phrases.items()}
    spellings = raw.pronunciations
    scripts |= {
        name: Script(raw.engine, raw.voice, text, spelling=spellings.get(text, ""))
        for name, text in digits.items()
    }
    this_is = scripts[PromptName.THIS_IS]
    pack = Pack(
        language=folder.name,
        folder=folder,
        service=raw.service,
        phrasing=_phrase(raw.asking, raw.reading),
        scripts=scripts,
        this_is=this_is,
        fallback=_by(raw.fallback, this_is) if raw.fallback else None,
        pronunciations=raw.pronunciations,
        is_judged=raw.judged,
        variants={
            variant: {value: digit_name(value, variant) for value in digits}
            for variant, digits in raw.variants.items()
        },
    )
    scripts[PromptName.THIS_IS.value] = pack.introduce(raw.service)
    return pack


def _by(fallback: _Fallback, script: Script) -> Script:
    return replace(script, engine=fallback.engine, voice=fallback.voice, speed=1)


def _phrase(asking: _Asking, reading: _Reading) -> Phrasing:
    return Phrasing(
        asking=asking.order,
        groups={int(length): sizes for length, sizes in reading.groups.items()},
        digit_pause=timedelta(milliseconds=reading.digit_pause_ms),
        group_pause=timedelta(milliseconds=reading.group_pause_ms),
    )


def _check_keys(raw: _File) -> None:
    if sorted(raw.asking.order) != sorted(Asking):
        raise msgspec.ValidationError(f"Must hold once each of {', '.join(Asking)} - at `$.asking.order`")
    _refuse_unknown(raw.phrases, [name.value for name in PromptName], table="phrases")
    # A pack of one's own from before there were reports and digits to compare still speaks, without them.
    needed = [name.value for name in PromptName if name not in OPTIONAL_PHRASES]
    _refuse_missing(raw.phrases, needed, table="phrases")
    _match_keys(raw.digits, list("0123456789"), table="digits")
    for variant, digits in raw.variants.items():
        _refuse_unknown(digits, list("0123456789"), table=f"variants.{variant}")
    lengths = [str(length) for length in range(MIN_LENGTH, MAX_LENGTH + 1)]
    _match_keys(raw.reading.groups, lengths, table="reading.groups")
    for length, sizes in raw.reading.groups.items():
        if sum(sizes) != int(length):
            raise msgspec.ValidationError(
                f"The sizes do not add up to {length} - at `$.reading.groups.{length}`"
            )
    for name, text in raw.phrases.items():
        if (SERVICE_FIELD in text) != (name == PromptName.THIS_IS):
            rule = "must say" if name == PromptName.THIS_IS else "must not say"
            raise msgspec.ValidationError(f"The phrase {rule} {SERVICE_FIELD} - at `$.phrases.{name}`")


def _match_keys(found: Mapping[str, object], wanted: Sequence[str], *, table: str) -> None:
    _refuse_unknown(found, wanted, table=table)
    _refuse_missing(found, wanted, table=table)


def _refuse_missing(found: Mapping[str, object], wanted: Sequence[str], *, table: str) -> None:
    for key in wanted:
        if key not in found:
            raise msgspec.ValidationError(f"Missing - at `$.{table}.{key}`")


def _refuse_unknown(found: Mapping[str, object], known: Sequence[str], *, table: str) -> None:
    for key in found:
        if key not in known:
            raise msgspec.ValidationError(
                f"Unknown key; known here: {', '.join(known)} - at `$.{table}.{key}`"
            )
