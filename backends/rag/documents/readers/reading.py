"""What reading a file gives: its text page by page, and what its reader should know about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_MAX_SPANS = 12


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a file: pairs of page number from 1 (None where the format has no pages) and text.

    `warnings` are plain sentences.
    """

    pages: tuple[tuple[int | None, str], ...]
    warnings: tuple[str, ...] = ()

    @property
    def characters(self) -> int:
        """How long the text of all pages is."""
        return sum(len(text) for _, text in self.pages)


def unpaged(text: str, warnings: Iterable[str] = ()) -> Reading:
    """The reading of a format that has no pages."""
    return Reading(((None, text),), tuple(warnings))


def numbered(noun: str, numbers: Sequence[int]) -> str:
    """ "Page 3" or "Pages 3, 7-9": ascending numbers in words, the first dozen of them."""
    spans = list(_spans(numbers))
    words = ", ".join(spans[:_MAX_SPANS]) + (" and others" if len(spans) > _MAX_SPANS else "")
    return f"{noun}s {words}" if len(numbers) > 1 else f"{noun} {words}"


def flattened_warning(tables: int) -> Iterator[str]:
    """The warning that tables were flattened, if there were any."""
    if tables:
        what = f"{tables:,} tables were" if tables > 1 else "1 table was"
        yield f"{what} flattened into lines of text: merged cells and layout are lost."


def _spans(numbers: Sequence[int]) -> Iterator[str]:
    start = 0
    for position, number in enumerate(numbers):
        if position + 1 == len(numbers) or numbers[position + 1] != number + 1:
            yield str(number) if position == start else f"{numbers[start]}-{number}"
            start = position + 1


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equal length as a Markdown table; the first row is its head."""
    lines = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join(["---"] * len(rows[0])) + " |")
    return "\n".join(lines)


def _cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())
