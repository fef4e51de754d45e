"""The list of rates: a CSV file of what each carrier asks for a minute, by the beginning of the number.

Five columns with a heading, `trunk` (`*`: every trunk), `prefix` (E.164 with its plus sign),
`price_per_minute`, `minimum_s` and `increment_s`; lines that begin with `#` are comments. A price list that
says 30/6 bills at least 30 seconds, and then in steps of 6.
"""

import csv
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from voicegate.domain.errors import ConfigError
from voicegate.domain.policy.spend import ANY_TRUNK, Rate, Rates, to_micros

_SETTING: Final = "spend.rates_file"
_COLUMNS: Final = ("trunk", "prefix", "price_per_minute", "minimum_s", "increment_s")
_PREFIX: Final = re.compile(r"\+[1-9][0-9]{0,14}", re.ASCII)
_PRICE: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
_SECONDS: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


def read_rates(path: str, trunks: Collection[str]) -> Rates:
    """Return the rates of a list; empty path: there are none. Blocks on reading the file.

    Raises:
        ConfigError: the file cannot be read, or a line is wrong; names file and line.
    """
    if not path:
        return Rates()
    file = Path(path)
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{_SETTING}: {file} cannot be read: {error}") from error
    found: dict[tuple[str, str], Rate] = {}
    for line, row in _rows(file, lines):
        fault = _fault(row, trunks) or ("is there twice" if (row[0], row[1]) in found else "")
        if fault:
            raise ConfigError(f"{_SETTING}: {file}, line {line}: {fault}")
        found[row[0], row[1]] = Rate(to_micros(row[2]), int(row[3]), int(row[4]))
    return Rates(found)


def _rows(file: Path, lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    # A comment keeps its place as an empty line, which CSV passes over, so that errors name the right one.
    reader = csv.reader("" if line.startswith("#") else line for line in lines)
    rows = (row for row in reader if row)
    if tuple(next(rows, ())) != _COLUMNS:
        raise ConfigError(f"{_SETTING}: {file} has no heading {','.join(_COLUMNS)}")
    for row in rows:
        yield reader.line_num, row


def _fault(row: list[str], trunks: Collection[str]) -> str:
    """Return what is wrong with a row; empty: nothing."""
    if len(row) != len(_COLUMNS):
        return f"must have {len(_COLUMNS)} columns"
    trunk, prefix, price, minimum, increment = row
    if trunk != ANY_TRUNK and trunk not in trunks:
        return f"there is no [trunks.{trunk}]; {ANY_TRUNK} stands for every trunk"
    if not _PREFIX.fullmatch(prefix):
        return "prefix must be the beginning of a number, with its plus sign"
    if not _PRICE.fullmatch(price):
        return "price_per_minute must be a number such as 0.012, with at most six decimals"
    if not (_SECONDS.fullmatch(minimum) and _SECONDS.fullmatch(increment)):
        return "minimum_s and increment_s must be whole seconds, 1 to 9999"
    return ""
