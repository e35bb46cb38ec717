"""The words of evaluation runs: a run, its approaches, its question set, and its cells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from backends.base import FAILED, Cost, Status, Timings, Usage
from evaluation.samples import Sample

State = Literal["running", "stopped", "done"]
"""`running`: its process works on it, or was killed (`Store.is_claimed` tells). `stopped`: by a person or by a fault.
`done`: nothing is left that could be asked; an approach may have been given up before its cells were done."""


@dataclass(frozen=True, slots=True)
class RunApproach:
    """One approach of a run. `model` is what answered, in words; before its first answer, what would.

    `identity` says which weights, adapter and documents: what must be the same when the run goes on. `stopped`: why it
    was given up before its cells were done; empty if it was not.
    """

    approach: str
    model: str
    identity: Mapping[str, Any] = field(default_factory=dict)
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is, and under which circumstances it is made. Times are UTC; `settings` hold no keys.

    `throughput`: approaches of this machine answer many questions at once, and their answers have no times.
    `judge`: the approach, model and rubric that judged its answers (`evaluation.runs.judge`); None without a judge.
    `deleted_at`: None unless it was deleted (`evaluation.runs.deletion`).
    """

    id: str
    created_at: datetime
    set_hash: str
    set_name: str
    questions: int
    repeats: int
    seed: int
    approaches: tuple[RunApproach, ...]
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    packages: Mapping[str, str]
    prices: str
    keeps_texts: bool
    throughput: bool = False
    state: State = "running"
    fault: str = ""
    finished_at: datetime | None = None
    judge: Mapping[str, Any] | None = None
    deleted_at: datetime | None = None

    @property
    def cells(self) -> int:
        """How many there are to be, over all approaches."""
        return self.questions * self.repeats * len(self.approaches)

    def approach(self, id: str) -> RunApproach:
        """One of its approaches. Raises `LookupError`."""
        for one in self.approaches:
            if one.approach == id:
                return one
        raise LookupError(f"the run has no approach {id}")


@dataclass(frozen=True, slots=True)
class Cell:
    """The answer of one approach to one question, for the `repeat`-th time (from 0): exactly one, failed or not.

    `position` counts the questions of the set from 0. `text` is None where texts are not kept. `asked`: how often it
    was asked; more than once only where a failed answer was asked for again. `recorded`: the answer was given earlier,
    so that its times compare with nothing. `untimed`: why it has no times of its own; empty if it has.
    """

    approach: str
    position: int
    repeat: int
    ended_at: datetime
    status: Status
    model: str
    text: str | None
    timings: Timings
    usage: Usage
    cost: Cost
    error: str | None = None
    finish_reason: str | None = None
    stand_in: bool = False
    recorded: bool = False
    untimed: str = ""
    asked: int = 1
    attempts: Sequence[Mapping[str, Any]] = ()
    sources: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()

    @property
    def failed(self) -> bool:
        """Whether there is no answer of which anything was measured."""
        return self.status in FAILED


def content_hash(samples: Sequence[Sample]) -> str:
    """The version of a question set: sha256 over what every question says, in order, whatever file it came from."""
    said = json.dumps([asdict(sample) for sample in samples], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()


def cluster_of(sample: Sample) -> str:
    """What a question shares with others, so that they are not independent: its cluster, or else its first source.

    Empty where nothing is known: the question then stands for itself.
    """
    return sample.cluster or (sample.sources[0] if sample.sources else "")
