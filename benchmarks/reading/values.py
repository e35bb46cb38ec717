"""Values of attributes: numbers with units, money, times, dates, names, codes, colours, lists and chosen phrases."""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.reading.names import Names, phrases, words

MONTHS = words("January February March April May June July August September October November December")
DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_COLOURS = words(
    "amber beige black blue bronze brown burgundy cream crimson cyan gold green grey indigo ivory lilac lime "
    "maroon mint navy ochre olive orange pink plum purple red rust scarlet silver teal turquoise violet white "
    "yellow"
)
_SHADES = ("", "", "", "dark ", "light ", "pale ", "bright ")
_ROLES = phrases(
    "caretaker; duty manager; chief engineer; treasurer; secretary; head gardener; night porter; site foreman; "
    "registrar; curator; senior clerk; deputy director; shift leader; harbour pilot; volunteer coordinator; "
    "ticket inspector; head ranger; stage manager; lab supervisor; safety officer; chairperson; archivist; "
    "bursar; lead technician; district nurse; team captain; parish warden; chief steward; press officer; workshop "
    "master"
)
_WORDS = words("zero one two three four five six seven eight nine ten eleven twelve")
_CURRENCIES = ("euros", "EUR", "€", "crowns", "$", "£", "francs", "pounds", "dollars")


def drawn(spec: str, names: Names) -> str:
    """A value of a kind, written as a document writes it. `spec` is the kind with what it takes: `n 5 60 minutes`."""
    kind, _, rest = spec.partition(" ")
    return _KINDS[kind.rstrip(":")](names, rest.strip())


def _number(names: Names, rest: str) -> str:
    low, high, unit = [*rest.split(" ", 2), ""][:3]
    if "." in low or "." in high:
        places = max(len(one.partition(".")[2]) for one in (low, high))
        text = f"{names.draw.uniform(float(low), float(high)):.{places}f}"
    else:
        text = _whole(names.draw, int(low), int(high))
    if unit and names.draw.random() < 0.08 and text.isdigit() and 1 < int(text) <= 12:
        text = _WORDS[int(text)]
    unit = unit[:-1] if text == "1" and unit.endswith("s") else unit
    return f"{text} {unit}".strip() if unit not in ("%", "°C") else f"{text}{' ' if unit == '°C' else ''}{unit}"


def _whole(draw: random.Random, low: int, high: int) -> str:
    number = draw.randint(low, high)
    if high - low > 200 and draw.random() < 0.6:
        number = max(low, round(number, -1))
    return f"{number:,}" if number >= 1000 and draw.random() < 0.6 else str(number)


def _money(names: Names, rest: str) -> str:
    low, high = map(float, rest.split())
    draw = names.draw
    amount = draw.uniform(low, high)
    text = f"{amount:.2f}" if draw.random() < 0.4 or high < 10 else f"{max(1, round(amount)):,}"
    currency = draw.choice(_CURRENCIES)
    if currency in "€$£":
        return f"{currency}{text}"
    return f"EUR {text}" if currency == "EUR" else f"{text} {currency}"


def _time(names: Names, rest: str) -> str:
    hour, minute = names.draw.randrange(5, 23), names.draw.choice((0, 0, 15, 30, 30, 45, 10, 20, 40, 50))
    form = names.draw.randrange(4)
    if form == 0:
        return f"{(hour - 1) % 12 + 1}{f'.{minute:02}' if minute else ''} {'am' if hour < 12 else 'pm'}"
    return f"{hour}:{minute:02}" if form == 1 else f"{hour:02}:{minute:02}"


def _date(names: Names, rest: str) -> str:
    draw = names.draw
    day, month, year = draw.randrange(1, 29), draw.randrange(12), draw.randrange(1990, 2040)
    forms = (f"{day} {MONTHS[month]}", f"{MONTHS[month]} {day}", f"{day} {MONTHS[month]} {year}")
    exact = f"{year}-{month + 1:02}-{day:02}"
    return draw.choice((*forms, exact))


def _duration(names: Names, rest: str) -> str:
    unit, low, high = names.draw.choice(
        (("days", 2, 90), ("weeks", 2, 20), ("months", 2, 36), ("hours", 2, 96), ("years", 2, 15), ("minutes", 5, 90))
    )
    return _number(names, f"{low} {high} {unit}")


def _one(names: Names, rest: str) -> str:
    return names.draw.choice(phrases(rest))


def _some(names: Names, rest: str) -> str:
    every = phrases(rest)
    *first, last = names.draw.sample(every, names.draw.choice((2, 2, 3)))
    return f"{', '.join(first)} and {last}"


def _pattern(names: Names, rest: str) -> str:
    return names.filled(_one(names, rest))


def _phone(names: Names, rest: str) -> str:
    return names.draw.choice(
        (
            f"{names.digits(4)} {names.digits(5)}",
            f"0{names.digits(3)} {names.digits(6)}",
            f"extension {names.digits(3)}",
            f"{names.digits(3)}-{names.digits(4)}",
        )
    )


def _room(names: Names, rest: str) -> str:
    return names.draw.choice(
        (
            f"room {names.digits(3)}",
            f"room {names.letters(1)}{names.digits(2)}",
            f"the {names.nature()} Room",
            f"building {names.letters(1)}",
            f"hall {names.digits(1)}",
        )
    )


def _colour(names: Names, rest: str) -> str:
    return names.draw.choice(_SHADES) + names.draw.choice(_COLOURS)


def _week_days(names: Names, rest: str) -> str:
    first = names.draw.randrange(7)
    forms = (DAYS[first], f"{DAYS[first]}s", f"every {DAYS[first]}", f"the first {DAYS[first]} of the month")
    return names.draw.choice(forms[: 1 if rest == "plain" else 4])


_KINDS: dict[str, Callable[[Names, str], str]] = {
    "n": _number,
    "money": _money,
    "time": _time,
    "date": _date,
    "dur": _duration,
    "one": _one,
    "some": _some,
    "pattern": _pattern,
    "phone": _phone,
    "room": _room,
    "colour": _colour,
    "day": _week_days,
    "month": lambda names, rest: names.draw.choice(MONTHS),
    "year": lambda names, rest: str(names.draw.randrange(1720, 2035)),
    "person": lambda names, rest: names.person(),
    "place": lambda names, rest: names.place(),
    "make": lambda names, rest: names.make(),
    "code": lambda names, rest: names.code(),
    "role": lambda names, rest: f"the {names.draw.choice(_ROLES)}",
    "pct": lambda names, rest: _number(names, f"{rest or '2 95'} %"),
    "yes": lambda names, rest: names.draw.choice(("yes", "no")),
}
