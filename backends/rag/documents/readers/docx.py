"""Word documents become Markdown."""

from __future__ import annotations

from backends.rag.documents.readers.office_parts import Parts
from backends.rag.documents.readers.reading import Reading, unpaged
from backends.rag.documents.readers.word.document import WordDocument


def read_docx(data: bytes) -> Reading:
    """The text with headings, lists, tables, notes, headers and footers, as if all tracked changes were accepted.

    Of a picture its description is read; what is hidden or not read is named. Nothing is fetched.
    """
    with Parts(data) as parts:
        document = WordDocument(parts)
        text = document.markdown()
    return unpaged(text, document.findings.warnings())
