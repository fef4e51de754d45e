"""`voicegate db` on PostgreSQL: it upgrades, prunes and backs up the rest, and says whose the copy is."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from tests.postgresql import Server
from voicegate.adapters.keyfile import FileKeyring
from voicegate.adapters.storage.migrations import newest_revision
from voicegate.cli.main import main


def voicegate(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(folder / "voicegate.toml"), "db", *words])


def test_a_postgresql_database_is_upgraded_and_pruned_and_backed_up_by_its_own_tools(
    server: Server, tmp_path: Path
) -> None:
    # Without tables yet.
    database = server.create(f"commands_{next(server.numbers)}")
    FileKeyring.open(tmp_path / "key")
    settings = (
        f'[storage]\ndatabase = "{database}"\nkey_file = "{tmp_path}/key"\nstate_folder = "{tmp_path}"\n'
    )
    (tmp_path / "voicegate.toml").write_text(settings)
    upgraded = voicegate(tmp_path, "upgrade")
    assert upgraded.exit_code == 0, upgraded.output
    assert upgraded.stdout.splitlines() == [
        f"upgraded from revision none to {newest_revision()}",
        "no copy was made: a PostgreSQL database is backed up by pg_dump",
    ]
    for words in (("--dry-run",), ()):
        pruned = voicegate(tmp_path, "prune", *words, "--json")
        assert pruned.exit_code == 0, pruned.output
        assert not any(json.loads(pruned.stdout)["rows"].values())
    made = voicegate(tmp_path, "backup", str(tmp_path / "copy"))
    assert made.exit_code == 0, made.output
    assert f"storage.database: {database}: back it up with pg_dump" in made.stdout
    assert {file.name for file in (tmp_path / "copy").iterdir()} == {"key", "voicegate.toml", "backup.json"}
