"""Runs, question sets, cells and scores, written to the store and read from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from backends.base import FAILED, Answer, Attempt, Cost, Passage, Status, Timings, Usage, UsageSource
from backends.errors import BackendError
from backends.spend.ledger import add_row
from backends.store.database import Store
from backends.text import encodable
from evaluation.runs.model import Cell, Run, RunApproach, State, cluster_of
from evaluation.runs.tables import cells, question_sets, questions, run_approaches, runs, saved_versions, scores
from evaluation.samples import Sample
from evaluation.scorers import Score

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

_TIMES = ("queued_s", "load_s", "retry_s", "retrieval_s", "ttft_s", "latency_s", "tokens_per_s")
_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
_LARGEST = 2**63 - 1  # what both databases hold; no true token count is near it
_AT_ONCE = 2_000
"""Rows that are read or written together."""

CellKey = tuple[str, int, int]
"""Approach, position and repeat."""


# --- runs -----------------------------------------------------------------------------------------


def add_run(store: Store, run: Run, samples: Sequence[Sample]) -> None:
    """Keep a run that begins, and its question set. Raises `BackendError`."""
    with store.writing() as connection:
        add_set(connection, run.set_hash, run.set_name, samples, run.created_at, run.keeps_texts)
        row = {name: getattr(run, name) for name in _RUN_COLUMNS} | {"created_at": stamp(run.created_at)}
        connection.execute(runs.insert().values(**row))
        listed = [
            {
                "run_id": run.id,
                "approach": one.approach,
                "position": position,
                "model": storable(one.model),
                "identity": dict(one.identity),
                "stopped": one.stopped,
            }
            for position, one in enumerate(run.approaches)
        ]
        connection.execute(run_approaches.insert(), listed)


_RUN_COLUMNS = (
    *("id", "state", "fault", "set_hash", "set_name", "repeats", "seed", "settings", "machine", "packages"),
    *("prices", "keeps_texts", "throughput", "judge"),
)


def add_set(
    connection: Connection, set_hash: str, name: str, samples: Sequence[Sample], at: datetime, keeps_texts: bool
) -> None:
    """Keep questions by their hash, once. A set that was kept without texts gets them when texts are kept."""
    known = connection.scalar(question_sets.select().where(question_sets.c.hash == set_hash))
    if known is None:
        head = {"hash": set_hash, "name": storable(name), "questions": len(samples)}
        connection.execute(question_sets.insert().values(**head, created_at=stamp(at)))
    elif not keeps_texts or _has_texts(connection, set_hash):
        return
    connection.execute(questions.delete().where(questions.c.set_hash == set_hash))
    rows = [_question_row(set_hash, position, sample, keeps_texts) for position, sample in enumerate(samples)]
    for start in range(0, len(rows), _AT_ONCE):
        connection.execute(questions.insert(), rows[start : start + _AT_ONCE])


def drop_unused_set(connection: Connection, set_hash: str) -> None:
    """Remove the questions of a set that no run and no saved version has any more."""
    from sqlalchemy import select

    for table in (runs, saved_versions):
        if connection.execute(select(table.c.set_hash).where(table.c.set_hash == set_hash).limit(1)).first():
            return
    connection.execute(question_sets.delete().where(question_sets.c.hash == set_hash))


def _has_texts(connection: Connection, set_hash: str) -> bool:
    first = questions.select().where(questions.c.set_hash == set_hash, questions.c.question.is_not(None)).limit(1)
    return connection.execute(first).first() is not None


def _question_row(set_hash: str, position: int, sample: Sample, kept: bool) -> dict[str, Any]:
    return {
        "set_hash": set_hash,
        "position": position,
        "id": storable(sample.id),
        "question": storable(sample.question) if kept else None,
        "reference_answer": storable(sample.reference_answer) if kept else None,
        "key_facts": _clean(sample.key_facts) if kept else None,
        "sources": _clean(sample.sources),
        "tags": _clean(sample.tags),
        "cluster": storable(cluster_of(sample)),
        "critical": sample.critical,
    }


def all_runs(store: Store, deleted: bool = False) -> list[Run]:
    """Every run, the newest first; those that were deleted only with `deleted`, which lists nothing else.

    Raises `BackendError`.
    """
    with store.reading() as connection:
        return [run for run in _runs(connection) if (run.deleted_at is not None) == deleted]


def find_run(store: Store, wanted: str, deleted: bool = False) -> Run:
    """The run of that id, of the only id that begins so, or the newest one (`latest`); with `deleted`, of those that
    were deleted. Raises `BackendError`.
    """
    known = all_runs(store, deleted)
    if wanted == "latest" and known:
        return known[0]
    found = [run for run in known if run.id == wanted] or [run for run in known if wanted and run.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise BackendError(f"{len(found)} runs begin with {wanted[:40]}.", "Give more of the id.")
    if deleted:
        raise BackendError(f"No run {wanted[:40]!r} was deleted.", "`crossroads runs list --deleted` lists those.")
    if gone := [run.id for run in all_runs(store, deleted=True) if wanted and run.id.startswith(wanted)]:
        raise BackendError(f"The run {gone[0]} was deleted.", f"`crossroads runs undelete {gone[0]}` brings it back.")
    raise BackendError(f"There is no run {wanted[:40]!r}.", "`crossroads runs` lists them.")


def _runs(connection: Connection) -> list[Run]:
    from sqlalchemy import select

    listed: dict[str, list[RunApproach]] = {}
    for row in connection.execute(run_approaches.select().order_by(run_approaches.c.position)).mappings():
        one = RunApproach(row["approach"], row["model"], row["identity"], row["stopped"])
        listed.setdefault(row["run_id"], []).append(one)
    query = select(runs, question_sets.c.questions).join(question_sets, question_sets.c.hash == runs.c.set_hash)
    ordered = connection.execute(query.order_by(runs.c.created_at.desc(), runs.c.id.desc())).mappings()
    return [
        Run(
            **{name: row[name] for name in _RUN_COLUMNS},
            created_at=datetime.fromisoformat(row["created_at"]),
            finished_at=_time(row["finished_at"]),
            deleted_at=_time(row["deleted_at"]),
            questions=row["questions"],
            approaches=tuple(listed.get(row["id"], ())),
        )
        for row in ordered
    ]


def counts(store: Store) -> dict[str, tuple[int, int]]:
    """How many cells each run has, and how many of them failed. Raises `BackendError`."""
    from sqlalchemy import func, select

    with store.reading() as connection:
        rows = connection.execute(select(cells.c.run_id, func.count(), _failures()).group_by(cells.c.run_id))
        return {run: (count, int(failures)) for run, count, failures in rows}


@dataclass(frozen=True, slots=True)
class Totals:
    """How many cells a run has, how many of them failed, and what they cost in USD as far as that is known.

    `unpriced` counts those of which it is not. The database adds up in floating point: to be read, not reckoned with.
    """

    cells: int = 0
    failed: int = 0
    usd: Decimal = Decimal(0)
    unpriced: int = 0


def totals(store: Store, ids: Sequence[str]) -> dict[str, Totals]:
    """What the cells of these runs come to; a run without any is left out. Raises `BackendError`."""
    from sqlalchemy import Float, case, cast, func, select

    usd, unpriced = func.sum(cast(cells.c.cost_usd, Float)), func.sum(case((cells.c.cost_usd.is_(None), 1), else_=0))
    query = select(cells.c.run_id, func.count(), _failures(), usd, unpriced).group_by(cells.c.run_id)
    with store.reading() as connection:
        rows = connection.execute(query.where(cells.c.run_id.in_(list(ids)))).all() if ids else []
    return {
        run: Totals(count, int(failures), Decimal(repr(float(total or 0))), int(unknown))
        for run, count, failures, total, unknown in rows
    }


def counts_by_approach(store: Store, run: str) -> dict[str, tuple[int, int]]:
    """How many cells each approach of a run has, and how many of them failed. Raises `BackendError`."""
    from sqlalchemy import func, select

    query = select(cells.c.approach, func.count(), _failures()).where(cells.c.run_id == run).group_by(cells.c.approach)
    with store.reading() as connection:
        return {approach: (count, int(failures)) for approach, count, failures in connection.execute(query)}


def _failures() -> Any:
    from sqlalchemy import case, func

    return func.sum(case((cells.c.status.in_(FAILED), 1), else_=0))


def set_state(store: Store, run: str, state: State, fault: str = "") -> None:
    """Say how a run stands. Raises `BackendError`."""
    finished = None if state == "running" else stamp(datetime.now(UTC))
    with store.writing() as connection:
        change = {"state": state, "fault": storable(fault), "finished_at": finished}
        connection.execute(runs.update().where(runs.c.id == run).values(**change))


def note_approach(store: Store, run: str, approach: str, **change: object) -> None:
    """Write `model` or `stopped` of an approach. Raises `BackendError`."""
    values = {name: storable(value) if isinstance(value, str) else value for name, value in change.items()}
    where = (run_approaches.c.run_id == run) & (run_approaches.c.approach == approach)
    with store.writing() as connection:
        connection.execute(run_approaches.update().where(where).values(**values))


# --- question sets --------------------------------------------------------------------------------


def samples_of(store: Store, run: Run) -> list[Sample] | None:
    """The questions of a run; None where their texts were not kept. Raises `BackendError`."""
    return set_samples(store, run.set_hash)


def set_samples(store: Store, set_hash: str) -> list[Sample] | None:
    """The questions of a set, each with its cluster; None where their texts were not kept. Raises `BackendError`."""
    found = _kept_samples(store, set_hash)
    return None if any(question is None for question, _ in found) else [sample for _, sample in found]


def kept_questions(store: Store, run: Run) -> list[Sample]:
    """The questions of a run as far as they were kept: their texts may be empty. Raises `BackendError`."""
    return [sample for _, sample in _kept_samples(store, run.set_hash)]


def _kept_samples(store: Store, set_hash: str) -> list[tuple[str | None, Sample]]:
    query = questions.select().where(questions.c.set_hash == set_hash).order_by(questions.c.position)
    with store.reading() as connection:
        return [(row["question"], sample_from(row)) for row in connection.execute(query).mappings()]


def sample_from(row: RowMapping) -> Sample:
    """The sample in a row of the questions; where texts are not kept, they are empty."""
    return Sample(
        id=row["id"],
        question=row["question"] or "",
        reference_answer=row["reference_answer"] or "",
        key_facts=tuple(tuple(group) for group in row["key_facts"] or ()),
        sources=tuple(row["sources"]),
        tags=tuple(row["tags"]),
        cluster=row["cluster"],
        critical=row["critical"],
    )


def question_heads(store: Store, run: Run) -> list[tuple[str, str, str | None]]:
    """Id, cluster (empty: none) and text (None: not kept) of every question, in order. Raises `BackendError`."""
    from sqlalchemy import select

    columns = (questions.c.id, questions.c.cluster, questions.c.question)
    query = select(*columns).where(questions.c.set_hash == run.set_hash).order_by(questions.c.position)
    with store.reading() as connection:
        return [(id, cluster, text) for id, cluster, text in connection.execute(query)]


# --- cells ----------------------------------------------------------------------------------------


def cell_of(answer: Answer, position: int, repeat: int, keep_texts: bool = True) -> Cell:
    """What is kept of an answer that ended now. Without `keep_texts`, no word of answer and passages."""
    return Cell(
        approach=answer.approach,
        position=position,
        repeat=repeat,
        ended_at=datetime.now(UTC),
        status=answer.status,
        model=answer.model,
        text=answer.text if keep_texts else None,
        timings=answer.timings,
        usage=answer.usage,
        cost=answer.cost,
        error=answer.error,
        finish_reason=answer.finish_reason,
        stand_in=answer.stand_in,
        recorded=answer.recorded is not None,
        attempts=[_attempt(one) for one in answer.attempts],
        sources=[_source(one, keep_texts) for one in answer.sources],
        notes=answer.notes if keep_texts else (),
    )


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "began_s": attempt.began_s,
        "lasted_s": attempt.lasted_s,
        "fault": attempt.fault,
        "status": attempt.status,
        "waited_s": attempt.waited_s,
    }


def _source(passage: Passage, keep_texts: bool) -> dict[str, Any]:
    named = ("document", "page", "chunk_id", "score", "start", "end")
    found = {name: getattr(passage, name) for name in named}
    return found | ({"text": passage.text, "heading": passage.heading} if keep_texts else {})


def add_cell(
    store: Store,
    run: str,
    cell: Cell,
    scored: Mapping[str, Score] | None = None,
    spent: Mapping[str, object] | None = None,
    first: bool = False,
) -> None:
    """Keep a cell, durably, with the scores that it has already, and with its row of the ledger (`spent`); a failed one
    makes way, unless this is the `first` one and there is none. Raises `BackendError`.

    A cell that holds an answer is never replaced: raises `sqlalchemy.exc.IntegrityError`, as another process would have
    to work on the same run.
    """
    row = {"run_id": run, **_cell_row(cell)}

    def add(connection: Connection) -> None:
        asked = cell.asked if first else _made_way(connection, run, cell)
        connection.execute(cells.insert(), row | {"asked": asked})
        if scored:
            connection.execute(scores.insert(), _score_rows(run, {(cell.approach, cell.position, cell.repeat): scored}))
        if spent is not None:
            add_row(connection, spent)

    store.write(add)


def _made_way(connection: Connection, run: str, cell: Cell) -> int:
    """Remove the failed cell that stands in a cell's place, if there is one; how often it has been asked then."""
    from sqlalchemy import bindparam, select

    key = {"run_id": run, "approach": cell.approach, "position": cell.position, "repeat": cell.repeat}
    where = [cells.c[name] == bindparam(f"the_{name}") for name in key]
    of_key = {f"the_{name}": value for name, value in key.items()}
    before = connection.scalar(select(cells.c.asked).where(*where, cells.c.status.in_(FAILED)), of_key)
    if before is None:
        return cell.asked
    connection.execute(cells.delete().where(*where), of_key)
    return int(before) + 1


def _cell_row(cell: Cell) -> dict[str, Any]:
    counts = {name: getattr(cell.usage, name) for name in _TOKENS}
    return {
        "approach": cell.approach,
        "position": cell.position,
        "repeat": cell.repeat,
        "ended_at": stamp(cell.ended_at),
        "asked": cell.asked,
        "status": cell.status,
        "model": storable(cell.model),
        "stand_in": cell.stand_in,
        "recorded": cell.recorded,
        "untimed": cell.untimed,
        "text": None if cell.text is None else storable(cell.text),
        "finish_reason": None if cell.finish_reason is None else storable(cell.finish_reason),
        "error": None if cell.error is None else storable(cell.error),
        **{name: count if count is None or abs(count) <= _LARGEST else None for name, count in counts.items()},
        "tokens_counted_by": cell.usage.source,
        **{name: getattr(cell.timings, name) for name in _TIMES},
        "cost_usd": None if cell.cost.usd is None else f"{cell.cost.usd:f}",
        "cost_basis": storable(cell.cost.basis),
        "attempts": _clean(cell.attempts),
        "sources": _clean(cell.sources),
        "notes": _clean(cell.notes),
    }


def cells_of(store: Store, run: str) -> Iterator[Cell]:
    """The cells of a run: question by question, approach by approach. Raises `BackendError`."""
    from sqlalchemy import tuple_

    order = (cells.c.position, cells.c.repeat, cells.c.approach)
    after: tuple[int, int, str] | None = None
    while True:  # in parts, so that nobody waits for the store while a reader works on them
        query = cells.select().where(cells.c.run_id == run).order_by(*order).limit(_AT_ONCE)
        if after is not None:
            query = query.where(tuple_(*order) > tuple_(*after))
        with store.reading() as connection:
            rows = connection.execute(query).mappings().all()
        yield from map(cell_from, rows)
        if len(rows) < _AT_ONCE:
            return
        after = (rows[-1]["position"], rows[-1]["repeat"], rows[-1]["approach"])


def cell_from(row: RowMapping) -> Cell:
    """The cell in a row of the cells."""
    named = ("approach", "position", "repeat", "status", "model", "text", "error", "finish_reason", "stand_in")
    more = ("recorded", "untimed", "asked", "attempts", "sources", "notes")
    source = cast(UsageSource | None, row["tokens_counted_by"])
    usd = None if row["cost_usd"] is None else Decimal(row["cost_usd"])
    return Cell(
        **{name: row[name] for name in (*named, *more)},
        ended_at=datetime.fromisoformat(row["ended_at"]),
        timings=Timings(**{name: row[name] for name in _TIMES}),
        usage=Usage(**{name: row[name] for name in _TOKENS}, source=source),
        cost=Cost(usd, row["cost_basis"]),
    )


def statuses(store: Store, run: str) -> Iterator[tuple[str, int, int, Status]]:
    """Approach, position, repeat and status of every cell. Raises `BackendError`."""
    from sqlalchemy import select

    query = select(cells.c.approach, cells.c.position, cells.c.repeat, cells.c.status).where(cells.c.run_id == run)
    with store.reading() as connection:
        yield from (tuple(row) for row in connection.execute(query))


def places_there(
    store: Store, run: str, approach: str, places: Sequence[tuple[int, int]], retried: bool = False
) -> dict[tuple[int, int], tuple[bool, Decimal | None, str]]:
    """Which of these places (repeat, position) have a cell: whether it failed, its cost in USD, and why it failed.

    With `retried`, only those that were asked again after they failed, and did not fail again, count. Raises
    `BackendError`.
    """
    from sqlalchemy import select, tuple_

    named = (cells.c.repeat, cells.c.position, cells.c.status, cells.c.cost_usd, cells.c.error)
    query = select(*named).where(
        cells.c.run_id == run, cells.c.approach == approach, tuple_(cells.c.repeat, cells.c.position).in_(places)
    )
    with store.reading() as connection:
        rows = connection.execute(query).all() if places else []
    return {
        (repeat, position): (status in FAILED, None if usd is None else Decimal(usd), error or "")
        for repeat, position, status, usd, error in rows
        if not (retried and status in FAILED)
    }


# --- scores ---------------------------------------------------------------------------------------


def set_scores(store: Store, run: str, scored: Mapping[CellKey, Mapping[str, Score]]) -> None:
    """Keep what scorers said of cells, in place of what the same scorers said before. Raises `BackendError`."""
    from sqlalchemy import tuple_

    rows = _score_rows(run, scored)
    if not rows:
        return
    key = tuple_(scores.c.approach, scores.c.position, scores.c.repeat, scores.c.scorer)
    same = [(row["approach"], row["position"], row["repeat"], row["scorer"]) for row in rows]
    with store.writing() as connection:
        for start in range(0, len(rows), _AT_ONCE):
            before = key.in_(same[start : start + _AT_ONCE])
            connection.execute(scores.delete().where(scores.c.run_id == run, before))
            connection.execute(scores.insert(), rows[start : start + _AT_ONCE])


def _score_rows(run: str, scored: Mapping[CellKey, Mapping[str, Score]]) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run,
            "approach": approach,
            "position": position,
            "repeat": repeat,
            "scorer": scorer,
            "status": score.status,
            "value": None if score.value is None else float(score.value),
            "yes_no": isinstance(score.value, bool),
            "reason": storable(score.reason),
        }
        for (approach, position, repeat), by_scorer in scored.items()
        for scorer, score in by_scorer.items()
    ]


def scores_of(store: Store, run: str, scorer: str | None = None) -> Iterator[tuple[CellKey, str, Score]]:
    """Every score of a run, or those of one scorer: of which cell, whose, and what. Raises `BackendError`."""
    query = scores.select().where(scores.c.run_id == run)
    if scorer is not None:
        query = query.where(scores.c.scorer == scorer)
    with store.reading() as connection:
        for row in connection.execute(query).mappings():
            yield (row["approach"], row["position"], row["repeat"]), row["scorer"], score_from(row)


def score_from(row: RowMapping) -> Score:
    """The score in a row of the scores."""
    value = row["value"]
    if value is not None and row["yes_no"]:
        value = bool(value)
    return Score(value, row["status"], row["reason"])


def unscored(store: Store, run: str, scorers: Collection[str]) -> set[CellKey]:
    """The cells that lack a score of one of these scorers. Raises `BackendError`."""
    from sqlalchemy import func, select

    named = (cells.c.approach, cells.c.position, cells.c.repeat)
    same = [scores.c[name] == cells.c[name] for name in ("run_id", "approach", "position", "repeat")]
    known = select(func.count()).where(*same, scores.c.scorer.in_(list(scorers))).scalar_subquery()
    query = select(*named).where(cells.c.run_id == run, known < len(scorers))
    with store.reading() as connection:
        return {(approach, position, repeat) for approach, position, repeat in connection.execute(query)}


def stamp(at: datetime) -> str:
    """A time as the store holds it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _time(stamp: str | None) -> datetime | None:
    return datetime.fromisoformat(stamp) if stamp else None


def storable(text: str) -> str:
    """A text as both databases take it: PostgreSQL refuses U+0000, and no UTF-8 carries a lone surrogate."""
    return encodable(text).replace("\x00", "\ufffd")


def _clean(value: Any) -> Any:
    """Lists and objects for a column of JSON, every text in them as `storable` makes it."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {name: _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value
