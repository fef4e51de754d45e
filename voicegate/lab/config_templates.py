"""Fills in our example settings, so that the lab runs what an admin reads, line for line.

For TOML and for Asterisk's files: `[section]` headers and `key = value` lines; either may be commented out by
a leading "#" or ";", as a documented default. For FreeSWITCH's XML, a parser finds the place of a parameter
in the text, so that comments and layout stay as they are.
"""

import json
import re
from collections.abc import Iterable, Mapping
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from voicegate.lab.errors import LabError

_HEADER = re.compile(r"(?:#\s?)?\[([^\]]+)\]\s*(?:#.*)?$")
_SETTING = re.compile(r"(?:[#;]\s?)?([A-Za-z_]\w*)\s*=(?!=)")


def fill_in(example: str, values: Mapping[tuple[str, str], str]) -> str:
    """Return `example` with the setting at each (section, key) set to its value, as written in the file.

    Raises:
        LabError: the example has no such section or setting; so the lab and the examples cannot differ.
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

    A parameter belongs to the innermost element around it that has a name. Everything else stays unchanged.

    Raises:
        LabError: the example is no XML, or has no such element or parameter.
    """
    # As FreeSWITCH includes them: a file may have several elements side by side.
    source = f"<example>{example}</example>".encode()
    filled, done, missing = b"", len("<example>"), dict(values)
    for place, start, end in _parameters(source):
        if place in missing:
            tag = f"<param name={quoteattr(place[1])} value={quoteattr(missing.pop(place))}/>"
            filled, done = filled + source[done:start] + tag.encode(), end
    _refuse(missing)
    return (filled + source[done : -len("</example>")]).decode()


def as_toml(value: object) -> str:
    """Return a string, number, boolean, list or flat table as TOML."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {as_toml(entry)}' for key, entry in value.items())} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(as_toml(entry) for entry in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _parameters(source: bytes) -> list[tuple[tuple[str, str], int, int]]:
    """Return each parameter's element and name, with the first and last byte of its tag."""
    found: list[tuple[tuple[str, str], int, int]] = []
    names, starts = [""], [0]
    parser = expat.ParserCreate("utf-8")

    def begin(_tag: str, attributes: Mapping[str, str]) -> None:
        names.append(attributes.get("name") or attributes.get("id") or names[-1])
        starts.append(parser.CurrentByteIndex)

    def end(tag: str) -> None:
        name, start = names.pop(), starts.pop()
        # The end of a tag that is empty; of another one the place of what closes it, which is left alone.
        if tag == "param" and source[: parser.CurrentByteIndex].endswith(b"/>"):
            found.append(((names[-1], name), start, parser.CurrentByteIndex))

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    try:
        parser.Parse(source, True)
    except expat.ExpatError as error:
        raise LabError(f"The example is no XML: {error}.") from error
    return found


def _refuse(missing: Iterable[tuple[str, str]]) -> None:
    if names := ", ".join(".".join(where) for where in missing):
        raise LabError(f"The example has no setting {names}.")
