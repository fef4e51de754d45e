"""Finds the one code in a text that an identity provider wrote; it never guesses which number it is.

A number in the text may be a year, a price, a telephone number, a part of a code, or a code. A number is
taken as the code only if the words beside it call it a code and no other number is left that is not about
time; or if the admin's pattern has words of the text around it. Everything else is refused: when a wrong code
is spoken, it looks like an error of the person who enters it.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from voicegate.domain import code_words
from voicegate.domain.errors import InvalidPasscode
from voicegate.domain.passcode import MIN_LENGTH, Passcode
from voicegate.domain.writing import fold_digits

# A text that is one code in two groups, and nothing else. Longer groups may be two codes, more a date.
_GROUPED_ALONE = re.compile(r"\s*([0-9]{2,3})[ -]([0-9]{2,3})\s*", re.ASCII)
# All that may be one number to a reader: 2026-11-28, 12:30, +1 (202) 555, 123 - 456, also over
# the end of a line. A full stop with a blank behind it keeps two numbers apart.
_NUMBER = re.compile(r"[0-9](?:(?:[\s-]{1,3}|[!-/:-@\[-`{-~])?[0-9])*", re.ASCII)
# Short groups of digits with no letter between them.
_GROUPS = re.compile(r"(?<![0-9])[0-9]{1,3}(?:[\W_]+[0-9]{1,3})+(?![0-9])")
_MARKUP = re.compile(r"<[^<>]{0,200}>|&[A-Za-z]{2,8};|&#[0-9]{1,7};", re.ASCII)
_RUN = re.compile(r"[0-9]+", re.ASCII)
_TIME = re.compile(r"([01]?[0-9]|2[0-3])(:[0-5][0-9]){1,2}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9]{4,}", re.ASCII)
# 15min, 2nd: a number with its unit is no code.
_UNIT = re.compile(r"[0-9]{1,3}[a-z]+", re.ASCII)
# Digits of a word or a name: 2FA, 2-step, Web3.
_INSIDE = re.compile(r"(?<![0-9])[0-9]++(?=-?[A-Za-z])|(?<=[A-Za-z])[0-9]++", re.ASCII)
_CLAUSE_END = re.compile(r"[.!?:](?=\s|$)|[\n(;；。！？#]")
_BEHIND = 100
# Unicode's categories of "²" and "Ⅳ", which read as a part of the number beside them.
_NUMERALS = ("No", "Nl")


@dataclass(frozen=True, slots=True)
class NoCode:
    """The text has nothing that could be a code."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """The text may have a code, but it is not certain which number it is."""

    why: str
    """The reason, for people; without any digit of the text."""


def find_code(text: str, pattern: re.Pattern[str]) -> Passcode | NoCode | Unclear:
    """Return the code in a text: what `pattern` finds, or its first group if it has one.

    A pattern with words around the code decides. A pattern of digits only is accepted only if the text has no
    other candidate.
    """
    plain = fold_digits(text)
    if alone := _GROUPED_ALONE.fullmatch(plain):
        plain = alone[1] + alone[2]
    candidates = {*_candidates(plain), *_candidates(_MARKUP.sub(" ", plain))}
    found = list(pattern.finditer(plain))
    if not found:
        return Unclear("the pattern finds no code, but there are digits") if candidates else NoCode()
    group = 1 if pattern.groups else 0
    spans = {match.span(group) for match in found}
    if not spans <= _wholes(plain):
        return Unclear("what the pattern finds is a part of a longer number or word")
    values = {plain[slice(*span)] for span in spans}
    is_in_words = all(any(map(str.isalpha, match.group(0))) for match in found)
    rivals = values if is_in_words else values | candidates
    if len(rivals) > 1:
        return Unclear(f"{len(rivals)} numbers could be the code: {_masked(rivals)}")
    # Where the pattern has words behind the code too, they part it from what follows.
    open_ends = {match.end() for match in found if match.end() == match.end(group)}
    doubt = _more_behind(plain, open_ends) if is_in_words else _doubt(plain, spans)
    if doubt:
        return Unclear(doubt)
    try:
        return Passcode(values.pop())
    except InvalidPasscode as error:
        return Unclear(str(error))


def _wholes(plain: str) -> set[tuple[int, int]]:
    """Return the places of numbers that are not part of a longer number or a word."""
    joined = [match.span() for match in code_words.JOINED.finditer(code_words.without_times(plain))]
    return {
        match.span()
        for match in _NUMBER.finditer(plain)
        if not _is_in_word(plain, *match.span())
        and not any(start <= match.start() < end for start, end in joined)
    }


def _doubt(plain: str, spans: set[tuple[int, int]]) -> str | None:
    """Return why the only candidate may still not be the code; None: it is."""
    words = _MARKUP.sub(lambda match: " " * len(match[0]), plain)
    if not any(code_words.is_called_code(words, *span) for span in spans):
        return "no word for a code stands beside the number that could be it"
    rest = plain
    for start, end in sorted(spans, reverse=True):
        rest = f"{rest[:start]} ~ {rest[end:]}"
    rest = code_words.without_times(rest)
    inside = sum(len(match[0]) for match in _INSIDE.finditer(rest))
    alone = any(map(_is_numeral, _INSIDE.sub("", rest)))
    if alone or inside + code_words.count_spoken(rest) >= MIN_LENGTH:
        return "digits beside the number could be more of the code, or the code"
    return None


def _more_behind(plain: str, ends: set[int]) -> str | None:
    """Return that more digits follow directly; None: none do."""
    timeless = code_words.without_times(plain)
    for end in ends:
        clause = _CLAUSE_END.split(timeless[end : end + _BEHIND], maxsplit=1)[0]
        if any(map(_is_numeral, clause)):
            return "digits behind the number could be more of the code"
    return None


def _is_numeral(character: str) -> bool:
    return character.isdigit() or unicodedata.category(character) in _NUMERALS


def _is_in_word(plain: str, start: int, end: int) -> bool:
    around = plain[max(start - 1, 0) : start] + plain[end : end + 1]
    return any(
        (character.isascii() and character.isalnum()) or unicodedata.category(character) in _NUMERALS
        for character in around
    )


def _candidates(plain: str) -> Iterator[str]:
    """Yield everything in a text that could be a code, without the characters between its digits."""
    joined = code_words.JOINED.findall(code_words.without_times(plain))
    for number in (*_NUMBER.findall(plain), *(match[0] for match in _GROUPS.finditer(plain)), *joined):
        digits = "".join(_RUN.findall(number))
        # A longer one may be a code with something behind it.
        if len(digits) >= MIN_LENGTH and not _TIME.fullmatch(number):
            yield digits
    for word in _WORD.findall(plain):
        # Letters among digits: some providers' codes are so, and cannot be spoken.
        is_mixed = any(map(str.isdigit, word)) and any(map(str.isalpha, word))
        if is_mixed and not _UNIT.fullmatch(word):
            yield word
    circled = "".join(character for character in plain if unicodedata.category(character) in _NUMERALS)
    if len(circled) >= MIN_LENGTH:
        yield circled
    # Numerals that are letters too, such as 一二三四; in words there are fewer beside each other.
    for is_one, run in groupby(plain, _is_spelled):
        spelled = "".join(run)
        if is_one and len(spelled) >= MIN_LENGTH:
            yield spelled


def _is_spelled(character: str) -> bool:
    return unicodedata.category(character) == "Lo" and unicodedata.numeric(character, None) is not None


def _masked(values: set[str]) -> str:
    return ", ".join("•" * length for length in sorted(map(len, values)))
