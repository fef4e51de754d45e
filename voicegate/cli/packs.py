"""Which language folders and which recordings a command means: as given, else as configured."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import rich_click as click

from voicegate.adapters.speech.build import is_built
from voicegate.adapters.speech.pack import Pack, find_languages, load_pack
from voicegate.adapters.speech.recordings import FOLDER
from voicegate.cli.options import Options
from voicegate.cli.place import read_settings_if_any
from voicegate.config import sounds_folder

sounds_option = click.option(
    "--sounds",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder with a folder per language; as configured when not given.",
)

languages_argument = click.argument("languages", nargs=-1, metavar="[LANGUAGE]...")


@dataclass(frozen=True, slots=True)
class Packs:
    """Where prompts lie."""

    sounds: Path
    """The folder of the language folders."""
    recordings: Path
    """The admin's own."""
    unjudged: Sequence[str]
    """Languages that are spoken although nobody could judge them."""

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
            if languages or pack.is_judged or pack.language in self.unjudged or is_built(pack)
        ]


def find_packs(options: Options, sounds: Path | None) -> Packs:
    """Return where prompts lie.

    Raises:
        ConfigError: a configuration file was named, or is there, and is wrong.
    """
    settings = read_settings_if_any(options)
    return Packs(
        sounds or sounds_folder(settings),
        Path(settings.storage.state_folder) / FOLDER,
        settings.service.unjudged_languages,
    )
