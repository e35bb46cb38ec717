"""A comparison under way: worker threads fill it, anyone may look at it, and it outlives whoever started it.

The browser page draws from here again and again, so a page change or a stray click in mid-stream loses nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from backends.base import (
    Answer,
    AttemptStarted,
    Backend,
    Event,
    Loading,
    Note,
    Passage,
    Question,
    Queued,
    Reasoning,
    Reclassified,
    Retrieved,
    Retry,
    Started,
    TextDelta,
    Waiting,
    Withdrawn,
)
from backends.rag.evidence.answer import AnswerEvidence, check
from backends.run.compare import compare

REASONS = "reasoning, before the answer"
"""What a column does while a model shows that it reasons."""

Phase = Literal["waiting", "queued", "loading", "working", "writing", "done"]


@dataclass(frozen=True, slots=True)
class Column:
    """What is known of one approach at this moment. `since` is when the phase began, `until` when a wait is over
    (monotonic seconds). `checked` is the answer compared with its passages, None until nothing is measured any more.
    """

    approach: str
    model: str
    stand_in: bool = False
    phase: Phase = "waiting"
    detail: str = ""
    since: float = field(default_factory=time.monotonic)
    expected_s: float | None = None
    until: float | None = None
    text: str = ""
    sources: tuple[Passage, ...] = ()
    answer: Answer | None = None
    checked: AnswerEvidence | None = None

    def updated(self, event: Event) -> Column:
        """The column once `event` has happened."""
        match event:
            case Queued(behind):
                return replace(self, phase="queued", detail=", ".join(behind))
            case Loading(what, expected_s):
                return replace(self, phase="loading", detail=what, expected_s=expected_s, since=time.monotonic())
            case Started():
                return replace(self, phase="working", detail="", expected_s=None, since=time.monotonic())
            case Retry(reason) | Note(reason):
                return replace(self, detail=reason)
            case Waiting(what, until):
                return replace(self, detail=what, until=until)
            case AttemptStarted():
                return replace(self, detail="", until=None, since=time.monotonic())
            case Reasoning():
                return self if self.detail == REASONS else replace(self, detail=REASONS, since=time.monotonic())
            case Reclassified() | Withdrawn():
                return replace(self, text="")
            case Retrieved(passages):
                return replace(self, sources=passages)
            case TextDelta(text):
                since = self.since if self.phase == "writing" else time.monotonic()
                return replace(self, phase="writing", detail="", since=since, text=self.text + text)
            case Answer():
                return replace(
                    self,
                    phase="done",
                    detail="",
                    text=event.text,
                    sources=event.sources,
                    answer=event,
                    model=event.model,
                    stand_in=event.stand_in,
                )
        return self


class LiveComparison:
    """Asks the backends in the background; `columns` is always up to date and safe to read.

    With `hold`, nothing is asked before `start`: a page can draw its columns first, so that the drawing does not
    take the first answer's processor time. `on_answer` gets every answer once, on a worker thread, before `done`.
    `keep` gets the comparison whenever an answer is there, and once all are compared with their passages, likewise.
    `finished` are the columns of a comparison that is resumed: those that are not asked again stay as they are.
    """

    def __init__(
        self,
        backends: Sequence[Backend],
        question: Question,
        *,
        hold: bool = False,
        on_answer: Callable[[Answer], None] | None = None,
        keep: Callable[[LiveComparison], None] | None = None,
        finished: Sequence[Column] = (),
    ) -> None:
        self.question = question
        self._on_answer, self._keep = on_answer, keep
        asked = {b.approach: Column(b.approach, b.model, b.stand_in) for b in backends}
        self._columns = {column.approach: column for column in finished} | asked
        self._cancel = threading.Event()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, args=(backends,), name="comparison", daemon=True)
        self._started = False
        if not hold:
            self.start()

    def start(self) -> None:
        """Begin to ask; does nothing the second time."""
        with self._lock:
            if not self._started:
                self._started = True
                self._thread.start()

    def _run(self, backends: Sequence[Backend]) -> None:
        try:
            for approach, event in compare(backends, self.question, self._cancel):
                with self._lock:
                    self._columns[approach] = self._columns[approach].updated(event)
                if isinstance(event, Answer):
                    if self._on_answer:
                        self._on_answer(event)
                    if self._keep:
                        self._keep(self)
            self._check()
            if self._keep:
                self._keep(self)
        finally:
            self._done.set()

    def _check(self) -> None:
        """Compare the answers with their passages, here and not while a page is drawn."""
        for column in self.columns:
            if column.answer and column.checked is None:
                checked = check(column.answer, self.question.text)
                with self._lock:
                    self._columns[column.approach] = replace(column, checked=checked)

    @property
    def columns(self) -> tuple[Column, ...]:
        """A snapshot, in the order in which the backends were given."""
        with self._lock:
            return tuple(self._columns.values())

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers that are finished."""
        return tuple(column.answer for column in self.columns if column.answer)

    @property
    def done(self) -> bool:
        """True once every column has its answer, compared with its passages."""
        return self._done.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until done, at most `timeout_s` seconds; returns whether it is."""
        return self._done.wait(timeout_s)

    def stop(self) -> None:
        """Cancel what is still running; the text so far stays."""
        self._cancel.set()
