"""Whether LoRA's base is computed in float32 or in bfloat16: `auto` takes what trains faster on this machine, measured.

First a matrix product and its gradient are timed in both, which takes half a second: processors without
instructions for bfloat16 are many times slower in it (docs/measurements.md), and nothing more has to be tried there.
Otherwise the same training step is timed in both.
bfloat16 rounds more, so it has to be at least a tenth faster. What was found is remembered in the data folder, so that
the next training does not measure again and the same seed gives the same adapter; an estimate measures anew.
"""

from __future__ import annotations

import contextlib
import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from backends.errors import is_out_of_memory
from backends.fine_tuned.train.examples import Example
from backends.fine_tuned.train.learner import Learner
from backends.fine_tuned.train.method import TrainingSettings
from backends.models.inference import steady_s
from backends.models.local import LocalModel
from backends.storage import strict_json
from backends.storage.files import write_text

Taken = Literal["float32", "bfloat16"]

_LEAD = 1.1
_SLOW_PRODUCT = 2.0
_ROWS, _PRODUCTS = 64, 5


@dataclass(frozen=True, slots=True)
class Choice:
    """What a training is computed in, and why, in words that end a sentence. `lasting`: worth remembering."""

    precision: Taken
    reason: str
    lasting: bool = True

    def __str__(self) -> str:
        return f"{self.precision}, {self.reason}"


def given(training: TrainingSettings) -> Choice | None:
    """What the settings say already, or None where it is to be measured."""
    if training.method == "last_layers":
        return Choice("float32", "in which the last layers always learn")
    if training.precision != "auto":
        return Choice(training.precision, "as it was set")
    return None


def products(base: LocalModel) -> dict[Taken, float]:
    """Seconds of a matrix product and its gradient with one of the base's own weights, in turn, the fastest of five.

    On the inference thread, with one of its own: two that meet on a busy machine take as long in either.
    """
    import torch

    weights = [one.detach() for one in base.model.parameters() if one.dim() == 2]
    weight = max(weights, key=lambda one: (min(one.shape), -one.numel()))  # of a block, not the whole vocabulary
    there = {name: weight.to(getattr(torch, name)) for name in get_args(Taken)}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rounds = [{name: _product_s(one) for name, one in there.items()} for _ in range(_PRODUCTS)]
    finally:
        torch.set_num_threads(threads)
    return {name: min(spent[name] for spent in rounds) for name in there}


def _product_s(weight: Any) -> float:
    import torch

    given = torch.ones(_ROWS, weight.shape[1], dtype=weight.dtype, device=weight.device)
    began = time.perf_counter()
    gradient = (given @ weight.T) @ weight
    gradient.sum().item()  # which waits for a GPU
    return time.perf_counter() - began


def hopeless(spent: Mapping[Taken, float]) -> Choice | None:
    """float32, where a product in bfloat16 takes so long that no training could be faster in it; else None."""
    if spent["bfloat16"] <= _SLOW_PRODUCT * spent["float32"]:
        return None
    times = spent["bfloat16"] / spent["float32"]
    return Choice("float32", f"measured: a matrix product takes {times:.0f} times as long here in bfloat16")


def faster(tokens_per_s: Mapping[Taken, float]) -> Choice:
    """The faster one of what was measured, prompt and answer tokens a second; the only one that memory did for."""
    if len(tokens_per_s) == 1:
        (name,) = tokens_per_s
        return Choice(name, "since there was too little memory to try out the other", lasting=False)
    bfloat16 = tokens_per_s["bfloat16"] >= _LEAD * tokens_per_s["float32"]
    speeds = " and ".join(f"{speed:,.0f} tokens/s in {name}" for name, speed in tokens_per_s.items())
    lead = "" if bfloat16 or tokens_per_s["bfloat16"] <= tokens_per_s["float32"] else ", too small a lead"
    return Choice("bfloat16" if bfloat16 else "float32", f"measured: {speeds}{lead}")


def measured(base: LocalModel, training: TrainingSettings, batch: Sequence[Example]) -> Choice:
    """Try both out on a batch; the fastest way to know. On the inference thread, in some seconds at most."""
    if found := hopeless(products(base)):
        return found
    speeds: dict[Taken, float] = {}
    for name in get_args(Taken):
        try:
            speeds[name] = _tokens_per_s(base, training, name, batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
    return faster(speeds) if speeds else Choice(_lighter(base), "since memory did for neither trial", lasting=False)


def _lighter(base: LocalModel) -> Taken:
    """What takes less memory: the base's own precision needs no copy of it."""
    import torch

    return "float32" if base.model.dtype == torch.float32 else "bfloat16"


def _tokens_per_s(base: LocalModel, training: TrainingSettings, name: Taken, batch: Sequence[Example]) -> float:
    learner = Learner(base, replace(training, precision=name), batch)
    answers = sum(one.answer for one in batch)

    def step_s() -> float:
        began = time.perf_counter()
        learner.learn(batch, answers)
        spent = time.perf_counter() - began
        learner.forget()
        return spent

    step_s()  # warms up
    return sum(len(one.ids) for one in batch) / steady_s(base.device, step_s)


# --- what is remembered -------------------------------------------------------------------------


def remembered(base: LocalModel, training: TrainingSettings, data: Path) -> Choice | None:
    """What was measured earlier for this base, on this machine and for batches of this size; None if nothing was."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        told = strict_json.an_object(_file(data).read_bytes())[_key(base, training)]
        if told["precision"] in get_args(Taken):
            return Choice(told["precision"], str(told["reason"]))
    return None


def remember(base: LocalModel, training: TrainingSettings, data: Path, choice: Choice) -> None:
    """Keep what was measured. Where the disk does not take it, the next training measures again."""
    file, told = _file(data), {}
    with contextlib.suppress(OSError, ValueError):
        told = strict_json.an_object(file.read_bytes())
    told[_key(base, training)] = {"precision": choice.precision, "reason": choice.reason}
    with contextlib.suppress(OSError):
        write_text(file, json.dumps(told, indent=1) + "\n")


def _file(data: Path) -> Path:
    return data / "trainings" / "precision.json"


def _key(base: LocalModel, training: TrainingSettings) -> str:
    import torch

    device = torch.cuda.get_device_name() if base.device == "cuda" else base.device
    parts = (base.weights.revision, device, platform.node(), f"torch {torch.__version__}", f"batch {training.batch}")
    return " ".join(parts)
