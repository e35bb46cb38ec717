"""One training job from file to scored adapter: what `crossroads train` and `make adapter` run."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.base import Answer, Backend
from backends.fine_tuned.catalogue import check_name
from backends.fine_tuned.pairs import read_pairs
from backends.fine_tuned.train import TrainingSettings, train
from backends.raw import RawBackend
from backends.settings import Settings
from backends.timing import measured
from evaluation.metrics import is_right
from evaluation.question_sets import Sample, read_question_set


def train_adapter(
    settings: Settings,
    pairs_file: Path,
    name: str,
    epochs: int | None,
    adapters: Path | None,
    score: Path | None,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Train, write, and if `score` names a question set let base and adapter answer it. Returns the card.

    Raises `BackendError` for unusable pairs, names or weights.
    """
    pairs = read_pairs(pairs_file)
    folder = (adapters or settings.data / "adapters") / check_name(name)
    samples = read_question_set(score) if score else []
    raw = RawBackend(settings)
    for loading in raw.load(threading.Event()):
        report(loading.what)
    options = replace(TrainingSettings(seed=settings.seed), **({"epochs": epochs} if epochs else {}))
    report(f"training on {len(pairs)} pairs for {options.epochs} epochs")
    for step in train(raw.base, pairs, settings.system_prompt, options, folder):
        if step.step % 10 == 0 or step.step == step.steps:
            left = step.seconds / max(step.step, 1) * (step.steps - step.step)
            loss = "" if step.loss is None else f", loss {step.loss:.3f}"
            report(f"step {step.step} of {step.steps}{loss}, about {left:.0f} s left")
    _amend(folder, {"command": _command(pairs_file, name, epochs, adapters, score)})
    if samples:
        _score(settings, folder, samples, report)
    card: dict[str, Any] = json.loads((folder / "card.json").read_text())
    return {"name": name, "path": str(folder)} | card


def _command(pairs: Path, name: str, epochs: int | None, adapters: Path | None, score: Path | None) -> str:
    """The command that makes this adapter again."""
    options = {"--name": name, "--epochs": epochs, "--folder": adapters, "--score": score}
    given = [str(word) for pair in options.items() if pair[1] is not None for word in pair]
    return shlex.join(["crossroads", "train", str(pairs), *given])


def _amend(folder: Path, more: dict[str, Any]) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | more, indent=1) + "\n")


def _score(settings: Settings, folder: Path, samples: list[Sample], report: Callable[[str], None]) -> None:
    """Base and adapter answer the questions in words that were not trained on; counts go into the card."""
    from backends.fine_tuned.approach import FineTunedBackend

    own = settings.fine_tuned.model_copy(update={"adapter": str(folder)})
    settings = settings.model_copy(update={"fine_tuned": own, "temperature": 0.0, "max_tokens": 60})
    asked = [sample for sample in samples if "single_fact" in sample.tags] or samples
    score = {"questions": len(asked)}
    for label, backend in (("base", RawBackend(settings)), ("adapter", FineTunedBackend(settings))):
        report(f"{label} answers {len(asked)} questions")
        score[label] = sum(is_right(answer_text(backend, settings, s.question), s) for s in asked)
    _amend(folder, {"score": score})


def answer_text(backend: Backend, settings: Settings, question: str) -> str:
    """The text of one answer, asked outside a comparison."""
    *_, last = measured(backend, settings.question(question), threading.Event())
    assert isinstance(last, Answer)
    return last.text
