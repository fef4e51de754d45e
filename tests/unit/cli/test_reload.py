"""`voicegate reload`, against a daemon behind which there is no file."""

from tests.unit.cli.conftest import Run


async def test_a_reload_that_finds_nothing_new_says_so(voicegate: Run) -> None:
    done = await voicegate("reload")
    assert (done.exit_code, done.stdout) == (0, "no setting has changed\n")


async def test_it_prints_json(voicegate: Run) -> None:
    done = await voicegate("reload", "--json")
    assert done.exit_code == 0
    assert '"taken":[]' in done.stdout.replace(" ", "")
