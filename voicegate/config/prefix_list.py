"""The list of denied prefixes: the CSV file that comes with Voicegate, or the admin's own.

Three columns with a heading line: `prefix`, `why` and `source`. Lines that begin with `#` are comments.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from voicegate.config import project_folder
from voicegate.domain.errors import ConfigError

SHIPPED: Final = "denied-prefixes.csv"
"""The name of the list that comes with Voicegate, in the folder `config`."""
_NONE: Final = "none"
_COLUMNS: Final = ("prefix", "why", "source")
_PREFIX: Final = re.compile(r"\+[1-9][0-9]{0,14}", re.ASCII)


def read_prefixes(path: str) -> Mapping[str, str]:
    """Return why each prefix of a list is denied; an empty name means the list that comes with Voicegate.
    Blocks.

    Raises:
        ConfigError: the file cannot be read, or a line is wrong; names file and line.
    """
    if path == _NONE:
        return {}
    file = Path(path) if path else project_folder("config") / SHIPPED
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"policy.denied_prefixes_file: {file} cannot be read: {error}") from error
    return {prefix: f"{why} ({source})" for prefix, why, source in _rows(file, lines)}


def _rows(file: Path, lines: list[str]) -> Iterator[tuple[str, str, str]]:
    # A comment becomes an empty line, which CSV skips, so that errors name the right line.
    reader = csv.reader("" if line.startswith("#") else line for line in lines)
    rows = (row for row in reader if row)
    heading = tuple(next(rows, ()))
    if heading != _COLUMNS:
        raise ConfigError(f"policy.denied_prefixes_file: {file} has no heading {','.join(_COLUMNS)}")
    for row in rows:
        if len(row) != len(_COLUMNS) or not all(row) or not _PREFIX.fullmatch(row[0]):
            raise ConfigError(
                f"policy.denied_prefixes_file: {file}, line {reader.line_num}: must be a prefix with its plus"
                " sign, why it is denied, and the source"
            )
        yield row[0], row[1], row[2]
