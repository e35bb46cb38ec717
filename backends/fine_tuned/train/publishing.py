"""What a training leaves behind: the adapter with its card, in the catalogue."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends.fine_tuned.adapters.card import READING, write_card
from backends.fine_tuned.adapters.catalogue import publish, to_trash
from backends.fine_tuned.pairs.files import digest
from backends.fine_tuned.train import checkpoint
from backends.fine_tuned.train.events import StepRecord
from backends.fine_tuned.train.loop import BEST, TrainingLoop
from backends.fine_tuned.train.method import Trainable
from backends.fine_tuned.train.runs import history, read_part
from backends.models import inference
from backends.models.adapter_files import WEIGHTS
from backends.models.local import LocalModel
from backends.settings import Settings
from backends.spend.pricing import machine_cost
from backends.storage.files import draft_folder, sha256


def publish_adapter(settings: Settings, base: LocalModel, loop: TrainingLoop) -> Path:
    """Put the best state into the catalogue under the run's name; the last one if nothing was held out or a last pass
    went over everything.

    An adapter of that name goes to the trash. Returns the adapter's folder. Raises `OSError` if there is no room.
    """
    run = loop.run
    root = run.adapters or run.data / "adapters"
    with draft_folder(root / run.name) as part:
        whole = part / run.name  # its README carries the folder's name
        whole.mkdir(parents=True)
        kept = loop.best is not None and not loop.last_pass_done
        tensors = checkpoint.parameters_in(run.folder / BEST) if kept else loop.learner.trainable.parameters
        inference.run(_write, loop.learner.trainable, whole, tensors)
        write_card(whole, _card(settings, base, loop) | {"sha256": sha256(whole / WEIGHTS)})
        if run.adapters is None:
            return publish(whole, run.name, run.data)
        return _replace(whole, root / run.name, run.data)


def _write(trainable: Trainable, folder: Path, tensors: Mapping[str, Any]) -> None:
    trainable.write(folder, tensors)


def _replace(whole: Path, folder: Path, data: Path) -> Path:
    """Put the adapter where somebody wants it, in the place of an earlier one, which goes to the trash."""
    if folder.exists():
        to_trash(folder, data)
    whole.rename(folder)
    return folder


def _card(settings: Settings, base: LocalModel, loop: TrainingLoop) -> dict[str, Any]:
    run = loop.run
    train = read_part(run, "train")
    losses = [one.loss for one in history(run) if isinstance(one, StepRecord) and one.step <= loop.step]
    cost = machine_cost(loop.seconds, settings.machine_usd_per_hour)
    best = loop.best or loop.state
    held_out = {} if best.held_out_loss is None else {"held_out_loss": round(best.held_out_loss, 6)}
    return {
        "base_model": base.weights.model_id,
        "base_revision": base.weights.revision,
        "method": run.settings.method,
        **({"kind": READING, "reading": asdict(run.reading)} if run.reading else {}),
        "settings": _settings(loop) | {"system_prompt": run.system_prompt},
        "data": {"pairs": len(train), "sha256": digest(train), "held_out": run.held_out}
        | ({"source": run.source} if run.source else {}),
        "run": run.id,
        **({"command": run.command} if run.command else {}),
        "created": datetime.now(UTC).isoformat("T", "seconds"),
        "steps": loop.step,
        "best_step": best.step,
        **({"last_pass": {"pairs": len(train) + run.held_out, "from_step": best.step}} if loop.last_pass_done else {}),
        "final_loss": round(losses[-1], 6) if losses else None,
        **held_out,
        "seconds": round(loop.seconds, 1),
        "tokens_per_s": round(loop.tokens / loop.step_seconds, 1),
        "cost_usd": None if cost.usd is None else str(cost.usd),
        "cost_basis": cost.basis,
        "precision": loop.learner.trainable.precision,
        "precision_reason": loop.precision.reason,
        "device": base.device,
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft")},
    }


def _settings(loop: TrainingLoop) -> dict[str, Any]:
    """The settings that had a say, with what was chosen for those that were left open."""
    training = loop.run.settings
    unused = ("rank", "alpha", "target_modules") if training.method == "last_layers" else ("layers",)
    unused = (*unused, "method", "precision", *(() if training.last_pass else ("last_pass",)))
    settings = {name: value for name, value in asdict(training).items() if name not in unused}
    return settings | {"learning_rate": training.top_rate}
