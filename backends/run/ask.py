"""A question about to be asked: who is asked, what that is expected to cost, and what records the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from backends.base import Answer, Backend, Question
from backends.registry import make
from backends.settings import Settings
from backends.spend.estimate import ExpectedCost, expect_cost
from backends.spend.ledger import recorder


@dataclass(frozen=True, slots=True)
class PreparedQuestion:
    """One question for several backends. `expected` is by approach; `record` puts an answer into the ledger."""

    backends: tuple[Backend, ...]
    question: Question
    expected: Mapping[str, ExpectedCost]
    record: Callable[[Answer], None]


def prepare_question(
    settings: Settings, approaches: Sequence[str], text: str, run: str | None = None
) -> PreparedQuestion:
    """Make the backends of these approach ids and estimate what asking them costs; nothing is loaded or asked.

    `run` is that of an earlier question that this one goes on with. Raises `BackendError` for an id that does not
    exist, and for settings that cannot work.
    """
    question = settings.question(text)
    if run is not None:
        question = replace(question, run=run)
    backends = tuple(make(approach, settings) for approach in approaches)
    costs = {backend.approach: expect_cost(backend, question, settings) for backend in backends}
    return PreparedQuestion(backends, question, costs, recorder(settings, costs))
