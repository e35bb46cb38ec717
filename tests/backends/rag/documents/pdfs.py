"""PDF files written by hand: text at chosen places, fonts with and without a map to characters, fields and notes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

Placed = tuple[float, float, str]
"""x and y in points from the lower left corner, and a text."""

LATIN = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


@dataclass
class Page:
    """A page: its content stream, more entries of its dictionary, and annotations."""

    content: bytes
    entries: str = ""
    annotations: Sequence[str] = ()


def printed(texts: Sequence[Placed], size: float = 11, font: str = "F1") -> bytes:
    """The content stream that prints texts in Windows-1252, in this order."""
    drawn = [f"1 0 0 1 {x:g} {y:g} Tm ({_escaped(text)}) Tj" for x, y, text in texts]
    return f"BT /{font} {size:g} Tf ".encode() + "\n".join(drawn).encode("cp1252") + b" ET\n"


def coded(texts: Sequence[Placed], size: float = 11, font: str = "U") -> bytes:
    """As `printed`, in two-byte codes: those of the font U are Unicode."""
    drawn = [f"1 0 0 1 {x:g} {y:g} Tm <{text.encode('utf-16-be').hex()}> Tj" for x, y, text in texts]
    return (f"BT /{font} {size:g} Tf " + "\n".join(drawn) + " ET\n").encode()


def lines(x: float, y: float, texts: Sequence[str], pitch: float = 14) -> list[Placed]:
    """Texts below each other."""
    return [(x, y - row * pitch, text) for row, text in enumerate(texts)]


def pdf(pages: Sequence[Page | bytes], root: str = "", extra: Sequence[str] = (), fonts: str = "") -> bytes:
    """The file. Annotations are objects from 100 on in the order of the pages, `extra` objects from 200 on;
    `fonts` are more fonts of every page."""
    pages = [one if isinstance(one, Page) else Page(one) for one in pages]
    numbers = range(20, 20 + 2 * len(pages), 2)
    objects: dict[int, bytes] = {
        1: f"<< /Type /Catalog /Pages 2 0 R {root} >>".encode(),
        2: f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in numbers)}] /Count {len(pages)} >>".encode(),
        3: LATIN.encode(),
        **_two_byte_font(4, mapped=True),
        **_two_byte_font(8, mapped=False),
    }
    noted = 100
    for number, page in zip(numbers, pages, strict=True):
        kept = range(noted, noted + len(page.annotations))
        objects.update(zip(kept, (one.encode("latin-1") for one in page.annotations), strict=True))
        noted = kept.stop
        objects[number] = (
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R /U 4 0 R /X 8 0 R {fonts} >> >> "
            f"/Contents {number + 1} 0 R /Annots [{' '.join(f'{n} 0 R' for n in kept)}] {page.entries} >>"
        ).encode()
        objects[number + 1] = b"<< /Length %d >>\nstream\n%b\nendstream" % (len(page.content), page.content)
    objects.update(enumerate((one.encode("latin-1") for one in extra), start=200))
    return _file(objects)


def _two_byte_font(number: int, mapped: bool) -> dict[int, bytes]:
    """A font of two-byte codes, that are Unicode; if it is not `mapped`, nobody knows which characters they are."""
    widths = "/DW 500 /W [32 [300]]"
    system = "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
    unicode = f"/ToUnicode {number + 2} 0 R" if mapped else ""
    body = (
        "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange\n"
        + "".join(f"1 beginbfrange <{row:02x}00> <{row:02x}ff> <{row:02x}00> endbfrange\n" for row in range(256))
        + "endcmap end"
    ).encode()
    return {
        number: (
            "<< /Type /Font /Subtype /Type0 /BaseFont /ABCDEF+Own /Encoding /Identity-H "
            f"/DescendantFonts [{number + 1} 0 R] {unicode} >>"
        ).encode(),
        number + 1: (
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /ABCDEF+Own {system} {widths} "
            f"/FontDescriptor {number + 3} 0 R >>"
        ).encode(),
        number + 2: b"<< /Length %d >>\nstream\n%b\nendstream" % (len(body), body),
        number + 3: (
            b"<< /Type /FontDescriptor /FontName /ABCDEF+Own /Flags 4 /FontBBox [0 -200 1000 800] /ItalicAngle 0 "
            b"/Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>"
        ),
    }


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _file(objects: dict[int, bytes]) -> bytes:
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    places = {}
    for number, body in sorted(objects.items()):
        places[number] = out.tell()
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
    table = out.tell()
    out.write(b"xref\n")
    for number, place in places.items():
        out.write(b"%d 1\n%010d 00000 n \n" % (number, place))
    out.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (max(objects) + 1, table))
    return out.getvalue()
