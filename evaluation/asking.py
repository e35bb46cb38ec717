"""A question set put to several arms: one turn of the machine for each answer, every finished answer kept in a file."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from backends.base import FAILED, Answer, Backend, Question, Status
from backends.errors import disk_faults
from backends.run.lane import Cancelled, lane, turns
from backends.run.timing import run_timed
from backends.settings import Settings
from backends.storage import strict_json
from backends.text import clean_question
from evaluation.samples import Sample

MAX_TOKENS = 60
"""Completion tokens that an answer may have, the same for every arm. Decoding is greedy."""


@dataclass(frozen=True, slots=True)
class ArmAnswer:
    """What one arm answered to the question at `position` (from 0) of the set. `cost_usd` as text, None if unknown."""

    arm: str
    position: int
    text: str
    status: Status
    error: str | None
    model: str
    latency_s: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: str | None
    cost_basis: str


_ANSWER = TypeAdapter(ArmAnswer)


class AnswerLog:
    """The answers of one measurement, a line of JSON each: what an interrupted run need not ask again.

    A line that was torn when the program was killed is left out, and so are failed answers: they are asked again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._answers: dict[tuple[str, int], ArmAnswer] = {}
        if not file.is_file():
            return
        for line in file.read_bytes().splitlines():
            try:
                strict_json.loads(line)  # pydantic lets NaN and Infinity pass
                answer = _ANSWER.validate_json(line)
            except ValueError:
                continue
            if answer.status not in FAILED:
                self._answers[answer.arm, answer.position] = answer

    def get(self, arm: str, position: int) -> ArmAnswer | None:
        """The answer, None if it was not given yet."""
        return self._answers.get((arm, position))

    def add(self, answer: ArmAnswer) -> None:
        """Keep an answer; it is in the file when this returns."""
        self._answers[answer.arm, answer.position] = answer
        with disk_faults("The answer"):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a+b") as lines:
                lines.seek(max(0, lines.seek(0, os.SEEK_END) - 1))
                cut_off = lines.read(1) not in (b"", b"\n")  # a process that was killed has left half a line
                lines.write(b"\n" * cut_off + _ANSWER.dump_json(answer) + b"\n")


def greedy(settings: Settings) -> Settings:
    """The settings with greedy decoding and at most `MAX_TOKENS` tokens for an answer."""
    return settings.model_copy(update={"temperature": 0.0, "max_tokens": MAX_TOKENS})


def get_ready(arms: Mapping[str, Backend], work: str, cancel: threading.Event) -> Iterator[str]:
    """Load what the arms need, and say what takes time. Raises `BackendError` if one of them cannot answer."""
    for backend in arms.values():
        with turns(work, cancel)():
            for loading in backend.load(cancel):
                yield loading.what
        if cancel.is_set():
            raise Cancelled


def ask(
    backend: Backend,
    arm: str,
    position: int,
    sample: Sample,
    settings: Settings,
    log: AnswerLog,
    work: str,
    cancel: threading.Event,
) -> ArmAnswer:
    """The arm's answer, from the log or else asked now, in a turn of its own that others see as `work`.

    A failed answer is an answer with its reason. Raises `Cancelled` if `cancel` is set before it is complete.
    """
    if known := log.get(arm, position):
        return known
    question: Question = clean_question(settings.question(sample.question))
    place = lane(backend.lane).join(work) if backend.lane else None
    *_, last = run_timed(backend, question, cancel, place)
    assert isinstance(last, Answer)
    if last.status == "cancelled":
        raise Cancelled
    answer = arm_answer(arm, position, last)
    log.add(answer)
    return answer


def arm_answer(arm: str, position: int, answer: Answer) -> ArmAnswer:
    """What is kept of an answer to the question at `position`."""
    return ArmAnswer(
        arm=arm,
        position=position,
        text=answer.text,
        status=answer.status,
        error=answer.error,
        model=answer.model,
        latency_s=answer.timings.latency_s,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        cost_usd=None if answer.cost.usd is None else f"{answer.cost.usd:f}",
        cost_basis=answer.cost.basis,
    )


def identity(*parts: object) -> str:
    """A short name for what is measured: the same parts, which must be JSON, give the same name."""
    import hashlib

    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
