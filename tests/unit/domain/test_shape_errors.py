"""msgspec's messages are taken apart as msgspec writes them."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, Struct

from voicegate.domain.shape_errors import Fault, ShapeError, name_types, read_shape_error


class Colour(StrEnum):
    RED = "red"


class Inner(Struct, frozen=True, forbid_unknown_fields=True):
    x: int = 0
    colour: Colour = Colour.RED


class Outer(Struct, forbid_unknown_fields=True):
    needed: int
    inner: Inner = Inner()
    table: dict[Annotated[str, Meta(pattern="^[a-z]+$")], Inner] = {}
    entries: list[Inner] = []


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ({}, ShapeError("", Fault.MISSING, "needed")),
        ({"needed": 1, "more": 2}, ShapeError("", Fault.UNKNOWN, "more")),
        (
            {"needed": 1, "entries": [{}, {"a - at `$.b`": 1}]},
            ShapeError("entries[1]", Fault.UNKNOWN, "a - at `$.b`"),
        ),
        (
            {"needed": 1, "inner": {"colour": "blue"}},
            ShapeError("inner.colour", Fault.NO_CHOICE, "'blue'"),
        ),
        (
            {"needed": 1, "table": {"A": {}}},
            ShapeError("table", Fault.OTHER, "Expected `str` matching regex '^[a-z]+$'"),
        ),
        ([], ShapeError("", Fault.OTHER, "Expected `object`, got `array`")),
    ],
)
def test_a_message_says_where_and_what(raw: Any, error: ShapeError) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(raw, Outer)
    assert read_shape_error(raised.value) == error


def test_a_field_has_its_place_before_it() -> None:
    assert ShapeError("a[0]", Fault.MISSING, "b").at("b") == "a[0].b"
    assert ShapeError("", Fault.MISSING, "b").at("b") == "b"


def test_types_are_told_in_the_readers_words() -> None:
    words = {"str": "a string", "null": "null"}
    assert name_types("Expected `str | null`, got `int`", words) == "Expected a string or null, got `int`"
