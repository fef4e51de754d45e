"""Which language speaks: the best one that is installed."""

import pytest

from voicegate.domain.errors import UnknownLanguage
from voicegate.domain.language import best_language, match_language


def test_a_language_tag_falls_back_to_its_first_part() -> None:
    assert match_language(("en-GB",), ["de", "en"]) == "en"
    assert match_language(("PT-br",), ["pt-BR", "pt"]) == "pt-BR"
    with pytest.raises(UnknownLanguage, match="no prompts for 'fr'; installed: de, en"):
        match_language(("fr",), ["de", "en"])


def test_the_first_tag_that_is_served_wins() -> None:
    assert best_language(["fi", "de_CH", "en"], ["de", "en"]) == "de"
    assert best_language(["fi", "fr"], ["de", "en"]) is None
    assert best_language([], ["en"]) is None
