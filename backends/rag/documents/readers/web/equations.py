"""Formulas of web pages: their TeX source where the page has it, else MathML in one line."""

from __future__ import annotations

from backends.rag.documents.readers.web.tree import Node

_DEEPEST = 60


def formula_text(math: Node) -> str:
    """`$...$` from a formula's source; without one, what MathML shows: 10^6, a/b, √(x)."""
    for one in math.walk():
        if one.tag == "annotation" and "tex" in one.get("encoding").lower():
            source = " ".join("".join(one.texts()).split())
            return f"${source}$" if source else ""
    if math.get("alttext").strip():
        return f"${' '.join(math.get('alttext').split())}$"
    return " ".join(_linear(math, 0).split())


def _linear(node: Node | str, depth: int) -> str:
    if isinstance(node, str):
        return node.strip()
    if depth > _DEEPEST:
        return "".join(node.texts())
    if node.tag in ("annotation", "annotation-xml"):
        return ""
    if node.tag == "mtext":
        return "".join(node.texts())
    parts = [_linear(one, depth + 1) for one in node.children if not isinstance(one, str) or one.strip()]
    if node.tag == "msup" and len(parts) == 2:
        return f"{parts[0]}^{_grouped(parts[1])}"
    if node.tag == "msub" and len(parts) == 2:
        return f"{parts[0]}_{_grouped(parts[1])}"
    if node.tag == "msubsup" and len(parts) == 3:
        return f"{parts[0]}_{_grouped(parts[1])}^{_grouped(parts[2])}"
    if node.tag == "mfrac" and len(parts) == 2:
        return f"{_grouped(parts[0])}/{_grouped(parts[1])}"
    if node.tag == "msqrt":
        return f"√({''.join(parts)})"
    if node.tag == "mroot" and len(parts) == 2:
        return f"({parts[0]})^(1/{parts[1]})"
    return (" " if node.tag in ("mtr", "mtd") else "").join(parts)


def _grouped(text: str) -> str:
    signless = text.lstrip("-−+")
    return text if signless.replace(".", "").isalnum() or len(text) < 2 else f"({text})"
