"""Numbers, dates and texts as a cell with a number format shows them (ECMA-376 part 1, 18.8.31).

Dates are the exception: a date that shows day, month and year becomes ISO 8601, because the order of its parts in the
format is that of one country, and often not even the file's own.
"""

from __future__ import annotations

import datetime
import functools
import math
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

Value = float | int | str | datetime.datetime | datetime.date | datetime.time | datetime.timedelta

_MOST_DIGITS = 30
_TOO_LARGE = 1e24
"""Numbers from here on are shown without their format: it would give digits that a workbook does not keep."""

_LONGEST_CODE = 255
"""Characters of a format code; spreadsheet programs take no longer ones."""

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?'
    r"|\\(?P<escaped>.)"
    r"|_(?P<skipped>.)"
    r"|\*(?P<filled>.)"
    r"|\[(?P<bracket>[^\]]*+)\]?"
    r"|(?P<general>General)"
    r"|(?P<half>AM/PM|A/P)"
    r"|(?P<exponent>E[+-])"
    r"|(?P<date>y+|m+|d+|h+|s+|e+|g+|b+)"
    r"|(?P<sign>.)",
    re.IGNORECASE | re.DOTALL,
)
_LETTERS = {"literal": "t", "point": ".", "comma": ","} | dict.fromkeys(("percent", "exponent", "slash", "text"), "x")
_PLAIN = re.compile(r"(?P<before>t*+)(?P<whole>#,##0|0)(?P<decimals>\.0+)?(?P<after>t*+)")
"""Thousands with separators or one digit at least, fixed decimals, texts around them."""
_ELAPSED = re.compile(r"h+|m+|s+", re.IGNORECASE)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*+(-?\d+(?:\.\d+)?)")
_SECONDS_OF = {"h": 3600, "m": 60, "s": 1}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a format: kind is literal, digit (0 # ?), point, comma, percent, exponent, slash, date, elapsed, half,
    general or text."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """One of the up to four parts of a format.

    `kinds`: those of its pieces. `condition`: comparison and bound of the numbers that it is for.
    """

    tokens: tuple[Token, ...]
    kinds: frozenset[str]
    condition: tuple[str, float] | None = None


def shown(value: Value, code: str) -> str:
    """`value` in the format `code`, without blanks at its ends; "" where the format shows nothing."""
    if code == "General":
        if isinstance(value, str):
            return value.strip()
        if isinstance(value, int | float):
            return general(value)
    sections = _sections(code[:_LONGEST_CODE])
    if isinstance(value, str):
        return _text(value, sections)
    if isinstance(value, int | float):
        return _number(float(value), value, sections)
    return _moment(value, sections)


def hides(value: Value, code: str) -> bool:
    """Whether the format shows nothing of a value that is there, as `;;;` does."""
    return code.strip() != "" and str(value).strip() != "" and not shown(value, code)


@functools.lru_cache(maxsize=1024)
def _sections(code: str) -> tuple[Section, ...]:
    parts: list[list[Token]] = [[]]
    conditions: list[tuple[str, float] | None] = [None]
    for found in _TOKEN.finditer(code):
        if found["sign"] == ";":
            parts.append([])
            conditions.append(None)
            continue
        if found["bracket"] is not None and (condition := _CONDITION.fullmatch(found["bracket"].strip())):
            conditions[-1] = condition[1], float(condition[2])
            continue
        parts[-1] += _tokens(found)
    return tuple(
        Section(tuple(_minutes(part)), frozenset(token.kind for token in part), condition)
        for part, condition in zip(parts[:4], conditions[:4], strict=True)
    )


def _tokens(found: re.Match[str]) -> list[Token]:
    """The pieces that one match stands for."""
    kind, text = str(found.lastgroup), found[0]
    if kind in ("quoted", "escaped"):
        return [Token("literal", found[kind])]
    if kind == "skipped":
        return [Token("literal", " ")]
    if kind == "filled":
        return [Token("literal", " ")] if found[kind] == " " else []
    if kind == "bracket":
        return _bracket(found[kind])
    if kind == "sign":
        signs = {**dict.fromkeys("0#?", "digit"), ".": "point", ",": "comma", "%": "percent", "/": "slash", "@": "text"}
        return [Token(signs.get(text, "literal"), text)]
    return [Token(kind, text.lower() if kind in ("date", "general") else text)]


def _bracket(inside: str) -> list[Token]:
    """Elapsed hours, or a currency; colours and languages show nothing."""
    if _ELAPSED.fullmatch(inside):
        return [Token("elapsed", inside.lower())]
    if inside.startswith("$"):
        sign = inside[1:].split("-")[0]
        return [Token("literal", sign)] if sign else []
    return []


def _minutes(tokens: list[Token]) -> list[Token]:
    """`m` after hours or before seconds means minutes, which are called `n` here."""
    places = [place for place, token in enumerate(tokens) if token.kind in ("date", "elapsed")]
    for turn, place in enumerate(places):
        before = tokens[places[turn - 1]].text[0] if turn else ""
        after = tokens[places[turn + 1]].text[0] if turn + 1 < len(places) else ""
        token = tokens[place]
        if token.text in ("m", "mm") and token.kind == "date" and (before == "h" or after == "s"):
            tokens[place] = Token("date", "n" * len(token.text))
    return tokens


# --- numbers ----------------------------------------------------------------------------------------


def _number(number: float, value: float, sections: tuple[Section, ...]) -> str:
    if not math.isfinite(number):
        return str(value)
    section, signed = _choice(number, sections)
    if section is not None and not section.tokens and len(sections) > 1:
        return ""
    if section is None or section.kinds <= {"general"} or abs(number) >= _TOO_LARGE:
        return general(value)
    if section.kinds & {"date", "elapsed"}:
        return _moment(_from_serial(number), (section,))
    sign = "-" if signed and number < 0 else ""
    number = abs(number)
    if "general" in section.kinds:
        text = "".join(general(number) if token.kind == "general" else token.text for token in section.tokens)
    elif not section.kinds & {"digit"}:
        text = "".join(general(value) if token.kind == "text" else token.text for token in section.tokens)
        sign = sign if text.strip() and "text" not in section.kinds else ""
    elif "slash" in section.kinds:
        text = _fraction(number, section.tokens)
    elif "exponent" in section.kinds:
        text = _scientific(number, section.tokens)
    else:
        text = _decimal(number, section.tokens)
    shown = " ".join(text.split())
    return sign + shown if any("1" <= digit <= "9" for digit in shown) or not sign else shown


def general(value: float) -> str:
    """A number without a format, to 15 significant digits, which is what a workbook keeps."""
    return str(int(value)) if value == value // 1 and abs(value) < 1e21 else f"{value:.15g}"


def _choice(number: float, sections: tuple[Section, ...]) -> tuple[Section | None, bool]:
    """The section for a number, and whether a minus has to be written before what it shows."""
    if len(sections) == 1 and sections[0].condition is None:
        return sections[0], True
    numeric = [section for section in sections[:3] if section.kinds != {"text"}] or list(sections)
    if any(section.condition for section in numeric):
        for section in numeric:
            if section.condition is None or _holds(number, *section.condition):
                return section, section.condition is None or section.condition[0] in ("<>", ">", ">=") or number >= 0
        return None, True
    if number < 0:
        return sections[1], False
    if number == 0 and len(sections) > 2:
        return sections[2], False
    return sections[0], True


def _holds(number: float, comparison: str, bound: float) -> bool:
    return {
        "<": number < bound,
        "<=": number <= bound,
        ">": number > bound,
        ">=": number >= bound,
        "=": number == bound,
        "<>": number != bound,
    }[comparison]


def _decimal(number: float, tokens: tuple[Token, ...]) -> str:
    """Digits by their placeholders: leading zeros, separators, decimals, percent, and texts among them."""
    if (plain := _plain(tokens)) is not None:
        before, fixed, grouped, after = plain
        exact = Decimal(repr(number)).quantize(Decimal(1).scaleb(-fixed), ROUND_HALF_UP)
        return f"{before}{exact:,f}{after}" if grouped else f"{before}{exact:f}{after}"
    kinds = [token.kind for token in tokens]
    digits = [place for place, kind in enumerate(kinds) if kind == "digit"]
    point = kinds.index("point") if "point" in kinds else len(kinds)
    whole = [place for place in digits if place < point]
    decimals = [place for place in digits if place > point]
    last = whole[-1] if whole else point
    scale = sum(1 for place, kind in enumerate(kinds) if kind == "comma" and last < place < (decimals or [10**6])[0])
    scale += sum(1 for place, kind in enumerate(kinds) if kind == "comma" and decimals and place > decimals[-1])
    grouped = any(kind == "comma" and whole and whole[0] < place < last for place, kind in enumerate(kinds))
    exact = Decimal(repr(number)).scaleb(2 * kinds.count("percent") - 3 * scale)
    rounded = exact.quantize(Decimal(1).scaleb(-min(len(decimals), _MOST_DIGITS)), ROUND_HALF_UP)
    left, _, right = f"{rounded:f}".partition(".")
    shown = _whole_digits(left.lstrip("0"), [tokens[place].text for place in whole], grouped)
    shown += _decimal_digits(right, [tokens[place].text for place in decimals])
    places = dict(zip(whole + decimals, shown, strict=True))
    if not whole and left.lstrip("0"):
        places[point] = left + "."
    return "".join(
        places.get(place, "" if kinds[place] == "comma" else token.text) for place, token in enumerate(tokens)
    )


@functools.lru_cache(maxsize=256)
def _plain(tokens: tuple[Token, ...]) -> tuple[str, int, bool, str] | None:
    """Text before, decimals, whether thousands are parted, and text after, of the commonest formats; None of others."""
    found = _PLAIN.fullmatch("".join(_LETTERS.get(token.kind, token.text) for token in tokens))
    if not found:
        return None
    before, after = len(found["before"]), len(found["after"])
    texts = [token.text for token in tokens]
    decimals = len((found["decimals"] or " ")[1:])
    return "".join(texts[:before]), decimals, "," in found["whole"], "".join(texts[len(texts) - after :])


def _whole_digits(digits: str, placeholders: list[str], grouped: bool) -> list[str]:
    """What each placeholder before the point shows; the first one takes all digits for which there is none."""
    shown: list[str] = []
    for turn in range(len(placeholders)):
        place = len(placeholders) - turn
        digit = digits[-turn - 1] if turn < len(digits) else {"0": "0", "?": " "}.get(placeholders[place - 1], "")
        if grouped and turn and turn % 3 == 0 and digit.strip():
            digit += ","
        shown.append(digit)
    shown.reverse()
    if len(digits) > len(placeholders) > 0:
        more = digits[: len(digits) - len(placeholders)]
        if grouped:
            kept = len(placeholders)
            more = "".join(d + "," * ((len(more) - at - 1 + kept) % 3 == 0) for at, d in enumerate(more))
        shown[0] = more + shown[0]
    return shown


def _decimal_digits(digits: str, placeholders: list[str]) -> list[str]:
    needed = max((place for place, sign in enumerate(placeholders) if sign == "0"), default=-1)
    kept = max(len(digits.rstrip("0")), needed + 1)
    return [digits[place] if place < kept and place < len(digits) else "" for place in range(len(placeholders))]


def _fraction(number: float, tokens: tuple[Token, ...]) -> str:
    """`1 1/2`: with a whole part if the format has a placeholder for it, in the denominator that the format allows."""
    slash = next(place for place, token in enumerate(tokens) if token.kind == "slash")
    top = slash
    while top and tokens[top - 1].kind == "digit":
        top -= 1
    bottom = slash + 1
    fixed = ""
    while bottom < len(tokens) and (tokens[bottom].kind == "digit" or tokens[bottom].text.isdigit()):
        fixed += tokens[bottom].text
        bottom += 1
    before = tokens[:top]
    whole = int(number) if any(token.kind == "digit" for token in before) else 0
    rest = Fraction(number) - whole
    if fixed.isdigit() and int(fixed):
        part, below = round(rest * int(fixed)), int(fixed)
    else:
        near = rest.limit_denominator(10 ** max(1, min(bottom - slash - 1, 7)) - 1)
        part, below = near.numerator, near.denominator
    if part == below and any(token.kind == "digit" for token in before):
        whole, part = whole + 1, 0
    literals = "".join(token.text for token in before if token.kind == "literal" and token.text.strip())
    after = "".join(token.text for token in tokens[bottom:])
    numbers = [str(whole)] * bool(whole or not part) + [f"{part}/{below}"] * bool(part)
    return f"{literals}{' '.join(numbers)}{after}"


def _scientific(number: float, tokens: tuple[Token, ...]) -> str:
    place = next(at for at, token in enumerate(tokens) if token.kind == "exponent")
    mantissa = tokens[:place]
    end = place + 1
    while end < len(tokens) and tokens[end].kind == "digit":
        end += 1
    point = next((at for at, token in enumerate(mantissa) if token.kind == "point"), place)
    step = max(1, sum(token.kind == "digit" for token in mantissa[:point]))
    exact = Decimal(repr(number))
    exponent = 0 if not exact else exact.adjusted() // step * step
    text = _decimal(float(exact.scaleb(-exponent)), mantissa)
    sign = "-" if exponent < 0 else "+" * tokens[place].text.endswith("+")
    return f"{text}E{sign}{abs(exponent):0{end - place - 1}d}" + "".join(token.text for token in tokens[end:])


def _text(value: str, sections: tuple[Section, ...]) -> str:
    if len(sections) > 3:
        section = sections[3]
    elif "text" in sections[-1].kinds:
        section = sections[-1]
    else:
        return value.strip()
    return "".join(value if token.kind == "text" else token.text for token in section.tokens).strip()


# --- dates and times -----------------------------------------------------------------------------------


def _from_serial(days: float) -> datetime.datetime | datetime.timedelta:
    """A day number of the 1900 system as a moment; a duration where there is no such date."""
    try:
        return datetime.datetime(1899, 12, 30) + datetime.timedelta(seconds=round(days * 86_400, 3))
    except OverflowError:
        return datetime.timedelta(days=min(max(days, -999_999), 999_999))


def _moment(value: Value, sections: tuple[Section, ...]) -> str:
    section = sections[0]
    codes = {token.text[0] for token in section.tokens if token.kind == "date"}
    elapsed = [token for token in section.tokens if token.kind == "elapsed"]
    if isinstance(value, datetime.timedelta) or elapsed:
        return _duration(value, section, elapsed)
    if isinstance(value, datetime.time):
        return _parts(datetime.datetime.combine(datetime.date(1900, 1, 1), value), section) or str(value)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime.combine(value, datetime.time())
    assert isinstance(value, datetime.datetime)
    if not section.tokens and len(sections) > 1:
        return ""
    if not codes & set("ymdhns") or {"y", "m", "d"} <= codes:
        return _iso(value, "seconds" if "s" in codes or not codes else "minutes" if codes & set("hn") else "")
    if "e" in codes and {"m", "d"} <= codes:
        return _iso(value, "")
    return _parts(value, section)


def _iso(value: datetime.datetime, precision: str) -> str:
    """The day, and the time to "seconds" or "minutes" unless it is midnight."""
    day = value.date().isoformat()
    if not precision or value.time() == datetime.time():
        return day
    return f"{day} {(value + datetime.timedelta(microseconds=500_000)).time().isoformat(precision)}"


def _duration(value: Value, section: Section, elapsed: list[Token]) -> str:
    """Hours beyond 24, minutes beyond 60: as many as there are."""
    if isinstance(value, datetime.timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, datetime.time):
        seconds = value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    elif isinstance(value, datetime.datetime):
        seconds = (value - datetime.datetime(1899, 12, 30)).total_seconds()
    else:
        seconds = 0.0
    decimals = _decimals(section)
    sign, seconds = ("-" if seconds < 0 else ""), round(abs(seconds), decimals)
    if not elapsed:
        hours, rest = divmod(int(seconds), 3600)
        return f"{sign}{hours}:{rest // 60:02d}:{rest % 60:02d}"
    midnight = datetime.datetime(1900, 1, 1) + datetime.timedelta(seconds=seconds % 86_400)
    whole = {token.text[0]: int(seconds // _SECONDS_OF[token.text[0]]) for token in elapsed}
    return sign + _parts(midnight, section, whole)


def _decimals(section: Section) -> int:
    """How many decimals of a second the format shows."""
    places = [place for place, token in enumerate(section.tokens) if token.kind == "point"]
    return sum(token.kind == "digit" for token in section.tokens[places[0] :]) if places else 0


def _parts(value: datetime.datetime, section: Section, elapsed: dict[str, int] | None = None) -> str:
    """A moment part by part, in the order of the format; months and days in English."""
    decimals = _decimals(section)
    if not decimals:
        value = _to_the_second(value)
    half = "half" in section.kinds
    shown: list[str] = []
    fraction = f"{value.microsecond / 1e6:.{decimals}f}"[1:] if decimals else ""
    for token in section.tokens:
        if token.kind == "elapsed" and elapsed is not None:
            shown.append(f"{elapsed[token.text[0]]:0{len(token.text)}d}")
        elif token.kind == "date":
            shown.append(_part(value, token.text, half))
        elif token.kind == "half":
            shown.append("AM" if value.hour < 12 else "PM")
        elif token.kind == "point":
            shown.append(fraction if decimals else token.text)
        elif token.kind != "digit":
            shown.append(token.text)
    return " ".join("".join(shown).split())


def _to_the_second(value: datetime.datetime) -> datetime.datetime:
    """Rounded, because a time is stored as a share of a day: 08:30 may be 08:29:59.999."""
    rounded = value + datetime.timedelta(microseconds=500_000)
    return rounded.replace(microsecond=0)


def _part(value: datetime.datetime, code: str, half: bool) -> str:
    letter, length = code[0], len(code)
    if letter == "y":
        return f"{value.year:04d}" if length > 2 else f"{value.year % 100:02d}"
    if letter == "m":
        name = _MONTHS[value.month - 1]
        return {3: name[:3], 4: name, 5: name[0]}.get(length) or f"{value.month:0{min(length, 2)}d}"
    if letter == "d":
        name = _DAYS[value.weekday()]
        return {3: name[:3], 4: name}.get(length) or f"{value.day:0{min(length, 2)}d}"
    if letter == "h":
        hour = (value.hour % 12 or 12) if half else value.hour
        return f"{hour:0{min(length, 2)}d}"
    if letter == "n":
        return f"{value.minute:0{min(length, 2)}d}"
    if letter == "s":
        return f"{value.second:0{min(length, 2)}d}"
    return f"{value.year:04d}" if letter == "e" else ""
