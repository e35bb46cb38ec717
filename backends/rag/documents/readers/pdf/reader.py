"""PDF files, page by page.

PDFium reads the pages: it is the fastest of the readers that were compared and says which glyphs it cannot name.
pypdf reads the file's structure: form fields, notes and attachments.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backends.decoding import REPLACEMENT
from backends.errors import BackendError
from backends.rag.documents.content import damaged
from backends.rag.documents.readers.pdf.characters import PageText, page_text
from backends.rag.documents.readers.pdf.fields import Extras
from backends.rag.documents.readers.pdf.glyph_names import with_maps
from backends.rag.documents.readers.pdf.heads import continued
from backends.rag.documents.readers.pdf.hyphens import joined
from backends.rag.documents.readers.pdf.layout import page_lines
from backends.rag.documents.readers.reading import Reading, numbered

if TYPE_CHECKING:
    from pypdf import PdfReader
    from pypdfium2 import PdfDocument

_TAIL = 8192
"""The end mark of a PDF is looked for in this many last bytes; a file without it was cut short."""

_LOST_SHARE = 0.1
"""A page of which more characters than this share are unknown cannot be read."""

_FEW = 20
"""A page with fewer characters is looked at again: it may be what is left of a damaged one."""

_GLYPH_NUMBERS = re.compile(r"\(cid:\d{1,5}\)")
"""What another program wrote into the text for glyphs that it did not know."""


_INNER_HYPHEN = re.compile(r"[a-z]-[a-z]")
_WORD = re.compile(r"[^\W\d_]++(?:\u00ad[^\W\d_]++)*+")
"""A word, which may have soft hyphens in it."""


@dataclass(slots=True)
class _Pages:
    """The text of each page, and the numbers of those with something to be said about."""

    texts: list[str] = field(default_factory=list)
    silent: list[int] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    coded: list[int] = field(default_factory=list)
    lost: dict[int, int] = field(default_factory=dict)
    outside: int = 0

    @property
    def unread(self) -> int:
        """How many gave no text."""
        return len(self.silent) + len(self.broken) + len(self.coded)


def read_pdf(data: bytes) -> Reading:
    """The text of each page. Pages that cannot be read are named in warnings; a PDF of such pages only is refused."""
    if b"%%EOF" not in data[-_TAIL:]:
        raise damaged("pdf")
    structure = _structure(data)
    read = _read_pages(data, structure)
    if (read.lost or read.coded) and (mapped := _with_maps(structure)):
        read = _read_pages(mapped, structure)
    extras, said = _extras(structure)
    if len(read.broken) == len(read.texts):
        raise damaged("pdf")
    beside = [extras.of(number) if extras else "" for number in range(1, len(read.texts) + 1)]
    beside[-1] = "\n".join(filter(None, [beside[-1], extras.of(0) if extras else ""]))
    if read.unread == len(read.texts) and not any(beside):
        raise _nothing(read)
    pages = zip(continued(joined(read.texts)), beside, strict=True)
    texts = ((number, "\n\n".join(filter(None, both))) for number, both in enumerate(pages, start=1))
    return Reading(tuple(texts), tuple(_warnings(read) + said))


def _nothing(read: _Pages) -> BackendError:
    count = f"{len(read.texts)} page{'s' if len(read.texts) > 1 else ''}"
    if read.coded:
        return BackendError(
            f"The PDF has {count} but no readable text: its fonts do not say which characters their glyphs are.",
            "Run OCR on it first (text recognition), or save it again from its source.",
        )
    return BackendError(
        f"The PDF has {count} but no text: it was probably scanned.", "Run OCR on it first (text recognition)."
    )


def _structure(data: bytes) -> PdfReader:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    _unlock(reader)
    return reader


def _with_maps(structure: PdfReader) -> bytes | None:
    """The file with maps for fonts that name their glyphs; None if that would give no more characters."""
    try:
        return with_maps(structure)
    except MemoryError:
        raise
    except Exception:  # pypdf raises anything on files that are damaged; what is unknown stays so
        return None


def _unlock(reader: PdfReader) -> None:
    """Many PDFs are encrypted with an empty password and open for anybody; the others are refused."""
    if not reader.is_encrypted:
        return
    try:
        opened = bool(reader.decrypt(""))
    except Exception:  # an unknown or broken encryption is as closed as one with a password
        opened = False
    if not opened:
        raise BackendError("The PDF is encrypted with a password.", "Save a copy without a password.")


def _read_pages(data: bytes, structure: PdfReader) -> _Pages:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError:
        raise damaged("pdf") from None
    read = _Pages()
    try:
        if len(document) != len(structure.pages):
            raise damaged("pdf")
        for number in range(1, len(document) + 1):
            read.texts.append(_read_page(document, structure, number, read))
    finally:
        document.close()
    return read


def _read_page(document: PdfDocument, structure: PdfReader, number: int, read: _Pages) -> str:
    """The text of a page, "" if it has none that can be read; notes in `read` what there is to say."""
    try:
        page = document[number - 1]
        found = page_text(page)
        page.close()
    except MemoryError:
        raise
    except Exception:  # one bad page of a hundred does not make the others unreadable
        read.broken.append(number)
        return ""
    read.outside += found.outside
    if found.characters < _FEW and _is_broken(structure, number):
        read.broken.append(number)
        return ""
    if not found.characters:
        read.silent.append(number)
        return ""
    text = _in_order(found)
    lost = found.lost + sum(map(len, _GLYPH_NUMBERS.findall(text)))
    if lost > found.characters * _LOST_SHARE:
        read.coded.append(number)
        return ""
    if lost:
        read.lost[number] = lost
    return _without_soft_hyphens(text, structure, number)


def _without_soft_hyphens(text: str, structure: PdfReader, number: int) -> str:
    """`text` in which words are whole whose possible divisions the file marks.

    PDFium gives these marks, byte 173 of Windows-1252, as hyphens, which they are too (ISO 32000-1, annex D.2).
    Within a line and among small letters they come from texts whose marks were printed with them.
    """
    if not _INNER_HYPHEN.search(text):
        return text
    try:
        page = structure.pages[number - 1]
        contents = page.get_contents()
        drawn = contents.get_data() if contents is not None else b""
        if b"\xad" not in drawn and b"\\255" not in drawn:
            return text
        marked = {word for word in _WORD.findall(page.extract_text()) if "\u00ad" in word}
    except MemoryError:
        raise
    except Exception:  # it was read once already; only the marks stay
        return text
    for word in marked:
        text = text.replace(word.replace("\u00ad", "-"), word.replace("\u00ad", ""))
    return text


def _in_order(found: PageText) -> str:
    """The main direction first, then what runs otherwise: labels of axes, stamps, watermarks."""
    ranked = sorted(found.turned.items(), key=lambda one: -sum(len(piece.text) for piece in one[1]))
    return "\n\n".join(page_lines(some, found.drawn.turned(angle)) for angle, some in ranked)


def _is_broken(structure: PdfReader, number: int) -> bool:
    """Whether a page has contents that cannot be understood. PDFium reads on over what it does not know."""
    try:
        structure.pages[number - 1].extract_text()
    except MemoryError:
        raise
    except Exception:
        return True
    return False


def _extras(structure: PdfReader) -> tuple[Extras | None, list[str]]:
    """What stands beside the text, or a warning that it could not be read."""
    try:
        extras = Extras(structure)
    except MemoryError:
        raise
    except Exception:  # pypdf raises anything on dictionaries that are not what they should be
        return None, ["Its form fields and notes could not be read."]
    return extras, extras.warnings


def _warnings(read: _Pages) -> list[str]:
    said = []
    if read.silent:
        rest = "have no text: they were" if len(read.silent) > 1 else "has no text: it was"
        said.append(f"{numbered('Page', read.silent)} {rest} probably scanned.")
    if read.broken:
        said.append(f"{numbered('Page', read.broken)} could not be read.")
    if read.coded:
        said.append(
            f"{numbered('Page', read.coded)} could not be read: the fonts there do not say which characters their "
            "glyphs are. Run OCR on it (text recognition)."
        )
    if read.lost:
        count = sum(read.lost.values())
        many = f"{count:,} characters are unknown and stand" if count > 1 else "1 character is unknown and stands"
        said.append(f"{numbered('Page', list(read.lost))}: {many} as {REPLACEMENT}.")
    if read.outside:
        beyond = f"{read.outside:,} characters" if read.outside > 1 else "1 character"
        said.append(f"{beyond} beyond the edges of the pages, where nobody sees them, were left out.")
    return said
