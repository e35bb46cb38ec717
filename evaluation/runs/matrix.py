"""The answers of a run as a matrix, a page at a time: which questions are wanted, in which order, and one cell whole.

Only what a page shows is read. An approach's answers to one question are taken together: it is right where it was right
each time, and wrong where it was not at least once.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from backends.base import FAILED, Status
from backends.errors import BackendError
from backends.store.database import Store
from evaluation.judging import RIGHT
from evaluation.runs.marks import CellMark, is_cell, same_cell
from evaluation.runs.model import Cell, Run
from evaluation.runs.records import CellKey, cell_from, sample_from, score_from
from evaluation.runs.tables import cells, marks, questions, scores
from evaluation.samples import Sample
from evaluation.scorers import Score

if TYPE_CHECKING:
    from sqlalchemy import Connection

Show = Literal[
    "all",
    "disagree",
    "split",
    "wrong",
    "right",
    "failed",
    "missing",
    "unscored",
    "worse",
    "marked",
    "contested",
    "slowest",
    "latest",
    "dearest",
    "lowest",
]
SHOWS: tuple[Show, ...] = get_args(Show)

Standing = Literal["right", "wrong", "mixed", "scored", "unscored", "failed", "missing"]
"""How an approach's answers to a question stand. `mixed`: right at least once and not each time; `scored`: by a number
that is neither right nor wrong."""

BEGINNING = 240
"""Characters of a text in the matrix."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which questions are wanted; all of it has to hold.

    `show`, of the approach `of` (empty: of any):

    - `disagree`: not all approaches have the same score; `split`: `of` is right, `against` is wrong
    - `wrong`, `right`, `failed`, `missing`; `unscored`: an answer has no score; `worse`: its score is lower than in the
      run `than`
    - `marked`: people said something of an answer; `contested`: somebody's mark and the score differ
    - `slowest`, `latest` (first text), `dearest`, `lowest` (score): those that have such a figure, in that order

    Others are in the order of the set. `scorer` says whose scores count.
    """

    show: Show = "all"
    of: str = ""
    against: str = ""
    than: str = ""
    scorer: str = RIGHT
    tag: str = ""
    find: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """An approach's answers to one question: how many there are, failed, have a score, and the sum of these.

    `text` is how the first one begins; None where texts are not kept, or there is none. `said` are people's marks.
    """

    cells: int = 0
    failed: int = 0
    scored: int = 0
    score: float = 0.0
    yes_no: bool = True
    status: Status | None = None
    text: str | None = None
    error: str | None = None
    said: tuple[CellMark, ...] = ()

    @property
    def standing(self) -> Standing:
        """How it stands, in a word."""
        if not self.cells:
            return "missing"
        if self.failed == self.cells:
            return "failed"
        if not self.scored:
            return "unscored"
        if not self.yes_no:
            return "scored"
        return "right" if self.score == self.scored else "wrong" if not self.score else "mixed"


@dataclass(frozen=True, slots=True)
class Row:
    """A question with its answers by approach. Texts are None where they are not kept."""

    position: int
    id: str
    question: str | None
    tags: tuple[str, ...]
    critical: bool
    answers: Mapping[str, Summary]


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the questions that are wanted, and how many these are in all."""

    rows: tuple[Row, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a question stands among those that are wanted, from 1, with its neighbours' positions.

    `number` is None if it is not wanted itself.
    """

    number: int | None
    total: int
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class CellDetail:
    """A cell whole. `sample` has no texts where they are not kept (`texts` is False); `cell` is None if it is
    missing."""

    sample: Sample
    texts: bool
    cell: Cell | None
    scores: Mapping[str, Score] = field(default_factory=dict)


# --- which questions ------------------------------------------------------------------------------


def page_of(store: Store, run: Run, wanted: Wanted, start: int, count: int, earlier: Run | None = None) -> Page:
    """`count` of the wanted questions from `start` on. `earlier` is the run `wanted.than`. Raises `BackendError`."""
    from sqlalchemy import func, select

    chosen = _chosen(run, wanted, earlier)
    with store.reading() as connection:
        total = connection.scalar(select(func.count()).select_from(chosen))
        query = select(chosen.c.position).order_by(*_order(chosen)).offset(start).limit(count)
        positions = list(connection.scalars(query))
        rows = _rows(connection, run, positions, wanted.scorer) if positions else ()
    return Page(tuple(rows), int(total or 0))


def place_of(store: Store, run: Run, wanted: Wanted, position: int, earlier: Run | None = None) -> Place:
    """Where a question stands among those that are wanted. Raises `BackendError`."""
    from sqlalchemy import func, select

    chosen = _chosen(run, wanted, earlier)
    number = func.row_number().over(order_by=_order(chosen)).label("number")
    ranked = select(chosen.c.position, number).subquery()
    with store.reading() as connection:
        total = int(connection.scalar(select(func.count()).select_from(chosen)) or 0)
        own = connection.scalar(select(ranked.c.number).where(ranked.c.position == position))
        if own is None:
            return Place(None, total, None, None)
        near = select(ranked.c.number, ranked.c.position).where(ranked.c.number.in_((own - 1, own + 1)))
        beside = {number: position for number, position in connection.execute(near)}
    return Place(own, total, beside.get(own - 1), beside.get(own + 1))


def position_of(store: Store, run: Run, question: str) -> int:
    """The position of a question by its id. Raises `BackendError` if the run does not have it."""
    from sqlalchemy import select

    query = select(questions.c.position).where(questions.c.set_hash == run.set_hash, questions.c.id == question)
    with store.reading() as connection:
        found: int | None = connection.scalar(query)
    if found is None:
        raise BackendError(f"The run {run.id} has no question {question[:40]!r}.", "Choose one of its questions.")
    return found


def id_at(store: Store, run: Run, position: int) -> str:
    """The id of the question at a position. Raises `LookupError` if there is none, and `BackendError`."""
    from sqlalchemy import select

    query = select(questions.c.id).where(questions.c.set_hash == run.set_hash, questions.c.position == position)
    with store.reading() as connection:
        found: str | None = connection.scalar(query)
    if found is None:
        raise LookupError(f"the run has no question at {position}")
    return found


def tags_of(store: Store, run: Run) -> list[str]:
    """The tags of a run's questions, in alphabetical order. Raises `BackendError`."""
    from sqlalchemy import Text, cast, select

    query = select(cast(questions.c.tags, Text)).where(questions.c.set_hash == run.set_hash).distinct()
    with store.reading() as connection:
        return sorted({tag for tags in connection.scalars(query) for tag in json.loads(tags)})


def _chosen(run: Run, wanted: Wanted, earlier: Run | None) -> Any:
    """The positions that are wanted, with the figure by which they are ordered (the larger first; else 0)."""
    from sqlalchemy import Float, literal, select

    query = select(questions.c.position).where(questions.c.set_hash == run.set_hash)
    if wanted.tag:
        query = query.where(_has_tag(wanted.tag))
    if wanted.find:
        query = query.where(_holds(run, wanted.find))
    if wanted.show in _FIGURES:
        figures = _figures(run, wanted)
        query = query.join(figures, figures.c.place == questions.c.position)
        return query.add_columns(figures.c.figure).subquery()
    if wanted.show != "all":
        query = query.where(questions.c.position.in_(_positions(run, wanted, earlier)))
    return query.add_columns(literal(0.0, Float).label("figure")).subquery()


def _order(chosen: Any) -> tuple[Any, Any]:
    return chosen.c.figure.desc(), chosen.c.position


def _has_tag(tag: str) -> Any:
    """The tags are a JSON list, as `json.dumps` writes it: `["a", "b"]`. Both databases can search it as text."""
    from sqlalchemy import Text, cast, func

    listed = ", " + func.substr(cast(questions.c.tags, Text), 2)
    return func.replace(listed, f", {json.dumps(tag)}", "") != listed  # unlike LIKE, the case counts in both


def _holds(run: Run, find: str) -> Any:
    """The words in question, id or reference, or in an answer of the run; upper and lower case are the same."""
    from sqlalchemy import or_, select

    columns = (questions.c.question, questions.c.id, questions.c.reference_answer)
    answered = select(cells.c.position).where(cells.c.run_id == run.id, cells.c.text.icontains(find, autoescape=True))
    return or_(*(column.icontains(find, autoescape=True) for column in columns), questions.c.position.in_(answered))


def _positions(run: Run, wanted: Wanted, earlier: Run | None) -> Any:
    """The positions for which `wanted.show` holds."""
    if wanted.show in ("disagree", "split", "wrong", "right"):
        return _by_score(run, wanted)
    if wanted.show == "worse":
        return _worse(run, wanted, earlier)
    if wanted.show == "missing":
        return _missing(run, wanted.of)
    if wanted.show in ("marked", "contested"):
        return _marked(run, wanted)
    return _failed(run, wanted.of) if wanted.show == "failed" else _unscored(run, wanted)


def _means(run: str, scorer: str, yes_no: bool = False) -> Any:
    """The mean score of each approach on each question that has one; with `yes_no`, of those that are no numbers."""
    from sqlalchemy import func, select

    mean = func.avg(scores.c.value).label("mean")
    query = select(scores.c.approach, scores.c.position, mean)
    known = query.where(scores.c.run_id == run, scores.c.scorer == scorer, scores.c.value.is_not(None))
    known = known.where(scores.c.yes_no) if yes_no else known
    return known.group_by(scores.c.approach, scores.c.position).subquery()


def _by_score(run: Run, wanted: Wanted) -> Any:
    from sqlalchemy import func, select

    means = _means(run.id, wanted.scorer, yes_no=wanted.show != "disagree")
    query = select(means.c.position)
    if wanted.show == "disagree":
        return query.group_by(means.c.position).having(func.max(means.c.mean) > func.min(means.c.mean))
    own = query.where(means.c.approach == wanted.of) if wanted.of else query
    if wanted.show == "wrong":
        return own.where(means.c.mean < 1)
    own = own.where(means.c.mean == 1)
    if wanted.show == "split":
        against = select(means.c.position).where(means.c.approach == wanted.against, means.c.mean < 1)
        return own.where(means.c.position.in_(against))
    return own


def _worse(run: Run, wanted: Wanted, earlier: Run | None) -> Any:
    """Where an approach has a lower score than in the earlier run, on the same question."""
    from sqlalchemy import select

    if earlier is None:
        raise BackendError("No run was named to compare with.", "Choose one.")
    now, then = _means(run.id, wanted.scorer), _means(earlier.id, wanted.scorer)
    query = select(now.c.position).join(then, now.c.approach == then.c.approach).where(now.c.mean < then.c.mean)
    if wanted.of:
        query = query.where(now.c.approach == wanted.of)
    if run.set_hash == earlier.set_hash:
        return query.where(now.c.position == then.c.position)
    one, other = questions.alias(), questions.alias()
    same = (one.c.id == other.c.id) & (one.c.question == other.c.question)
    query = query.join(one, (one.c.set_hash == run.set_hash) & (one.c.position == now.c.position))
    return query.join(other, (other.c.set_hash == earlier.set_hash) & (other.c.position == then.c.position) & same)


def _missing(run: Run, of: str) -> Any:
    """Where not every cell was asked."""
    from sqlalchemy import func, select

    each = run.repeats * (1 if of else len(run.approaches))
    asked = select(cells.c.position).where(cells.c.run_id == run.id, *([cells.c.approach == of] if of else []))
    whole = asked.group_by(cells.c.position).having(func.count() >= each)
    listed = select(questions.c.position).where(questions.c.set_hash == run.set_hash)
    return listed.where(questions.c.position.not_in(whole))


def _failed(run: Run, of: str) -> Any:
    from sqlalchemy import select

    query = select(cells.c.position).where(cells.c.run_id == run.id, cells.c.status.in_(FAILED))
    return query.where(cells.c.approach == of) if of else query


def _unscored(run: Run, wanted: Wanted) -> Any:
    from sqlalchemy import select

    query = select(scores.c.position).where(scores.c.run_id == run.id, scores.c.scorer == wanted.scorer)
    query = query.where(scores.c.value.is_(None))
    return query.where(scores.c.approach == wanted.of) if wanted.of else query


def _marked(run: Run, wanted: Wanted) -> Any:
    from sqlalchemy import select

    query = select(marks.c.position).where(marks.c.run_id == run.id)
    if wanted.of:
        query = query.where(marks.c.approach == wanted.of)
    if wanted.show == "marked":
        return query
    by_scorer = (scores.c.scorer == wanted.scorer) & scores.c.yes_no & same_cell(marks, scores)
    right = (marks.c.verdict == "right") & (scores.c.value < 1)
    wrong = (marks.c.verdict == "wrong") & (scores.c.value == 1)
    return query.join(scores, by_scorer).where(right | wrong)


_FIGURES = ("slowest", "latest", "dearest", "lowest")


def _figures(run: Run, wanted: Wanted) -> Any:
    """A figure for each question that has one: the largest of its answers, or the lowest score as a negative one."""
    from sqlalchemy import Float, cast, func, select

    table = scores if wanted.show == "lowest" else cells
    columns: dict[str, Any] = {
        "slowest": func.max(cells.c.latency_s),
        "latest": func.max(cells.c.ttft_s),
        "dearest": func.max(cast(cells.c.cost_usd, Float)),
        "lowest": -func.min(scores.c.value),
    }
    figure = columns[wanted.show].label("figure")
    query = select(table.c.position.label("place"), figure).where(table.c.run_id == run.id)
    if wanted.of:
        query = query.where(table.c.approach == wanted.of)
    if table is scores:
        query = query.where(scores.c.scorer == wanted.scorer)
    elif wanted.show != "dearest":  # the times that percentiles are of
        query = query.where(cells.c.status.not_in(FAILED), cells.c.recorded.is_(False))
    return query.group_by(table.c.position).having(figure.element.is_not(None)).subquery()


# --- what a page shows ----------------------------------------------------------------------------


def _rows(connection: Connection, run: Run, positions: Sequence[int], scorer: str) -> list[Row]:
    from sqlalchemy import select

    named = ("position", "id", "question", "tags", "critical")
    query = select(*(questions.c[name] for name in named))
    heads = query.where(questions.c.set_hash == run.set_hash, questions.c.position.in_(positions))
    known = {row.position: row for row in connection.execute(heads)}
    answers = _summaries(connection, run, positions, scorer)
    ids = [one.approach for one in run.approaches]
    rows = []
    for position in positions:
        row = known[position]
        own = {id: answers.get((id, position), Summary()) for id in ids}
        rows.append(Row(position, row.id, row.question, tuple(row.tags), row.critical, own))
    return rows


def _summaries(
    connection: Connection, run: Run, positions: Sequence[int], scorer: str
) -> dict[tuple[str, int], Summary]:
    from sqlalchemy import func, select

    beginning = func.substr(cells.c.text, 1, BEGINNING).label("text")
    query = select(cells.c.approach, cells.c.position, cells.c.status, cells.c.error, beginning)
    given: dict[tuple[str, int], list[Any]] = {}
    for row in connection.execute(_of_page(query, cells, run, positions).order_by(cells.c.repeat)):
        given.setdefault((row.approach, row.position), []).append(row)
    by_scorer = select(scores.c.approach, scores.c.position, scores.c.value, scores.c.yes_no)
    known = by_scorer.where(scores.c.scorer == scorer, scores.c.value.is_not(None))
    values: dict[tuple[str, int], list[Any]] = {}
    for row in connection.execute(_of_page(known, scores, run, positions)):
        values.setdefault((row.approach, row.position), []).append(row)
    said: dict[tuple[str, int], list[CellMark]] = {}
    for row in connection.execute(_of_page(marks.select(), marks, run, positions)):
        one = CellMark(row.verdict, row.star, row.comment, row.who)
        said.setdefault((row.approach, row.position), []).append(one)
    return {key: _summary(own, values.get(key, []), said.get(key, [])) for key, own in given.items()}


def _of_page(query: Any, table: Any, run: Run, positions: Collection[int]) -> Any:
    """Rows of these questions; naming the approaches lets the databases use the key of the table."""
    ids = [one.approach for one in run.approaches]
    return query.where(table.c.run_id == run.id, table.c.approach.in_(ids), table.c.position.in_(positions))


def _summary(own: Sequence[Any], values: Sequence[Any], said: Sequence[CellMark]) -> Summary:
    first = next((row for row in own if row.status not in FAILED), own[0])
    return Summary(
        cells=len(own),
        failed=sum(row.status in FAILED for row in own),
        scored=len(values),
        score=sum(row.value for row in values),
        yes_no=all(row.yes_no for row in values),
        status=first.status,
        text=first.text,
        error=first.error,
        said=tuple(said),
    )


# --- one cell -------------------------------------------------------------------------------------


def cell_at(store: Store, run: Run, key: CellKey) -> CellDetail:
    """A cell with its question and scores. Raises `BackendError`."""
    _, position, _ = key
    head = questions.select().where(questions.c.set_hash == run.set_hash, questions.c.position == position)
    with store.reading() as connection:
        row = connection.execute(head).mappings().one()
        found = connection.execute(cells.select().where(is_cell(cells, run.id, *key))).mappings().first()
        given = connection.execute(scores.select().where(is_cell(scores, run.id, *key))).mappings().all()
    own = {one["scorer"]: score_from(one) for one in given}
    cell = None if found is None else cell_from(found)
    return CellDetail(sample_from(row), row["question"] is not None, cell, own)


def answers_to(store: Store, run: Run, position: int, scorer: str) -> dict[str, Summary]:
    """The answers to one question by approach, as the matrix has them. Raises `BackendError`."""
    with store.reading() as connection:
        (row,) = _rows(connection, run, [position], scorer)
    return dict(row.answers)
