"""How a run stands, and how it was made, in words."""

from __future__ import annotations

from collections.abc import Iterator

from backends.store.database import Store
from backends.text import counted
from evaluation.runs.model import Run
from evaluation.runs.tables import cells as cell_rows
from evaluation.scorers import title_of


def state_of(store: Store, run: Run, cells: int) -> str:
    """How a run with so many cells stands, in a word."""
    if run.state == "running":
        return "running" if store.is_claimed(run.id) else "interrupted"
    if run.state == "done":
        return "done" if cells == run.cells else "incomplete"
    return "stopped"


def circumstances(run: Run, state: str) -> Iterator[str]:
    """Lines on how a run was made."""
    yield f"Run {run.id}, {state}; began {run.created_at:%Y-%m-%d %H:%M} UTC" + (
        f", ended {run.finished_at:%Y-%m-%d %H:%M} UTC." if run.finished_at else "."
    )
    if run.fault:
        yield f"It ended with: {run.fault}"
    times = f", each asked {run.repeats} times" if run.repeats > 1 else ""
    yield f"Questions: {run.set_name}, {run.questions:,}{times} (sha256 {run.set_hash[:12]}); seed {run.seed}."
    for one in run.approaches:
        identity = ", ".join(f"{name} {value}" for name, value in one.identity.items())
        yield f"{one.approach}: {one.model or 'has not answered'}" + (f" ({identity})" if identity else "")
        if one.stopped:
            yield f"{one.approach} was given up: {one.stopped}"
    machine = run.machine
    yield f"Machine: {machine.get('processor')}, {machine.get('cores')} cores, {machine.get('system')}."
    yield f"Prices: {run.prices}."
    if run.throughput:
        yield "For throughput: approaches of this machine answered many questions at once, and have no times."
    if not run.keeps_texts:
        yield "Its texts were not kept (store.keep_texts)."


_MOST_REASONS = 3


def failed_scores(store: Store, run: Run) -> list[tuple[str, str, int]]:
    """Why scorers failed: scorer, reason, and how many answers, the most frequent first. Raises `BackendError`."""
    from sqlalchemy import func, select

    from evaluation.runs.tables import scores

    count = func.count().label("count")
    query = (
        select(scores.c.scorer, scores.c.reason, count)
        .where(scores.c.run_id == run.id, scores.c.status == "failed")
        .group_by(scores.c.scorer, scores.c.reason)
        .order_by(count.desc(), scores.c.scorer, scores.c.reason)
    )
    with store.reading() as connection:
        return [(scorer, reason, number) for scorer, reason, number in connection.execute(query)]


def failed_score_words(found: list[tuple[str, str, int]]) -> Iterator[str]:
    """`Right, says the judge, failed for 2 answers: Judge off the menu: it said 'Maybe'.`; of each scorer a few."""
    for name in dict.fromkeys(scorer for scorer, _, _ in found):
        reasons = [(reason, number) for scorer, reason, number in found if scorer == name]
        for reason, number in reasons[:_MOST_REASONS]:
            yield f"{title_of(name)}, failed for {counted(number, 'answer')}: {reason}"
        if len(reasons) > _MOST_REASONS:
            yield f"{title_of(name)} failed for {counted(len(reasons) - _MOST_REASONS, 'more reason')}."


def stand_ins(store: Store, run: Run) -> set[str]:
    """The approaches in whose place a stand-in gave any answer of a run. Raises `BackendError`."""
    from sqlalchemy import select

    query = select(cell_rows.c.approach).where(cell_rows.c.run_id == run.id, cell_rows.c.stand_in).distinct()
    with store.reading() as connection:
        return set(connection.scalars(query))
