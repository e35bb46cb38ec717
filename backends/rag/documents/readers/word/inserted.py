"""Files of other formats that a Word document inserts as they are (`w:altChunk`)."""

from __future__ import annotations

import email
import email.policy

from backends.decoding import decode
from backends.errors import BackendError

_MOST_PARTS = 100


def inserted_text(data: bytes) -> tuple[str, tuple[str, ...]]:
    """Markdown of a web page, a web archive or plain text, and warnings; "" for anything else."""
    from backends.rag.documents.readers.html import to_markdown

    head = data[:1000].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    try:
        if head.startswith(b"mime-version") or b"content-type: multipart/related" in head:
            return _archived(data)
        if head.startswith(b"<"):
            return to_markdown(decode(data).clean_text)
        if not head or head.startswith((b"{\\rtf", b"pk\x03\x04")):
            return "", ()
        return decode(data).clean_text.strip(), ()
    except BackendError:  # no text
        return "", ()


def _archived(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The first page of a web archive (MHTML)."""
    from backends.rag.documents.readers.html import to_markdown

    message = email.message_from_bytes(data, policy=email.policy.default)
    for number, part in enumerate(message.walk()):
        if number > _MOST_PARTS:
            break
        if part.get_content_type() == "text/html":
            page = part.get_payload(decode=True)
            if isinstance(page, bytes):
                return to_markdown(decode(page, declared=part.get_content_charset()).clean_text)
    return "", ()
