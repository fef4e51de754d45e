"""Fills our example settings in, so that the lab runs what an admin reads, line for line.

Works on TOML and on Asterisk's files alike: `[section]` headers and `key = value` lines, either of
which may stand commented out by a leading "#" as a documented default.
"""

import re
from collections.abc import Mapping

from voicegate.lab.errors import LabError

_HEADER = re.compile(r"(?:#\s?)?\[([^\]]+)\]\s*$")
_SETTING = re.compile(r"(?:#\s?)?([A-Za-z_]\w*)\s*=(?!=)")


def fill_in(example: str, values: Mapping[tuple[str, str], str]) -> str:
    """Return `example` with the setting at each (section, key) set to its value, as written in the file.

    Raises:
        LabError: the example has no such section or setting; so the lab and the examples cannot part.
    """
    missing = dict(values)
    lines: list[str] = []
    section, header = "", 0
    for line in example.splitlines():
        if found := _HEADER.match(line):
            section, header = found[1], len(lines)
        elif (found := _SETTING.match(line)) and (section, found[1]) in missing:
            value = missing.pop((section, found[1]))
            lines[header] = lines[header].lstrip("# ")
            lines.append(f"{found[1]} = {value}")
            continue
        lines.append(line)
    if missing:
        raise LabError(f"The example has no setting {', '.join('.'.join(where) for where in missing)}.")
    return "\n".join(lines) + "\n"
