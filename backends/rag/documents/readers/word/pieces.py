"""Pieces of a paragraph that look alike, and how they are written."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from backends.rag.documents.readers.scripts import with_subscript, with_superscript

Look = tuple[bool, bool, bool, int]
"""Bold, italic, struck out, raised."""
PLAIN: Look = (False, False, False, 0)


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that looks alike; `raised` is 1 for a superscript, -1 for a subscript."""

    text: str
    bold: bool = False
    italic: bool = False
    struck: bool = False
    raised: int = 0

    @property
    def look(self) -> Look:
        """How it looks, in the order of the fields."""
        return self.bold, self.italic, self.struck, self.raised


def joined(pieces: list[Piece], plain: bool) -> str:
    """Pieces as text: neighbours that look alike become one, raised and lowered text is marked."""
    alike = itertools.groupby(pieces, key=lambda piece: piece.look)
    merged = [Piece("".join(piece.text for piece in group), *look) for look, group in alike]
    written = ""
    for place, piece in enumerate(merged):
        if piece.raised:
            written += (with_superscript if piece.raised > 0 else with_subscript)(written, piece.text)
            continue
        mark = "~~" * piece.struck + ("" if plain else "**" * piece.bold + "*" * piece.italic)
        core = piece.text.strip()
        after = merged[place + 1].text[:1] if place + 1 < len(merged) and piece.text.rstrip() == piece.text else ""
        before = written[-1:] if piece.text.lstrip() == piece.text else ""
        if mark and core and "\n" not in core and (piece.struck or not (before.isalnum() or after.isalnum())):
            start = piece.text.index(core)
            written += f"{piece.text[:start]}{mark}{core}{mark[::-1]}{piece.text[start + len(core) :]}"
        else:
            written += piece.text
    return written
