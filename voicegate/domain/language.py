"""Which installed language is spoken for a language tag.

A tag is served by the same language, by what remains when its last parts are removed, or by another variety
of the language. The speech adapter knows what is installed. Source: RFC 4647 section 3.4 (lookup), which has
no other varieties: for someone who asked for Portugal's Portuguese, Brazil's is better than English.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from voicegate.domain.errors import UnknownLanguage

# The languages of countries with several, most spoken first; countries with one stand with it below.
_OF_MANY: Final[Mapping[str, tuple[str, ...]]] = {
    "BE": ("nl", "fr", "de"),
    "CA": ("en", "fr"),
    "CH": ("de", "fr", "it"),
    "CM": ("fr", "en"),
    "CY": ("el", "tr"),
    "FI": ("fi", "sv"),
    "HK": ("zh-HK", "zh", "en"),
    "IE": ("en", "ga"),
    "IL": ("he", "ar"),
    "IN": ("hi", "en"),
    "KZ": ("ru", "kk"),
    "KG": ("ky", "ru"),
    "LU": ("fr", "de"),
    "MA": ("ar", "fr"),
    "MO": ("zh-HK", "zh", "pt"),
    "MT": ("mt", "en"),
    "PH": ("en", "fil"),
    "PK": ("ur", "en"),
    "SG": ("en", "zh", "ms", "ta"),
    "TL": ("tet", "pt"),
    "TN": ("ar", "fr"),
    "ZA": ("en", "zu", "xh", "af"),
}
_OF_ONE: Final[Mapping[str, str]] = {
    "ar": "AE BH DZ EG IQ JO KW LB LY OM QA SA SD SY YE",
    "bg": "BG",
    "cs": "CZ",
    "da": "DK",
    "de": "AT DE LI",
    "el": "GR",
    "en": "AG AU BB BS BZ DM GB GD GG GH GI GM GY IM JE JM KE LC LR NG NZ SL TT UG US ZM ZW",
    "es": "AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR PY SV UY VE",
    "et": "EE",
    "fr": "BF BJ CD CF CG CI FR GA GF GN GP MC ML MQ NC NE PF RE SN TD TG YT",
    "hr": "HR",
    "hu": "HU",
    "id": "ID",
    "is": "IS",
    "it": "IT SM VA",
    "ja": "JP",
    "ko": "KR",
    "lt": "LT",
    "lv": "LV",
    "ms": "MY",
    "nb": "NO",
    "nl": "AW BQ CW NL SR SX",
    "pl": "PL",
    "pt": "AO CV GW MZ PT ST",
    "pt-BR": "BR",
    "ro": "MD RO",
    "ru": "BY RU",
    "sk": "SK",
    "sl": "SI",
    "sq": "AL",
    "sr": "RS",
    "sv": "SE",
    "th": "TH",
    "tr": "TR",
    "uk": "UA",
    "vi": "VN",
    "zh": "CN TW",
}
# Tags by which others know what is named otherwise here (ISO 639-3, RFC 5646 section 4.1.2).
_OTHER_NAMES: Final[Mapping[str, str]] = {"cmn": "zh", "yue": "zh-hk"}
# Varieties that are not understood by those who speak another one.
_APART: Final = frozenset(("zh",))
_OF_COUNTRY: Final[Mapping[str, tuple[str, ...]]] = {
    country: (language,) for language, countries in _OF_ONE.items() for country in countries.split()
} | dict(_OF_MANY)


def languages_of(country: str | None) -> tuple[str, ...]:
    """Return the languages of a country (ISO 3166 code), most spoken first; empty: unknown, or no country."""
    return _OF_COUNTRY.get(country or "", ())


def best_language(tags: Iterable[str], installed: Sequence[str]) -> str | None:
    """Return the same as `match_language`; None: no installed language fits."""
    by_name = {_plain(name): name for name in installed}
    return next((by_name[name] for tag in tags for name in _serving(tag, sorted(by_name))), None)


def _serving(tag: str, installed: Sequence[str]) -> Iterator[str]:
    """Yield the installed languages that fit a tag, the best first."""
    first, *others = _plain(tag).split("-")
    parts = [*_OTHER_NAMES.get(first, first).split("-"), *others]
    whole = ("-".join(parts[:count]) for count in range(len(parts), 0, -1))
    yield from (name for name in whole if name in installed)
    if parts[0] not in _APART:
        yield from (name for name in installed if name.startswith(f"{parts[0]}-"))


def match_language(tags: tuple[str, ...], installed: Sequence[str]) -> str:
    """Return the installed language for the first tag that has one (`en-GB` -> `en`).

    Raises:
        UnknownLanguage: none fits.
    """
    found = best_language(tags, installed)
    if found is None:
        wanted = " or ".join(map(repr, tags))
        raise UnknownLanguage(f"no prompts for {wanted}; installed: {', '.join(installed) or 'none'}")
    return found


def _plain(tag: str) -> str:
    return tag.replace("_", "-").lower()
