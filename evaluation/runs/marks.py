"""What people say of the answers of a run: right, wrong or unclear, a star, a comment; and how far a scorer agrees.

Thumbs under answers on the pages (`evaluation.marks`) become marks here where a run has the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from backends.errors import BackendError
from backends.store.database import Store
from evaluation.marks import LONGEST_NOTE, Mark
from evaluation.runs.model import Run
from evaluation.runs.records import CellKey, stamp, storable
from evaluation.runs.tables import cells, marks, questions, scores

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Verdict = Literal["right", "wrong", "unclear"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

TERMINAL = "terminal"
"""Who marked, where that was no browser."""

THUMBS = "thumbs"
"""Who marked, where it was a thumb under the same answer on Compare or an approach's page."""


@dataclass(frozen=True, slots=True)
class CellMark:
    """What one person said of a cell. `verdict` is None where nothing was said of that; `at` is UTC."""

    verdict: Verdict | None = None
    star: bool = False
    comment: str = ""
    who: str = ""
    at: datetime | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether it is as good as none."""
        return self.verdict is None and not self.star and not self.comment


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of people's marks, right or wrong, say what a scorer says of the same cell.

    `constant` is how many would agree with a scorer that always says the same, whichever of the two is more.
    """

    agree: int
    marks: int
    constant: int


def set_mark(store: Store, run: Run, cell: CellKey, who: str, mark: CellMark) -> CellMark:
    """Keep what a person says of a cell, in place of what that person said before, which is returned.

    A mark that says nothing takes it back. Raises `BackendError` if it cannot be written, or if there is no such cell.
    """
    from sqlalchemy.exc import IntegrityError

    comment = storable(mark.comment.strip())[:LONGEST_NOTE]
    mark = CellMark(mark.verdict, mark.star, comment)
    where = is_cell(marks, run.id, *cell) & (marks.c.who == who)
    with store.writing() as connection:
        row = connection.execute(marks.select().where(where)).mappings().first()
        connection.execute(marks.delete().where(where))
        if not mark.says_nothing:
            approach, position, repeat = cell
            key = {"run_id": run.id, "approach": approach, "position": position, "repeat": repeat, "who": who}
            said = {"verdict": mark.verdict, "star": mark.star, "comment": comment, "at": stamp(datetime.now(UTC))}
            try:
                connection.execute(marks.insert().values(**key, **said))
            except IntegrityError:
                gone = "This answer is not there any more: it failed and is being asked again, or its run was deleted."
                raise BackendError(gone, "Load the page again.") from None
    return CellMark(who=who) if row is None else _mark(row)


def take_thumbs(store: Store, run: Run, thumbs: Sequence[Mark]) -> None:
    """Make marks of a run what people said of the same answers on the pages, and take back what they took back.

    The same answer is one of the same approach to the same question, word for word, of a stand-in or not. Of several
    thumbs on it the last one holds. `thumbs` are all there are, oldest first; where nothing changed, nothing is
    written. Raises `BackendError`.
    """
    said = {(one.question, one.approach, one.answer, one.kind == "stand-in"): one for one in thumbs}
    with store.reading() as connection:
        had = _thumbs_in(connection, run.id)
        wanted = _same_answers(connection, run, said) if said else {}
    if had == wanted:
        return
    with store.writing() as connection:
        connection.execute(marks.delete().where(marks.c.run_id == run.id, marks.c.who == THUMBS))
        there = _same_answers(connection, run, said)  # a cell may have gone since
        if there:
            connection.execute(marks.insert(), [_thumb_row(run.id, *item) for item in there.items()])


def _thumbs_in(connection: Connection, run: str) -> dict[CellKey, CellMark]:
    query = marks.select().where(marks.c.run_id == run, marks.c.who == THUMBS)
    rows = connection.execute(query).mappings()
    return {(row["approach"], row["position"], row["repeat"]): _mark(row) for row in rows}


def _same_answers(
    connection: Connection, run: Run, said: Mapping[tuple[str, str, str, bool], Mark]
) -> dict[CellKey, CellMark]:
    """The cells of a run that have an answer that was marked, with the mark."""
    from sqlalchemy import select

    asked = select(questions.c.position, questions.c.question).where(questions.c.set_hash == run.set_hash)
    heard = {question for question, *_ in said}
    texts = {row.position: row.question for row in connection.execute(asked) if row.question in heard}
    found: dict[CellKey, CellMark] = {}
    for some in _portions(sorted(texts)):
        answered = select(cells.c.approach, cells.c.position, cells.c.repeat, cells.c.text, cells.c.stand_in)
        for row in connection.execute(answered.where(cells.c.run_id == run.id, cells.c.position.in_(some))):
            mark = said.get((texts[row.position], row.approach, row.text, row.stand_in))
            if mark is not None:
                verdict: Verdict | None = None if mark.good is None else "right" if mark.good else "wrong"
                key = (row.approach, row.position, row.repeat)
                found[key] = CellMark(verdict, False, storable(mark.note), THUMBS, mark.at)
    return found


def _portions(positions: Sequence[int], size: int = 500) -> Iterable[Sequence[int]]:
    """As many at once as any database takes in one query."""
    return (positions[begin : begin + size] for begin in range(0, len(positions), size))


def _thumb_row(run: str, cell: CellKey, mark: CellMark) -> dict[str, Any]:
    approach, position, repeat = cell
    key = {"run_id": run, "approach": approach, "position": position, "repeat": repeat, "who": THUMBS}
    return key | {
        "verdict": mark.verdict,
        "star": False,
        "comment": mark.comment,
        "at": stamp(mark.at or datetime.now(UTC)),
    }


def marks_of(store: Store, run: Run, cell: CellKey) -> list[CellMark]:
    """What people said of a cell, the oldest first. Raises `BackendError`."""
    query = marks.select().where(is_cell(marks, run.id, *cell)).order_by(marks.c.at, marks.c.who)
    with store.reading() as connection:
        return [_mark(row) for row in connection.execute(query).mappings()]


def marks_by_cell(store: Store, run: Run) -> dict[CellKey, list[CellMark]]:
    """What people said of each cell of a run that was marked, the oldest first. Raises `BackendError`."""
    query = marks.select().where(marks.c.run_id == run.id).order_by(marks.c.at, marks.c.who)
    found: dict[CellKey, list[CellMark]] = {}
    with store.reading() as connection:
        for row in connection.execute(query).mappings():
            found.setdefault((row["approach"], row["position"], row["repeat"]), []).append(_mark(row))
    return found


def agreement(store: Store, run: Run, scorer: str) -> Agreement:
    """How far people agree with a scorer that says yes or no. Each person's mark counts; unclear ones do not.

    Raises `BackendError`.
    """
    from sqlalchemy import case, func, select

    said_right = case((marks.c.verdict == "right", 1), else_=0)
    query = (
        select(func.count(), func.sum(case((scores.c.value == said_right, 1), else_=0)), func.sum(said_right))
        .select_from(marks)
        .join(scores, same_cell(marks, scores))
        .where(marks.c.run_id == run.id, marks.c.verdict.in_(("right", "wrong")))
        .where(scores.c.scorer == scorer, scores.c.yes_no, scores.c.value.is_not(None))
    )
    with store.reading() as connection:
        count, agree, right = connection.execute(query).one()
    right = int(right or 0)
    return Agreement(int(agree or 0), count, max(right, count - right))


def is_cell(table: Any, run: str, approach: str, position: int, repeat: int) -> Any:
    """The condition that a row of a table belongs to a cell."""
    columns = table.c
    return (
        (columns.run_id == run)
        & (columns.approach == approach)
        & (columns.position == position)
        & (columns.repeat == repeat)
    )


def same_cell(one: Any, other: Any) -> Any:
    """The condition that rows of two tables belong to the same cell."""
    return (
        (one.c.run_id == other.c.run_id)
        & (one.c.approach == other.c.approach)
        & (one.c.position == other.c.position)
        & (one.c.repeat == other.c.repeat)
    )


def _mark(row: Any) -> CellMark:
    named = {name: row[name] for name in ("verdict", "star", "comment", "who")}
    return CellMark(**named, at=datetime.fromisoformat(row["at"]))


def in_words(said: Sequence[CellMark]) -> str:
    """What several people said, counted: `2 right, 1 unclear, 1 star`; empty if they said nothing."""
    counts = {verdict: sum(one.verdict == verdict for one in said) for verdict in VERDICTS}
    stars, comments = sum(one.star for one in said), sum(bool(one.comment) for one in said)
    counted = [f"{count} {what}" for what, count in counts.items() if count]
    counted += [
        f"{count} {what}{'s' if count > 1 else ''}" for what, count in (("star", stars), ("comment", comments)) if count
    ]
    return ", ".join(counted)
