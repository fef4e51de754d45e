"""Which language folders and which recordings a command uses: as given, else as configured."""

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
    """Where prompts are."""

    sounds: Path
    """The folder of the language folders."""
    place: IntroductionFolder
    """Where spoken names and recordings are kept."""
    settings: Settings
    """The settings in use."""

    @property
    def recordings(self) -> Path:
        """The folder of the admin's own recordings."""
        return self.place.state / FOLDER

    @property
    def services(self) -> Sequence[str]:
        """The names by which calls introduce themselves; the first is the one in `[service]`."""
        named = (entry.friendly_name for entry in self.settings.twilio.values())
        return list(dict.fromkeys((self.settings.service.name, *filter(None, named))))

    def load(self, languages: Sequence[str]) -> list[Pack]:
        """Return these languages; all, if none is named.

        Raises:
            VoicegateError: a language is not installed, or its prompts.toml is wrong.
        """
        return [load_pack(self.sounds, language) for language in languages or find_languages(self.sounds)]

    def load_in_use(self, languages: Sequence[str]) -> list[Pack]:
        """Return these languages; if none is named, all that are spoken or were built.

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
    """Return where prompts are.

    Raises:
        ConfigError: the configuration file is wrong, or a named one is missing.
    """
    settings = read_settings_if_any(options)
    place = IntroductionFolder(Path(settings.storage.state_folder), FORMATS[settings.audio.format])
    return Packs(sounds or sounds_folder(settings), place, settings)


def complete_languages(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the languages, for a shell's completion."""
    with suppress(VoicegateError, OSError):
        return [name for name in find_languages(_completing(ctx).sounds) if name.startswith(incomplete)]
    return []


def complete_spoken(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the languages that calls can be in, for a shell's completion."""
    with suppress(VoicegateError, OSError):
        packs = _completing(ctx)
        spoken = load_spoken(packs.sounds, packs.settings.service.unjudged_languages)
        return [pack.language for pack in spoken if pack.language.startswith(incomplete)]
    return []


def complete_services(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of services, for a shell's completion."""
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
