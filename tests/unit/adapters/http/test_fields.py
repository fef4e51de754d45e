"""Numbers, extensions and codes are read alike at every door, and an error names the door's own field."""

import pytest

from tests.unit.adapters.http.serving import Served
from voicegate.adapters.http.fields import DestinationFields, read_destination, read_number, read_passcode
from voicegate.adapters.http.okta import errors as okta
from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.twilio import errors as twilio

FIELDS = DestinationFields("phoneNumber", "phoneExtension")


@pytest.mark.parametrize(
    ("number", "extension", "field"),
    [("+1202", None, "phoneNumber"), ("+12025550143", "!", "phoneExtension")],
)
def test_what_is_wrong_is_named_as_the_door_calls_it(number: str, extension: str | None, field: str) -> None:
    with pytest.raises(Refused) as refused:
        read_destination(number, extension, fields=FIELDS)
    assert (refused.value.kind.name, refused.value.facts.field) == ("invalid", field)
    assert refused.value.detail.startswith(f"{field}: ")


def test_each_door_refuses_in_its_own_words() -> None:
    with pytest.raises(Refused) as refused:
        read_destination("+12025550143", "!", fields=FIELDS, refuse=okta.wrong)
    assert refused.value.kind is okta.INVALID_EXTENSION
    with pytest.raises(Refused) as refused:
        read_passcode("12", "Code", refuse=twilio.wrong)
    assert refused.value.kind is twilio.INVALID_PARAMETER
    assert "12" not in refused.value.detail


def test_a_plus_sign_that_became_a_blank_is_one_again() -> None:
    assert read_number(" 12025550143") == "+12025550143"
    assert read_number(None) is None


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/audit"])
async def test_a_number_in_a_query_with_a_wrong_extension_is_refused(served: Served, path: str) -> None:
    response = await served.http.get(path, params={"number": "+12025550143;ext=!!"})
    assert (response.status_code, response.json()["field"]) == (422, "number")
