"""A backend that answers by heart and takes as long as it is told, and an embedder for words that are known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from backends.base import Cost, Finished, Loading, Question, TextDelta, Usage
from backends.errors import BackendError
from backends.scripted import Step
from evaluation.asking import ArmAnswer
from evaluation.judging import Judged
from evaluation.samples import Sample
from evaluation.scorers import Score
from tests.scripted import Clock, Scripted


class AnsweringBackend(Scripted):
    """Says what `answers` has for the question, else `otherwise`; an exception there is raised.

    Each answer takes `seconds` on the clock, has 10 tokens in and 4 out, and costs `usd`. `before` is called with the
    cancel event ahead of each answer.
    """

    def __init__(
        self,
        answers: Mapping[str, str | BackendError],
        otherwise: str = "I do not know.",
        *,
        approach: str = "raw",
        seconds: float = 1.0,
        usd: Decimal | None = Decimal("0.001"),
        clock: Clock | None = None,
        lane: str | None = None,
        loading: BackendError | None = None,
        before: Callable[[threading.Event], None] | None = None,
    ) -> None:
        first = loading or Loading(f"learning {approach} by heart")
        price = Cost(usd, "by heart")
        super().__init__(approach=approach, lane=lane, loading=[first], clock=clock or Clock(), price=price)
        self._answers, self._otherwise, self._seconds, self._before = answers, otherwise, seconds, before

    def script(self, question: Question, cancel: threading.Event) -> Iterator[Step]:
        if self._before:
            yield self._before
        said = self._answers.get(question.text, self._otherwise)
        yield self._seconds
        yield said if isinstance(said, BackendError) else TextDelta(said)
        yield Finished(Usage(10, 4, source="tokenizer"), "cancelled" if cancel.is_set() else "stop")


class FixedEmbedder:
    """Texts that hold `yes` point one way, all others at a right angle to it."""

    loaded = True

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray([[1.0, 0.0] if "yes" in text else [0.0, 1.0] for text in texts], dtype=np.float32)


def answered(
    arm: str, text: str = "yes", seconds: float | None = 1.0, usd: str | None = "0.001", **more: object
) -> ArmAnswer:
    """An answer that arrived."""
    given: dict[str, object] = {"status": "ok", "error": None, "prompt_tokens": 10, "completion_tokens": 4} | more
    return ArmAnswer(
        arm,
        0,
        text,
        given["status"],
        given["error"],
        arm,
        seconds,
        given["prompt_tokens"],
        given["completion_tokens"],
        usd,
        "by heart",
    )  # type: ignore[arg-type]


def judged(id: str, tags: tuple[str, ...] = (), **right: bool) -> Judged:
    """A question that these arms got right or wrong; a right answer is also near."""
    answers = {arm: answered(arm, "yes" if good else "no") for arm, good in right.items()}
    near = {arm: float(good) for arm, good in right.items()}
    return Judged(Sample(id, f"Question {id}?", "yes", (("yes",),), tags=tags), answers, scores(right, near))


def scores(right: Mapping[str, bool], semantic: Mapping[str, float | None]) -> dict[str, dict[str, Score]]:
    """What the two built-in scorers said; None: there is no reference answer."""
    none = Score.not_applicable("The question has no reference answer.")
    near = {arm: none if value is None else Score(value) for arm, value in semantic.items()}
    return {"right": {arm: Score(value) for arm, value in right.items()}, "semantic": near}
