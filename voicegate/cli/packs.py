"""Which language folders and which recordings a command means: as given, else as configured."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import rich_click as click

from voicegate.adapters.speech.build import is_built
from voicegate.adapters.speech.formats import FORMATS
from voicegate.adapters.speech.introductions import IntroductionFolder
from voicegate.adapters.speech.pack import Pack, find_languages, load_pack, load_spoken
from voicegate.adapters.speech.recordings import FOLDER
from voicegate.cli.options import Options
from voicegate.cli.place import read_settings_if_any
from voicegate.config import Settings, sounds_folder
from voicegate.domain.errors import VoicegateError

sounds_option = click.option(
    "--sounds",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder with a folder per language; as configured when not given.",
)


@dataclass(frozen=True, slots=True)
class Packs:
    """Where prompts lie."""

    sounds: Path
    """The folder of the language folders."""
    place: IntroductionFolder
    """Where names that were spoken, and recordings, are kept."""
    settings: Settings
    """The settings that count."""

    @property
    def recordings(self) -> Path:
        """The admin's own."""
        return self.place.state / FOLDER

    @property
    def services(self) -> Sequence[str]:
        """The names by which calls are introduced, the house's own first."""
        named = (entry.friendly_name for entry in self.settings.twilio.values())
        return list(dict.fromkeys((self.settings.service.name, *filter(None, named))))

    def load(self, languages: Sequence[str]) -> list[Pack]:
        """Return these languages, or all that there are when none is named.

        Raises:
            VoicegateError: a language is not installed, or its prompts.toml is wrong.
        """
        return [load_pack(self.sounds, language) for language in languages or find_languages(self.sounds)]

    def load_in_use(self, languages: Sequence[str]) -> list[Pack]:
        """Return these languages, or all that are spoken or were built when none is named.

        Raises:
            VoicegateError: a language is not installed, or its prompts.toml is wrong.
        """
        return [
            pack
            for pack in self.load(languages)
            if languages
            or pack.is_judged
            or pack.language in self.settings.service.unjudged_languages
            or is_built(pack)
        ]


def find_packs(options: Options, sounds: Path | None) -> Packs:
    """Return where prompts lie.

    Raises:
        ConfigError: a configuration file was named, or is there, and is wrong.
    """
    settings = read_settings_if_any(options)
    place = IntroductionFolder(Path(settings.storage.state_folder), FORMATS[settings.audio.format])
    return Packs(sounds or sounds_folder(settings), place, settings)


def complete_languages(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the languages that a shell may complete to."""
    with suppress(VoicegateError, OSError):
        return [name for name in find_languages(_completing(ctx).sounds) if name.startswith(incomplete)]
    return []


def complete_spoken(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the languages that calls can be in."""
    with suppress(VoicegateError, OSError):
        packs = _completing(ctx)
        spoken = load_spoken(packs.sounds, packs.settings.service.unjudged_languages)
        return [pack.language for pack in spoken if pack.language.startswith(incomplete)]
    return []


def complete_services(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of services that a shell may complete to."""
    with suppress(VoicegateError, OSError):
        return [name for name in _completing(ctx).services if name.startswith(incomplete)]
    return []


def _completing(ctx: click.Context) -> Packs:
    # While a shell completes, no group is called, and so none has left its options.
    return find_packs(Options(ctx.find_root().params.get("config")), ctx.params.get("sounds"))


languages_argument = click.argument(
    "languages", nargs=-1, metavar="[LANGUAGE]...", shell_complete=complete_languages
)
language_argument = click.argument("language", shell_complete=complete_languages)
