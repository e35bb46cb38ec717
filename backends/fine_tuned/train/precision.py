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
from backends.models.inference import stable_step_s
from backends.models.local import LocalModel
from backends.storage import strict_json
from backends.storage.files import write_text

ComputePrecision = Literal["float32", "bfloat16"]

_LEAD = 1.1
_SLOW_PRODUCT = 2.0
_ROWS, _PRODUCTS = 64, 5


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """What a training is computed in, and why, in words that end a sentence. `worth_saving`: worth remembering."""

    precision: ComputePrecision
    reason: str
    worth_saving: bool = True

    def __str__(self) -> str:
        return f"{self.precision}, {self.reason}"


def precision_from_settings(training: TrainingSettings) -> PrecisionChoice | None:
    """What the settings say already, or None where it is to be measured."""
    if training.method == "last_layers":
        return PrecisionChoice("float32", "in which the last layers always learn")
    if training.precision != "auto":
        return PrecisionChoice(training.precision, "as it was set")
    return None


def matmul_seconds(base: LocalModel) -> dict[ComputePrecision, float]:
    """Seconds of a matrix product and its gradient with one of the base's own weights, in turn, the fastest of five.

    On the inference thread, with one of its own: two that meet on a busy machine take as long in either.
    """
    import torch

    weights = [one.detach() for one in base.model.parameters() if one.dim() == 2]
    weight = max(weights, key=lambda one: (min(one.shape), -one.numel()))  # of a block, not the whole vocabulary
    there = {name: weight.to(getattr(torch, name)) for name in get_args(ComputePrecision)}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rounds = [{name: _matmul_s(one) for name, one in there.items()} for _ in range(_PRODUCTS)]
    finally:
        torch.set_num_threads(threads)
    return {name: min(spent[name] for spent in rounds) for name in there}


def _matmul_s(weight: Any) -> float:
    import torch

    inputs = torch.ones(_ROWS, weight.shape[1], dtype=weight.dtype, device=weight.device)
    began = time.perf_counter()
    gradient = (inputs @ weight.T) @ weight
    gradient.sum().item()  # which waits for a GPU
    return time.perf_counter() - began


def rule_out_bfloat16(spent: Mapping[ComputePrecision, float]) -> PrecisionChoice | None:
    """float32, where a product in bfloat16 takes so long that no training could be faster in it; else None."""
    if spent["bfloat16"] <= _SLOW_PRODUCT * spent["float32"]:
        return None
    times = spent["bfloat16"] / spent["float32"]
    return PrecisionChoice("float32", f"measured: a matrix product takes {times:.0f} times as long here in bfloat16")


def faster_precision(tokens_per_s: Mapping[ComputePrecision, float]) -> PrecisionChoice:
    """The faster one of what was measured, prompt and answer tokens a second; the only one that memory did for."""
    if len(tokens_per_s) == 1:
        (name,) = tokens_per_s
        return PrecisionChoice(name, "since there was too little memory to try out the other", worth_saving=False)
    bfloat16 = tokens_per_s["bfloat16"] >= _LEAD * tokens_per_s["float32"]
    speeds = " and ".join(f"{speed:,.0f} tokens/s in {name}" for name, speed in tokens_per_s.items())
    lead = "" if bfloat16 or tokens_per_s["bfloat16"] <= tokens_per_s["float32"] else ", too small a lead"
    return PrecisionChoice("bfloat16" if bfloat16 else "float32", f"measured: {speeds}{lead}")


def measure_precision(base: LocalModel, training: TrainingSettings, batch: Sequence[Example]) -> PrecisionChoice:
    """Try both out on a batch; the fastest way to know. On the inference thread, in some seconds at most."""
    if found := rule_out_bfloat16(matmul_seconds(base)):
        return found
    speeds: dict[ComputePrecision, float] = {}
    for name in get_args(ComputePrecision):
        try:
            speeds[name] = _tokens_per_s(base, training, name, batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
    return (
        faster_precision(speeds)
        if speeds
        else PrecisionChoice(_smaller_in_memory(base), "since memory did for neither trial", worth_saving=False)
    )


def _smaller_in_memory(base: LocalModel) -> ComputePrecision:
    """What takes less memory: the base's own precision needs no copy of it."""
    import torch

    return "float32" if base.model.dtype == torch.float32 else "bfloat16"


def _tokens_per_s(
    base: LocalModel, training: TrainingSettings, name: ComputePrecision, batch: Sequence[Example]
) -> float:
    learner = Learner(base, replace(training, precision=name), batch)
    answers = sum(one.answer_tokens for one in batch)

    def step_s() -> float:
        began = time.perf_counter()
        learner.add_gradient(batch, answers)
        spent = time.perf_counter() - began
        learner.drop_gradients()
        return spent

    step_s()  # warms up
    return sum(len(one.ids) for one in batch) / stable_step_s(base.device, step_s)


# --- what is remembered -------------------------------------------------------------------------


def load_choice(base: LocalModel, training: TrainingSettings, data: Path) -> PrecisionChoice | None:
    """What was measured earlier for this base, on this machine and for batches of this size; None if nothing was."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        record = strict_json.an_object(_file(data).read_bytes())[_key(base, training)]
        if record["precision"] in get_args(ComputePrecision):
            return PrecisionChoice(record["precision"], str(record["reason"]))
    return None


def save_choice(base: LocalModel, training: TrainingSettings, data: Path, choice: PrecisionChoice) -> None:
    """Keep what was measured. Where the disk does not take it, the next training measures again."""
    file, records = _file(data), {}
    with contextlib.suppress(OSError, ValueError):
        records = strict_json.an_object(file.read_bytes())
    records[_key(base, training)] = {"precision": choice.precision, "reason": choice.reason}
    with contextlib.suppress(OSError):
        write_text(file, json.dumps(records, indent=1) + "\n")


def _file(data: Path) -> Path:
    return data / "trainings" / "precision.json"


def _key(base: LocalModel, training: TrainingSettings) -> str:
    import torch

    device = torch.cuda.get_device_name() if base.device == "cuda" else base.device
    parts = (base.weights.revision, device, platform.node(), f"torch {torch.__version__}", f"batch {training.batch}")
    return " ".join(parts)
