"""Every language has every string and placeholder, and every country's name."""

import hashlib
import string
import tomllib

import phonenumbers
import pytest

from voicegate.adapters.web import refusals, stages, texts
from voicegate.adapters.web.pages import CONSENT_VERSION
from voicegate.adapters.web.texts import FOLDER, accepted, languages, texts_for
from voicegate.config import project_folder
from voicegate.domain.call_outcome import Outcome
from voicegate.domain.challenge import GuessResult
from voicegate.domain.page_session import PageResult
from voicegate.domain.policy import DenyReason

CONSENTS = {"2026-11": "8775"}
"""The beginning of the digest of all languages' `consent`, by version: another text is another version."""


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def entries(language: str) -> dict[str, str]:
    return tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8"))


def test_every_language_with_prompts_has_words() -> None:
    spoken = {folder.parent.name for folder in project_folder("sounds").glob("*/prompts.toml")}
    assert set(languages()) >= spoken


@pytest.mark.parametrize("language", languages())
def test_every_language_has_every_string_and_placeholder(language: str) -> None:
    own, english = entries(language), entries("en")
    assert list(own) == list(english)
    wrong = {name for name, text in own.items() if placeholders(text) != placeholders(english[name])}
    assert not wrong
    assert not [name for name, text in own.items() if not text.strip() or text != text.strip()]


@pytest.mark.parametrize("language", languages())
def test_every_language_names_every_country(language: str) -> None:
    assert set(texts_for((language,)).countries) == set(phonenumbers.SUPPORTED_REGIONS)


def test_every_text_that_the_pages_choose_is_there() -> None:
    chosen = {stages.ended_text(outcome) for outcome in Outcome}
    chosen |= {*refusals.ERROR_OF_REASON.values(), *refusals.OF_GUESS.values(), *refusals.OF_NUMBERS}
    chosen |= {f"done_{result}_{part}" for result in PageResult for part in ("title", "text")}
    assert chosen <= set(entries("en"))


def test_every_reason_and_result_has_its_text() -> None:
    assert set(refusals.ERROR_OF_REASON) == set(DenyReason)
    assert set(refusals.OF_GUESS) == set(GuessResult) - {GuessResult.VERIFIED}


def test_another_text_of_consent_is_another_version() -> None:
    consents = "".join(entries(language)["consent"] for language in languages())
    digest = hashlib.sha256(consents.encode()).hexdigest()
    assert digest.startswith(CONSENTS[CONSENT_VERSION]), digest[:4]


@pytest.mark.parametrize(
    ("tags", "language"),
    [
        (("de-AT",), "de"),
        (("xx", "fr-CA", "es"), "fr"),
        (("pt-PT",), "pt"),
        (("pt-BR", "en"), "pt-BR"),
        (("zh-CN",), "zh"),
        (("zz",), "en"),
        ((), "en"),
    ],
)
def test_the_first_language_with_words_is_spoken(tags: tuple[str, ...], language: str) -> None:
    assert texts_for(tags).language == language


def test_languages_are_read_by_weight_and_what_is_none_is_passed_by() -> None:
    assert accepted("fr;q=0.2, de, en;q=0.9, xx;q=zero, <b>, es;q=0") == ("de", "en", "fr")


def test_a_right_to_left_language_says_so() -> None:
    assert texts.Texts("ar", {}).direction == "rtl"
    assert texts.Texts("de", {}).direction == "ltr"
