"""Wrong settings are told in an admin's words."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import inspect

from voicegate import config
from voicegate.config.wording import explain
from voicegate.domain.errors import ConfigError
from voicegate.domain.shape_errors import read_shape_error

CALLER_IDS = [{"number": "+12025550100"}]
TRUNK = {"pbx": "main", "endpoint": "carrier", "caller_ids": CALLER_IDS}


def patterns(kind: Any) -> Iterator[str]:
    """Every pattern that a shape has, at any depth."""
    match kind:
        case inspect.StrType(pattern=str() as pattern):
            yield pattern
        case inspect.StructType(fields=fields):
            for field in fields:
                yield from patterns(field.type)
        case inspect.DictType(key_type=key, value_type=value):
            yield from patterns(key)
            yield from patterns(value)
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            yield from patterns(item)
        case inspect.UnionType(types=types):
            for one in types:
                yield from patterns(one)


FOUND = sorted(set(patterns(inspect.type_info(config.Settings))))


def test_patterns_are_found() -> None:
    assert len(FOUND) > 12


@pytest.mark.parametrize("pattern", FOUND)
def test_every_pattern_has_words(pattern: str) -> None:
    shape = msgspec.defstruct("Shape", [("field", Annotated[str, msgspec.Meta(pattern=pattern)])])
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.convert({"field": "\x00 no \n such thing \x7f" * 9}, shape)
    told = explain(read_shape_error(error.value))
    assert told.startswith("must be ")
    assert "otherwise" not in told
    assert "otherwise" not in told
    assert pattern not in told


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (
            {"policy": {"allowed_countries": ["us"]}},
            "policy.allowed_countries[0]: must be an ISO 3166 code of a country, two capital letters, as",
        ),
        ({"policy": {"allowed_countries": "US"}}, "policy.allowed_countries: must be a list, not a string"),
        ({"socket": {"mode": "rw"}}, 'socket.mode: must be permissions in octal, as "0660"'),
        ({"socket": {"mode": 660}}, "socket.mode: must be a string, not a whole number"),
        ({"call": {"human_timeout_s": "x"}}, "call.human_timeout_s: must be a number, not a string"),
        ({"call": {"max_queued": -1}}, "call.max_queued: must be a whole number of at least 0"),
        ({"tcp": {"port": 70000}}, "tcp.port: must be a whole number of at most 65535"),
        ({"service": {"name": ""}}, "service.name: must have at least 1 character"),
        ({"tcp": {"enabled": 1}}, "tcp.enabled: must be true or false, not a whole number"),
        ({"trunks": {"c": {"pbx": "main", "endpoint": "e"}}}, "trunks.c: caller_ids is missing"),
        ({"trunks": {"a b": TRUNK}}, "trunks: must be a name: "),
    ],
)
def test_a_wrong_setting_is_told_in_plain_words(raw: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)) as error:
        config.parse({"pbx": {"main": {"kind": "simulator"}}} | raw)
    assert not re.search(r"`|\\Z|\bstr\b|regex|\^", str(error.value))
