"""Text as it is compared: one spelling for what is written in many ways. What is shown is never changed by it.

The index, questions, evidence, key facts and the checks for leaks prepare their texts here, so that what one of them
takes for the same is the same for all. `plain` keeps case and lines, `matchable` does not.

- Unicode: NFKC (Unicode Annex 15), so that ligatures and full-width letters are letters; digits of every script are
  0-9; superscripts are `10^6`, since NFKC alone would make 106 of them.
- What cannot be seen is left out: soft hyphens, zero-width characters, variation selectors, marks of direction.
- A word that was divided at the end of a line is whole again.
- Dashes, minus signs and quotation marks of every kind are `-`, `'` and `"`.
- Numbers have no thousands separators and a full stop before the decimals: 1,200, 1 200 and 1'200 are 1200.
  1.200 is a thousand only beside a sign of euros, or in a text that writes other numbers or words so.
- Markdown's marks of emphasis, code and links, and HTML's inline tags, are left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from backends.text import FORMATS, normalised

VERSION = "2026-11-b"
"""Changes with the rules: what was prepared by others and kept has to be prepared again."""

NO_SPACES = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts that are written without spaces between words (Thai, Lao, Tibetan, Burmese, Khmer, kana, Han), as part of a
class of a regular expression."""

HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
"""Korean letters: there are spaces, but particles stand behind a word without one."""

_UNSEEN = re.compile(
    f"\u00ad[ \t]{{0,40}}\n[ \t]{{0,40}}|[\u00ad\u034f\u0640\u064b-\u0652\u0670\u180b-\u180e\u200b-\u200d\u2060-\u2065"
    f"\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef{FORMATS}]"
)
"""Soft hyphens, with the end of the line that they stand at; joiners; Arabic vowel signs and the line that stretches
words; variation selectors; what turns the direction."""

_TRADE_MARKS = re.compile("[\u2120\u2122]")
_DEGREE = re.compile("[\u00ba\u02da](?= ?[CF]\\b)")
_APART = re.compile("(?<=\\d)(?=[\u00bc-\u00be\u2080-\u2089\u2150-\u215f\u2189\u2460-\u24ff\u2776-\u2793])")
_SUPERSCRIPT = re.compile("(?<=[\\w)])[\u207a\u207b]?[\u00b2\u00b3\u00b9\u2070\u2074-\u2079]{1,40}")
_AREA = re.compile(r"(?<![^\W\d_])(?:[mckd]?m|ft|in|yd)$")
_TO_SUPERSCRIPT = str.maketrans(
    "0123456789+-", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b"
)
_FROM_SUPERSCRIPT = {new: old for old, new in _TO_SUPERSCRIPT.items()}
_NARROW = "\u00a0\u2007\u2008\u2009\u202f"
_NARROW_GROUPS = re.compile(f"(?<![\\w.,])[1-9]\\d{{0,2}}(?:[{_NARROW}]\\d{{3}}){{1,9}}(?![{_NARROW}]?\\d)")
_NARROW_SPACE = re.compile(f"[{_NARROW}]")

_DASHES = "\u058a\u05be\u1806\u2010-\u2015\u2043\u2053\u207b\u208b\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d"
_OPEN_DASH = re.compile("(?<=\\w)[\u2012-\u2015\u2212](?=[ \t]{0,40}\n)")
_DIVIDED = re.compile(
    "(?<=[^\\W_])[-\u2010][ \t]{0,40}\n[ \t]{0,40}(?!(?:and|or|nor|to|und|oder|bis|et|ou)\\b)(?=[^\\W_])"
)
DIVIDED = re.compile("([^\\W\\d_]{1,80})[-\u2010][ \t]{0,40}\n[ \t]{0,40}([^\\W\\d_]{1,80})")
"""A word at the end of a line and the next one, with a hyphen that may be part of them ("two-", "year") or not."""

_DIGITS = re.compile("[^\\W0-9A-Za-z_]")
_SIGNS = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02b9\u02bc\u02bb\u05f3\u00b4\u2035", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u301d\u301e\u301f\u05f4\u2036", '"'),
    **dict.fromkeys("\u2039\u203a", "'"),
    **dict.fromkeys("\u2044\u2215\u29f8", "/"),
    **{"\u066a": "%", "\u066b": ".", "\u066c": ",", "\u060c": ",", "\u2219": "\u00b7", "\u00d7": "x", "\u2028": "\n"},
    **{"\u2029": "\n", "\u0085": "\n", "\x0b": "\n", "\x0c": "\n", "\r": "\n"},
}
_TABLE = str.maketrans(_SIGNS)
_DASH = re.compile(f"[{_DASHES}]")

_ESCAPE = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
_TAGS = re.compile(
    r"</?(?:b|i|u|s|em|strong|code|mark|span|small|big|font|sub|ins)(?: [^<>\n]{0,200})?>|</sup>", re.IGNORECASE
)
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_RAISED = re.compile(r"<sup>|\^\{(?=[+-]?\w{1,20}\})", re.IGNORECASE)
_RAISED_END = re.compile(r"(?<=\^)([+-]?\w{1,20})\}")
_POWER = re.compile(r"(?<![^\W\d_])([mckd]?m|ft|in|yd)\^(?=[23](?!\w))")
_LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\s]{0,500}\)")
_MARKS = re.compile(r"`+|~~+|(?<=\S)\*++(?!\d)|(?<!\d)\*++(?=\S)|(?<!\w)_++(?=[^\W_])|(?<=[^\W_])_++(?![^\W_])")

_NUMBER = re.compile(r"(?<![^\W_])(?<!\d[.,'])\d+(?:(?:[.,']\d+)| \d{3}(?!\d))++")
_SPACED = re.compile(r"[1-9]\d{0,2}(?: \d{3})+(?:[.,]\d+)?")
_COMMAS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|[1-9]\d?(?:,\d{2})+,\d{3}(?:\.\d+)?")
_DOTS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+,\d+|[1-9]\d{0,2}(?:\.\d{3}){2,}")
_APOSTROPHES = re.compile(r"[1-9]\d{0,2}(?:'\d{3})+(?:[.,]\d+)?")
AMBIGUOUS = re.compile(r"[1-9]\d{0,2}\.\d{3}")
"""A number that is a thousand times larger in some languages than in others."""

_DECIMAL_COMMA = re.compile(r"(?<![\d.,])\d+,\d{1,2}(?![\d,])")
_DECIMAL_POINT = re.compile(r"(?<![\d.,])\d+\.\d{1,2}(?![\d.])")
_POINT_LANGUAGES = re.compile(
    r"\b(?:und|der|das|ist|sind|wird|kostet|betr\u00e4gt|Euro|el|los|las|cuesta|son|il|gli|sono|costa|het|een|kost|zijn"
    r"|\u00e9|s\u00e3o|custa|og|koster|ve|bir)\b"
)
"""Words of languages in which a full stop parts the thousands, and that are no English words."""

_EURO = re.compile(r" ?(?:\u20ac|EUR\b|[Ee]uros?\b)(?!/)")
_EURO_BEFORE = re.compile(r"(?:\u20ac|\bEUR|\bEuro) ?$")


def plain(text: str) -> str:
    """`text` as it is compared where case and lines matter."""
    preparation = _Preparation(text)
    preparation.repeat(preparation.all)
    return preparation.text


def matchable(text: str) -> str:
    """`text` as it is compared where they do not: case folded, runs of white space one space, none at the ends."""
    for _ in range(_MOST_ROUNDS):
        folded = plain(text).casefold()
        if folded.isascii():
            return " ".join(folded.split())
        folded = folded.replace("i\u0307", "i")
        if folded == text:
            break
        text = folded
    return " ".join(text.split())


def readable(text: str) -> str:
    """`text` as a model reads it: words are whole and their letters known, everything else is as it was written."""
    preparation = _Preparation(text)
    preparation.repeat(preparation.letters)
    return preparation.text


class _Preparation:
    """One preparation of a text, rule by rule."""

    def __init__(self, text: str) -> None:
        self.text = text

    def repeat(self, step: Callable[[], None]) -> None:
        """Do it until nothing changes: what one rule leaves may be food for another. Rarely more than twice."""
        for _ in range(_MOST_ROUNDS):
            before = self.text
            step()
            if self.text == before:
                return

    def all(self) -> None:
        """Every step."""
        self.letters()
        self._signs()
        self._marks()
        self._numbers()

    def letters(self) -> None:
        """Characters in one form, without those that cannot be seen, and divided words joined."""
        if not self.text.isascii():
            self._replace(_UNSEEN, "")
            self._replace(_TRADE_MARKS, " ")
            self._replace(_DEGREE, "\u00b0")
            self._replace(_APART, " ")
            self._replace(_SUPERSCRIPT, _raised)
            self._replace(_NARROW_GROUPS, lambda match: _NARROW_SPACE.sub("", match[0]))
            self._replace(_OPEN_DASH, " -")
            self.text = self.text.translate(_TABLE)
            self.text = normalised("NFKC", self.text)
        if "\n" in self.text:
            self._replace(_DIVIDED, _joined)

    def _signs(self) -> None:
        if self.text.isascii():
            return
        self.text = _DIGITS.sub(_digit, self.text).translate(_TABLE)
        self.text = _DASH.sub("-", self.text)

    def _marks(self) -> None:
        """Markdown and inline HTML, where there is a sign of them."""
        if "\\" in self.text:
            self._replace(_ESCAPE, "")
        if "<" in self.text or "^" in self.text:
            self._replace(_BREAK, " ")
            self._replace(_RAISED, "^")
            self._replace(_RAISED_END, r"\1")
            self._replace(_TAGS, "")
            self._replace(_POWER, r"\1")
        if "](" in self.text:
            self._replace(_LINK, r"\1")
        self._replace(_MARKS, "")

    def _numbers(self) -> None:
        self._replace(_NUMBER, _Numbers(self.text))

    def _replace(self, pattern: re.Pattern[str], new: str | Callable[[re.Match[str]], str]) -> None:
        self.text = pattern.sub(new, self.text)


_MOST_ROUNDS = 6


def _raised(match: re.Match[str]) -> str:
    digits = match[0].translate(_FROM_SUPERSCRIPT)
    return digits if _AREA.search(match.string[max(0, match.start() - 8) : match.start()]) else f"^{digits}"


def _joined(match: re.Match[str]) -> str:
    """Letters that go on in lower case were one word; codes and names keep their hyphen."""
    before, after = match.string[match.start() - 1], match.string[match.end()]
    return "" if before.isalpha() and after.islower() else "-"


def _digit(match: re.Match[str]) -> str:
    return str(unicodedata.decimal(match[0], match[0]))


class _Numbers:
    """Writes the numbers of one text in one spelling."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._points: bool | None = None

    def __call__(self, match: re.Match[str]) -> str:
        found = match[0]
        if " " in found:
            lead, *groups = re.split("[ .,]", found)
            alone = not match.string[match.end() : match.end() + 2].lstrip(" ")[:1].isdigit()
            alone &= not (match.start() > 1 and match.string[match.start() - 2].isdigit())
            if alone and _SPACED.fullmatch(found) and (len(lead) < 3 or "000" in groups):
                return found.replace(" ", "").replace(",", ".")
            *others, last = found.split(" ")
            return " ".join([*(self._spelled(one, "") for one in others), self._spelled(last, self._after(match))])
        return self._spelled(found, self._after(match), match)

    def _after(self, match: re.Match[str]) -> str:
        return match.string[match.end() : match.end() + 8]

    def _spelled(self, found: str, after: str, match: re.Match[str] | None = None) -> str:
        if _APOSTROPHES.fullmatch(found):
            return found.replace("'", "").replace(",", ".")
        if _COMMAS.fullmatch(found):
            return found.replace(",", "")
        if _DOTS.fullmatch(found) and not _is_address(found):
            return found.replace(".", "").replace(",", ".")
        if found.count(",") == 1 and "." not in found and "'" not in found:
            return found.replace(",", ".")
        if "," in found and "." not in found and "'" not in found:
            return ", ".join(found.split(","))
        if AMBIGUOUS.fullmatch(found) and (self._euros(after, match) or self._parts_thousands_by_points()):
            return found.replace(".", "")
        return found

    def _euros(self, after: str, match: re.Match[str] | None) -> bool:
        before = match.string[max(0, match.start() - 6) : match.start()] if match else ""
        return bool(_EURO.match(after) or _EURO_BEFORE.search(before))

    def _parts_thousands_by_points(self) -> bool:
        if self._points is None:
            commas = bool(_DECIMAL_COMMA.search(self._text)) and not _DECIMAL_POINT.search(self._text)
            self._points = commas or bool(_POINT_LANGUAGES.search(self._text))
        return self._points


def _is_address(found: str) -> bool:
    """Whether it is an IP address rather than a number."""
    parts = found.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)
