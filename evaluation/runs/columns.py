"""The cells and the scores of a run, approach by approach, added up for each question: what results are formed from.

It takes a few bytes a cell, however many there are. The run may go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from backends.base import FAILED
from backends.store.database import Store
from evaluation.runs.model import Run
from evaluation.runs.tables import cells, questions, scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Connection

_AT_ONCE = 5_000
"""Rows in memory while they are added up."""


@dataclass
class CellColumn:
    """What the cells of one approach add up to. Seconds are those of answers that were given now, and did not fail.

    `usd` is the sum of what is known; `costs` has the USD of each question of the run, NaN where it is unknown or
    nothing was asked. `stand_ins` and `recorded` count answers. `untimed`: why some answers have no times; else empty.
    """

    costs: NDArray[np.float64]
    model: str = ""
    cells: int = 0
    failed: int = 0
    stand_ins: int = 0
    recorded: int = 0
    untimed: str = ""
    unpriced: int = 0
    usd: Decimal = Decimal(0)
    latencies_s: list[float] = field(default_factory=list)
    first_texts_s: list[float] = field(default_factory=list)

    @property
    def comparable(self) -> bool:
        """Whether its times and costs are those of the real thing, measured now."""
        return not self.stand_ins and not self.recorded


@dataclass(frozen=True)
class ScoreColumn:
    """The scores of one approach by one scorer.

    `values` has one value for each question that has any, the mean over its repeats; `positions` (sorted, int64) says
    of which question each is, and `answers` of how many answers. `counts` says how many answers have which status.
    """

    positions: NDArray[np.int64]
    values: NDArray[np.float64]
    answers: NDArray[np.int64]
    yes_no: bool
    counts: Mapping[str, int]

    @property
    def total(self) -> float:
        """The sum over all answers."""
        return float((self.values * self.answers).sum())

    def moved(self, places: Mapping[int, int]) -> ScoreColumn:
        """The values of those questions that `places` gives another position, in the order of the new ones."""
        import numpy as np

        own = [number for number, old in enumerate(self.positions.tolist()) if old in places]
        new = np.array([places[old] for old in self.positions[own].tolist()], np.int64)
        order = np.argsort(new)
        return replace(self, positions=new[order], values=self.values[own][order], answers=self.answers[own][order])


Scores = Mapping[tuple[str, str], ScoreColumn]
"""By approach and scorer."""


@dataclass(frozen=True)
class Reading:
    """A run as the store held it. For each question, `clusters` has the number of its cluster (one that has none is a
    cluster of its own), and `tags` its tags."""

    run: Run
    clusters: NDArray[np.int64]
    tags: Sequence[Sequence[str]]
    cells: Mapping[str, CellColumn]
    scored: Scores


def read_run(store: Store, run: Run, scorers: Collection[str] | None = None) -> Reading:
    """Add up what is there now, with the scores of these scorers (None: of all). Raises `BackendError`."""
    import numpy as np
    from sqlalchemy import select

    heads = select(questions.c.cluster, questions.c.tags).where(questions.c.set_hash == run.set_hash)
    with store.reading() as connection:
        rows = connection.execute(heads.order_by(questions.c.position)).all()
    numbers: dict[str | int, int] = {}
    clusters = [numbers.setdefault(name or place, len(numbers)) for place, (name, _) in enumerate(rows)]
    columns: dict[str, CellColumn] = {}
    for one in run.approaches:  # one at a time, so that nobody waits long for the store
        with store.reading() as connection:
            columns[one.approach] = _cell_column(connection, run, one.approach, one.model)
    found = Reading(run, np.array(clusters, np.int64), [tuple(tags) for _, tags in rows], columns, {})
    return with_scores(store, found, scorers)


def with_scores(store: Store, reading: Reading, scorers: Collection[str] | None = None) -> Reading:
    """The reading with the scores of these scorers (None: of all) in place of those that it has."""
    scored: dict[tuple[str, str], ScoreColumn] = {}
    for one in reading.run.approaches:
        with store.reading() as connection:
            scored |= _score_columns(connection, reading.run, one.approach, scorers)
    return replace(reading, scored=scored)


def scorers_of(store: Store, run: Run) -> set[str]:
    """The names of the scorers that gave any answer of a run a value. Raises `BackendError`."""
    from sqlalchemy import select

    query = select(scores.c.scorer).where(scores.c.run_id == run.id, scores.c.value.is_not(None)).distinct()
    with store.reading() as connection:
        return set(connection.scalars(query))


def fingerprint(store: Store, run: Run) -> tuple[int | float, ...]:
    """Numbers that change when cells or scores of a run do, for who keeps a `Reading`. Raises `BackendError`."""
    from sqlalchemy import func, select

    asked = select(func.count(), func.sum(cells.c.asked)).where(cells.c.run_id == run.id)
    said = select(func.count(), func.sum(scores.c.value)).where(scores.c.run_id == run.id)
    with store.reading() as connection:
        return tuple(number or 0 for query in (asked, said) for number in connection.execute(query).one())


def _cell_column(connection: Connection, run: Run, approach: str, model: str) -> CellColumn:
    import numpy as np
    from sqlalchemy import select

    found = CellColumn(np.full(run.questions, np.nan), model)
    named = ("position", "status", "model", "stand_in", "recorded", "untimed", "latency_s", "ttft_s", "cost_usd")
    query = select(*(cells.c[name] for name in named)).where(cells.c.run_id == run.id, cells.c.approach == approach)
    usd = np.zeros(run.questions)
    for rows in _parts(connection, query):
        positions, statuses, models, stand_ins, recorded, untimed, latencies, first_texts, costs = zip(
            *rows, strict=True
        )
        failed = [status in FAILED for status in statuses]
        now = [not (lost or before) for lost, before in zip(failed, recorded, strict=True)]
        found.cells += len(rows)
        found.failed += sum(failed)
        found.stand_ins += sum(stand_ins)
        found.recorded += sum(recorded)
        found.untimed = found.untimed or next(filter(None, untimed), "")
        found.unpriced += costs.count(None)
        found.usd += sum((Decimal(cost) for cost in costs if cost is not None), Decimal(0))
        found.model = next((one for one, lost in zip(models, failed, strict=True) if not lost), found.model)
        found.latencies_s += [one for one, wanted in zip(latencies, now, strict=True) if wanted and one is not None]
        found.first_texts_s += [one for one, wanted in zip(first_texts, now, strict=True) if wanted and one is not None]
        places = np.asarray(positions)
        np.add.at(usd, places, np.asarray([float("nan") if cost is None else float(cost) for cost in costs]))
        found.costs[places] = usd[places]
    return found


def _score_columns(
    connection: Connection, run: Run, approach: str, scorers: Collection[str] | None
) -> dict[tuple[str, str], ScoreColumn]:
    from sqlalchemy import case, func, select

    own = (scores.c.run_id == run.id) & (scores.c.approach == approach)
    if scorers is not None:
        own &= scores.c.scorer.in_(list(scorers))
    numbers = func.sum(case((scores.c.value.is_not(None) & scores.c.yes_no.is_(False), 1), else_=0))
    query = select(scores.c.scorer, scores.c.status, func.count(), numbers).where(own)
    counts: dict[str, dict[str, int]] = {}
    not_yes_no: set[str] = set()
    for scorer, status, count, others in connection.execute(query.group_by(scores.c.scorer, scores.c.status)):
        counts.setdefault(scorer, {})[status] = count
        not_yes_no |= {scorer} if others else set()
    return {
        (approach, scorer): _score_column(connection, own, run.questions, scorer, scorer not in not_yes_no, counted)
        for scorer, counted in counts.items()
    }


def _score_column(
    connection: Connection, own: Any, questions: int, scorer: str, yes_no: bool, counts: Mapping[str, int]
) -> ScoreColumn:
    import numpy as np
    from sqlalchemy import select

    sums, answers = np.zeros(questions), np.zeros(questions, np.int64)
    query = select(scores.c.position, scores.c.value).where(own, scores.c.scorer == scorer)
    for rows in _parts(connection, query.where(scores.c.value.is_not(None))):
        positions, values = map(np.asarray, zip(*rows, strict=True))
        np.add.at(sums, positions, values)
        np.add.at(answers, positions, 1)
    known = answers.nonzero()[0]
    return ScoreColumn(known, sums[known] / answers[known], answers[known], yes_no, counts)


def _parts(connection: Connection, query: Any) -> Any:
    """The rows of a query, some at a time."""
    return connection.execute(query, execution_options={"yield_per": _AT_ONCE}).partitions()
