"""`voicegate prompts build --service`: record a service's name before the daemon needs it."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import rich_click as click

from voicegate.adapters.speech.introductions import Introduction, Source, find_introduction, make_introduction
from voicegate.adapters.speech.pack import Pack
from voicegate.cli.packs import Packs
from voicegate.domain.errors import SpeechError


class Named(msgspec.Struct, frozen=True):
    """The result for a name in one language."""

    language: str
    """The language."""
    service: str
    """The name."""
    source: str
    """Where "This is <name>." comes from: shipped, recorded, made; if it failed: nobody, or to be made."""
    engine: str | None = None
    """The engine that spoke it; None: none did."""
    is_fallback: bool = False
    """Was it another engine than the language's own?"""
    file: str | None = None
    """The sound file; None: it failed."""
    error: str | None = None
    """Why it failed."""


def name_service(packs: Packs, service: str, languages: Iterable[Pack], *, force: bool) -> Iterator[Named]:
    """Have a name spoken in these languages, one after the other; yield the result for each."""
    is_default = service == packs.settings.service.name
    for pack in languages:
        try:
            made = asyncio.run(
                make_introduction(pack, service, packs.place, is_default=is_default, force=force)
            )
        except SpeechError as error:
            found = find_introduction(pack, service, packs.place, is_default=is_default)
            yield Named(pack.language, service, found.source.value, error=str(error))
        else:
            yield _named(pack, service, made)


def _named(pack: Pack, service: str, made: Introduction) -> Named:
    is_spoken = made.source.is_spoken
    return Named(
        pack.language,
        service,
        made.source.value,
        engine=made.script.engine if is_spoken else None,
        is_fallback=made.is_fallback,
        file=str(made.file),
    )


def tell(named: Sequence[Named], packs: Packs) -> None:
    """Print the results for a name."""
    for one in named:
        about = f"{one.language}: {one.service!r}"
        if one.error is not None:
            record = f"; or record it: voicegate prompts import {one.language} FILE --service NAME"
            way_out = record if one.source == Source.NOBODY else ""
            click.echo(f"{about} was not made: {one.error}{way_out}", err=True)
        elif one.engine is None:
            click.echo(f"{about} is {one.source}")
        else:
            click.echo(
                f"{about} is spoken by {one.engine}{', the fallback engine' if one.is_fallback else ''}"
            )
    if named and named[0].service not in packs.services:
        known = ", ".join(map(repr, packs.services))
        hint = "service.name, or friendly_name of a [twilio.NAME]"
        click.echo(f"no call uses this name yet, only {known}: {hint}", err=True)
