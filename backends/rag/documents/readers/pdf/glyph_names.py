"""Fonts that name their glyphs but have no map to characters, and whose names PDFium does not take apart.

A ligature is named by its parts, `f_i`, and a glyph of several characters by their codes, `uni00660069` (Adobe Glyph
List Specification, section 2). Fonts of drawn glyphs (Type 3), which plotting programs write, have the plain names.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdf import PdfReader

_NAMES = (
    "space exclam quotedbl numbersign dollar percent ampersand quotesingle parenleft parenright asterisk plus comma "
    "hyphen period slash zero one two three four five six seven eight nine colon semicolon less equal greater question "
    "at"
)
_SIGNS = {name: chr(0x20 + place) for place, name in enumerate(_NAMES.split())} | {"minus": "\u2212"}
_CODES = re.compile(r"uni((?:[0-9A-F]{4}){1,8})|u([0-9A-F]{4,6})")

_MOST_FONTS = 1_000


def characters(name: str) -> str:
    """What a glyph of this name shows; "" if the name does not say."""
    return "".join(parts) if all(parts := [_part(one) for one in name.partition(".")[0].split("_")]) else ""


def _part(name: str) -> str:
    if len(name) == 1:
        return name if name.isascii() and name.isalpha() else ""
    if name in _SIGNS:
        return _SIGNS[name]
    found = _CODES.fullmatch(name)
    if not found:
        return ""
    if found[2]:
        codes = [int(found[2], 16)]
    else:
        codes = [int(found[1][place : place + 4], 16) for place in range(0, len(found[1]), 4)]
    return (
        "".join(map(chr, codes)) if all(0x20 <= one < 0x110000 and not 0xD800 <= one < 0xE000 for one in codes) else ""
    )


def with_maps(structure: PdfReader) -> bytes | None:
    """The file with a map for every font whose names say more than PDFium reads; None if there is no such font.

    Raises what pypdf raises.
    """
    from pypdf import PdfWriter
    from pypdf.generic import NameObject, StreamObject

    if not any(_map(font) for font in _fonts(structure)):
        return None
    writer = PdfWriter(clone_from=structure)
    for font in _fonts(writer):
        if pairs := _map(font):
            stream = StreamObject()
            stream.set_data(_to_unicode(pairs))
            font[NameObject("/ToUnicode")] = writer._add_object(stream)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _fonts(pages: Any) -> Iterator[Any]:
    """The fonts of all pages, each once."""
    seen: set[int] = set()
    for page in pages.pages:
        resources = page.get("/Resources")
        fonts = resources.get_object().get("/Font") if resources is not None else None
        for entry in (fonts.get_object() if fonts is not None else {}).values():
            font = entry.get_object()
            if id(font) not in seen and len(seen) < _MOST_FONTS:
                seen.add(id(font))
                yield font


def _map(font: Any) -> dict[int, str]:
    """Code -> characters, of the glyphs whose names have to be taken apart; none for a font that has a map."""
    from pypdf.generic import DictionaryObject

    entry = font.get("/Encoding")
    encoding = entry.get_object() if entry is not None else None
    if "/ToUnicode" in font or not isinstance(encoding, DictionaryObject) or font.get("/Subtype") == "/Type0":
        return {}
    drawn = font.get("/Subtype") == "/Type3"
    found: dict[int, str] = {}
    code = 0
    for one in encoding.get("/Differences", ()):
        if isinstance(one, int):
            code = int(one)
            continue
        name = str(one).removeprefix("/")
        taken_apart = drawn or "_" in name or (name.startswith("uni") and len(name) > 7)
        if 0 <= code < 256 and taken_apart and (shown := characters(name)):
            found[code] = shown
        code += 1
    return found


def _to_unicode(pairs: dict[int, str]) -> bytes:
    """A map from codes of one byte to characters (ISO 32000-1, 9.10.3)."""
    lines = [f"<{code:02x}> <{text.encode('utf-16-be').hex()}>" for code, text in sorted(pairs.items())]
    blocks = [lines[place : place + 100] for place in range(0, len(lines), 100)]
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def\n"
        "1 begincodespacerange <00> <ff> endcodespacerange\n"
        + "".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar\n" for block in blocks)
        + "endcmap end end\n"
    ).encode()
