"""The figures of a text as they count: "90 minutes" and "an hour and a half", "0.72 kg" and "720 g" are the same.

Read are numbers in digits and in English words with what they count, amounts of money, shares, clock times and days of
the year. Left out is what tells a thing and not how much of it there is: numbers of paragraphs and editions, years,
codes. What stands beside a number without being a known unit is what it counts: "15 people".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from backends.matching import plain
from backends.terms import STOPPED, stem

_IN_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_IN_MONTHS = {"month": 1, "year": 12}
_SPELLINGS = """
    second seconds sec secs s;minute minutes min mins;hour hours hr hrs h;day days;week weeks;month months
    monthly;year years yr yrs;mm millimetre millimetres millimeter millimeters;cm centimetre centimetres centimeter
    centimeters;m metre metres meter meters;km kilometre kilometres kilometer kilometers;g gram grams;kg kilo kilos
    kilogram kilograms;mg milligram milligrams;ml millilitre millilitres milliliter milliliters;l litre litres liter
    liters;% percent;° °c °f degree degrees;£ pound pounds gbp;$ dollar dollars usd;€ euro euros eur;p pence;kr crown
    crowns;kb;mb;gb;tb
"""
_UNITS = {unit: group.split()[0] for group in _SPELLINGS.split(";") for unit in group.split()}
_SCALES: dict[str, tuple[str, Decimal]] = {
    **{unit: ("duration", Decimal(seconds)) for unit, seconds in _IN_SECONDS.items()},
    **{unit: ("duration", Decimal(months) * 2_629_800) for unit, months in _IN_MONTHS.items()},
    **{unit: ("length", Decimal(scale)) for unit, scale in {"mm": 1, "cm": 10, "m": 1_000, "km": 1_000_000}.items()},
    **{unit: ("mass", Decimal(scale)) for unit, scale in {"mg": 1, "g": 1_000, "kg": 1_000_000}.items()},
    **{unit: ("volume", Decimal(scale)) for unit, scale in {"ml": 1, "l": 1_000}.items()},
    **{unit: ("storage", Decimal(scale)) for unit, scale in {"kb": 1, "mb": 1_000, "gb": 10**6, "tb": 10**9}.items()},
    "p": ("£", Decimal("0.01")),
}
"""The measure of a unit, and how much of its smallest one it is; a month is a twelfth of 365.25 days."""

_ROUGHLY = Decimal("0.03")
"""By so much durations may differ and be the same: a month is 30 or 31 days, a year 365."""

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
_ONES += "seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: value for value, word in enumerate(_ONES.split())}
_WORDS |= {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}
_FRACTIONS = {"half": 1 / Decimal(2), "third": 1 / Decimal(3), "quarter": 1 / Decimal(4), "fifth": 1 / Decimal(5)}
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH = "|".join((*(month.title() for month in _MONTHS), *(f"{m[:3].title()}\\.?" for m in _MONTHS if len(m) > 4)))

_NUMBER = r"\d+(?:[.,]\d+)*"
_IN_WORDS = rf"(?:(?:{'|'.join(_TENS.split())})(?:[ -](?:{'|'.join(_ONES.split()[1:10])}))?|{'|'.join(_ONES.split())})"
_FRACTION = r"half|third|quarter|fifth"
_TIME = r"hours?|minutes?|days?|weeks?|months?|years?"

_FIGURE = re.compile(
    rf"""
    (?P<skipped>(?:\b(?:version|edition|level|section|chapter|step|article|part|class|phase|annex|table|figure|type|page
        |revision|number|no\.|bus|line|paragraph|document|form)s?|\u00a7)\s*\#?\d+(?:\.\d+)*)
    |(?P<date>\b\d{{1,2}}(?:st|nd|rd|th)?\ (?:of\ )?(?P<of>{_MONTH})(?![a-z])|\b(?P<first>{_MONTH})\ \d{{1,2}}(?!\d|:))
        (?:,?\ (?:19|20)\d\d\b)?
    |(?P<clock>\b\d{{1,2}}[:.]\d\d(?:\ ?[ap]\.?m\b)?(?![\d:]|\.\d|\ ?(?:€|EUR|euros?|pounds?|kr|kg|km|m|cm)\b)
        |\b\d{{1,2}}\ ?[ap]\.?m\b)
    |(?P<part>(?:\b(?:an?|one|(?P<of_many>\w{{1,12}}))\ )?\b(?P<share>{_FRACTION})s?\b(?!-)
        (?:\ (?:of\ )?an?\ (?P<of_time>{_TIME})\b|\ (?P<half_time>{_TIME})\b)?)
    |(?P<and_part>\b(?:an?|one)\ (?P<whole>{_TIME})\ and\ an?\ (?P<more>half|quarter)\b)
    |(?P<ordinal>\b\d{{1,2}}(?:st|nd|rd|th)\b)
    |(?P<currency>[£$€])\ ?(?P<amount>{_NUMBER})
    |(?<![\w#-])(?P<number>{_NUMBER})(?P<glued>[^\W\d_]+|[ ]?%|[ ]?°[CF]?)?
    |(?<![\w-])(?P<words>{_IN_WORDS})(?![\w])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_WORD_BEHIND = re.compile(r"[ -](?P<word>[^\W\d_]+|°|€|%)(?:/(?P<per>[^\W\d_]+))?")
_BETWEEN = 3
"""So many words behind a number are looked at for its unit: "10 full working days"."""

_GLUED_PER = re.compile(r"/[^\W\d_]+")
_FIGURE_LIKE = re.compile(rf"\d|\b(?:{_IN_WORDS}|{_FRACTION})", re.IGNORECASE)
_AT_START = re.compile(r"(?:\A|[.!?:|])\W{0,3}\Z")
_NAMED_YEAR = re.compile(r"(?<![\d.,£$€])(?:19|20)\d\d(?![\d.,]\d|\d)")
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: its measure ("duration", "length", "€", "%", "clock", "date", "count"), its value in the smallest unit
    of it, what it counts (a stem, "" if that is not said), and how it is written, `text[start:end]`."""

    measure: str
    value: Decimal
    of: str
    start: int
    end: int
    text: str

    def same_measure(self, other: Figure) -> bool:
        """Whether they can be compared. A bare number in a cell may be an amount of any money."""
        if self.measure == other.measure:
            return True
        bare, money = sorted((self, other), key=lambda one: one.measure in MONEY)
        return bare.measure == "count" and not bare.of and money.measure in MONEY

    def equals(self, other: Figure) -> bool:
        """Whether they say the same, in whatever unit."""
        if not self.same_measure(other):
            return False
        if self.measure == "duration":
            return abs(self.value - other.value) <= _ROUGHLY * max(self.value, other.value)
        if self.measure == "clock":  # a clock of twelve hours
            return self.value == other.value or abs(self.value - other.value) == 720
        return self.value == other.value


MONEY = frozenset("£$€") | {"kr"}


def years(text: str) -> frozenset[str]:
    """The years that a text names."""
    return frozenset(_NAMED_YEAR.findall(text))


def may_have_figures(text: str) -> bool:
    """Whether it is worth reading a text for figures."""
    return _FIGURE_LIKE.search(text) is not None


@lru_cache(maxsize=4_096)
def figures(text: str) -> tuple[Figure, ...]:
    """The figures of a text in their order. Offsets are those of `plain(text)`, and `Figure.text` is a piece of it."""
    return tuple(_figures(plain(text)))


def _figures(text: str) -> Iterator[Figure]:
    for match in _FIGURE.finditer(text):
        kind = match.lastgroup if match.lastgroup in ("skipped", "clock", "ordinal") else ""
        if match["skipped"]:
            continue
        found = None
        if match["date"]:
            found = _date(match)
        elif kind == "clock" or match["clock"]:
            found = _clock(match)
        elif match["ordinal"]:
            found = _made(match, "ordinal", Decimal(re.sub(r"\D", "", match["ordinal"])))
        elif match["and_part"]:
            seconds = _SCALES[_UNITS[match["whole"].lower()]][1]
            found = _made(match, "duration", seconds * (1 + _FRACTIONS[match["more"].lower()]))
        elif match["part"]:
            found = _part(match)
        else:
            found = _counted(text, match)
        if found is not None:
            yield found


def _made(match: re.Match[str], measure: str, value: Decimal, end: int = 0, of: str = "") -> Figure:
    end = end or match.end()
    return Figure(measure, value, of, match.start(), end, match.string[match.start() : end].strip())


def _date(match: re.Match[str]) -> Figure:
    month = (match["of"] or match["first"]).lower().rstrip(".")[:3]
    day = re.search(r"\d+", match["date"])
    place = next(number for number, name in enumerate(_MONTHS) if name.startswith(month))
    return _made(match, "date", Decimal(100 * place + int(day[0] if day else 0)))


def _clock(match: re.Match[str]) -> Figure | None:
    hours, *minutes = re.findall(r"\d+", match["clock"])
    suffix = match["clock"][-3:].lower().replace(".", "").lstrip()
    if "." in match["clock"] and not suffix.endswith("m"):
        return _made(match, "count", Decimal(match["clock"]))
    if int(hours) > 24 or (minutes and int(minutes[0]) > 59):
        return None
    value = 60 * (int(hours) % 12 if suffix.endswith("m") else int(hours)) + int(minutes[0] if minutes else 0)
    return _made(match, "clock", Decimal(value + 720 * suffix.endswith("pm")))


def _part(match: re.Match[str]) -> Figure | None:
    value, many = _FRACTIONS[match["share"].lower()], (match["of_many"] or "").lower()
    value *= _WORDS.get(many, 1)
    start = match.start("share") if many and many not in _WORDS else match.start()
    text = match.string[start : match.end()].strip()
    if time := match["of_time"] or match["half_time"]:
        return Figure("duration", value * _SCALES[_UNITS[time.lower()]][1], "", start, match.end(), text)
    if many not in _WORDS and match["share"].lower() in ("third", "fifth"):  # "on the third day"
        return None
    return Figure("%", 100 * value, "", start, match.end(), text)


def _counted(text: str, match: re.Match[str]) -> Figure | None:
    written = match["amount"] or match["number"]
    if (
        not written
        and match["words"][0].isupper()
        and not _AT_START.search(text, max(0, match.start() - 3), match.start())
    ):
        return None  # a name: "the Ember One"
    value = _value(written) if written else Decimal(_in_words(match["words"].lower()))
    if value is None:
        return None
    if match["currency"]:
        return _made(match, match["currency"], value)
    glued, end = (match["glued"] or "").strip().lower(), match.end()
    if glued:
        if per := _GLUED_PER.match(text, end):
            return _made(match, f"{glued}{per[0].lower()}", value, per.end())
        return _measured(match, value, glued, end) if glued in _UNITS else None
    behind: list[re.Match[str]] = []
    while len(behind) < _BETWEEN and (word := _WORD_BEHIND.match(text, behind[-1].end() if behind else end)):
        behind.append(word)
        unit = word["word"].lower()
        if word["per"] and len(behind) == 1:
            return _made(match, f"{unit}/{word['per'].lower()}", value, word.end())
        if unit == "cent" and len(behind) == 2 and behind[0]["word"].lower() == "per":
            return _made(match, "%", value, word.end())
        if unit in _UNITS and (len(unit) > 1 or len(behind) == 1):
            return _measured(match, value, unit, word.end())
        if unit in STOPPED and unit != "per":
            break
    if written and _YEAR.fullmatch(written):
        return None
    if not behind or behind[0]["word"].lower() in STOPPED:
        return _made(match, "count", value) if written or value > 1 else None
    return _made(match, "count", value, behind[0].end(), stem(behind[0]["word"]))


def _measured(match: re.Match[str], value: Decimal, unit: str, end: int) -> Figure:
    unit = _UNITS[unit]
    measure, scale = _SCALES.get(unit, (unit, Decimal(1)))
    return _made(match, measure, value * scale, end)


def _value(written: str) -> Decimal | None:
    try:
        return Decimal(written) if len(written) < 40 else None
    except InvalidOperation:  # an address, a version
        return None


def _in_words(written: str) -> int:
    return sum(_WORDS[word] for word in re.split("[ -]", written))
