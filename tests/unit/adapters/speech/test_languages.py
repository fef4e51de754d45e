"""The shipped languages: what is given to an engine, what came of it, and that it can be made again."""

import io
import re

import numpy as np
import pytest
import soundfile

from tests.unit.adapters.speech.conftest import SOUNDS
from voicegate.adapters.speech.build import find_stale, is_built, render
from voicegate.adapters.speech.engines import licence_of
from voicegate.adapters.speech.formats import FORMATS, Samples
from voicegate.adapters.speech.manifest import hash_sounds, read_manifest
from voicegate.adapters.speech.pack import Script, digit_name, find_languages, load_pack, load_spoken
from voicegate.adapters.speech.voice import load_voice
from voicegate.config import project_folder
from voicegate.domain.announcement import SCREENED, Asking, HumanCheck, Prompt, PromptName, compose_invitation

PACKS = {language: load_pack(SOUNDS, language) for language in find_languages(SOUNDS)}
BUILT = [language for language, pack in PACKS.items() if pack.is_judged or is_built(pack)]
SCRIPTS = [(language, name) for language, pack in PACKS.items() for name in pack.scripts]
PROMPTS = [(language, name) for language, name in SCRIPTS if language in BUILT]
BUILT_BY_ESPEAK = [language for language in BUILT if PACKS[language].this_is.engine == "espeak-ng"]
# What can be made again wherever tests run; the other engines are no part of a checkout.
REMADE = [language for language in BUILT if PACKS[language].this_is.engine in ("flite", "espeak-ng")]
FAMILIAR = {
    "de": "du dich dir dein deine deinen",
    "es": "tú tu te ti contigo",
    "fr": "tu te toi ton ta tes",
    "it": "tu te ti tuo tua",
    "pt": "tu te ti teu tua você",
    "pt-BR": "tu te ti teu tua",
    "nl": "je jij jou jouw",
    "pl": "ty ci cię ciebie twój twoje",
    "ru": "ты тебя тебе твой твоё",
}
ORDINALS = {
    "en": "fourth",
    "de": "vierte",
    "es": "cuarto",
    "fr": "quatrième",
    "it": "quarto",
    "pt": "quarto",
    "pt-BR": "quarto",
    "nl": "vierde",
    "pl": "czwarty",
    "ru": "четвёртый",
}


def test_seven_languages_are_spoken_by_default_and_more_are_there() -> None:
    assert {"de", "en", "es", "fr", "it", "pt-BR", "ru"} <= {pack.language for pack in load_spoken(SOUNDS)}
    assert {"hi", "it", "ja", "nl", "pl", "pt", "pt-BR", "ru", "zh"} <= PACKS.keys()


@pytest.mark.parametrize("language", BUILT)
def test_the_shipped_prompts_are_those_of_the_shipped_scripts(language: str) -> None:
    assert find_stale(PACKS[language]) == []


@pytest.mark.parametrize("language", BUILT)
def test_the_shipped_sounds_are_those_that_the_manifest_tells_of(language: str) -> None:
    folder = SOUNDS / language
    made = read_manifest(folder)
    assert made.keys() == PACKS[language].scripts.keys()
    for name, told in made.items():
        assert told.sounds == hash_sounds(folder, name)
        assert told.sounds.keys() == FORMATS.keys()
        script = PACKS[language].scripts[name]
        assert (told.engine, told.voice) == (script.engine, script.voice)
        licence = licence_of(told.engine, told.voice)
        assert (told.licence, told.licence_source) == (licence.name, licence.source)
        assert told.licence != "NOASSERTION", "look up the voice's licence before its sounds are given on"
        assert told.version != "unknown"


@pytest.mark.parametrize("language", BUILT)
def test_the_notice_credits_every_voice(language: str) -> None:
    notice = (project_folder("sounds").parent / "NOTICE").read_text("utf-8")
    for told in read_manifest(SOUNDS / language).values():
        if told.engine == "espeak-ng":
            assert "eSpeak NG" in notice
        else:
            assert f'"{told.voice}"' in notice


@pytest.mark.parametrize("language", BUILT)
def test_a_language_weighs_less_than_140_kilobytes_a_prompt(language: str) -> None:
    folder = SOUNDS / language
    prompts = len(PACKS[language].scripts)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 140_000 * prompts


@pytest.mark.parametrize(("language", "name"), PROMPTS)
def test_a_shipped_prompt_is_there_in_every_format_alike_loud_and_unclipped(language: str, name: str) -> None:
    files = {suffix: SOUNDS / language / f"{name}.{suffix}" for suffix in FORMATS}
    narrow, rate = soundfile.read(files["wav"], dtype="int16")
    wide, wide_rate = soundfile.read(io.BytesIO(files["wav16"].read_bytes()), dtype="int16")
    assert (rate, wide_rate) == (8000, 16000)
    assert abs(len(wide) - 2 * len(narrow)) <= 2
    assert files["ulaw"].stat().st_size == files["alaw"].stat().st_size == len(narrow)
    loud = np.abs(narrow.astype(np.float64))
    assert 3000 < loud.max() < 30000
    assert np.sqrt(np.mean(loud[loud > 300] ** 2)) > 1500


@pytest.mark.parametrize(("language", "name"), SCRIPTS)
def test_an_engine_is_given_words_never_figures(language: str, name: str) -> None:
    # "4." is "vierte" to a German engine, and "4 7" may be "forty-seven" to any.
    script = PACKS[language].scripts[name]
    assert not re.search(r"\d", script.text + script.spelling)


@pytest.mark.parametrize("language", PACKS)
def test_each_digit_is_a_single_word_of_its_own(language: str) -> None:
    words = [PACKS[language].scripts[digit_name(digit)].text for digit in "0123456789"]
    # A vowel sign of Hindi's is a mark, no letter.
    assert all(re.fullmatch(r"[^\W\d_]+|[\u0900-\u097f]+|ー", word.replace("ー", "")) for word in words)
    assert len(set(words)) == 10


@pytest.mark.parametrize(
    ("language", "variant", "words"),
    [("de", "zwo", "zwo"), ("nl", "zeuven", "zeuven"), ("pt-BR", "meia", "meia"), ("zh", "yao", "幺")],
)
def test_the_telephones_own_word_for_a_digit_is_a_variant(language: str, variant: str, words: str) -> None:
    (name,) = PACKS[language].variants[variant].values()
    assert PACKS[language].scripts[name].text == words


@pytest.mark.parametrize("language", FAMILIAR)
def test_people_are_addressed_formally(language: str) -> None:
    spoken = " ".join(script.text for script in PACKS[language].scripts.values()).lower()
    assert not set(FAMILIAR[language].split()) & set(re.findall(r"\w+", spoken))


@pytest.mark.parametrize("language", PACKS)
def test_who_calls_and_why_is_told_before_what_to_press(language: str) -> None:
    assert PACKS[language].phrasing.asking[0] is Asking.TO_HEAR_YOUR_CODE


# espeak-ng, the engine of last resort, is slowed down for its digits to be understood.
@pytest.mark.parametrize("language", sorted(set(BUILT) - set(BUILT_BY_ESPEAK)))
def test_a_screening_telephone_learns_who_calls_and_why_in_three_seconds(language: str) -> None:
    voice = load_voice(PACKS[language], FORMATS["wav"], SOUNDS / "none")
    parts = compose_invitation(HumanCheck.RANDOM_KEY, "7", voice.pack.phrasing)
    why = parts.index(Prompt(PromptName.TO_HEAR_YOUR_CODE))
    assert voice.join(parts[: why + 1]).samples.size < SCREENED.total_seconds() * voice.kind.rate


@pytest.mark.parametrize("language", sorted(set(REMADE) & ORDINALS.keys()))
async def test_a_digit_that_is_made_again_is_the_shipped_one_and_no_ordinal(
    engine: object, language: str
) -> None:
    script = PACKS[language].scripts["digit_4"]
    ordinal = Script(script.engine, script.voice, ORDINALS[language])
    shipped = FORMATS["wav16"].read(SOUNDS / language / "digit_4.wav16")
    take = read_manifest(SOUNDS / language)["digit_4"].take
    assert likeness(await render(script, take), shipped) > 0.99
    assert likeness(await render(ordinal), shipped) < 0.9


def likeness(one: Samples, other: Samples) -> float:
    """The correlation of two sounds at their best alignment."""
    first, second = one.astype(np.float64), other.astype(np.float64)
    best = np.correlate(first, second, "full").max()
    return float(best / np.sqrt(np.sum(first**2) * np.sum(second**2)))


def test_the_documentation_tells_of_every_language_whether_it_was_judged() -> None:
    page = (SOUNDS.parent / "docs" / "languages.md").read_text("utf-8")
    rows = [re.split(r" *\| *", line) for line in page.splitlines() if line.startswith("| `")]
    told = {row[1].strip("`"): (row[3] == "yes", set(re.findall("`(.+?)`", row[5]))) for row in rows}
    assert told == {pack.language: (pack.is_judged, set(pack.variants)) for pack in PACKS.values()}
