"""The words around a number in a text that tell what it is: the code, a time, or a part of a longer number.

For texts of identity providers, in the languages that they ship. If a language is missing here, a code is
refused; the fix is a pattern with words of the text. A missing language never leads to a wrong code.
"""

import re
from typing import Final

# Parts of words, for many languages write them together: Bestätigungscode, Einmalkennwort. The dots stand
# for the Japanese long vowel mark, which is folded to a hyphen.
_CODE: Final = (
    r"(?:code|kode|kód|kod|cód|codi[cg]|koodi|otp|passw|kennwort|contraseña|clave|mot\sde\spasse|senha|parola"
    r"|wachtwoord|lösenord|hasł|şifre|token|\bpin\b|\btan\b|код|пароль|κωδικ|密码|密碼|验证码|驗證碼|校验码"
    r"|認証番号|コ.ド|パスワ.ド|인증번호|코드|비밀번호|رمز|كود|קוד|סיסמ|कोड|ओटीपी|รหัส|\bmã\b)"
)
_IS: Final = (
    r"(?:is|ist|lautet|est|es|é|è|er|är|on|jest|to|este|adalah|là|है|это|הוא|هو|は|는|은|是|为|為"
    r"|as|als|comme)"
)
# So many characters beside a number are looked at.
_BESIDE: Final = 150
# Neither the end of a sentence nor of a line.
_SAME: Final = r"(?:(?![.!?](?:\s|$)|[。！？\n])[\s\S])"
_CLAUSE: Final = r"(?:(?![.!?](?:\s|$)|[。！？\n,;:，；：])[\s\S])"
# What may stand right before a code (G-123456 too), but for signs that say that it is something else.
_SIGNS: Final = r"(?:(?![.!?]\s|[©®$€£¥])\W)*(?:\b[A-Z]-)?$"
# From a word for code to the end: its own end, then up to two words, or any up to "is" or a colon.
_LEADS: Final = re.compile(
    rf"{_CODE}\w{{0,8}}(?:[^\w\n.!?]+(?!{_IS}\b|(?-i:[A-Z]{{3}}))[^\W\d]+){{0,2}}{_SIGNS}"
    rf"|{_CODE}{_SAME}{{0,80}}?(?:[:：=#]|\b{_IS}\b|[是为為は는은]){_SIGNS}",
    re.IGNORECASE,
)
_FOLLOWS: Final = re.compile(
    rf"\W*(?:\b{_IS}\b|[是为為]){_CLAUSE}{{0,80}}?{_CODE}(?!\w{{0,8}}\s*(?:[:：=是]|\b(?:is|ist|lautet|est|es)\b))",
    re.IGNORECASE,
)
_LEADS_AT_ONCE: Final = re.compile(rf"{_CODE}\w{{0,8}}\W*(?:\b{_IS}\b)?\s?[:：]?\s?$", re.IGNORECASE)
_YEAR: Final = re.compile(r"(?:19|20)[0-9]{2}", re.ASCII)
_TIME_UNIT: Final = (
    r"(?:min(?:s|u+t\w*)?\b|мин|m\b|secs?\b|seconds\b|secondes\b|secondi\b|sek|seg\b|segundos\b|сек|s\b|h\b"
    r"|hours?\b|hrs?\b|std|stund|heure|horas?\b|or[ae]\b|uur|uren|час|days?\b|tage?\b|jour|d[ií]as?\b|giorn|dag|dni|дн|分|秒|小时|小時|時間|天|분|초|시간|일|دقي|دقا|ثاني|ساع|يوم"
    r"|phút|giây|นาที|मिनट|dakika|saat|saniye|λεπτ|דק|perc|menit|jam\b)"
)
# 15:20, 5 minutes, 24/7: numbers that are about time.
_TIMES: Final = re.compile(
    rf"(?<![0-9][^\w\s])(?<![0-9])(?:(?:[01]?[0-9]|2[0-3])(?::[0-5][0-9]){{1,2}}(?![0-9:])"
    rf"|24/7(?![0-9/])|[0-9]{{1,3}}[\s-]?{_TIME_UNIT})",
    re.IGNORECASE,
)
_AND: Final = (
    r"(?:and|then|plus|followed by|or|und|dann|oder|et|puis|y|luego|e|poi|en|и|i|og|och|和|然后|と|و)"
)
# Digits that words for "and" join, and nothing else: 739 and 158, 7, then 3.
JOINED: Final = re.compile(
    rf"(?<![0-9])[0-9]++(?:[\s\W_]{{0,5}}(?:{_AND}[\s\W_]{{1,5}}){{1,2}}[0-9]+)+", re.IGNORECASE
)
_SPOKEN: Final = re.compile(
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|null|eins|zwei|zwo|drei|vier|fünf|sechs|sieben|acht"
    r"|neun|zéro|deux|trois|quatre|cinq|sept|huit|neuf|cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve)\b",
    re.IGNORECASE,
)


def is_called_code(text: str, start: int, end: int) -> bool:
    """Return whether the words beside a number say that it is the code.

    A text without letters counts as saying so. A number that looks like a year must stand directly after the
    word.
    """
    if not any(map(str.isalpha, text)):
        return True
    before, after = text[max(start - _BESIDE, 0) : start], text[end : end + _BESIDE]
    if _YEAR.fullmatch(text[start:end]):
        return bool(_LEADS_AT_ONCE.search(before))
    return bool(_LEADS.search(before) or _FOLLOWS.match(after))


def without_times(text: str) -> str:
    """Return a text in which everything about time, such as "5 minutes", is replaced by "~"."""
    return _TIMES.sub(lambda match: "~" * len(match[0]), text)


def count_spoken(text: str) -> int:
    """Return how many digits are written as words, in the languages that Voicegate speaks."""
    return len(_SPOKEN.findall(text))
