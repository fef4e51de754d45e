"""`voicegate config folders`: where the files lie that came with Voicegate."""

import json
from pathlib import Path

from tests.unit.cli.conftest import run


def test_the_dialplan_is_found_where_it_was_installed() -> None:
    folders = json.loads(run("config", "folders", "--json").stdout)
    assert (Path(folders["dialplan"]) / "asterisk/voicegate.conf").is_file()
    assert (Path(folders["config"]) / "tmpfiles.conf").is_file()
    assert f"dialplan  {folders['dialplan']}" in run("config", "folders").stdout
