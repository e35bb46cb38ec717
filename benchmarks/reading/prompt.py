"""The one form in which a reader gets its evidence and gives its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends.rag.prompt import REFUSAL

SUPERSEDED = "(superseded) "


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence or a table row with what it needs to stand alone. `heading`: path of headings, may be ""."""

    document: str
    heading: str
    text: str
    superseded: bool = False

    def line(self, number: int) -> str:
        """As it is shown to the reader: `[2] (superseded) Document > Heading: sentence`."""
        mark = SUPERSEDED if self.superseded else ""
        path = " > ".join(filter(None, (self.document, self.heading)))
        return f"[{number}] {mark}{path}: {self.text}"


def reader_prompt(question: str, evidence: Sequence[Evidence], ask_first: bool = True) -> str:
    """Question, numbered evidence, question again. `ask_first` False leaves the first one out.

    Without it the evidence is the same beginning for all questions about it, and a training computes it once.
    """
    asked = f"Question: {question}"
    lines = "\n".join(one.line(number) for number, one in enumerate(evidence, start=1))
    return "\n\n".join([asked, lines, asked] if ask_first else [lines, asked])


def cited_answer(parts: Sequence[tuple[str, int]], cite_first: bool = False) -> str:
    """What was found, each with the number of its sentence: `21 days [2]; 9:00 [3].`; the refusal if nothing was."""
    if not parts:
        return REFUSAL
    forms = (f"[{number}] {text}" if cite_first else f"{text} [{number}]" for text, number in parts)
    return "; ".join(forms) + "."


__all__ = ["REFUSAL", "SUPERSEDED", "Evidence", "cited_answer", "reader_prompt"]
