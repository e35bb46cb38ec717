"""How each format becomes text. Runs in the child process: what is read here is not trusted."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from backends.base import BackendError

if TYPE_CHECKING:
    from pypdf import PdfReader

Pages = list[tuple[int | None, str]]
"""Page number from 1 (None where the format has no pages) and text."""

_SAVE_AGAIN = "Open it in its own program and save it again."
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_\-]{2,40})", re.IGNORECASE)


def read(data: bytes, format: str) -> Pages:
    """The text of a file, page by page. Raises `BackendError` for a file that cannot be read or has no text."""
    if format == "pdf":
        return _pdf(data)
    if format in ("docx", "xlsx", "pptx"):
        text = _through_markitdown(data, format)
    elif format == "html":
        text = _through_markitdown(decode(data, _declared_charset(data)).encode("utf-8", "replace"), format)
    else:
        text = decode(data)
    if not text.strip():
        raise BackendError("The file holds no text.", "Leave it out, or add text to it.")
    return [(None, text)]


def decode(data: bytes, declared: str | None = None) -> str:
    """Bytes as text: by byte order mark, as UTF-8, as declared, or by the best guess."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", declared):
        try:
            if encoding:
                return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    import charset_normalizer

    best = charset_normalizer.from_bytes(data).best()
    if best is None:
        raise BackendError("The file is not text in any known encoding.", "Save it as UTF-8 text.")
    return str(best)


def _declared_charset(data: bytes) -> str | None:
    found = _META_CHARSET.search(data[:4096])
    return found.group(1).decode("ascii") if found else None


def _through_markitdown(data: bytes, format: str) -> str:
    """Office and HTML files as Markdown. Only the one converter is registered, so nothing falls back to plain text."""
    from markitdown import DocumentConverter, MarkItDown, StreamInfo
    from markitdown.converters import DocxConverter, HtmlConverter, PptxConverter, XlsxConverter

    converters: dict[str, Callable[[], DocumentConverter]] = {
        "docx": DocxConverter,
        "html": HtmlConverter,
        "pptx": PptxConverter,
        "xlsx": XlsxConverter,
    }
    reader = MarkItDown(enable_builtins=False, enable_plugins=False)
    reader.register_converter(converters[format]())
    info = StreamInfo(extension=f".{format}", charset="utf-8" if format == "html" else None)
    try:
        return reader.convert_stream(io.BytesIO(data), stream_info=info).text_content
    except MemoryError:
        raise
    except Exception:
        raise BackendError(f"The {format.upper()} file is damaged or cut short.", _SAVE_AGAIN) from None


def _pdf(data: bytes) -> Pages:
    from pypdf import PdfReader

    damaged = BackendError("The PDF is damaged or cut short.", _SAVE_AGAIN)
    if b"%%EOF" not in data[-8192:]:
        raise damaged
    try:
        reader = PdfReader(io.BytesIO(data))
        _unlock(reader)
        pages: Pages = list(_pdf_pages(reader))
    except (BackendError, MemoryError):
        raise
    except Exception:
        raise damaged from None
    if not pages:
        raise damaged
    if not any(text.strip() for _, text in pages):
        count = f"{len(pages)} page{'s' if len(pages) > 1 else ''}"
        raise BackendError(
            f"The PDF has {count} but no text: it was probably scanned.", "Run OCR on it first (text recognition)."
        )
    return pages


def _unlock(reader: PdfReader) -> None:
    """Many PDFs are encrypted with an empty password and open for anybody; the others are refused."""
    if not reader.is_encrypted:
        return
    try:
        opened = bool(reader.decrypt(""))
    except Exception:
        opened = False
    if not opened:
        raise BackendError("The PDF is encrypted with a password.", "Save a copy without a password.")


def _pdf_pages(reader: PdfReader) -> Iterator[tuple[int, str]]:
    for number, page in enumerate(reader.pages, start=1):
        yield number, page.extract_text()
