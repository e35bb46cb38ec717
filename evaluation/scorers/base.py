"""The words of scoring: a `Scorer` looks at one answer to one sample and gives a `Score`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from backends.base import Passage, Status
from backends.text import encodable
from evaluation.samples import Sample

Need = Literal["reference_answer", "key_facts"]
"""A field of a sample without which a scorer can say nothing."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a scorer says of one answer: a value, or why there is none. There is never a number in place of a reason.

    `Score(True)` and `Score(0.7)` have a value; `Score.not_applicable(reason)` says that the question does not come
    into it, `Score.failed(reason)` that the scorer could not do its work. Raises `ValueError` for a number that is not
    finite, and `TypeError` for a value that is no number.
    """

    value: bool | float | None = None
    status: Literal["scored", "not_applicable", "failed"] = "scored"
    reason: str = ""

    def __post_init__(self) -> None:
        if (self.status == "scored") != (self.value is not None):
            raise ValueError("A score has either a value or a reason.")
        if self.value is not None and not isinstance(self.value, bool | int | float):
            raise TypeError(f"{self.value!r} is no number.")
        if self.value is not None and not isfinite(self.value):
            raise ValueError(f"{self.value} is not finite.")
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            object.__setattr__(self, "value", float(self.value))
        object.__setattr__(self, "reason", encodable(self.reason))

    @classmethod
    def not_applicable(cls, reason: str) -> Score:
        """No value, because there is nothing to score; `reason` is a sentence."""
        return cls(None, "not_applicable", reason)

    @classmethod
    def failed(cls, reason: str) -> Score:
        """No value, because the scorer failed; `reason` is a sentence."""
        return cls(None, "failed", reason)


@dataclass(frozen=True, slots=True)
class AnswerToScore:
    """One answer as a scorer sees it. `text` is empty for an answer that failed before its first token."""

    text: str
    status: Status = "ok"
    sources: Sequence[Passage] | None = None
    """The passages that it drew on, best first; None where no documents were searched."""
    verdict: str | Score | None = None
    """What the judge said of it, or why it said nothing; None where no judge was asked."""
    vectors: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The normalised vectors of all texts that scorers named in `compared_with`, and of the answers, by text."""

    def similarity(self, other: str) -> float:
        """The cosine of the vectors of the answer and `other`, -1 to 1; 0 if one of the two has no text.

        Raises `LookupError` for a text that the scorer's `compared_with` did not name.
        """
        import numpy as np

        if not self.text.strip() or not other.strip():
            return 0.0
        try:
            return float(np.dot(self.vectors[self.text], self.vectors[other]))
        except KeyError:
            raise LookupError("a text is compared that `compared_with` does not name") from None


@dataclass(frozen=True, slots=True)
class Scorer:
    """One way to score answers, for evaluation runs, proofs, attributions, trainings, and their tables and exports.

    `score(answer, sample)` may raise: that answer's score is then `Score.failed` with the reason.
    """

    name: str
    """A Python name: the key in records, and the end of a column's name in exports."""

    title: str
    """What people read: Nearness in meaning."""

    score: Callable[[AnswerToScore, Sample], Score]

    needs: tuple[Need, ...] = ()
    """Samples without one of these are not applicable, and `score` is not called for them."""

    compared_with: Callable[[Sample], Sequence[str]] | None = None
    """The texts that `answer.similarity` will be asked for. They are embedded beforehand, all answers in one batch."""

    scores_errors: bool = False
    """Whether answers that ended in an error are scored too. If not, they are not applicable."""

    runs_only: bool = False
    """Whether only evaluation runs ask it, and no proof, attribution or training."""

    asks_judge: bool = False
    """Whether it reads what a judge said (`answer.verdict`). Without a judge (`judge.connection`) it is not asked."""
