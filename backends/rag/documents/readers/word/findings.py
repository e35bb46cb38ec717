"""What was found in a Word document beside its text, and the sentences that say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from backends.rag.documents.readers.reading import flattened_warning, left_out, not_read, undescribed
from backends.text import counted


@dataclass(slots=True)
class Findings:
    """Counts of what was changed, left out or not read."""

    tables: int = 0
    tracked: int = 0
    comments: int = 0
    pictures: int = 0
    prompts: int = 0
    equations: int = 0
    hidden: list[str] = field(default_factory=list)
    objects: Counter[str] = field(default_factory=Counter)
    symbols: Counter[str] = field(default_factory=Counter)
    numbers: Counter[str] = field(default_factory=Counter)
    parts: list[str] = field(default_factory=list)
    others: tuple[str, ...] = ()

    def warnings(self) -> Iterator[str]:
        """What a reader of the text should know, in plain sentences."""
        yield from flattened_warning(self.tables)
        if self.tracked:
            yield "The document has tracked changes: it was read as if all of them were accepted."
        if self.comments:
            yield f"{counted(self.comments, 'comment was', 'comments were')} read, at the end of the text."
        yield from left_out("Hidden text was left out", self.hidden)
        yield from undescribed(self.pictures)
        yield from not_read(self.objects)
        if self.equations:
            yield f"{counted(self.equations, 'equation was', 'equations were')} read as plain text: fractions are lost."
        if self.prompts:
            yield f"{counted(self.prompts, 'field is', 'fields are')} not filled in: the text in it was left out."
        if self.symbols:
            fonts = ", ".join(sorted(self.symbols)[:5])
            what = counted(self.symbols.total(), "character", "characters")
            yield f"{what} of a symbol font could not be read and became \ufffd: {fonts}."
        if self.numbers:
            forms = ", ".join(sorted(self.numbers)[:5])
            what = counted(self.numbers.total(), "list number is", "list numbers are")
            yield f"{what} in a form that is not read, and was left out: {forms}."
        if self.parts:
            yield f"These parts of the file could not be read: {', '.join(self.parts[:5])}."
        yield from self.others
