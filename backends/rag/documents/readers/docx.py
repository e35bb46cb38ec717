"""Word documents become Markdown by way of HTML."""

from __future__ import annotations

import io
import zipfile

from backends.rag.documents.readers.html import to_markdown
from backends.rag.documents.readers.reading import Reading, unpaged

_STYLES = "p[style-name='Title'] => h1:fresh"
_EQUATION = b"oMath"


def read_docx(data: bytes) -> Reading:
    """The text with headings, lists, tables and footnotes. Of a picture its description stays; nothing is fetched."""
    if _has_equations(data):
        html = _html(_completed(data))
    else:
        try:
            html = _html(data)
        except (MemoryError, RecursionError):
            raise
        except Exception:  # mammoth stumbles over incomplete styles
            html = _html(_completed(data))
    text, warnings = to_markdown(html)
    return unpaged(text, warnings)


def _html(data: bytes) -> str:
    import mammoth

    result = mammoth.convert_to_html(
        io.BytesIO(data),
        style_map=_STYLES,
        include_embedded_style_map=False,
        convert_image=mammoth.images.img_element(lambda picture: {}),
        external_file_access=False,
    )
    return str(result.value)


def _completed(data: bytes) -> bytes:
    """The file with its equations as LaTeX and its styles completed. Importing markitdown takes 2 s."""
    from markitdown.converter_utils.docx.pre_process import pre_process_docx

    return pre_process_docx(io.BytesIO(data)).read()


def _has_equations(data: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        texts = [name for name in archive.namelist() if name.startswith("word/") and name.endswith(".xml")]
        return any(_EQUATION in archive.read(name) for name in texts)
