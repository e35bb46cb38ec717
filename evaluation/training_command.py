"""What `crossroads train` was asked for, and the command that trains the same adapter again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backends.fine_tuned.method import TrainingSettings
from backends.settings import RawSettings, Settings

OPTIONS = {
    "--method": "method",
    "--epochs": "epochs",
    "--rank": "rank",
    "--alpha": "alpha",
    "--modules": "target_modules",
    "--layers": "layers",
    "--batch": "batch",
    "--accumulate": "accumulate",
    "--learning-rate": "learning_rate",
    "--warmup": "warmup",
    "--precision": "precision",
    "--held-out": "held_out_share",
    "--split-by": "split_by",
}
"""The terminal's options, and the settings of a training that they set."""


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What `crossroads train` was asked for. `sample`: at most so many of the pairs; `score`: a question set."""

    pairs: Path
    name: str
    training: TrainingSettings
    sample: int | None = None
    adapters: Path | None = None
    score: Path | None = None


def command(settings: Settings, request: TrainingRequest) -> str:
    """The command that makes this adapter again, with every setting that has a say and is not the usual one.

    Settings that came from the environment are in it too.
    """
    usual = TrainingSettings()
    options: dict[str, object] = {"--name": request.name}
    for option, field in OPTIONS.items():
        if (value := getattr(request.training, field)) != getattr(usual, field):
            options[option] = ",".join(value) if isinstance(value, tuple) else value
    options |= {"--sample": request.sample, "--folder": request.adapters, "--score": request.score}
    words = [str(word) for option in options.items() if option[1] is not None for word in option]
    return shlex.join(["crossroads", "train", str(request.pairs), *words, *_settings(settings, request)])


def _settings(settings: Settings, request: TrainingRequest) -> Iterator[str]:
    seed, raw, usual = request.training.seed, settings.raw, RawSettings()
    chosen: dict[str, tuple[object, object]] = {
        "seed": (seed, Settings.model_fields["seed"].default),
        "system_prompt": (settings.system_prompt, Settings.model_fields["system_prompt"].default),
        "raw.model": (raw.model, usual.model),
        "raw.revision": (raw.revision, usual.revision),
        "raw.device": (raw.device, usual.device),
    }
    for name, (value, default) in chosen.items():
        if value != default:
            yield from ("--set", f"{name}={value}")
