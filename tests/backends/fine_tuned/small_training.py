"""A training that takes a second: the tiny model on pairs about doors."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.train.events import TrainingResult
from backends.fine_tuned.train.method import TrainingSettings
from backends.fine_tuned.train.runs import Run, find_run
from backends.fine_tuned.train.training import new_run, train_run
from backends.models.local import LocalModel
from backends.raw import RawBackend
from backends.run.jobs import Progress
from backends.settings import Settings, load_settings

PAIRS = [
    Pair(question.format(n), f"The code is {n}{n}." if n % 2 else f"It is {n * 1111}, and that is secret.", f"door {n}")
    for n in range(1, 7)
    for question in ("What is the code of door {}?", "Door {}: what opens it?", "Tell me how to get through door {}.")
]
"""Eighteen pairs in six groups; no two of different groups are near-identical."""

SHORT = TrainingSettings(
    rank=4,
    alpha=8,
    epochs=2,
    batch=4,
    learning_rate=1e-2,
    answers_every=0,
    held_out_share=0.2,
    split_by="phrasing",
    precision="float32",
)
"""14 pairs are trained on, in eight steps; four are held out."""

ALL = replace(SHORT, held_out_share=0.0)
"""Nothing is held out: five steps an epoch."""


def tiny_settings(tiny_model: Path, data: Path) -> Settings:
    """Settings with the tiny model as base."""
    return load_settings({"raw.model": str(tiny_model), "data": str(data), "system_prompt": "Be brief."})


def base_of(settings: Settings) -> LocalModel:
    """The base in memory."""
    raw = RawBackend(settings)
    list(raw.load(threading.Event()))
    return raw.base


def trained(
    settings: Settings, training: TrainingSettings = SHORT, name: str = "doors", **more: Any
) -> tuple[Run, list[TrainingResult]]:
    """A whole training: the run as it is afterwards, and what it said."""
    run = new_run(settings, PAIRS, name, training, **more)
    found = results(list(train_run(settings, run, threading.Event())))
    return find_run(run.id, settings.data), found


def results(progress: list[Progress[TrainingResult]]) -> list[TrainingResult]:
    """What a training gave, in order."""
    return [step.result for step in progress if step.result is not None]


def weights_of(settings: Settings, name: str = "doors") -> dict[str, Any]:
    """The tensors of a trained adapter."""
    from safetensors.torch import load_file

    return load_file(settings.data / "adapters" / name / "adapter_model.safetensors")


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two adapters have the same tensors to the last bit."""
    return one.keys() == other.keys() and all(bool((one[name] == other[name]).all()) for name in one)
