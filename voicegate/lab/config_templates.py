"""Fills our example settings in, so that the lab runs what an admin reads, line for line.

Works on TOML and on Asterisk's files alike: `[section]` headers and `key = value` lines, either of
which may stand commented out by a leading "#" or ";" as a documented default. And on FreeSWITCH's: XML whose
elements and parameters have a line each.
"""

import re
from collections.abc import Iterable, Mapping
from xml.sax.saxutils import quoteattr

from voicegate.lab.errors import LabError

_HEADER = re.compile(r"(?:#\s?)?\[([^\]]+)\]\s*$")
_SETTING = re.compile(r"(?:[#;]\s?)?([A-Za-z_]\w*)\s*=(?!=)")
_OPENING = re.compile(r'\s*<[a-z-]+(?: (?:name|id)="([^"]+)")?[^/>]*>\s*$')
_CLOSING = re.compile(r"\s*</")
_PARAMETER = re.compile(r'(\s*<param name="([^"]+)" value=)"[^"]*"/>\s*$')


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
    _refuse(missing)
    return "\n".join(lines) + "\n"


def without_section(example: str, name: str) -> str:
    """Return `example` without the section of that name."""
    lines: list[str] = []
    section = ""
    for line in example.splitlines():
        if found := _HEADER.match(line):
            section = found[1]
        if section != name:
            lines.append(line)
    return "\n".join(lines) + "\n"


def fill_in_xml(example: str, values: Mapping[tuple[str, str], str]) -> str:
    """Return `example` with the parameter at each (element's name, parameter's name) set to its value.

    A parameter belongs to the innermost element around it that has a name.

    Raises:
        LabError: the example has no such element or parameter.
    """
    missing = dict(values)
    lines: list[str] = []
    names = [""]
    for line in example.splitlines():
        if found := _OPENING.match(line):
            names.append(found[1] or names[-1])
        elif _CLOSING.match(line):
            names.pop()
        elif (found := _PARAMETER.match(line)) and (names[-1], found[2]) in missing:
            lines.append(f"{found[1]}{quoteattr(missing.pop((names[-1], found[2])))}/>")
            continue
        lines.append(line)
    _refuse(missing)
    return "\n".join(lines) + "\n"


def _refuse(missing: Iterable[tuple[str, str]]) -> None:
    if names := ", ".join(".".join(where) for where in missing):
        raise LabError(f"The example has no setting {names}.")
