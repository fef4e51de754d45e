"""The one code in a provider's text: known, or refused; never a number that only looks like it."""

import random
import re
import time
from collections import Counter

import pytest

from voicegate.domain.code_search import NoCode, Unclear, find_code
from voicegate.domain.passcode import Passcode

ANY = re.compile(r"([0-9]{4,10})", re.ASCII)
SIX = re.compile(r"\b([0-9]{6})\b", re.ASCII)
IN_WORDS = re.compile(r"code is:? ([0-9]{4,10})", re.ASCII)


@pytest.mark.parametrize("pattern", [ANY, SIX, IN_WORDS])
@pytest.mark.parametrize(
    "text",
    [
        "Your code is 123456",
        "Your login code is: 123456\n\nIt expires in 15 minutes.\n\n@example.com #123456\n",
        "Your SMS code is 123456 and is valid for 5 minutes.",
        "Your code is 123456. It is valid until 15:20.",
        "Your code is 123456 (valid 15min)",
        "\u2066Your code is \u2067١٢٣٤٥٦\u2069",
        "Your code is １２３４５６",
        "Your code is\u00a0123456",
    ],
)
def test_the_only_number_that_can_be_a_code_is_the_code(text: str, pattern: re.Pattern[str]) -> None:
    assert find_code(text, pattern) == Passcode("123456")


@pytest.mark.parametrize(
    "text",
    [
        "123456 is your Acme verification code. Don't share it.",
        "123456 is your one-time password for a.example. Use it within 5 minutes.\n@a.example #123456",
        "G-123456 is your Google verification code.",
        "Your Google code is G-123456.",
        "Use 123456 as your 2FA code for Acme",
        "Your 2-step verification code is 123456",
        "Here is your code to access Acme: 123456",
        "Support is there 24/7. Your code is 123456",
        "<p>Your code</p> is <b>123456</b>",
        "Ihr Bestätigungscode lautet 123456. Er gilt 10 Minuten.",
        "Votre code de vérification est 123456",
        "Tu código de verificación es: 123456",
        "Il tuo codice è 123456",
        "Je code is 123456",
        "Twój kod weryfikacyjny to 123456",
        "Ваш код: 123456",
        "【Acme】验证码：123456，请于5分钟内使用。",
        "認証コードは123456です。",
        "인증번호 [123456]를 입력해 주세요",
        "رمز التحقق الخاص بك هو ١٢٣٤٥٦",
    ],
)
def test_a_number_that_the_text_calls_a_code_is_the_code(text: str) -> None:
    assert find_code(text, ANY) == Passcode("123456")


def test_a_year_right_behind_the_word_for_a_code_is_the_code() -> None:
    assert find_code("Your code is 2026", ANY) == Passcode("2026")


@pytest.mark.parametrize("pattern", [ANY, re.compile("[0-9]{4}")])
@pytest.mark.parametrize(
    "text",
    [
        "© 2026 Your code is 7 and 3 and 9 and 1",
        "© 2026 Your code is 739 and 158",
        "© 2026 Your code is 739①158",
        "© 2026 Your code is 7, then 3, then 9, then 1",
        "© 2026 Ihr Code ist 739 und 158",
        "© 2026 Your code is seven three nine one",
        "Your code is seven three nine one. © 2026 Acme",
        "Your code is QWJK. © 2026",
        "Your code is QWJK, Acme 3650",
        "Acme 3650: your code is QWJK",
        "3650 is the number of Acme, your code is QWJK",
        "The code of 2026 is QWJK",
        "Your code is below.\n2026 Acme",
        "Acme 2026. Your code is 7a3b9c1",
        "2026年 您的验证码是73和91和58",
        "Your code is 1234 and 56",
        "Your code is 1234, then 56",
        "Your code is 1234 … 56",
        "Your code is 1234 first, 56 second",
        "Your code is 1234. The other part is 56.",
        "Your code is 1234 ⑤⑥",
        "Your order 1234 has shipped",
        "You have 4711 points. Code: see the app",
    ],
)
def test_a_number_that_may_not_be_the_whole_code_is_refused(text: str, pattern: re.Pattern[str]) -> None:
    found = find_code(text, pattern)
    assert isinstance(found, Unclear)
    assert not re.search("[0-9]{3}", found.why)


@pytest.mark.parametrize(
    "text",
    [
        "your code is 1234 and 56",
        "your code is 1234, then 56",
        "your code is 1234①56",
        "your code is 1234 and then, last, ⑤⑥",
    ],
)
def test_a_part_of_a_code_is_none_for_a_pattern_with_words_either(text: str) -> None:
    assert isinstance(find_code(text, IN_WORDS), Unclear)


@pytest.mark.parametrize(
    "text",
    [
        "1" * 60_000,
        "1 and " * 10_000,
        "code " * 12_000 + "123456",
        "code" + ":" * 60_000 + "123456",
        "a1" * 30_000,
    ],
)
def test_a_long_text_takes_no_long_time(text: str) -> None:
    pending = time.process_time()
    find_code(text, ANY)
    assert time.process_time() - pending < 3


def test_a_script_without_blanks_keeps_its_code() -> None:
    assert find_code("您的验证码是123456，5分钟内有效。", ANY) == Passcode("123456")


@pytest.mark.parametrize("pattern", [ANY, SIX])
@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28 15:20:01 Your OTP is 123456",
        "Acme 365000: your code is 123456",
        "Your code is 123456. Call +1 202 555 0143 if it was not you.",
        "Your code is 123456. Ref 2026",
        "Your code is 123456, or 654321",
        "Your code is 123456-7",
        "Your code is 123456.50",
        "Your code is 123456 78",
        "Acme 365000: your code is 123-456",
        "Acme 365000: your code is 123 - 456",
        "Acme 365000: your code is 12 34 56",
        "Acme 365000: your code is 123.456",
        "Acme 365000: your code is 123/456",
        "Acme 365000: your code is\n123\n456",
        "Acme 365000: your code is 1️⃣2️⃣3️⃣4️⃣",
        "Acme 365000: your code is ①②③④",
        "Acme 365000: your code is ⅦⅢⅨⅠ",
        "Acme 365000: your code is 七三九一五八",
        "Acme 365000: your code is 739    158",
        "Acme 365000: your code is 739__158",
        "Acme 365000: your code is 73:91:58",
        "Acme 365000: your code is 7<br>3<br>9<br>1",
        "Acme 365000: your code is 739&nbsp;158",
        "Acme 365000: your code is <b>7</b><b>3</b><b>9</b><b>1</b>",
        "Your code is 739%20158158",
        "Acme 365000: your code is A1B2C3",
        "You pay 12.50 EUR; your code is 123456",
    ],
)
def test_what_could_be_another_code_is_refused(text: str, pattern: re.Pattern[str]) -> None:
    found = find_code(text, pattern)
    assert isinstance(found, Unclear)
    assert not re.search("[0-9]{3}", found.why)


def test_words_beside_the_code_tell_which_it_is() -> None:
    assert find_code("Acme 365000: your code is 123456 (until 2027)", IN_WORDS) == Passcode("123456")
    for_order = re.compile("code is ([0-9]{6}) for your order")
    assert find_code("Your code is 123456 for your order 77", for_order) == Passcode("123456")
    assert isinstance(find_code("your code is 123456; the old code is 654321", IN_WORDS), Unclear)
    assert isinstance(find_code("your code is 12345678901", IN_WORDS), Unclear)
    assert isinstance(find_code("your code is 1234 5678", IN_WORDS), Unclear)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A new sign-in method (device key) was added to your account. If this wasn't you, secure it.",
        "An address on your account was changed. If this wasn't you, contact support.",
        "Your plan ends in 15 days, at 12:30.",
    ],
)
def test_a_text_without_a_code_has_none(text: str) -> None:
    assert find_code(text, ANY) == NoCode()


@pytest.mark.parametrize("text", ["123456", " 123 456\n", "123-456", "１２３ ４５６"])
def test_a_text_that_is_the_code_may_be_grouped(text: str) -> None:
    assert find_code(text, ANY) == find_code(text, SIX) == Passcode("123456")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28",
        "28.11.2026",
        "1234. 5678",
        "2026 123456",
        "1234 5678",
        "code 12²3456",
        "²123456",
        "123456Ⅳ",
    ],
)
def test_a_date_two_numbers_or_a_numeral_beside_it_are_no_code(text: str) -> None:
    assert isinstance(find_code(text, ANY), Unclear)


def test_a_code_alone_is_one_that_the_pattern_finds() -> None:
    assert isinstance(find_code("2026", SIX), Unclear)


def test_digits_that_the_pattern_does_not_find_are_no_absence() -> None:
    assert isinstance(find_code("Your code is 12345", SIX), Unclear)
    assert isinstance(find_code("Your code is 123-456", SIX), Unclear)


def test_a_pattern_that_finds_no_possible_code_is_refused() -> None:
    assert isinstance(find_code("Your code is 123", re.compile("([0-9]+)")), Unclear)


WORDS = [
    *(
        "Acme",
        "your OTP",
        "Ihr Code lautet",
        "OTP",
        "code:",
        "验证码是",
        "رمز التحقق",
        "valid",
        "minutes",
    ),
    *("until", "call", "Ref", "from", "order", "for the payment of", "expires in", "№", "@example.com"),
]
LINKS = ["and", "then", "und", "et", "y", "followed by", "plus", "first, second", "和"]
SPOKEN = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
JOINS = [
    " ",
    " ",
    " ",
    ". ",
    ", ",
    ": ",
    "\n",
    "\n\n",
    " - ",
    "; ",
    " (",
    ") ",
    "",
    "/",
    "#",
    " #",
    "\u00a0",
    "'",
]


def noise(draw: random.Random) -> str:
    digits = "".join(draw.choices("0123456789", k=draw.randint(1, 12)))
    return draw.choice(
        [
            draw.choice(WORDS),
            draw.choice(WORDS),
            f"{draw.randint(1990, 2040)}",
            f"{draw.randint(1990, 2040)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
            f"{draw.randint(1, 28)}.{draw.randint(1, 12)}.{draw.randint(2000, 2040)}",
            f"{draw.randint(0, 23)}:{draw.randint(0, 59):02}",
            f"{draw.randint(0, 23):02}:{draw.randint(0, 59):02}:{draw.randint(0, 59):02}",
            f"{draw.randint(0, 9999)}.{draw.randint(0, 99):02} EUR",
            f"{draw.randint(1, 59)} min",
            f"{draw.randint(1, 59)}min",
            "+1 202 555 0143",
            "0171/1234567",
            digits,
            f"Acme{digits}",
            f"https://a.example/{digits}?x={digits[:3]}",
        ]
    )


def written(code: str, draw: random.Random) -> str:
    half = len(code) // 2
    return draw.choice(
        [
            *[code] * 6,
            f"{code[:half]} {code[half:]}",
            f"{code[:half]}-{code[half:]}",
            f"{code[:half]}\u2011{code[half:]}",
            f"{code[:half]} \u2013 {code[half:]}",
            f"{code[:half]}.{code[half:]}",
            f"{code[:half]}\n{code[half:]}",
            " ".join(code),
            code.translate({ord("0") + digit: 0x0660 + digit for digit in range(10)}),
            code.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}),
            f"{code[:half]}X{code[half:]}",
            f"{code[:half]} {draw.choice(LINKS)} {code[half:]}",
            f" {draw.choice(LINKS)} ".join(code),
            f"{code[:half]}, {draw.choice(LINKS)} {code[half:]}",
            f"{code[:half]}{chr(0x2460 + draw.randrange(9))}{code[half:]}",
            " ".join(draw.choice(SPOKEN) for _ in code),
            f"\u2066{code}\u2069",
        ]
    )


def judge(count: int, seed: int) -> Counter[str]:
    """How many of so many texts were spoken, refused, taken for having no code."""
    draw, judged = random.Random(seed), Counter[str]()
    for _ in range(count):
        code = "".join(draw.choices("0123456789", k=draw.randint(4, 10)))
        before = [noise(draw) for _ in range(draw.randint(0, 3))]
        after = [noise(draw) for _ in range(draw.randint(0, 3))]
        parts = [*before, "your code is", written(code, draw), *after]
        # Digits right behind the code would be more of it.
        text = "".join(part + (draw.choice(JOINS) or ("" if part in WORDS else " ")) for part in parts)
        for pattern in (ANY, SIX, IN_WORDS):
            found = find_code(text, pattern)
            judged[type(found).__name__] += 1
            if isinstance(found, Passcode):
                assert found.digits == code, (text, pattern.pattern)
    return judged


def test_no_wrong_digit_is_spoken_of_two_thousand_texts() -> None:
    judged = judge(2_000, seed=20261130)
    assert judged["Passcode"] > 200


@pytest.mark.soak
def test_no_wrong_digit_is_spoken_of_a_hundred_thousand_texts() -> None:
    judged = judge(100_000, seed=random.randrange(2**32))
    assert judged["Passcode"] > 10_000
