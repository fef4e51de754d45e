"""The Okta door describes itself; that its answers keep to it is checked with every request of its tests."""

from typing import Any, cast
from unittest.mock import Mock

from tests.unit.adapters.http.okta.serving import Okta
from voicegate.adapters.http.okta.door import okta_door
from voicegate.adapters.http.okta.factors import OktaDependencies


async def described(okta: Okta) -> dict[str, Any]:
    response = await okta.http.get("/openapi/okta.json")
    assert response.status_code == 200
    return dict(response.json())


async def test_every_operation_is_described_once_and_without_its_slash(okta: Okta) -> None:
    paths = (await described(okta))["paths"]
    offered = [route.operation for route in okta_door(cast(OktaDependencies, Mock())).routes]
    found = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert found == {(op.method, op.path) for op in offered}
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(names) == len(set(names))


async def test_refusals_are_described_by_okta_s_codes(okta: Okta) -> None:
    path = "/api/v1/users/{userId}/factors/{factorId}/verify"
    verify = (await described(okta))["paths"][path]["post"]
    assert set(verify["responses"]) == {"200", "400", "401", "403", "404", "429", "500", "503"}
    assert "`E0000133`" in verify["responses"]["429"]["description"]
    schema = verify["responses"]["403"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/OktaError"}
    assert verify["requestBody"]["required"] is False


async def test_a_list_is_described_as_one_and_an_end_as_nothing(okta: Okta) -> None:
    paths = (await described(okta))["paths"]
    listed = paths["/api/v1/users/{userId}/factors"]["get"]["responses"]["200"]
    assert listed["content"]["application/json"]["schema"]["type"] == "array"
    unenrolled = paths["/api/v1/users/{userId}/factors/{factorId}"]["delete"]["responses"]["204"]
    assert "content" not in unenrolled


async def test_the_native_description_has_none_of_it(okta: Okta) -> None:
    paths = (await okta.http.get("/openapi.json")).json()["paths"]
    assert not [path for path in paths if path.startswith("/api/")]
