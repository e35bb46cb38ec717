"""A backend that answers by heart and takes as long as it is told, and an embedder for words that are known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, BackendEvent, Cost, Finished, Loading, Question, TextDelta, Timings, Usage
from backends.errors import BackendError
from evaluation.asking import ArmAnswer
from evaluation.judging import Judged
from evaluation.samples import Sample
from evaluation.scorers import Score
from tests.backends.played import Clock


class AnsweringBackend(Backend):
    """Says what `answers` has for the question, else `otherwise`; an exception there is raised.

    Each answer takes `seconds` on the clock, has 10 tokens in and 4 out, and costs `usd`. `asked` keeps the questions;
    `before` is called with the cancel event ahead of each answer.
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
        self.approach, self.lane = approach, lane
        self.asked: list[str] = []
        self.tokens: list[int] = []
        self._answers, self._otherwise = answers, otherwise
        self._seconds, self._usd, self._clock = seconds, usd, clock or Clock()
        self._loading, self._before = loading, before

    @property
    def model(self) -> str:
        return f"answering {self.approach}"

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        if self._loading:
            raise self._loading
        yield Loading(f"learning {self.approach} by heart")

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        if self._before:
            self._before(cancel)
        self.asked.append(question.text)
        self.tokens.append(question.max_tokens)
        said = self._answers.get(question.text, self._otherwise)
        self._clock.now += self._seconds
        if isinstance(said, BackendError):
            raise said
        yield TextDelta(said)
        yield Finished(Usage(10, 4, source="tokenizer"), "cancelled" if cancel.is_set() else "stop")

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        return Cost(self._usd, "by heart")


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
