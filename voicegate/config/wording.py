"""Translates msgspec's message about a wrong setting for an admin: no Python type, no regular expression.

Source: the error messages of msgspec 0.22; a test makes sure that each pattern of `shapes` has a text.
"""

import ast
import re
from collections.abc import Mapping
from typing import Final

from voicegate.domain.shape_errors import Fault, ShapeError

_WORDS: Final[Mapping[str, str]] = {
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z": "a name: 1 to 64 of A-Z, a-z, 0-9, _ . -, the first no sign",
    r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})?\Z": "a name: 1 to 64 of A-Z, a-z, 0-9, _ . -; or empty",
    r"^[A-Z]{2}\Z": 'an ISO 3166 code of a country, two capital letters, as "US"',
    r"^([A-Z]{2})?\Z": 'an ISO 3166 code of a country, two capital letters, as "US"; or empty',
    r"^[^\x00-\x20\x7f]{1,100}\Z": "a field's path without blanks, up to 100 characters",
    r"^[^\x00-\x20\x7f]{0,100}\Z": "a field's path without blanks, up to 100 characters; or empty",
    r"^(?!.*://[^/?@:]*:[^@]*@|.*[?&]password=)[^\x00]+\Z": (
        'a file\'s path, or a URL without a password, as "postgresql://voicegate@db/voicegate?passfile=FILE"'
    ),
    r"^\+?[0-9*#]{2,15}\Z": "a number without blanks: 2 to 15 of 0-9, *, #; a plus may precede them",
    r"^0?[0-7]{3}\Z": 'permissions in octal, as "0660"',
    r"^(https?://[^\s/?#]+/?)?\Z": 'scheme and host alone, as "https://voicegate.example"; or empty',
    r"^(https?://[A-Za-z0-9._:\[\]-]+)?\Z": 'scheme, host and port, as "http://10.0.0.5:8770"; or empty',
    r"^(wss?://[^\s/?#;,'\"]+(/[^\s?#]*)?)?\Z": 'a WebSocket\'s URL, as "wss://pbx.example/ws"; or empty',
    r"^([^@:\s]+@[^@:\s]+)?\Z": 'a user of FreeSWITCH\'s directory, as "voicegate@example.com"; or empty',
    r"^[^\"<>\\\x00-\x1f\x7f]*\Z": 'a name to show, without " < > \\ and control characters',
    r"^[A-Za-z0-9_.-]*\{extension\}[A-Za-z0-9_.-]*\Z": "an endpoint's name with {extension} in it",
    r"^\+[1-9][0-9]{4,11}\Z": 'the beginning of a number, as "+150055501"',
    r"^\+[1-9][0-9]{0,14}\Z": 'the beginning of a number, as "+1900"',
    r"^https?://[^\s/?#]+[^\s#\x00-\x1f\x7f]*\Z": 'a whole address, as "https://login.example/done"',
    r"^https?://[^\s/?#@]+([/?][^\s#\x00-\x1f\x7f]*)?\Z": 'an address, as "https://login.example/calls"',
    r"^[^\x00-\x1f\x7f]*\Z": "a line of text, without control characters",
    r"^#[0-9A-Fa-f]{6}\Z": 'a color, as "#2457c5"',
    r"^(sip:\+?[0-9]{2,15}@[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?)?\Z": (
        'a SIP URI with a number, as "sip:+12025550100@sip.carrier.example"; or empty'
    ),
    r"^[0-9*#]{0,8}\Z": "up to 8 of 0-9, * and #; or empty",
    r"^[0-9*#]{0,16}\Z": "up to 16 of 0-9, * and #; or empty",
    r"^[0-9]{4,10}\Z": "4 to 10 digits",
    r"^VA[0-9a-f]{32}\Z": "a service's SID: VA and 32 of 0-9, a-f",
    r"^[A-Za-z0-9_.-]{0,64}\Z": 'a language tag, as "en"; or empty',
}
_TYPES: Final[Mapping[str, str]] = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
_PATTERN: Final = re.compile(r"Expected `str` matching regex (?P<regex>'.*'|\".*\")")
_TYPE: Final = re.compile(r"Expected `(?P<wanted>[\w| ]+)`, got `(?P<found>\w+)`")
_BOUND: Final = re.compile(r"Expected `(?P<kind>int|float)` (?P<sign>[<>]=?) (?P<bound>\S+)")
_LENGTH: Final = re.compile(r"Expected `(?P<kind>str|array|object)` of length (?P<sign>[<>]=) (?P<bound>\d+)")
_SIGNS: Final[Mapping[str, str]] = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def explain(error: ShapeError) -> str:
    """Return what is wrong with a setting in plain words; an unknown message is returned as msgspec wrote
    it."""
    if error.fault is Fault.NO_CHOICE:
        return f"{error.told}: config/voicegate.toml lists them"
    return _explain(error.told)


def _explain(message: str) -> str:
    if found := _PATTERN.fullmatch(message):
        return f"must be {_WORDS.get(ast.literal_eval(found['regex']), 'written otherwise')}"
    if found := _TYPE.fullmatch(message):
        return f"must be {_type(found['wanted'])}, not {_type(found['found'])}"
    if found := _BOUND.fullmatch(message):
        return f"must be {_type(found['kind'])} of {_SIGNS[found['sign']]} {found['bound']}"
    if found := _LENGTH.fullmatch(message):
        one, many = ("character", "characters") if found["kind"] == "str" else ("entry", "entries")
        return f"must have {_SIGNS[found['sign']]} {found['bound']} {one if found['bound'] == '1' else many}"
    return message


def _type(name: str) -> str:
    return " or ".join(_TYPES.get(part.strip(), part.strip()) for part in name.split("|"))
