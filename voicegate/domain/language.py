"""Which of the installed languages speaks to somebody: a tag is served by itself, or by its first part.

What is installed is the speech adapter's knowledge. Source: RFC 4647 section 3.4 (lookup), to one subtag.
"""

from collections.abc import Iterable, Mapping, Sequence
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
    "LU": ("fr", "de"),
    "MA": ("ar", "fr"),
    "MT": ("mt", "en"),
    "PH": ("en", "fil"),
    "PK": ("ur", "en"),
    "SG": ("en", "zh", "ms", "ta"),
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
    "nl": "NL SR",
    "pl": "PL",
    "pt": "AO BR CV GW MZ PT ST",
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
    "zh": "CN MO TW",
}
_OF_COUNTRY: Final[Mapping[str, tuple[str, ...]]] = {
    country: (language,) for language, countries in _OF_ONE.items() for country in countries.split()
} | dict(_OF_MANY)


def languages_of(country: str | None) -> tuple[str, ...]:
    """Return the languages of a country (ISO 3166 code), most spoken first; none: unknown, or no country."""
    return _OF_COUNTRY.get(country or "", ())


def best_language(tags: Iterable[str], installed: Sequence[str]) -> str | None:
    """Return what `match_language` does; None: none serves any."""
    by_name = {_plain(name): name for name in installed}
    wanted = (part for tag in map(_plain, tags) for part in (tag, tag.split("-")[0]))
    return next((by_name[part] for part in wanted if part in by_name), None)


def match_language(tags: tuple[str, ...], installed: Sequence[str]) -> str:
    """Return the installed language that serves the first tag for which there is one (`en-GB` -> `en`).

    Raises:
        UnknownLanguage: none serves any.
    """
    found = best_language(tags, installed)
    if found is None:
        wanted = " or ".join(map(repr, tags))
        raise UnknownLanguage(f"no prompts for {wanted}; installed: {', '.join(installed) or 'none'}")
    return found


def _plain(tag: str) -> str:
    return tag.replace("_", "-").lower()
