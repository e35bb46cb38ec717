"""Answers of several arms to the same questions, scored by every scorer, and who is ahead."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol

from pydantic import BeforeValidator

from backends.base import FAILED
from backends.errors import BackendError
from evaluation.asking import ArmAnswer
from evaluation.metrics import NOT_ANSWERED
from evaluation.samples import Sample
from evaluation.scorers import AnswerToScore, Score, Scorer, scorers
from evaluation.statistics import Estimate, bootstrap, paired, share_text, wilson

RIGHT, SEMANTIC = "right", "semantic"
"""The scorers that proofs and attributions draw their conclusions from; the others are listed beside them."""

NO_EMBEDDER = "No embedder was asked here, so meanings are not compared."
_NO_REFERENCE = "The question has no reference answer."

_log = logging.getLogger(__name__)

DRAWS = 10_000
"""Resamples of a bootstrap over the questions."""

FEWEST_CHANGED = 6
"""With fewer questions that an arm changed, chance cannot be excluded, whatever the interval says: even if all of
them went the same way, a sign test gives p = 2 / 2^5 = 0.06 (W. J. Conover, "Practical Nonparametric Statistics")."""


class TextEmbedder(Protocol):
    """What turns texts into normalised vectors: an `Embedder`."""

    def embed_documents(self, texts: Sequence[str]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the questions were answered right."""

    right: int
    questions: int

    @property
    def value(self) -> float:
        """From 0 to 1."""
        return self.right / self.questions

    @property
    def interval(self) -> tuple[float, float]:
        """The Wilson interval, 95 %."""
        return wilson(self.right, self.questions)

    def __str__(self) -> str:
        return share_text(self.right, self.questions)


@dataclass(frozen=True, slots=True)
class Gain:
    """A paired difference of shares (-1 to 1), with its interval; `changed`: questions that differ."""

    estimate: Estimate
    changed: int

    @property
    def clear(self) -> bool:
        """Whether chance is an unlikely reason: the interval is all on one side of 0, and enough questions differ."""
        return self.changed >= FEWEST_CHANGED and not self.may_be_chance

    @property
    def may_be_chance(self) -> bool:
        """Whether the interval holds 0."""
        return self.estimate.low <= 0 <= self.estimate.high

    @property
    def doubt(self) -> str:
        """Why the difference is not clear, in words; "" if it is."""
        if self.clear:
            return ""
        if self.may_be_chance:
            return "may be chance"
        return f"only {self.changed} question{'s' if self.changed != 1 else ''} changed"


@dataclass(frozen=True, slots=True)
class Judged:
    """One question with each arm's answer, and its scores by the scorer's name and the arm."""

    sample: Sample
    answers: Mapping[str, ArmAnswer]
    scores: Mapping[str, Mapping[str, Score]]

    def score(self, scorer: str, arm: str) -> Score:
        """What the scorer said of the arm's answer; not applicable if it was not asked at the time."""
        return self.scores.get(scorer, {}).get(arm) or Score.not_applicable("It was not scored by this.")

    def value(self, scorer: str, arm: str) -> float | None:
        """The value alone: True and False are 1 and 0, and None stands for a score without a value."""
        value = self.score(scorer, arm).value
        return None if value is None else float(value)

    def is_right(self, arm: str) -> bool | None:
        """Whether the arm's answer is right; None if that could not be scored."""
        value = self.value(RIGHT, arm)
        return None if value is None else value == 1


def _with_scores(row: Any) -> Any:
    """A stored row; one from before there were scorers has `right` and `semantic` in place of `scores`."""
    if not isinstance(row, dict) or "scores" in row:
        return row
    right, near = row["right"], row["semantic"]
    without = {"status": "not_applicable", "reason": _NO_REFERENCE}
    scores = {
        RIGHT: {arm: {"value": value} for arm, value in right.items()},
        SEMANTIC: {arm: without if value is None else {"value": value} for arm, value in near.items()},
    }
    return {"sample": row["sample"], "answers": row["answers"], "scores": scores}


StoredRows = tuple[Annotated[Judged, BeforeValidator(_with_scores)], ...]
"""Judged rows as results hold them: read in today's form, and in the one from before there were scorers."""


def scorer_names(rows: Sequence[Judged], without: Sequence[str] = ()) -> tuple[str, ...]:
    """The scorers that these rows have scores of, in their order."""
    return tuple(name for name in dict.fromkeys(name for row in rows for name in row.scores) if name not in without)


def further_scorers(rows: Sequence[Judged]) -> tuple[str, ...]:
    """Those beside `right` and `semantic`, which every table and verdict has places for already."""
    return scorer_names(rows, (RIGHT, SEMANTIC))


def gradable(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """The samples that have a right answer. Without key facts, the reference answer is the fact that must occur.

    Raises `BackendError` if there is none.
    """
    found = [one for one in map(with_facts, samples) if one is not None]
    if not found:
        raise BackendError(
            "No question says what a right answer is.",
            "Add a column reference_answer, or key_facts with the words that a right answer must hold.",
        )
    return tuple(found)


def with_facts(sample: Sample) -> Sample | None:
    """The sample with what a right answer must hold: without key facts, the reference answer. None without either."""
    if sample.key_facts or NOT_ANSWERED in sample.tags:
        return sample
    whole = sample.reference_answer.strip().rstrip(".!?").strip()
    return replace(sample, key_facts=((whole,),)) if whole else None


def judge(
    samples: Sequence[Sample],
    answers: Sequence[Mapping[str, ArmAnswer]],
    embedder: TextEmbedder | None,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> tuple[Judged, ...]:
    """Each sample with its arms' answers, scored by every scorer that is not for evaluation runs alone.

    All texts that scorers compare are embedded in one batch, in one `turn`. Without an embedder, scorers that compare
    are not applicable.
    """
    listed = [one for one in scorers() if not one.runs_only]
    asked = [
        (sample, AnswerToScore(one.text, one.status))
        for sample, by_arm in zip(samples, answers, strict=True)
        for one in by_arm.values()
    ]
    found = iter(score_answers(listed, asked, embedder, turn))
    rows = []
    for sample, by_arm in zip(samples, answers, strict=True):
        scored = {arm: next(found) for arm in by_arm}
        by_scorer = {one.name: {arm: scores[one.name] for arm, scores in scored.items()} for one in listed}
        rows.append(Judged(sample, by_arm, by_scorer))
    return tuple(rows)


def score_answers(
    listed: Sequence[Scorer],
    answers: Sequence[tuple[Sample, AnswerToScore]],
    embedder: TextEmbedder | None,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> list[dict[str, Score]]:
    """What each of these scorers says of each answer, by the scorer's name; see `judge`."""
    vectors = None if embedder is None else _vectors(listed, answers, embedder, turn)
    return [{one.name: _score(one, answer, sample, vectors) for one in listed} for sample, answer in answers]


def _score(scorer: Scorer, answer: AnswerToScore, sample: Sample, vectors: Mapping[str, Any] | None) -> Score:
    if reason := _not_applicable(scorer, answer, sample):
        return Score.not_applicable(reason)
    if scorer.compared_with and vectors is None:
        return Score.not_applicable(NO_EMBEDDER)
    try:
        score = scorer.score(replace(answer, vectors=vectors or {}), sample)
        if not isinstance(score, Score):
            raise TypeError(f"it returned {score!r} and no Score")
    except Exception as fault:  # a scorer of somebody else's: its fault is reported for this answer only
        _log.exception("the scorer %s", scorer.name)
        return Score.failed(f"{type(fault).__name__}: {fault}")
    return score


def _not_applicable(scorer: Scorer, answer: AnswerToScore, sample: Sample) -> str:
    """Why the scorer is not asked about this answer, or nothing."""
    if answer.status in FAILED and not scorer.scores_errors:
        return "The answer ended in an error."
    if "reference_answer" in scorer.needs and not sample.reference_answer.strip():
        return _NO_REFERENCE
    if "key_facts" in scorer.needs and not sample.key_facts:
        return "The question has no key facts."
    return ""


def _vectors(
    listed: Sequence[Scorer],
    answers: Sequence[tuple[Sample, AnswerToScore]],
    embedder: TextEmbedder,
    turn: Callable[[], AbstractContextManager[None]],
) -> dict[str, Any]:
    """The vectors of all texts that a scorer will compare, by text."""
    texts: set[str] = set()
    for scorer in (one for one in listed if one.compared_with):
        for sample, answer in answers:
            if not _not_applicable(scorer, answer, sample) and (others := _compared(scorer, sample)):
                texts.update((answer.text, *others))
    if not (wanted := sorted(text for text in texts if text.strip())):
        return {}
    with turn():
        return dict(zip(wanted, embedder.embed_documents(wanted), strict=True))


def _compared(scorer: Scorer, sample: Sample) -> tuple[str, ...]:
    """What its answers are compared with. If it cannot say, it fails where it compares."""
    try:
        return tuple(scorer.compared_with(sample)) if scorer.compared_with else ()
    except Exception:
        _log.exception("the scorer %s", scorer.name)
        return ()


def share(rows: Sequence[Judged], arm: str) -> Share:
    """How many questions the arm got right, of those where that could be scored.

    Raises `BackendError` if it could be scored for none.
    """
    known = [right for row in rows if (right := row.is_right(arm)) is not None]
    if rows and not known:
        raise BackendError(
            f"No answer could be scored as right or wrong: {rows[0].score(RIGHT, arm).reason}",
            "Give questions that say what a right answer is.",
        )
    return Share(sum(known), len(known))


def gain(rows: Sequence[Judged], weights: Mapping[str, int]) -> Gain:
    """The weighted sum of the arms' rights, question by question: `{"adapter": 1, "base": -1}` is a difference.

    The interval is `statistics.paired`; the pairing takes out that some questions are hard for everybody.
    """
    values = _sums(rows, RIGHT, weights)
    return Gain(paired(values, sum(map(abs, weights.values())) / 2), sum(value != 0 for value in values))


def mean(rows: Sequence[Judged], scorer: str, weights: Mapping[str, int]) -> Estimate | None:
    """The weighted sum of the arms' scores, likewise; `{"base": 1}` is a mean. Its interval is a bootstrap's.

    Questions where one of the arms has no value are left out; None if that leaves nothing.
    """
    values = _sums(rows, scorer, weights)
    return bootstrap(values, DRAWS) if values else None


def _sums(rows: Sequence[Judged], scorer: str, weights: Mapping[str, int]) -> list[float]:
    sums = []
    for row in rows:
        values = [(row.value(scorer, arm), weight) for arm, weight in weights.items()]
        known = [value * weight for value, weight in values if value is not None]
        if len(known) == len(values):
            sums.append(sum(known))
    return sums


@dataclass(frozen=True, slots=True)
class Summary:
    """One arm by one scorer. `mean` is over the `scored` answers, None if there are none; the others are counted.

    `yes_no`: the values are True and False, so that the mean is a share.
    """

    mean: Estimate | None
    yes_no: bool
    scored: int
    not_applicable: int
    failed: int

    def __str__(self) -> str:
        if self.mean is None:
            shown = "no score"
        elif self.yes_no:
            shown = share_text(round(self.mean.value * self.scored), self.scored)
        else:
            shown = f"{self.mean.value:.3g} (95 % interval {self.mean.low:.3g} to {self.mean.high:.3g})"
        counts = {"not applicable": self.not_applicable, "scorer failed": self.failed}
        return ", ".join([shown, *(f"{count} {what}" for what, count in counts.items() if count)])


def summary(rows: Sequence[Judged], scorer: str, arm: str) -> Summary:
    """The arm's mean: for True and False with the Wilson interval of a share, else with a bootstrap's."""
    scores = [row.score(scorer, arm) for row in rows]
    values = [score.value for score in scores if score.value is not None]
    yes_no = bool(values) and all(isinstance(value, bool) for value in values)
    found: Estimate | None = None
    if yes_no:
        right = int(sum(values))
        found = Estimate(right / len(values), *wilson(right, len(values)))
    elif values:
        found = bootstrap([float(value) for value in values], DRAWS)
    statuses = [score.status for score in scores]
    return Summary(found, yes_no, len(values), statuses.count("not_applicable"), statuses.count("failed"))


def scores_record(rows: Sequence[Judged], arm: str) -> dict[str, dict[str, Any]]:
    """The arm's summary by scorer, as records and cards hold it; `value` is None without a score."""
    return {name: _record(summary(rows, name, arm)) for name in scorer_names(rows)}


def _record(found: Summary) -> dict[str, Any]:
    value, low, high = (found.mean.value, found.mean.low, found.mean.high) if found.mean else (None, None, None)
    counts = {"scored": found.scored, "not_applicable": found.not_applicable, "failed": found.failed}
    return {"value": value, "low": low, "high": high, **counts}
