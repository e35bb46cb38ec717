"""The text of a shape: paragraphs, raised and lowered text, line breaks, equations."""

from __future__ import annotations

from typing import Any

from backends.rag.documents.readers.office_parts import MC, A, M, chosen
from backends.rag.documents.readers.scripts import with_subscript, with_superscript


def body_text(body: Any) -> str:
    """The paragraphs of a text body, one a line; `body` is None for a shape without text."""
    if body is None:
        return ""
    return "\n".join(_paragraph(one) for one in body.findall(f"{A}p")).strip()


def _paragraph(paragraph: Any) -> str:
    written = ""
    waiting = list(reversed(paragraph))
    while waiting:
        one = waiting.pop()
        if one.tag in (f"{A}r", f"{A}fld"):
            written = _with_run(written, one)
        elif one.tag == f"{A}br":
            written += "\n"
        elif one.tag == f"{MC}AlternateContent":
            waiting += reversed(chosen(one))
        elif one.tag == f"{M}oMath":
            written += _equation(one)
        elif not one.tag.endswith("Pr"):
            waiting += reversed(one)
    return written


def _with_run(before: str, run: Any) -> str:
    text = run.findtext(f"{A}t") or ""
    properties = run.find(f"{A}rPr")
    raised = properties.get("baseline", "0") if properties is not None else "0"
    if raised.startswith("-"):
        return before + with_subscript(before, text)
    return before + (with_superscript(before, text) if raised.strip("0%") else text)


def _equation(equation: Any) -> str:
    from backends.rag.documents.readers.word.equations import equation_text

    return equation_text(equation)
