"""Which language speaks: the best one that is installed."""

import pytest

from voicegate.domain.errors import UnknownLanguage
from voicegate.domain.language import best_language, languages_of, match_language


def test_a_language_tag_falls_back_to_its_first_part() -> None:
    assert match_language(("en-GB",), ["de", "en"]) == "en"
    assert match_language(("PT-br",), ["pt-BR", "pt"]) == "pt-BR"
    with pytest.raises(UnknownLanguage, match="no prompts for 'fr'; installed: de, en"):
        match_language(("fr",), ["de", "en"])


def test_the_first_tag_that_is_served_wins() -> None:
    assert best_language(["fi", "de_CH", "en"], ["de", "en"]) == "de"
    assert best_language(["fi", "fr"], ["de", "en"]) is None
    assert best_language([], ["en"]) is None


@pytest.mark.parametrize(
    ("tag", "installed", "spoken"),
    [
        ("pt-BR", "pt pt-BR", "pt-BR"),
        ("pt-BR", "en pt", "pt"),
        ("pt-PT", "pt pt-BR", "pt"),
        ("pt", "pt-BR", "pt-BR"),
        ("pt-AO", "en pt-BR", "pt-BR"),
        ("zh-Hant-TW", "en zh", "zh"),
        ("zh_CN", "zh", "zh"),
        ("cmn-Hans-CN", "zh", "zh"),
        ("cmn", "zh-HK", None),
        ("zh-HK", "zh", "zh"),
        ("yue", "zh zh-HK", "zh-HK"),
        ("zh", "zh-HK", None),
        ("es-419", "es", "es"),
        ("de-CH-1901", "de de-CH", "de-CH"),
    ],
)
def test_a_variety_is_served_by_its_own_prompts_or_by_the_nearest(
    tag: str, installed: str, spoken: str | None
) -> None:
    assert best_language([tag], installed.split()) == spoken


def test_another_variety_goes_before_the_next_tag_that_a_person_likes() -> None:
    assert best_language(["pt-PT", "en"], ["en", "pt-BR"]) == "pt-BR"


@pytest.mark.parametrize(
    ("country", "spoken"),
    [("BR", "pt-BR"), ("PT", "pt"), ("AO", "pt"), ("TW", "zh"), ("HK", "zh"), ("SX", "nl"), ("IN", "hi")],
)
def test_a_country_is_served_by_its_own_variety(country: str, spoken: str) -> None:
    installed = ["de", "en", "hi", "nl", "pt", "pt-BR", "zh"]
    assert best_language(languages_of(country), installed) == spoken


def test_where_a_countrys_own_variety_is_not_there_the_language_is() -> None:
    assert best_language(languages_of("BR"), ["en", "pt"]) == "pt"
    assert best_language(languages_of("BR"), ["de", "en"]) is None
