"""Which language a call speaks, where what was asked for has no prompts."""

from datetime import timedelta

import pytest

from tests.unit.application.conftest import NUMBER, TESTER, Bench
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.store_port import FactorRecord
from voicegate.domain.errors import UnknownLanguage
from voicegate.domain.phone_number import Destination


async def test_a_language_without_prompts_is_spoken_to_in_the_default_one(bench: Bench) -> None:
    record = await bench.settled(await bench.issue(languages=("fi", "fr-CA")))
    assert record.challenge.language == "en"


async def test_a_language_that_is_needed_is_refused_without_its_prompts(bench: Bench) -> None:
    with pytest.raises(UnknownLanguage, match="'fi'"):
        await bench.issue(languages=("fi",), needs_language=True)
    assert bench.pbx.legs == []


async def test_a_telephone_whose_prompts_are_gone_is_called_in_the_default_language(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await bench.enrollment.enroll(
        EnrollRequest(TESTER, "alice", Destination.parse(NUMBER), languages=("fi", "de-AT"))
    )
    assert isinstance(first, FactorRecord)
    assert first.factor.language == "de"
    assert first.challenge is not None
    await bench.settled(first.challenge.challenge.id)
    bench.clock.time += timedelta(minutes=10)
    monkeypatch.setattr(bench.speech, "languages", lambda: ("en",))
    again = await bench.enrollment.resend(TESTER, first.factor.id)
    assert isinstance(again, FactorRecord)
    assert again.challenge is not None
    assert again.challenge.challenge.language == "en"
