"""What reading a file gives: its text page by page, and what its reader should know about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backends.text import counted

_MAX_SPANS = 12
_QUOTED = 3
"""So many pieces of what was left out are quoted in a warning."""
_QUOTED_CHARACTERS = 60
_REPEATED_CHARACTERS = 500
"""The text of a merged cell is repeated in each of the cells that it covers, unless it is longer than this."""


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
        yield f"{what} flattened into lines of text: layout is lost, merged cells are repeated."


def undescribed(pictures: int) -> Iterator[str]:
    """The warning that pictures have no description, if there are any."""
    if pictures:
        yield f"{counted(pictures, 'picture has', 'pictures have')} no description: what is in them was not read."


def not_read(objects: Counter[str]) -> Iterator[str]:
    """The warning that embedded objects were not read, with their kinds."""
    if objects.total():
        kinds = ", ".join(f"{kind} ({count})" if count > 1 else kind for kind, count in objects.most_common(5))
        yield f"{counted(objects.total(), 'embedded object was', 'embedded objects were')} not read: {kinds}."


def left_out(what: str, texts: Sequence[str]) -> Iterator[str]:
    """The warning that texts were left out, with the beginning of the first of them."""
    said = [short for short in map(quoted, texts) if short]
    if said:
        more = f" and {len(said) - _QUOTED:,} more" if len(said) > _QUOTED else ""
        yield f"{what}: {', '.join(said[:_QUOTED])}{more}."


def quoted(text: str) -> str:
    """The beginning of a text in quotation marks, on one line; "" for a text without letters and digits."""
    words = " ".join(text[: 4 * _QUOTED_CHARACTERS].split())
    if not any(map(str.isalnum, words)):
        return ""
    return f"“{words[:_QUOTED_CHARACTERS].rstrip()}…”" if len(words) > _QUOTED_CHARACTERS else f"“{words}”"


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


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text, and how many columns and rows it covers."""

    text: str
    columns: int = 1
    rows: int = 1


def grid(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """Rows of equal length in which every cell stands under its column: merged cells are repeated where they reach.

    A cell that is as wide as its table (a caption, the head of a section) stands once.
    """
    filled: list[dict[int, str]] = []
    reaching: dict[int, tuple[str, int]] = {}
    for row in rows:
        line = {column: text for column, (text, _) in reaching.items()}
        reaching = {column: (text, left - 1) for column, (text, left) in reaching.items() if left > 1}
        place = 0
        for cell in row:
            while place in line:
                place += 1
            again = cell.text if len(cell.text) <= _REPEATED_CHARACTERS else ""
            alone = len(row) == 1 and place == 0
            for column in range(place, place + cell.columns):
                if column not in line:
                    line[column] = cell.text if column == place else "" if alone else again
                    if cell.rows > 1:
                        reaching[column] = ("" if alone else again), cell.rows - 1
            place += cell.columns
        filled.append(line)
    width = max((max(line) + 1 for line in filled if line), default=0)
    return [[line.get(column, "") for column in range(width)] for line in filled]


def _cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())
