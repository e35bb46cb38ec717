"""Equations of Word documents and slides as LaTeX."""

from __future__ import annotations

from typing import Any

from backends.rag.documents.readers.office_parts import M
from backends.rag.documents.readers.word.findings import Findings


def equation_text(equation: Any, findings: Findings | None = None) -> str:
    """`$...$`, or the characters one after another where that fails. Importing the converter takes 2 s."""
    from markitdown.converter_utils.docx.math.omml import oMath2Latex

    single = [equation] if equation.tag == f"{M}oMath" else list(equation.iter(f"{M}oMath"))
    written = []
    for one in single:
        try:
            latex = str(oMath2Latex(one).latex).strip()
        except (MemoryError, RecursionError):
            raise
        except Exception:  # of elements that it does not know
            if findings is not None:
                findings.equations += 1
            latex = ""
        plain = " ".join(part.text or "" for part in one.iter(f"{M}t")).strip()
        if latex or plain:
            written.append(f"${latex}$" if latex else plain)
    return " ".join(written)
