"""What an admin changes about numbers, ranges and trunks: each with its reason, which the audit keeps."""

from typing import Any

import pytest

from tests.unit.adapters.http.serving import NUMBER, Served

NUMBERS, PREFIXES, TRUNK = "/v1/numbers", "/v1/prefixes", "/v1/trunks/carrier"
ON_LIST = {"list": "blocked", "number": NUMBER}
CHANGES = {
    "number.trusted": (
        "POST",
        NUMBERS,
        {"list": "trusted", "number": NUMBER, "expires_at": "2026-06-01T00:00:00Z"},
    ),
    "number.blocked": ("POST", NUMBERS, ON_LIST),
    "number.do_not_call": ("POST", NUMBERS, {"list": "do_not_call", "number": NUMBER}),
    "number.remove": ("DELETE", NUMBERS, ON_LIST),
    "prefix.hold": ("POST", f"{PREFIXES}/hold", {"prefix": "+1202555"}),
    "prefix.lift": ("POST", f"{PREFIXES}/lift", {"prefix": "+1202555"}),
    "trunk.drain": ("POST", f"{TRUNK}/drain", {}),
    "trunk.resume": ("POST", f"{TRUNK}/resume", {}),
}
WITHOUT = frozenset({"trunk.resume"})
"""What needs no reason: the drain that it ends has one."""


async def change(served: Served, action: str, **more: str) -> int:
    method, path, given = CHANGES[action]
    values: dict[str, Any] = {**given, **more}
    sent = {"params": values} if method == "DELETE" else {"json": values}
    answer = await served.http.request(method, path, params=sent.get("params"), json=sent.get("json"))
    return answer.status_code


@pytest.mark.parametrize("action", CHANGES)
async def test_a_change_is_in_the_audit_with_its_reason_and_refused_without(
    served: Served, action: str
) -> None:
    before = {"number.remove": "number.blocked", "prefix.lift": "prefix.hold", "trunk.resume": "trunk.drain"}
    if action in before:
        assert await change(served, before[action], reason="first") < 300
    assert (await change(served, action) == 422) == (action not in WITHOUT)
    assert await change(served, action, reason="the carrier's letter") < 300
    (entry,) = (await served.http.get("/v1/audit", params={"limit": 1})).json()["entries"]
    assert (entry["action"], entry["decision"]) == (action, "allowed")
    assert entry["reason"] == "the carrier's letter"
    assert NUMBER not in str(entry)
