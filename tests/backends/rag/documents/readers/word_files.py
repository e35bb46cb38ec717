"""Word files made on the spot, piece by piece."""

from __future__ import annotations

import io
import zipfile

from backends.rag.documents.readers import read
from tests.backends.rag.conftest import make_docx, make_zip

_OFFICE = "http://schemas.openxmlformats.org"
SPACES = " ".join(
    f'xmlns:{prefix}="{address}"'
    for prefix, address in {
        "w": f"{_OFFICE}/wordprocessingml/2006/main",
        "r": f"{_OFFICE}/officeDocument/2006/relationships",
        "wp": f"{_OFFICE}/drawingml/2006/wordprocessingDrawing",
        "a": f"{_OFFICE}/drawingml/2006/main",
        "pic": f"{_OFFICE}/drawingml/2006/picture",
        "c": f"{_OFFICE}/drawingml/2006/chart",
        "dgm": f"{_OFFICE}/drawingml/2006/diagram",
        "m": f"{_OFFICE}/officeDocument/2006/math",
        "mc": f"{_OFFICE}/markup-compatibility/2006",
        "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
        "v": "urn:schemas-microsoft-com:vml",
        "o": "urn:schemas-microsoft-com:office:office",
    }.items()
)
ROOTS = {"header": "hdr", "footer": "ftr"}
"""Kind of a part -> its root element, where they differ."""


def word_file(body: str, others: dict[str, bytes] | None = None, links: str = "", **parts: str) -> bytes:
    """A Word file. `parts` are by their kind, with a number where there are several: `header1=...`.

    Each has the relation whose id is its name. `others` are parts as they are, `links` more relations.
    """
    with zipfile.ZipFile(io.BytesIO(make_docx("", ""))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["word/document.xml"] = f"<w:document {SPACES}><w:body>{body}</w:body></w:document>".encode()
    for name, xml in parts.items():
        kind = name.rstrip("0123456789")
        root = ROOTS.get(kind, kind)
        files[f"word/{name}.xml"] = f"<w:{root} {SPACES}>{xml}</w:{root}>".encode()
        links += relation(name, kind, f"{name}.xml")
    package = f"{_OFFICE}/package/2006/relationships"
    files["word/_rels/document.xml.rels"] = f'<Relationships xmlns="{package}">{links}</Relationships>'.encode()
    return make_zip({**files, **(others or {})})


def relation(name: str, kind: str, target: str, mode: str = "Internal") -> str:
    address = f"{_OFFICE}/officeDocument/2006/relationships/{kind}"
    return f'<Relationship Id="{name}" Type="{address}" Target="{target}" TargetMode="{mode}"/>'


def p(text: str = "", properties: str = "", raw: str = "") -> str:
    """A paragraph: its text, then raw XML."""
    return f"<w:p><w:pPr>{properties}</w:pPr>{r(text) if text else ''}{raw}</w:p>"


def r(text: str, properties: str = "") -> str:
    """A run of text."""
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def cell(content: str, properties: str = "") -> str:
    inside = content if content.startswith("<w:") else p(content)
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inside}</w:tc>"


def row(*cells: str, properties: str = "") -> str:
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"


def rows(*lines: str) -> str:
    return f"<w:tbl>{''.join(lines)}</w:tbl>"


def field(code: str, result: str) -> str:
    marks = [f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")]
    return f"{marks[0]}<w:r><w:instrText>{code}</w:instrText></w:r>{marks[1]}{r(result)}{marks[2]}"


def drawing(inside: str, description: str = "") -> str:
    said = f' descr="{description}"' if description else ""
    return (
        f'<w:drawing><wp:inline><wp:docPr id="1" name="x"{said}/><a:graphic><a:graphicData>{inside}'
        "</a:graphicData></a:graphic></wp:inline></w:drawing>"
    )


def text_of(data: bytes) -> str:
    """The text of a Word file."""
    ((_, text),) = read(data, "docx").pages
    return text


def warnings_of(data: bytes) -> tuple[str, ...]:
    """What is said about a Word file."""
    return read(data, "docx").warnings
