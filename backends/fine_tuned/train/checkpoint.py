"""The state of a training in one safetensors file, which is written aside and appears whole or not at all.

    parameter.NAME                       what is trained, in float32, by its name in the adapter's file
    exp_avg.NAME, exp_avg_sq.NAME        AdamW's moments (Loshchilov and Hutter 2019, arXiv:1711.05101)
    metadata                             `progress`, in JSON

There are no random numbers to keep: the order of the pairs follows from seed and epoch, and nothing is dropped out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from backends.errors import BackendError
from backends.storage import strict_json
from backends.storage.files import replacing

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class TrainingState:
    """How far a training is: steps done, pairs in one batch, seconds of work, of these in steps, tokens trained on."""

    step: int
    batch: int
    seconds: float
    step_seconds: float
    tokens: int
    held_out_loss: float | None = None


def save(file: Path, parameters: Mapping[str, Any], optimizer: Any, state: TrainingState) -> None:
    """Write a checkpoint; without an optimizer, only the parameters. Raises `OSError` if there is no room for it."""
    from safetensors.torch import save_file

    tensors = {f"parameter.{name}": one.detach() for name, one in parameters.items()}
    if optimizer is not None:
        for name, one in parameters.items():
            tensors |= {f"{moment}.{name}": optimizer.state[one][moment] for moment in _MOMENTS}
    with replacing(file) as part:
        save_file({name: one.contiguous() for name, one in tensors.items()}, part, {"state": json.dumps(asdict(state))})


def state_of(file: Path) -> TrainingState:
    """What a checkpoint says of itself.

    Raises `BackendError` if it is damaged, `FileNotFoundError` if there is none.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            state = strict_json.an_object((opened.metadata() or {})["state"])
        return TypeAdapter(TrainingState).validate_python(state)
    except (SafetensorError, ValueError, KeyError):
        raise BackendError(f"{file.name} of the training is damaged.", "Start a new training.") from None


def load(file: Path, parameters: Mapping[str, Any], optimizer: Any) -> TrainingState:
    """Put a checkpoint's tensors into the parameters and the optimizer; returns how far it was."""
    import torch
    from safetensors.torch import load_file

    state, tensors = state_of(file), load_file(file)
    with torch.no_grad():
        for name, one in parameters.items():
            one.copy_(tensors[f"parameter.{name}"])
            optimizer.state[one] = {
                "step": torch.tensor(float(state.step), device=one.device),
                **{moment: tensors[f"{moment}.{name}"].to(one.device) for moment in _MOMENTS},
            }
    return state


def load_parameters(file: Path, parameters: Mapping[str, Any]) -> None:
    """Put the parameters that a checkpoint holds into these."""
    import torch

    held = parameters_in(file)
    with torch.no_grad():
        for name, one in parameters.items():
            one.copy_(held[name])


def parameters_in(file: Path) -> dict[str, Any]:
    """The parameters that a checkpoint holds, by their names in the adapter's file."""
    from safetensors.torch import load_file

    prefix = "parameter."
    return {name.removeprefix(prefix): one for name, one in load_file(file).items() if name.startswith(prefix)}
