"""Scores of the cells of a run, by every scorer of the registry. No approach is asked: the answers are in the store.

A model is asked only where one judges (`evaluation.runs.judge`), and once for each answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from backends.base import Answer, Passage
from backends.errors import BackendError
from backends.run.jobs import Progress
from backends.run.lane import turns
from backends.settings import Settings
from backends.store.database import Store
from evaluation.judging import NO_EMBEDDER, score_answers, with_facts
from evaluation.runs.judge import Judge, is_judged_as_set
from evaluation.runs.model import Cell, Run
from evaluation.runs.pairwise import compare_answers
from evaluation.runs.records import CellKey, cells_of, scores_of, set_scores, unscored
from evaluation.samples import Sample
from evaluation.scorers import AnswerToScore, Score, Scorer, scorers
from evaluation.scorers.judged import can_be_judged

_AT_ONCE = 200
"""Cells that are scored together: their texts are embedded in one batch."""

NOT_KEPT = "The texts of the run were not kept, so meanings could not be compared."


class _Embedder:
    """The embedder in force; its weights are looked for when the first text comes, which may be never."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def embed_documents(self, texts: Sequence[str]) -> Any:
        """See `Embedder.embed_documents`. Raises `BackendError` if its weights cannot be had."""
        from backends.rag.approach import embedder

        return embedder(self._settings).embed_documents(texts)


def score_answer(sample: Sample, answer: Answer) -> dict[str, Score]:
    """The scores of one answer that is not going to be kept: without those that compare meanings."""
    searched = bool(answer.sources) or answer.timings.retrieval_s is not None
    asked = AnswerToScore(answer.text, answer.status, answer.sources if searched else None)
    (found,) = _scored([(sample, asked)], None, threading.Event(), [one for one in scorers() if not one.asks_judge])
    return {
        name: Score.not_applicable(NOT_KEPT) if score.reason == NO_EMBEDDER else score for name, score in found.items()
    }


def score_run(
    store: Store, run: Run, samples: Sequence[Sample], settings: Settings, cancel: threading.Event, again: bool = False
) -> Iterator[Progress[None]]:
    """Score the cells that lack a score; with `again`, all of them anew. Progress is in cells.

    Raises `BackendError` if the store fails. Cancelling keeps the scores so far.
    """
    if not run.keeps_texts:
        return
    listed = [one for one in scorers() if settings.judge.connection or not one.asks_judge]
    judged_anew = bool(settings.judge.connection) and not is_judged_as_set(run, settings)
    wanted = None if again or judged_anew else _lacking(store, run, listed)
    total = len(wanted) if wanted is not None else run.cells
    done, left = 0, (cell for cell in cells_of(store, run.id) if wanted is None or _key(cell) in wanted)
    embedder = None if settings.scripted else _Embedder(settings)  # a script answers where there are no models
    judge = _judge(store, run, settings) if total else None
    while not cancel.is_set() and (batch := list(islice(left, _AT_ONCE))):
        asked = [(samples[cell.position], _answer(cell)) for cell in batch]
        if judge is not None:
            asked = _with_verdicts(asked, judge, cancel)
            if cancel.is_set():
                return  # what the judge said by then is kept
        found = _scored(asked, embedder, cancel, listed)
        set_scores(store, run.id, {_key(cell): scored for cell, scored in zip(batch, found, strict=True)})
        done += len(batch)
        yield Progress(done, total, "scoring")
    yield from compare_answers(store, run, samples, settings, cancel, again)


def _lacking(store: Store, run: Run, listed: Sequence[Scorer]) -> set[CellKey]:
    """The cells that lack a score, or whose judge gave none: it may be there now."""
    wanted = unscored(store, run.id, [one.name for one in listed])
    for name in (one.name for one in listed if one.asks_judge):
        wanted |= {key for key, _, score in scores_of(store, run.id, name) if score.status == "failed"}
    return wanted


def _judge(store: Store, run: Run, settings: Settings) -> Judge | Score | None:
    """The judge; None where nobody judges, and a failed score where it cannot be had."""
    if not settings.judge.connection:
        return None
    try:
        return Judge(store, run, settings)
    except BackendError as fault:
        return Score.failed(f"The judge cannot be had: {fault}")


def _with_verdicts(
    answers: Sequence[tuple[Sample, AnswerToScore]], judge: Judge | Score, cancel: threading.Event
) -> list[tuple[Sample, AnswerToScore]]:
    """The answers with what the judge says of each that has a text and a reference."""
    asked = [place for place, (sample, one) in enumerate(answers) if one.text.strip() and can_be_judged(sample)]
    pairs = [(answers[place][0], answers[place][1].text) for place in asked]
    said = [judge] * len(asked) if isinstance(judge, Score) else judge.verdicts(pairs, cancel)
    found = dict(zip(asked, said, strict=True))
    return [(sample, replace(one, verdict=found.get(place))) for place, (sample, one) in enumerate(answers)]


def _scored(
    answers: Sequence[tuple[Sample, AnswerToScore]],
    embedder: _Embedder | None,
    cancel: threading.Event,
    listed: Sequence[Scorer],
) -> list[dict[str, Score]]:
    """The scores of each answer, by scorer. Where the embedder cannot be had, those that compare have failed."""
    graded = [(with_facts(sample) or sample, answer) for sample, answer in answers]
    try:
        return score_answers(listed, graded, embedder, turns("scoring a run", cancel))
    except BackendError as fault:
        failed = {one.name: Score.failed(str(fault)) for one in listed if one.compared_with}
        found = score_answers(listed, graded, None)
        return [{name: _or_failed(score, failed.get(name)) for name, score in row.items()} for row in found]


def _or_failed(score: Score, failed: Score | None) -> Score:
    """`failed` in place of a score that is not applicable for want of an embedder."""
    return failed if failed is not None and score.reason == NO_EMBEDDER else score


def _answer(cell: Cell) -> AnswerToScore:
    """The answer of a cell as scorers are given it."""
    searched = bool(cell.sources) or cell.timings.retrieval_s is not None
    return AnswerToScore(cell.text or "", cell.status, tuple(map(_passage, cell.sources)) if searched else None)


def _passage(kept: Mapping[str, Any]) -> Passage:
    names = ("document", "page", "chunk_id", "score", "start", "end")
    return Passage(**{name: kept[name] for name in names}, text=kept.get("text", ""), heading=kept.get("heading", ""))


def _key(cell: Cell) -> CellKey:
    return cell.approach, cell.position, cell.repeat
