"""`voicegate prefixes` and `/v1/prefixes`: each command of the page, as an admin types it."""

import json
import shlex

from tests.pages import ROOT, blocks
from tests.unit.adapters.http.serving import Served
from tests.unit.cli.conftest import Run
from voicegate.domain.client import Scope

PAGE = ROOT / "docs/operate/toll-fraud.md"


def commands() -> list[list[str]]:
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True)[1:])[0] == "prefixes"]


async def test_every_command_of_the_page_does_what_it_says(served: Served, voicegate: Run) -> None:
    said = []
    for words in commands():
        result = await voicegate(*words)
        assert result.exit_code == 0, result.output
        said.append(result.stdout)
    assert len(said) == 3
    assert [line.split(":")[0] for line in said[1:]] == ["+1202555", "+1202555"]
    held, lifted = (await served.http.get("/v1/audit", params={"limit": 2})).json()["entries"][::-1]
    assert (held["action"], held["subject"], held["reason"]) == (
        "prefix.hold",
        "+1202555",
        "the carrier's warning",
    )
    assert (lifted["action"], lifted["reason"]) == ("prefix.lift", "a conference")


async def test_a_range_that_is_held_is_listed_and_refused_until_it_is_lifted(
    served: Served, voicegate: Run
) -> None:
    ours = ("+1202555", "--client", "root", "--reason", "bill")
    assert (await voicegate("prefixes", "hold", *ours)).exit_code == 0
    (shown,) = json.loads((await voicegate("prefixes", "list", "--json")).stdout)
    assert (shown["prefix"], shown["client"], shown["reason"]) == ("+1202555", "root", "bill")
    assert "bill" in (await voicegate("prefixes", "list")).stdout
    refused = await served.http.post("/v1/verifications", json={"destination": "+12025550101"})
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (429, "prefix_held")
    assert (await voicegate("prefixes", "lift", *ours)).exit_code == 0
    assert json.loads((await voicegate("prefixes", "list", "--json")).stdout) == []
    await served.create()


async def test_what_is_not_held_cannot_be_lifted_and_what_is_no_range_not_held(voicegate: Run) -> None:
    assert (await voicegate("prefixes", "lift", "+44", "--reason", "why")).exit_code == 4
    wrong = await voicegate("prefixes", "hold", "0049", "--reason", "why")
    assert (wrong.exit_code != 0, "prefix" in wrong.output) == (True, True)
    assert (await voicegate("prefixes", "hold", "+44")).exit_code == 2


async def test_only_an_admin_may_see_hold_and_lift(served: Served) -> None:
    headers = await served.key(Scope.VERIFICATIONS, Scope.FACTORS)
    body = {"prefix": "+1202555", "reason": "spite"}
    asked = [
        await served.remote.get("/v1/prefixes", headers=headers),
        await served.remote.post("/v1/prefixes/hold", json=body, headers=headers),
        await served.remote.post("/v1/prefixes/lift", json=body, headers=headers),
    ]
    assert [answer.status_code for answer in asked] == [403, 403, 403]
