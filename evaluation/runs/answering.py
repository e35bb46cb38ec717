"""One approach of a run, in this process: asked for cells, one alone or several at once, each kept when it ends.

What is asked goes through `backends.run`, as on the pages: the same lane, the same clock, the same caps, and the same
ledger. Cells that are asked at once share a batch (`backends.models.together`): they have no times of their own, and
an equal share each of what the machine costs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from backends.base import Answer, Backend, Cost, Question, Timings
from backends.errors import BackendError
from backends.models.together import Together
from backends.run.lane import Cancelled, turns
from backends.run.timing import run_timed
from backends.settings import Settings
from backends.spend import ledger
from backends.spend.estimate import Expectations
from backends.store.database import Store
from backends.text import clean_question
from evaluation.runs.model import Run, RunApproach
from evaluation.runs.records import add_cell, cell_of, note_approach
from evaluation.runs.scoring import score_answer
from evaluation.samples import Sample

Make = Callable[[str, Settings], Backend]

Place = tuple[int, int]
"""Repeat and position of a cell."""

IN_A_BATCH = "answered in a batch with others (throughput)"
"""Why a cell has no times."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a cell. `kept`: it is in the store, with its cost in USD as far as that is known, or `failed` with
    `why`. Not kept and with a `why`: the approach cannot be asked any more; without one, it was cancelled."""

    place: Place
    kept: bool
    failed: bool = False
    usd: Decimal | None = None
    why: str = ""


class Answering:
    """An approach that is asked. `untimed`: why none of its answers has times; empty if each has its own.

    Raises `BackendError` if it cannot be made.
    """

    def __init__(
        self,
        store: Store,
        run: Run,
        known: RunApproach,
        settings: Settings,
        samples: Sequence[Sample],
        make: Make,
    ) -> None:
        self._store, self._run, self._known, self._settings, self._samples = store, run, known, settings, samples
        self._make = make
        self.untimed = ""
        self.retries = False  # whether cells that failed are asked again
        self.backend = make(known.approach, settings)
        self._expectations = Expectations(self.backend, settings)
        self._spare = [self.backend]
        self._lock, self._check = threading.Lock(), threading.Lock()
        self._checked = self._noted = False

    @property
    def here(self) -> bool:
        """Whether it computes on this machine to the end of an answer."""
        return self.backend.lane is not None and not self.backend.lane_until_retrieved

    def ask(self, places: Sequence[Place], cancel: threading.Event) -> list[Outcome]:
        """Ask for these cells, at once if there are several, and keep them. Raises `BackendError` if the store
        fails."""
        if why := self._changed(cancel):
            return [Outcome(place, False, why=why) for place in places]
        questions = [self._question(place) for place in places]
        backends = [self._lent() for _ in places]
        try:
            if len(places) == 1:
                answers = [_answered(backends[0], questions[0], cancel)]
            else:
                answers = self._answered_together(backends, questions, cancel)
        finally:
            with self._lock:
                self._spare += backends
        listed = zip(places, backends, questions, answers, strict=True)
        return [self._kept(place, backend, question, answer) for place, backend, question, answer in listed]

    def _question(self, place: Place) -> Question:
        repeat, position = place
        asked = self._settings.question(self._samples[position].question)
        return replace(asked, seed=self._settings.seed + repeat, run=self._run.id)

    def _lent(self) -> Backend:
        """A backend that nobody else asks now."""
        with self._lock:
            if self._spare:
                return self._spare.pop()
        return self._make(self._known.approach, self._settings)

    def _changed(self, cancel: threading.Event) -> str:
        """In a sentence, how an approach that answered before is another one now; "" if it is the same."""
        with self._check:
            backend, was = self.backend, self._known.identity
            if self._checked or not was:
                return ""
            turn = turns(f"the run {self._run.id}", cancel, backend.lane)() if backend.lane else nullcontext()
            with suppress(BackendError, Cancelled), turn:  # what fails here fails again, and is kept, when it is asked
                for _ in backend.load(cancel):
                    pass
            now = backend.identity
            changed = [name for name in was if name in now and now[name] != was[name]]
            self._checked = not changed
            if not changed:
                return ""
            name = changed[0]
            return f"Its {name} was {was[name]} when the run began and is {now[name]} now. Begin a new run."

    def _answered_together(
        self, backends: Sequence[Backend], questions: Sequence[Question], cancel: threading.Event
    ) -> list[Answer]:
        """Each on a thread of its own, all within one turn of the machine, whose time they share."""
        batch = Together(len(questions))
        answers: list[Answer | None] = [None] * len(questions)

        def answer(place: int) -> None:
            with batch.member():
                answers[place] = _answered(backends[place], questions[place], cancel, has_turn=True)

        lane = backends[0].lane
        assert lane is not None
        try:
            with turns(f"the run {self._run.id}", cancel, lane)():
                began = time.monotonic()
                threads = [
                    threading.Thread(target=answer, args=(place,), name=f"batch-{self._known.approach}", daemon=True)
                    for place in range(len(questions))
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                spent_s = time.monotonic() - began
        except Cancelled:
            return [_cancelled(backend) for backend in backends]
        found = [one or _cancelled(backend) for one, backend in zip(answers, backends, strict=True)]
        return [
            _in_batch(backend, one, spent_s / len(found), len(found))
            for backend, one in zip(backends, found, strict=True)
        ]

    def _kept(self, place: Place, backend: Backend, question: Question, answer: Answer) -> Outcome:
        """Record the answer and commit its cell; with its scores where texts are not kept, since nothing can be scored
        afterwards."""
        if answer.status == "cancelled":
            return Outcome(place, False)
        if answer.status == "not_asked" or answer.stopped_by is not None:
            return Outcome(place, False, why=answer.error or "It could not be asked.")
        run, approach, keeps = self._run, self._known.approach, self._run.keeps_texts
        untimed = self.untimed
        if untimed:
            answer = replace(answer, timings=Timings())
        spent = ledger.row_of(self._settings, answer, None if untimed else self._expectations.of(question))
        repeat, position = place
        cell = replace(cell_of(answer, position, repeat, keeps), untimed=untimed)
        if not self._noted and not cell.failed:  # before its first cell, which must not be there without it
            self._noted = True
            note_approach(self._store, run.id, approach, model=answer.model, identity=dict(backend.identity))
        scored = None if keeps else score_answer(self._samples[position], answer)
        add_cell(self._store, run.id, cell, scored, spent, first=not self.retries)
        return Outcome(place, True, answer.status == "error", answer.cost.usd, answer.error or "")


def _answered(backend: Backend, question: Question, cancel: threading.Event, has_turn: bool = False) -> Answer:
    """What the approach answers, failed or not. `has_turn`: whoever asks has the turn of the machine already."""
    try:
        question = clean_question(question)
    except BackendError as fault:
        free = Cost(Decimal(0), "nothing was asked, so nothing was charged")
        return Answer(backend.approach, backend.model, "", "error", error=str(fault), cost=free)
    *_, last = run_timed(backend, question, cancel, has_turn=has_turn)
    assert isinstance(last, Answer)
    return last


def _cancelled(backend: Backend) -> Answer:
    return Answer(backend.approach, backend.model, "", "cancelled", error="Stopped before it began.")


def _in_batch(backend: Backend, answer: Answer, share_s: float, of: int) -> Answer:
    """The answer with its share of the machine's time as its cost."""
    if not of or answer.status == "cancelled" or answer.cost.usd == 0 or answer.recorded is not None:
        return answer
    cost = backend.cost(answer.usage, Timings(latency_s=share_s))
    return replace(answer, cost=replace(cost, basis=f"{cost.basis}, one of {of} equal shares of a batch"))
