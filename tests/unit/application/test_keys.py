"""Which key counts: one that was named, and never what we have just sent ourselves."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import Bench
from tests.unit.application.scripted import INVITATION, ScriptedLeg, full
from voicegate.application import conversation
from voicegate.application.conversation import keys_apart_from
from voicegate.application.ports import Clip
from voicegate.domain.announcement import Digit, HumanCheck, Prompt, PromptName
from voicegate.domain.call import Answered, Playback

NAMED = replace(INVITATION, key_end=6000)


@pytest.mark.parametrize(
    ("extension", "keys"),
    [
        (None, "12345678"),
        ("204", "135678"),
        ("w2W04", "135678"),
        ("12345678", "*"),
        ("1234567890", "*"),
        ("*1234567890", "12345678"),
    ],
)
def test_the_key_is_drawn_from_what_the_extension_does_not_hold(extension: str | None, keys: str) -> None:
    assert keys_apart_from(extension) == keys


@dataclass
class Ear:
    """What a telephone's line brings during the invitation and after it."""

    press: Callable[[str], str | None]
    heard: list[str]

    @property
    def asked(self) -> list[str]:
        """The keys that were listened for; after the code it is the star that asks for a repeat."""
        return self.heard[:-1]

    async def answers(self, leg: ScriptedLeg) -> None:
        def play(clip: Clip, keys: str) -> Playback:
            if clip is not NAMED:
                return full(clip)
            self.heard.append(keys)
            key = self.press(keys)
            return full(clip, key=key, samples=7000 if key else clip.samples)

        leg.on_play = play
        leg.on_wait = self.heard.append
        leg.tell(Answered())


@pytest.fixture
def ear(bench: Bench) -> Ear:
    bench.speech.invitation = NAMED
    ear = Ear(lambda keys: keys[:1] or None, [])
    bench.pbx.plots = [ear.answers]
    return ear


async def end_of(bench: Bench, extension: str, check: HumanCheck) -> str:
    record = await bench.settled(await bench.issue(extension=extension, human_check=check))
    assert record.calls[0].outcome is not None
    return record.calls[0].outcome.outcome


async def test_digits_that_we_have_just_sent_are_not_heard_as_keys(bench: Bench, ear: Ear) -> None:
    assert await end_of(bench, "204*", HumanCheck.ANY_KEY) == "delivered"
    assert ear.asked == ["135678#"]


async def test_they_are_once_no_echo_can_come_any_more(
    bench: Bench, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "_ECHO", timedelta())
    assert await end_of(bench, "204*", HumanCheck.ANY_KEY) == "delivered"
    assert ear.asked == ["12345678*#"]


async def test_an_extension_that_holds_every_key_is_waited_for_until_its_echo_is_over(
    bench: Bench, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "_ECHO", timedelta(milliseconds=50))

    def press(keys: str) -> str | None:
        return keys or None

    ear.press = press
    assert await end_of(bench, "*1234567890", HumanCheck.RANDOM_KEY) == "delivered"
    counted = ear.asked[-1]
    assert counted in tuple("12345678")
    # Deaf at first, and never again once it listens.
    assert ear.asked == sorted(ear.asked)
    assert ear.asked[0] == ""


async def test_star_is_named_where_the_extension_holds_every_digit(bench: Bench, ear: Ear) -> None:
    assert await end_of(bench, "1234567890", HumanCheck.RANDOM_KEY) == "delivered"
    ((invitation, _),) = bench.speech.said
    assert Prompt(PromptName.STAR) in invitation
    assert not any(isinstance(part, Digit) for part in invitation)
    assert ear.asked == ["*"]


async def test_a_key_pressed_before_it_was_named_does_not_count(bench: Bench) -> None:
    bench.speech.invitation = NAMED
    pressed_at = iter((100, 5999, 6000))

    async def eager(leg: ScriptedLeg) -> None:
        leg.on_play = lambda clip, keys: full(
            clip, **({"key": keys, "samples": next(pressed_at)} if clip is NAMED else {})
        )
        leg.tell(Answered())

    bench.pbx.plots = [eager]
    record = await bench.settled(await bench.issue())
    assert [step.event for step in record.calls[0].timeline].count("key_pressed") == 1
    assert bench.pbx.legs[0].done[:4] == ["play invitation"] * 3 + ["play reading"]
    assert next(pressed_at, None) is None


async def test_nor_does_it_where_nothing_is_named_again_in_time(bench: Bench) -> None:
    """The rest of the time is waited out without listening."""
    bench.speech.invitation = replace(NAMED, length=timedelta(milliseconds=90))
    timings = replace(bench.rules.timings, human_timeout=timedelta(milliseconds=100))
    heard: list[str] = []

    class Eager(ScriptedLeg):
        async def play(self, clip: Clip, keys: str = "") -> Playback:
            await asyncio.sleep(0.05)
            return full(clip, key=keys, samples=100)

    async def eager(leg: ScriptedLeg) -> None:
        leg.__class__ = Eager
        leg.on_wait = heard.append
        leg.tell(Answered())

    bench.pbx.plots = [eager]
    bench.delivery._timings = timings
    record = await bench.settled(await bench.issue())
    assert record.calls[0].outcome is not None
    assert record.calls[0].outcome.outcome == "no_human"
    assert set(heard) == {""}
