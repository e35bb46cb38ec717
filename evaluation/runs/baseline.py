"""The approved baseline of a question set: the run that later ones are held against, and what newly fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from backends.errors import BackendError
from backends.store.database import Store
from evaluation.judging import RIGHT
from evaluation.runs.model import Run
from evaluation.runs.records import all_runs, counts, scores_of, stamp
from evaluation.runs.tables import baselines, questions


@dataclass(frozen=True, slots=True)
class NewlyFailing:
    """A critical question that an approach always answered right in the baseline and does not any more.

    `wrong` of its `answers` in the run are not right. `question` is None where texts are not kept.
    """

    approach: str
    id: str
    question: str | None
    wrong: int
    answers: int


def approve_baseline(store: Store, run: Run) -> None:
    """Make a run the baseline of its question set, in place of the one before.

    Raises `BackendError` for a run that lacks answers: what was never asked cannot fail later.
    """
    asked = counts(store).get(run.id, (0, 0))[0]
    if asked < run.cells:
        raise BackendError(
            f"{run.cells - asked:,} of {run.cells:,} answers of the run {run.id} are missing, so it is no baseline.",
            f"Ask them first: `crossroads evaluate --resume {run.id}`.",
        )
    with store.writing() as connection:
        connection.execute(baselines.delete().where(baselines.c.set_hash == run.set_hash))
        row = {"set_hash": run.set_hash, "run_id": run.id, "approved_at": stamp(datetime.now(UTC))}
        connection.execute(baselines.insert().values(**row))


def withdraw_baseline(store: Store, set_hash: str) -> None:
    """Leave a question set without a baseline. Raises `BackendError`."""
    with store.writing() as connection:
        connection.execute(baselines.delete().where(baselines.c.set_hash == set_hash))


def baselines_by_set(store: Store) -> dict[str, str]:
    """The id of the approved run by the hash of its question set; a run that is deleted is none.

    Raises `BackendError`.
    """
    there = {run.id for run in all_runs(store)}
    with store.reading() as connection:
        return {row.set_hash: row.run_id for row in connection.execute(baselines.select()) if row.run_id in there}


def baseline_of(store: Store, set_hash: str) -> Run | None:
    """The approved run of a question set; None without one, and while it is deleted. Raises `BackendError`."""
    id = baselines_by_set(store).get(set_hash)
    return next((run for run in all_runs(store) if run.id == id), None)


def newly_failing(store: Store, run: Run, baseline: Run) -> list[NewlyFailing]:
    """The critical questions of which an approach answered every repeat right in `baseline`, and one wrong in `run`.

    In the order of questions, then of approaches. Right is what the scorer `right` says. Raises `BackendError`.
    """
    query = questions.select().where(questions.c.set_hash == run.set_hash, questions.c.critical)
    with store.reading() as connection:
        rows = connection.execute(query.order_by(questions.c.position)).mappings().all()
    if not rows:
        return []
    now, then = _rights(store, run), _rights(store, baseline)
    found = []
    for row in rows:
        for approach in (one.approach for one in run.approaches):
            key = approach, row["position"]
            before, after = then.get(key, ()), now.get(key, ())
            if before and all(before) and not all(after):
                found.append(NewlyFailing(approach, row["id"], row["question"], after.count(False), len(after)))
    return found


def _rights(store: Store, run: Run) -> dict[tuple[str, int], list[bool]]:
    """Whether each answer was right, by approach and position."""
    found: dict[tuple[str, int], list[bool]] = {}
    for (approach, position, _), _, score in scores_of(store, run.id, RIGHT):
        if score.value is not None:
            found.setdefault((approach, position), []).append(bool(score.value))
    return found


def newly_failing_words(found: Sequence[NewlyFailing], baseline: Run) -> list[str]:
    """A sentence for each: whose answer to which question is wrong now and was right in the baseline."""
    return [
        f"The critical question {one.id} is not answered right any more by {one.approach}"
        f"{f' ({one.wrong} of {one.answers} answers)' if one.answers > 1 else ''}; "
        f"it was in the approved baseline {baseline.id}."
        for one in found
    ]
