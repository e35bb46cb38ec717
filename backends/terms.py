"""What a piece of text is about, for comparing two of them: its numbers with units, its names, its other words."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backends.matching import HANGUL, NO_SPACES, plain

_STOP_WORDS = """
    a an the and or but nor so yet if then than as of in on at by for from to with within into onto over under
    up out off about above below between through during before after until till since per via is are was were be
    been being am do does did done has have had having can could may might must shall should will would ought
    need needs it its he she they them their his her we us our you your i me my this that these those there here
    which who whom whose what when where how why whether while whereas because although though also just only
    each every any some all both either neither other another such same own very more most less least much many
    few one ones whichever go goes going went gone come comes came give gives gave given keep keeps kept hold
    holds held last lasts put puts stay stays get gets got make makes made take takes took taken let say says
    said state states stated per cent not no never cannot without none yes please according based document
    documents passage passages it's that's can't don't doesn't isn't aren't won't
"""
"""English words that say too little to look for, light verbs included."""

_SPELLINGS = """
    second seconds sec secs s;minute minutes min mins;hour hours hr hrs h;day days;week weeks;month months;
    year years yr yrs;mm millimetre millimetres millimeter millimeters;cm centimetre centimetres centimeter centimeters;
    m metre metres meter meters;km kilometre kilometres kilometer kilometers;mile miles;g gram grams;
    kg kilo kilos kilogram kilograms;ml millilitre millilitres milliliter milliliters;l litre litres liter liters;
    w watt watts;kw kilowatt kilowatts;bar bars;° °c °f degree degrees;% percent;£ pound pounds gbp;
    $ dollar dollars usd;€ euro euros eur;p pence;page pages;character characters;cup cups;seat seats;
    person persons people
"""
"""Units, each with its other spellings."""

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
_ONES += "seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"

STOPPED = frozenset(_STOP_WORDS.split())
"""Words, in lower case, that say too little to look for."""

_UNITS = {unit: group.split()[0] for group in _SPELLINGS.split(";") for unit in group.split()}
_BELOW_20 = {word: value for value, word in enumerate(_ONES.split())}
_FROM_20 = {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}
_NEGATIONS = frozenset({"not", "never", "cannot"})
_NEGATIVES = _NEGATIONS | {"no", "without", "none", "neither", "nor", "nobody", "nothing"}

_TOKEN = re.compile(
    r"(?P<currency>[£$€])?(?P<number>\d+(?:[.,:]\d+)*)(?P<unit>[^\W\d_]+|[ ]?%|[ ]?°[CF]?)?"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*(?:-?\d[\w-]*)?)"
)
_LABELLED = re.compile(
    r"\b(version|level|section|chapter|step|article|part|class|phase|annex|table|figure|type|page|edition|revision)s?"
    r"\s+(\d+(?:\.\d+)*|[A-Z])\b",
    re.IGNORECASE,
)
"""Numbers that are part of a name ("version 3")."""

_MARKUP = re.compile(r"[*_`|#]|\bor not\b|\bnot only\b", re.IGNORECASE)
"""What is read over: Markdown's signs, and "not" where nothing is denied."""

_PER_CENT = re.compile(r"per cent\b", re.IGNORECASE)
_NO_SPACES = re.compile(f"[{NO_SPACES}{HANGUL}]+")
"""Scripts in which pairs of characters take the place of words."""

_FORMS = """
    used use using use paid pay sent send sold sell bought buy wrote write written write chose choose chosen choose
    lost lose broke break broken break built build begun begin began begin spent spend lent lend left leave
"""
_IRREGULAR = dict(zip(_FORMS.split()[::2], _FORMS.split()[1::2], strict=True))
OTHER = "other"
STEMMER = "snowball-english"
"""What `stem` goes by; an index of stems is good only for this one."""

_local = threading.local()


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it counts, "3,000" and "3000" alike, and its unit: None if nothing is written beside it, else
    `OTHER` for words that are no known unit.
    """

    value: str
    unit: str | None

    def agrees(self, other: Number) -> bool:
        """The same value, and no other unit."""
        return self.value == other.value and (self.unit == other.unit or None in (self.unit, other.unit))


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a text. `names` are phrases of stems (("ember", "one"), ("k2",)), `words` stems of other words.

    `negated`: it denies something with not, never or cannot; `negative`: it holds any word of denial; `absent`: what
    stands behind no or without. `stems` is every word and every part of a name.
    """

    numbers: frozenset[Number] = frozenset()
    names: frozenset[tuple[str, ...]] = frozenset()
    words: frozenset[str] = frozenset()
    negated: bool = False
    negative: bool = False
    absent: frozenset[str] = frozenset()
    stems: frozenset[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stems", self.words.union(*self.names))

    @property
    def empty(self) -> bool:
        """Nothing that could be looked for."""
        return not (self.numbers or self.names or self.words)


def is_unit(word: str) -> bool:
    """Whether a word in lower case is a unit that is known: "kg", "months", "%"."""
    return word in _UNITS


def unit_spellings(unit: str) -> tuple[str, ...]:
    """A unit that is known, in every spelling: "kg", "kilo", "kilos", ... Empty for any other word."""
    first = _UNITS.get(unit)
    return tuple(one for one, other in _UNITS.items() if other == first) if first else ()


def in_a_word(number: str) -> str:
    """A whole number below twenty as an English word: "three"; "" for any other."""
    return next((word for word, value in _BELOW_20.items() if str(value) == number), "")


def stem(word: str) -> str:
    """A word without its English ending, in lower case: "returned", "returns" and "return" become one.

    By Snowball's English stemmer (Porter, snowballstem.org/algorithms/english), and for irregular forms by a list.
    """
    word = word.lower().replace("’", "'").removesuffix("'s")
    word = _IRREGULAR.get(word, word)
    return word if any(character.isdigit() for character in word) else str(_snowball().stemWord(word))


def _snowball() -> Any:
    """This thread's stemmer: one must not be used by two threads at once."""
    if not hasattr(_local, "stemmer"):
        import Stemmer

        _local.stemmer = Stemmer.Stemmer("english")
    return _local.stemmer


def terms(text: str, *, sentence_start: bool = True) -> Terms:
    """The terms of a sentence, or of a piece of one.

    A name is a word with a digit in it, or a capitalised word; the first word of a sentence only if another
    capitalised word follows. Number words are English.
    """
    text = " ".join(_NO_SPACES.sub(" \\g<0> ", _MARKUP.sub(" ", plain(text))).split())
    names: set[tuple[str, ...]] = {(f"{stem(match[1])} {match[2].lower()}",) for match in _LABELLED.finditer(text)}
    reading = _Reading(_LABELLED.sub(" , ", text), sentence_start)
    reading.run()
    names |= reading.names
    words = reading.words.difference(*names)
    found = (frozenset(reading.numbers), frozenset(names), frozenset(words))
    return Terms(*found, reading.negated, reading.negative, frozenset(reading.absent))


def combined_terms(parts: Sequence[Terms]) -> Terms:
    """The terms of several texts that stand beside each other, such as the cells of a row."""
    return Terms(
        frozenset().union(*(one.numbers for one in parts)),
        frozenset().union(*(one.names for one in parts)),
        frozenset().union(*(one.words for one in parts)),
        any(one.negated for one in parts),
        any(one.negative for one in parts),
        frozenset().union(*(one.absent for one in parts)),
    )


class _Reading:
    """One pass over the tokens of a text."""

    def __init__(self, text: str, sentence_start: bool) -> None:
        self._text = text
        self._tokens = list(_TOKEN.finditer(text))
        self._first = sentence_start
        self.numbers: set[Number] = set()
        self.names: set[tuple[str, ...]] = set()
        self.words: set[str] = set()
        self.absent: set[str] = set()
        self.negated = self.negative = False
        self._denying = 0

    def run(self) -> None:
        place, after_number = 0, False
        phrase: list[str] = []
        while place < len(self._tokens):
            token = self._tokens[place]
            number, used = self._number(place)
            unit = after_number and (token["word"] or "").lower() in _UNITS
            name = None if number or unit else self._name(place)
            if phrase and (name is None or self._text[self._tokens[place - 1].end() : token.start()] != " "):
                self.names.add(tuple(phrase))
                phrase = []
            if number:
                self.numbers.add(number)
                if number.unit == OTHER and len(token["unit"] or "") > 2:
                    self.words.add(stem(token["unit"]))
            elif name:
                phrase.append(name)
            elif not unit:
                self._word(token["word"])
            after_number = number is not None
            self._first = False
            place += used
        if phrase:
            self.names.add(tuple(phrase))

    def _number(self, place: int) -> tuple[Number | None, int]:
        """The number at a place and how many tokens it takes; None and 1 if there is none."""
        token = self._tokens[place]
        if token["number"]:
            glued = (token["unit"] or "").strip().lower()
            time = "time" if ":" in token["number"] else None
            unit = token["currency"] or time or _UNITS.get(glued) or (OTHER if glued else self._unit_after(place))
            return Number(_normal(token["number"]), unit), 1
        word = token["word"].lower()
        if (word not in _BELOW_20 and word not in _FROM_20) or (token["word"][0].isupper() and not self._first):
            return None, 1
        value, used = _BELOW_20.get(word, _FROM_20.get(word, 0)), 1
        if word in _FROM_20 and place + 1 < len(self._tokens):
            value += (ones := _BELOW_20.get((self._tokens[place + 1]["word"] or "").lower(), 0) % 10)
            used += bool(ones)
        unit = self._unit_after(place + used - 1)
        return (Number(str(value), unit), used) if value != 1 or unit else (None, 1)

    def _unit_after(self, place: int) -> str | None:
        """The unit right behind a number or one word further ("10 working days")."""
        here, other = self._tokens[place].end(), None
        for token in self._tokens[place + 1 : place + 3]:
            if not token["word"] or re.search(r"[.;:!?,(]", self._text[here : token.start()]):
                break
            word = token["word"].lower()
            if unit := "%" if _PER_CENT.match(self._text, token.start()) else _UNITS.get(word):
                return unit
            if word in STOPPED:
                break
            other = OTHER
        return other

    def _name(self, place: int) -> str | None:
        word = self._tokens[place]["word"]
        if any(character.isdigit() for character in word):
            return word.lower()
        if not word[0].isupper() or word == "I" or (word.lower() in STOPPED and word != "One"):
            return None
        if self._first:
            following = self._tokens[place + 1]["word"] if place + 1 < len(self._tokens) else None
            if not following or not following[0].isupper() or any(c.isdigit() for c in following):
                return None
        return stem(word)

    def _word(self, word: str) -> None:
        lower = word.lower().replace("’", "'")
        denies = lower in _NEGATIONS or lower.endswith("n't")
        self.negated |= denies
        self.negative |= denies or lower in _NEGATIVES
        if _NO_SPACES.match(lower):
            self.words.update(lower[place : place + 2] for place in range(len(lower) - 1))
        elif len(lower) > 1 and lower not in STOPPED:
            self.words.add(stem(lower))
            if self._denying:
                self.absent.add(stem(lower))
        self._denying = 2 if lower in ("no", "without") else max(0, self._denying - 1)


def _normal(number: str) -> str:
    """A number in one spelling: no thousands separators, no needless zeros, a full stop for decimals.

    It stays text: numbers from outside can have any length, and Python converts no more than 4,300 digits.
    """
    if not number.isascii():
        number = "".join(str(unicodedata.decimal(character, character)) for character in number)
    if ":" in number:
        return ":".join(part.lstrip("0") or "0" for part in re.split(r"[.,:]", number))
    number = re.sub(r",(?=\d{3}(?!\d))", "", number).replace(",", ".")
    whole, _, decimals = number.partition(".")
    decimals = decimals.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{decimals}" if decimals else "")
