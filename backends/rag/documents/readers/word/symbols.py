"""Characters that Word stores as places in a symbol font.

Source: the Unicode Consortium's table of Adobe's Symbol encoding (Public/MAPPINGS/VENDORS/ADOBE/symbol.txt), and the
names of the glyphs of Microsoft's Wingdings fonts.
"""

from __future__ import annotations

_PRIVATE = 0xF000
_LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_GREEK = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖαβχδεφγηιϕκλμνοπθρστυϖωξψζ"
_FROM_A0 = "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑"
_SYMBOL = {
    **{code: chr(code) for code in range(0x20, 0x40)},
    **{ord(latin): greek for latin, greek in zip(_LATIN, _GREEK, strict=True)},
    **{0xA0 + place: sign for place, sign in enumerate(_FROM_A0)},
    **{0x22: "∀", 0x24: "∃", 0x27: "∋", 0x2A: "∗", 0x2D: "−", 0x40: "≅", 0x5B: "[", 0x5C: "∴", 0x5D: "]"},
    **{0x5E: "⊥", 0x5F: "_", 0x7B: "{", 0x7C: "|", 0x7D: "}", 0x7E: "∼", 0xF1: "〉", 0xF2: "∫"},
}
_WINGDINGS = {
    **{0x20: " ", 0x6C: "●", 0x6E: "■", 0x6F: "☐", 0x71: "☐", 0x75: "◆", 0x76: "❖", 0x9F: "•", 0xA1: "○", 0xA7: "▪"},
    **{0xA8: "☐", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE1: "↑", 0xE2: "↓", 0xE8: "➔", 0xF0: "⇨", 0xFB: "✗", 0xFC: "✓"},
    **{0xFD: "☒", 0xFE: "☑", 0x22: "✂", 0x28: "☎", 0x2A: "✉", 0x4A: "☺", 0x4C: "☹"},
}
_FONTS = {
    "symbol": _SYMBOL,
    "wingdings": _WINGDINGS,
    "wingdings 2": {0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0xA3: "☐", 0x2A: "☐"},
}


def symbol(code: int, font: str) -> str | None:
    """The character at a place of a font; None if it is not known here."""
    known = _FONTS.get(font.lower())
    place = code - _PRIVATE if _PRIVATE <= code < _PRIVATE + 256 else code
    if known is not None:
        return known.get(place)
    if place != code or not 0x20 <= code < 0x110000 or 0xD800 <= code < 0xF900:
        return None
    return chr(code)
