"""Numbers of lists in the forms that Word and web pages know."""

from __future__ import annotations

from collections.abc import Callable

_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc")),
    *((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_MOST_ROMAN = 3999
_MOST_LETTERS = 26 * 30
_CHINESE = "〇一二三四五六七八九"
_RUSSIAN = "абвгдежзиклмнопрстуфхцчшщыэюя"
"""The letters that Word numbers with: without ё, й, ъ and ь (observed by LibreOffice, which counts likewise)."""


def formatted(number: int, form: str) -> str | None:
    """A number as one of Word's forms shows it (ECMA-376 part 1, 17.18.59); None if it is not known here.

    A form such as "001, 002, 003, ..." is a pattern: its first number tells how many digits are shown.
    """
    if form == "none":
        return ""
    if form in ("decimal", "") or number < 0:
        return str(number)
    if form.startswith("0") and form.split(",")[0].strip().isdecimal():
        return str(number).zfill(len(form.split(",")[0].strip()))
    maker = _FORMS.get(form)
    return maker(number) if maker else None


def roman(number: int) -> str | None:
    """iv for 4; None for what has no Roman number."""
    if not 0 < number <= _MOST_ROMAN:
        return None
    written = ""
    for worth, letters in _ROMAN:
        count, number = divmod(number, worth)
        written += letters * count
    return written


def repeated(number: int, letters: str = "abcdefghijklmnopqrstuvwxyz") -> str | None:
    """Word's letters: z is followed by aa, bb, cc."""
    if not 0 < number <= _MOST_LETTERS:
        return None
    rounds, place = divmod(number - 1, len(letters))
    return letters[place] * (rounds + 1)


def counted(number: int) -> str | None:
    """A web page's letters: z is followed by aa, ab, ac."""
    written = ""
    while number > 0:
        number, place = divmod(number - 1, 26)
        written = chr(ord("a") + place) + written
    return written or None


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"


def _chinese(number: int) -> str | None:
    if not 0 < number < 100:
        return None
    tens, ones = divmod(number, 10)
    return ("" if tens < 2 else _CHINESE[tens]) + ("十" if tens else "") + (_CHINESE[ones] if ones else "")


def _circled(number: int) -> str:
    return chr(0x2460 + number - 1) if 0 < number <= 20 else str(number)


def _upper(written: str | None) -> str | None:
    return None if written is None else written.upper()


_FORMS: dict[str, Callable[[int], str | None]] = {
    "decimalZero": lambda number: f"{number:02d}",
    "upperRoman": lambda number: _upper(roman(number)),
    "lowerRoman": roman,
    "upperLetter": lambda number: _upper(repeated(number)),
    "lowerLetter": repeated,
    "russianUpper": lambda number: _upper(repeated(number, _RUSSIAN)),
    "russianLower": lambda number: repeated(number, _RUSSIAN),
    "ordinal": _ordinal,
    "numberInDash": lambda number: f"- {number} -",
    "decimalEnclosedCircle": _circled,
    "decimalEnclosedCircleChinese": _circled,
    "decimalEnclosedParen": lambda number: f"({number})",
    "decimalEnclosedFullstop": lambda number: f"{number}.",
    "decimalHalfWidth": str,
    "decimalFullWidth": lambda number: "".join(chr(0xFF10 + int(digit)) for digit in str(number)),
    "decimalFullWidth2": lambda number: "".join(chr(0xFF10 + int(digit)) for digit in str(number)),
    **dict.fromkeys(
        (
            "chineseCounting",
            "chineseCountingThousand",
            "japaneseCounting",
            "taiwaneseCounting",
            "taiwaneseCountingThousand",
        ),
        _chinese,
    ),
    **dict.fromkeys(
        ("ideographDigital", "japaneseDigitalTenThousand", "taiwaneseDigital", "koreanDigital2"),
        lambda number: "".join(_CHINESE[int(digit)] for digit in str(number)),
    ),
}
