"""Whether a text holds a key fact, in whatever spelling of it, and in no other number, code or word.

Both sides are prepared (`backends.matching`), so that 1,200 is 1200 and every dash is a hyphen. Beyond that

- words may stand apart by a space or a hyphen: "two-year", "two year";
- a unit may be glued to its number: "36months", "12.5 %"; a sign of money may stand on either side: "12 €";
- the letters and digits of a code may stand apart by a hyphen, a space or nothing: "GK-2207", "GK 2207", "GK2207";
- in scripts without spaces a fact may stand anywhere, but not in the middle of a number or of a katakana word; behind
  a Korean word there may be a particle.

It is no hit inside of another word, number, date, code or fraction, nor where it is denied right in front of it
("not 36 months", "non-refundable", "-12" for 12). A wrong hit is worse than a miss, so what is doubtful is a miss.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from backends.matching import AMBIGUOUS, HANGUL, NO_SPACES, matchable
from backends.terms import STOPPED, is_unit

_PIECE = re.compile(
    rf"(?P<number>\d+(?:\.\d+)*)|(?P<dense>[{NO_SPACES}{HANGUL}]+)|(?P<word>[^\W\d_]+)"
    r"|(?P<sign>(?!(?<=[^\W_])-(?=[^\W_]))\S)"
)
_DENSE = re.compile(f"[{NO_SPACES}]")
_HANGUL = re.compile(f"[{HANGUL}]")
_KATAKANA = re.compile("[\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff]")
_HAN_NUMERAL = frozenset("〇零一二三四五六七八九十百千万萬亿億两兩")
_HAN_DENIAL = frozenset("不没沒无無非未勿")
_PARTICLES = """
    은 는 이 가 을 를 의 에 에서 에게 께 로 으로 와 과 도 만 까지 부터 마다 보다 처럼 이나 나 이며 이고 이라 라 이라고
    라고 이다 다 입니다 이에요 예요 이었습니다 였습니다 간 동안 이내 이하 이상 정도 씩 마다 이므로 인 이면 면 인데
"""
"""Korean particles and forms of "to be" that stand behind a noun without a space."""

_PARTICLE = re.compile(f"(?:{'|'.join(sorted(_PARTICLES.split(), key=len, reverse=True))})(?![{HANGUL}])")
_MONEY = frozenset("£$€¥₹₩")
_CURRENCIES = frozenset({"eur", "usd", "gbp", "chf", "jpy", "cny", "inr", "cad", "aud", "sek", "nok", "dkk", "pln"})
_DENIALS = r"(?<!or )(?<!whether )\bnot|\bnever|\bno longer|n't|\bcannot|\bnicht|\bkeine?[mnrs]?"
_NUMBER_DENIED = re.compile(rf"(?:{_DENIALS})[ -]$")
_DENIED = re.compile(rf"(?:{_DENIALS}|\bnie|\bnon|\bno|\bun)[ -]$")
_FREE = frozenset("%°/x-=<>+") | _MONEY
"""Signs around which spaces do not count."""

_CURRENCY_END = re.compile(rf"(?<![^\W_])(?:{'|'.join(sorted(_CURRENCIES))})$")
_LARGER = re.compile(
    r"\^| ?(?:million|billion|trillion|thousand|hundred|mio|mrd|bn|k|tausend|millionen|milliarden|mille|millions|mil|"
    r"crore|lakh)(?![^\W_])|[十百千万萬亿億만억천백조]"
)
"""What makes a larger number of the digits in front of it."""

_FULL_HOUR = re.compile(r":00(?![\d:])")
_GLUED = re.compile(rf"(?:(?![{NO_SPACES}{HANGUL}])[^\W\d_])++")
_FURTHER = re.compile(r"[-/.](?:(?<=-)[^\W_]+|\d+)")
_GROUPS = re.compile(r"\d++(?:[-/.:]\d++){2,}+")
_RUN_BEFORE, _RUN_BEHIND = re.compile(r"[\d.:/-]{0,24}$"), re.compile(r"[\d.:/-]{0,24}")
_BEFORE, _BEHIND = 24, 24
"""Characters around a hit that are looked at."""

_LONGEST = 2_000
"""A longer fact is compared as it is."""


def contains_fact(text: str, key_fact: Sequence[str]) -> bool:
    """True if `text` holds one of the alternatives of a key fact."""
    return contains_prepared_fact(matchable(text), key_fact)


def contains_prepared_fact(text: str, key_fact: Sequence[str]) -> bool:
    """The same for a text that went through `matchable` already, to look for many facts in a long one."""
    return any(_has(text, alternative) for alternative in key_fact)


def _has(text: str, written: str) -> bool:
    fact = _fact(written)
    return fact is not None and any(fact.stands_alone(hit) for hit in re.finditer(fact.pattern, text))


class _Fact:
    """A key fact, ready to be looked for: what may stand for it, and what may not stand beside it."""

    def __init__(self, text: str) -> None:
        pieces = list(_PIECE.finditer(text)) if len(text) <= _LONGEST else []
        self.pattern = _pattern(pieces) if pieces else re.escape(text)
        kinds = {piece.lastgroup for piece in pieces}
        self._is_code = kinds >= {"word", "number"} and " " not in text
        self._is_number = kinds == {"number"} and len(pieces) == 1
        self._denies = bool(re.match(r"(?:not|no|never|nicht|kein|non)\b", text))

    def stands_alone(self, hit: re.Match[str]) -> bool:
        """Whether a hit is this fact, and no part of something else."""
        text, (start, end) = hit.string, hit.span()
        before, behind = text[max(0, start - _BEFORE) : start], text[end : end + _BEHIND]
        if before and not _may_precede(before, text[start:end]):
            return False
        if behind and not _may_follow(text[start:end], behind, self._is_number):
            return False
        if self._is_code and (_goes_on(behind) or _goes_on(before[::-1])):
            return False
        if self._is_number and _is_in_groups(before, text[start:end], behind):
            return False
        denied = _NUMBER_DENIED if text[start].isdigit() else _DENIED
        return self._denies or not denied.search(before)


@lru_cache(maxsize=4_096)
def _fact(written: str) -> _Fact | None:
    """None for a fact that holds nothing that could be looked for."""
    text = matchable(written)
    return _Fact(text) if text else None


def _pattern(pieces: Sequence[re.Match[str]]) -> str:
    """The fact as a regular expression: its pieces, with what may stand between each two of them."""
    parts: list[str] = []
    place = 0
    while place < len(pieces):
        here, step = pieces[place], 1
        gap = _gap(pieces[place - 1], here) if place else ""
        following = pieces[place + 1] if place + 1 < len(pieces) else None
        if following is not None and (pair := _money(here, following)):
            parts += [gap, pair]
            step = 2
        else:
            parts += [gap, _spelled(here)]
        place += step
    return "".join(parts)


def _spelled(piece: re.Match[str]) -> str:
    """A piece as a regular expression. Zeros alone behind the full stop do not make another number."""
    number = piece["number"]
    if number is None:
        return re.escape(piece[0])
    whole, _, decimals = number.partition(".")
    if "." in decimals or (decimals and (decimals.strip("0") or len(decimals) < 2)):
        exact = re.escape(number)
        return f"(?:{exact}|{number.replace('.', '')})" if AMBIGUOUS.fullmatch(number) else exact
    return rf"{whole}(?:\.0{{1,6}}(?!\d))?"


def _money(one: re.Match[str], other: re.Match[str]) -> str:
    """A sign of money beside a number, in either order; "" for any other two pieces."""
    if one[0] in _MONEY and other["number"]:
        sign, number = re.escape(one[0]), _spelled(other)
    elif one["number"] and other[0] in _MONEY:
        sign, number = re.escape(other[0]), _spelled(one)
    else:
        return ""
    return f"(?:{sign} ?{number}|{number} ?{sign})"


def _gap(one: re.Match[str], other: re.Match[str]) -> str:
    """What may stand between two pieces that stand beside each other in the fact."""
    between = one.string[one.end() : other.start()]
    if one["sign"] or other["sign"]:
        free = one[0] in _FREE or other[0] in _FREE or between
        return " ?" if free else ""
    if one["dense"] or other["dense"]:
        return " ?-? ?" if "-" in between else " ?"
    if one["number"]:
        return _gap_behind_number(other, between)
    if other["number"]:
        return _gap_before_number(one[0], between)
    return "[ -]?" if between == "-" else "[ -]"


def _gap_behind_number(other: re.Match[str], between: str) -> str:
    if other["number"]:
        return " ?- ?" if "-" in between else " "
    if len(other[0]) == 1 and not is_unit(other[0]) and (not between or other[0] in STOPPED):
        return "-?"
    return "[ -]?"


def _gap_before_number(word: str, between: str) -> str:
    """In a code, letters and digits may stand apart, but "to 220 degrees" is no TO-220, nor "EUR-12" EUR 12."""
    if word in _CURRENCIES:
        return " ?"
    if len(word) == 1 or word in STOPPED:
        return "[ -]" if between == " " else "-?"
    return "[ -]?"


# --- what stands beside a hit -------------------------------------------------------------------


def _may_precede(before: str, hit: str) -> bool:
    """Whether a fact may begin behind this text."""
    last, first = before[-1], hit[0]
    if _is_letter(last):
        return _may_precede_letter(before, last, first)
    if last == "-" and (first.isdigit() or first in _MONEY):
        return before[-2:-1].isalnum() or before[-2:-1] == ")"  # else it is a minus sign
    if first.isdigit():
        beside_digit = last in ".,:/'" and before[-2:-1].isdigit()
        return not (last == "^" or beside_digit or (last == "." and before[-2:-1] in ("", " ")))
    return True


def _may_precede_letter(before: str, last: str, first: str) -> bool:
    if _DENSE.match(first):
        if _KATAKANA.match(last) and _KATAKANA.match(first):
            return False
        return last not in _HAN_DENIAL and not (first in _HAN_NUMERAL and (last in _HAN_NUMERAL or last.isdigit()))
    if _HANGUL.match(first):
        return not _HANGUL.match(last)
    if _DENSE.match(last) or _HANGUL.match(last):
        return True
    return not _is_letter(first) or (first.isdigit() and _CURRENCY_END.search(before) is not None)


def _may_follow(hit: str, behind: str, is_number: bool) -> bool:
    """Whether a fact may end in front of this text."""
    last, first = hit[-1], behind[0]
    if last.isdigit() and not _ends_number(behind, is_number):
        return False
    if not _is_letter(first):
        return not (last.isalpha() and behind[:2] == "'t")
    if unicodedata.category(first)[0] == "M":
        return False
    if _DENSE.match(last):
        return not (_KATAKANA.match(last) and _KATAKANA.match(first)) and not (
            last in _HAN_NUMERAL and first in _HAN_NUMERAL
        )
    if _HANGUL.match(last):
        return not _HANGUL.match(first) or _PARTICLE.match(behind) is not None
    if _DENSE.match(first) or _HANGUL.match(first):
        return True
    return not _is_letter(last) or (last.isdigit() and is_number)


def _ends_number(behind: str, is_number: bool) -> bool:
    """Whether a number ends in front of this text: it is no part of a larger one, of a time or of a fraction."""
    if (
        behind[0].isdigit()
        or _LARGER.match(behind)
        or (behind[0] in ".,:/'" and behind[1:2].isdigit() and not _FULL_HOUR.match(behind))
    ):
        return False
    glued = _GLUED.match(behind)
    return glued is None or not is_number or is_unit(glued[0]) or len(glued[0]) > 3


def _is_in_groups(before: str, hit: str, behind: str) -> bool:
    """Whether a number is one part of a date, a version or a telephone number."""
    run, further = _RUN_BEFORE.search(before), _RUN_BEHIND.match(behind)
    around = (run[0] if run else "") + hit + (further[0] if further else "")
    return around.strip(".:/-") != hit and _GROUPS.fullmatch(around.strip(".:/-")) is not None


def _goes_on(beside: str) -> bool:
    """Whether a code goes on in the text beside it, which is turned round if it stands in front."""
    further = _FURTHER.match(beside)
    return further is not None and (len(further[0]) < 5 or not further[0][1:].isalpha())


def _is_letter(character: str) -> bool:
    """Whether a character is part of a word or number; a mark over or under a letter is."""
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
