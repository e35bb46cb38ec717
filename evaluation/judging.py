"""Answers of several arms to the same questions, judged: right or wrong, how near in meaning, and who is ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from backends.errors import BackendError
from evaluation.asking import ArmAnswer
from evaluation.metrics import NOT_ANSWERED, is_right
from evaluation.samples import Sample
from evaluation.statistics import Estimate, bootstrap, paired, share_text, wilson

if TYPE_CHECKING:
    from collections.abc import Callable

DRAWS = 10_000
"""Resamples of a bootstrap over the questions."""

FEWEST_CHANGED = 6
"""With fewer questions that an arm changed, chance can not be excluded, whatever the interval says: even if all of
them went the same way, a sign test gives p = 2 / 2^5 = 0.06 (W. J. Conover, "Practical Nonparametric Statistics")."""


class Embeds(Protocol):
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
        return self.changed >= FEWEST_CHANGED and (self.estimate.low > 0 or self.estimate.high < 0)


@dataclass(frozen=True, slots=True)
class Judged:
    """One question with each arm's answer; `semantic` is None where there is no reference answer."""

    sample: Sample
    answers: Mapping[str, ArmAnswer]
    right: Mapping[str, bool]
    semantic: Mapping[str, float | None]


def gradable(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """The samples that have a right answer. Without key facts, the reference answer is the fact that must occur.

    Raises `BackendError` if there is none.
    """
    found = []
    for sample in samples:
        if sample.key_facts or NOT_ANSWERED in sample.tags:
            found.append(sample)
        elif whole := sample.reference_answer.strip().rstrip(".!?").strip():
            found.append(replace(sample, key_facts=((whole,),)))
    if not found:
        raise BackendError(
            "No question says what a right answer is.",
            "Add a column reference_answer, or key_facts with the words that a right answer must hold.",
        )
    return tuple(found)


def judge(
    samples: Sequence[Sample],
    answers: Sequence[Mapping[str, ArmAnswer]],
    embedder: Embeds,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> tuple[Judged, ...]:
    """Each sample with its arms' answers, judged by `metrics.is_right` and by the embeddings.

    The semantic score is the cosine of the answer's and the reference answer's embeddings, -1 to 1; an answer without
    text has 0. It says how near they are in meaning, not whether a number is right. Work happens in one `turn`.
    """
    near = _cosines(samples, answers, embedder, turn)
    return tuple(
        Judged(sample, given, {arm: is_right(one.text, sample) for arm, one in given.items()}, scores)
        for sample, given, scores in zip(samples, answers, near, strict=True)
    )


def _cosines(
    samples: Sequence[Sample],
    answers: Sequence[Mapping[str, ArmAnswer]],
    embedder: Embeds,
    turn: Callable[[], AbstractContextManager[None]],
) -> list[dict[str, float | None]]:
    import numpy as np

    texts = {sample.reference_answer for sample in samples} | {one.text for given in answers for one in given.values()}
    wanted = sorted(text for text in texts if text.strip())
    with turn():
        vectors = embedder.embed_documents(wanted) if wanted else []
    place = {text: number for number, text in enumerate(wanted)}

    def cosine(answer: str, reference: str) -> float | None:
        if reference not in place:
            return None
        return float(np.dot(vectors[place[answer]], vectors[place[reference]])) if answer in place else 0.0

    return [
        {arm: cosine(one.text, sample.reference_answer) for arm, one in given.items()}
        for sample, given in zip(samples, answers, strict=True)
    ]


def share(rows: Sequence[Judged], arm: str) -> Share:
    """How many questions the arm got right."""
    return Share(sum(row.right[arm] for row in rows), len(rows))


def gain(rows: Sequence[Judged], weights: Mapping[str, int]) -> Gain:
    """The weighted sum of the arms' rights, question by question: `{"adapter": 1, "base": -1}` is a difference.

    The interval is `intervals.paired`; the pairing takes out that some questions are hard for everybody.
    """
    values = [float(sum(weight * row.right[arm] for arm, weight in weights.items())) for row in rows]
    return Gain(paired(values, sum(map(abs, weights.values())) / 2), sum(value != 0 for value in values))


def semantic(rows: Sequence[Judged], weights: Mapping[str, int]) -> Estimate | None:
    """The weighted sum of the arms' semantic scores, likewise; `{"base": 1}` is a mean. None without references."""
    values = []
    for row in rows:
        scores = [(row.semantic[arm], weight) for arm, weight in weights.items()]
        known = [score * weight for score, weight in scores if score is not None]
        if len(known) == len(scores):
            values.append(sum(known))
    return bootstrap(values, DRAWS) if values else None
