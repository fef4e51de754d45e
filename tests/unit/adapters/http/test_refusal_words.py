"""A wrong value is told in JSON's words, with the field's whole path."""

import pytest

from voicegate.adapters.http import request_parsing
from voicegate.adapters.http.native.calls import CallsQuery
from voicegate.adapters.http.okta_hook import TelephonyEvent
from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.schemas import NewVerification


def test_a_wrong_type_is_told_in_jsons_words() -> None:
    for body, words in (
        (b'{"destination": 1}', "destination: Expected a string, got an integer"),
        (b'{"destination": "+12025550101", "lifetime_s": "1"}', "Expected an integer or null, got a string"),
        (b'{"destination": "+12025550101", "reference": {}}', "Expected a string or null, got an object"),
        (b"[]", "Expected an object, got an array"),
        (b'{"destination": true}', "Expected a string, got true or false"),
    ):
        with pytest.raises(Refused) as refused:
            request_parsing.decode(body, NewVerification)
        assert words in refused.value.detail
        assert "`" not in refused.value.detail


def test_a_field_of_an_object_that_is_missing_is_named_by_its_whole_path() -> None:
    with pytest.raises(Refused) as refused:
        request_parsing.decode(b'{"eventId": "1", "eventType": "", "data": {}}', TelephonyEvent)
    assert refused.value.detail == "data.messageProfile: is missing"
    assert refused.value.facts.field == "data.messageProfile"


def test_a_time_that_is_none_is_told_by_an_example() -> None:
    with pytest.raises(Refused) as refused:
        request_parsing.decode(b'{"after": "yesterday"}', CallsQuery)
    assert "after: Expected a date and time, as 20" in refused.value.detail
