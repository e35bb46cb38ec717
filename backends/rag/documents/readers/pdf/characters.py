"""The words and characters of a PDF page with their places, as PDFium finds them."""

from __future__ import annotations

import ctypes
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backends.decoding import REPLACEMENT
from backends.rag.documents.readers.pdf.ruling import Lines, lines_of

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

_SAME_PLACE = 0.06
"""In line heights: a character about this near to an equal one was printed twice, which makes it bold."""

_HYPHENS = frozenset({0x02, 0xFFFE})
"""What PDFium puts for a hyphen that ends a line."""

_SPACES = frozenset({0x09, 0x0A, 0x0D, 0x20, 0xA0, 0x3000, *range(0x2000, 0x200B)})

_WORDS = re.compile(
    r"[^\t\n\r \xa0\u2000-\u200a\u3000\x02\ufffe]*+[\x02\ufffe]|[^\t\n\r \xa0\u2000-\u200a\u3000\x02\ufffe]++"
)
"""A word with the hyphen that ends its line, if one does."""

_INNER_DIGIT = re.compile(r"(?<=[^ ])\d(?=[^ ])")

_ACCENTS = {
    **{"\xa8": "\u0308", "\xb4": "\u0301", "`": "\u0300", "^": "\u0302", "\u02c6": "\u0302", "~": "\u0303"},
    **{"\u02dc": "\u0303", "\xaf": "\u0304", "\u02d8": "\u0306", "\u02d9": "\u0307", "\u02da": "\u030a"},
    **{"\u02dd": "\u030b", "\u02c7": "\u030c", "\xb8": "\u0327", "\u02db": "\u0328"},
}
"""Accents that are printed as signs of their own, as TeX does in its first fonts, and the marks that they are."""

_ACCENTED = re.compile(f"[{''.join(map(re.escape, _ACCENTS))}]")

_PLAIN = re.compile(r"[!-~\xa1-\u058f\u2010-\u2044\u20a0-\u20bf\u3001-\ud7a3\uff01-\uffef]*+[\x02\ufffe]?+")
"""Characters of which nothing has to be found out one by one."""

FROM_THE_RIGHT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff]")
"""A letter of a right-to-left script."""

_SYMBOLS = {0xF0B7: "•", 0xF0A7: "▪", 0xF0A8: "◦", 0xF0D8: "➢", 0xF0FC: "✓", 0xF06F: "☐", 0xF0FE: "☒", 0xF0E0: "→"}
"""Signs of the fonts Symbol and Wingdings in the private use area, where word processors put them."""


@dataclass(slots=True)
class Piece:
    """One character or a word: what stands together on one baseline.

    `x0`, `x1` and the baseline `y` are in points, in a frame turned so that its text runs to the right; `size` is the
    height of its line in points. `spaced`: a space comes before it in the file. `blank_left`, `blank_right`: where that
    or the next space stands beside a letter that is read from the right. `lost`: nobody knows which character it is.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    spaced: bool = False
    blank_left: bool = False
    blank_right: bool = False
    lost: bool = False


@dataclass(slots=True)
class PageText:
    """What is printed on a page.

    `turned`: the pieces by the direction that they run in, in degrees, in the order of the file. `drawn`: lines that
    are no text. `outside`: how many characters lie beyond the edges of the page, and are not here.
    """

    turned: dict[int, list[Piece]] = field(default_factory=dict)
    drawn: Lines = field(default_factory=Lines)
    outside: int = 0

    @property
    def characters(self) -> int:
        """How many there are, spaces not counted."""
        return sum(len(one.text) for some in self.turned.values() for one in some)

    @property
    def lost(self) -> int:
        """How many of them are unknown."""
        return sum(one.lost for some in self.turned.values() for one in some)


def page_text(page: PdfPage) -> PageText:
    """What is printed on `page`, once each."""
    import pypdfium2.raw as pdfium

    found = PageText(drawn=lines_of(page))
    text = page.get_textpage()
    try:
        reader = _Reader(found, text.raw, pdfium, page.get_bbox())
        reader.read(text.count_chars())
    finally:
        text.close()
    return found


class _Reader:
    """Asks PDFium for places: of words by their first and last character, where that is enough; else of each one."""

    def __init__(self, found: PageText, handle: Any, pdfium: Any, edges: tuple[float, float, float, float]) -> None:
        self._found, self._handle, self._pdfium = found, handle, pdfium
        self._edges = edges
        self._seen: set[tuple[str, int, int, int]] = set()
        self._texts: set[str] = set()
        self._box, self._last = pdfium.FS_RECTF(), pdfium.FS_RECTF()
        self._box_at, self._last_at = ctypes.byref(self._box), ctypes.byref(self._last)
        self._ask_box, self._ask_origin = pdfium.FPDFText_GetLooseCharBox, pdfium.FPDFText_GetCharOrigin
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._at = ctypes.byref(self._x), ctypes.byref(self._y)

    def read(self, count: int) -> None:
        """Read all characters of the page."""
        units = (ctypes.c_ushort * (count + 1))()
        written = self._pdfium.FPDFText_GetText(self._handle, 0, count, units) - 1
        text = bytes(units)[: 2 * max(written, 0)].decode("utf-16-le", "replace")
        # PDFium leaves out what has no code, and puts right-to-left lines into an order of its own.
        if len(text) != count or FROM_THE_RIGHT.search(text):
            self._characters(0, count)
            return
        spaced = False
        end = 0
        for word in _WORDS.finditer(text):
            spaced = word.start() > end
            end = word.end()
            self._word(word[0], word.start(), end, spaced)

    def _word(self, word: str, start: int, end: int, spaced: bool) -> None:
        handle, pdfium, box, last = self._handle, self._pdfium, self._box, self._last
        self._ask_box(handle, start, self._box_at)
        self._ask_box(handle, end - 1, self._last_at)
        x0, y0, x1, y1 = box.left, box.bottom, last.right, box.top
        left, bottom, right, top = self._edges
        if (
            last.bottom != y0
            or last.top != y1
            or (last.left <= x0 and pdfium.FPDFText_GetCharAngle(handle, start) != 0.0)
            or not (left <= x0 and x1 <= right and bottom <= (y0 + y1) / 2 <= top)
            or pdfium.FPDFText_HasUnicodeMapError(handle, start) == 1
            or not _PLAIN.fullmatch(word)
            or self._is_mixed(word, start)
        ):
            self._characters(start, end, spaced)
            return
        self._ask_origin(handle, start, *self._at)
        if word[-1] in "\x02\ufffe":
            word = word[:-1] + "-"
        self._keep(Piece(word, x0, x1, self._y.value, max(y1 - y0, 1.0), spaced), 0)

    def _is_mixed(self, word: str, start: int) -> bool:
        """Whether there is more to a word than its ends say: a glyph without a character, an accent, an exponent."""
        if word[-1] in "\x02\ufffe" and not self._pdfium.FPDFText_GetUnicode(self._handle, start + len(word) - 1):
            return True
        if len(word) > 1 and _ACCENTED.search(word):
            return True
        bottom = self._box.bottom
        for digit in _INNER_DIGIT.finditer(word):
            self._ask_box(self._handle, start + digit.start(), self._last_at)
            if self._last.bottom != bottom:
                return True
        return False

    def _keep(self, one: Piece, angle: int) -> bool:
        if not _is_new(one, angle, self._seen, one.text in self._texts):
            return False
        self._texts.add(one.text)
        self._found.turned.setdefault(angle, []).append(one)
        return True

    def _characters(self, start: int, end: int, spaced: bool = False) -> None:
        pdfium, handle = self._pdfium, self._handle
        before, blank = None, -1
        for index in range(start, end):
            code = pdfium.FPDFText_GetUnicode(handle, index)
            if code in _SPACES:
                spaced, before, blank = True, None, index if code == 0x20 else -1
                continue
            self._ask_box(handle, index, self._box_at)
            self._ask_origin(handle, index, *self._at)
            here = (self._x.value, self._y.value)
            if before is not None and before[0] == here:  # one glyph that stands for several characters
                before[1].text += _shown(code)[0]
                if before[2] == 0:  # PDFium divides its width among them
                    before[1].x1 = max(before[1].x1, self._box.right)
                continue
            one, angle = self._one(index, code, here)
            before = None
            if one is None:
                continue
            one.spaced = spaced
            some = self._found.turned.get(angle, [])
            previous = some[-1:]
            if previous and _composed(previous[0], one):
                continue
            if self._keep(one, angle):
                if blank >= 0 and angle == 0 and FROM_THE_RIGHT.search("".join(p.text for p in [*previous, one])):
                    pdfium.FPDFText_GetCharOrigin(handle, blank, *self._at)
                    _note_blank(self._x.value, [*previous, one])
                before = here, one, angle
            spaced, blank = False, -1

    def _one(self, index: int, code: int, here: tuple[float, float]) -> tuple[Piece | None, int]:
        """The character at `index`, whose box was asked for; None if it lies beyond the edges."""
        box = self._box
        left, bottom, right, top = self._edges
        if not (left <= (box.left + box.right) / 2 <= right and bottom <= (box.bottom + box.top) / 2 <= top):
            self._found.outside += 1
            return None, 0
        angle = round(self._pdfium.FPDFText_GetCharAngle(self._handle, index) * 57.29578) % 360
        shown, unknown = _shown(code)
        one = _placed(shown, box, here, angle)
        if unknown or self._pdfium.FPDFText_HasUnicodeMapError(self._handle, index) == 1:
            one.text, one.lost = REPLACEMENT, True
        return one, angle


def _composed(before: Piece, one: Piece) -> bool:
    """Make one letter of a letter and an accent that was printed over it, in either order, if there is such a letter.

    Both are in `before` then.
    """
    if before.text in _ACCENTS and one.text.isalpha():
        accent, letter = before, one
    elif one.text in _ACCENTS and before.text[-1:].isalpha() and len(before.text) == 1:
        accent, letter = one, before
    else:
        return False
    if not letter.x0 - 0.05 * letter.size <= (accent.x0 + accent.x1) / 2 <= letter.x1 + 0.05 * letter.size:
        return False
    plain = {"\u0131": "i", "\u0237": "j"}.get(letter.text, letter.text)
    whole = unicodedata.normalize("NFC", plain + _ACCENTS[accent.text])
    if len(whole) != 1 or abs(accent.y - letter.y) > 0.5 * letter.size:
        return False
    before.text, before.x0, before.x1, before.y, before.size = whole, letter.x0, letter.x1, letter.y, letter.size
    return True


def _note_blank(x: float, neighbours: list[Piece]) -> None:
    """Note on which side of its neighbours a space begins at `x`."""
    for one in neighbours:
        if 0 < one.x0 - x < one.size * 0.45:
            one.blank_left = True
        elif x > one.x0 and abs(x - one.x1) < one.size * 0.15:
            one.blank_right = True


def _shown(code: int) -> tuple[str, bool]:
    """The character of a code, and whether it says nothing."""
    if code in _HYPHENS:
        return "-", False
    if code in _SYMBOLS:
        return _SYMBOLS[code], False
    character = chr(code)
    if code < 0x250:
        return (character, False) if code >= 0x20 and not 0x7F <= code < 0xA0 else (REPLACEMENT, True)
    if character == REPLACEMENT or unicodedata.category(character) in ("Co", "Cn", "Cs", "Cc"):
        return REPLACEMENT, True
    return character, False


def _placed(shown: str, box: Any, origin: tuple[float, float], angle: int) -> Piece:
    """A character in the frame of its direction."""
    x, y = origin
    if angle == 0:
        return Piece(shown, box.left, box.right, y, max(box.top - box.bottom, 1.0))
    if angle == 90:  # PDFium counts clockwise
        return Piece(shown, -box.top, -box.bottom, x, max(box.right - box.left, 1.0))
    if angle == 180:
        return Piece(shown, -box.right, -box.left, -y, max(box.top - box.bottom, 1.0))
    if angle == 270:
        return Piece(shown, box.bottom, box.top, -x, max(box.right - box.left, 1.0))
    return _slanted(shown, box, origin, angle)


def _slanted(shown: str, box: Any, origin: tuple[float, float], angle: int) -> Piece:
    """A character of a text that runs in any direction, such as a watermark; its box is only about right."""
    import math

    x, y = origin
    cosine, sine = math.cos(math.radians(-angle)), math.sin(math.radians(-angle))
    along, across = x * cosine + y * sine, y * cosine - x * sine
    size = max(min(box.right - box.left, box.top - box.bottom), 1.0)
    return Piece(shown, along, along + size * 0.6, across, size)


def _is_new(one: Piece, angle: int, seen: set[tuple[str, int, int, int]], is_known: bool) -> bool:
    """Whether nothing equal stands at (about) the same place; remembers it. `is_known`: its text was met before."""
    step = one.size * _SAME_PLACE
    column, row = int(one.x0 // step), int(one.y // step)
    if is_known:
        for near in (column, column - 1, column + 1):
            for level in (row, row - 1, row + 1):
                if (one.text, angle, near, level) in seen:
                    return False
    seen.add((one.text, angle, column, row))
    return True
