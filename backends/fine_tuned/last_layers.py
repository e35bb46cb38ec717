"""The method `last_layers`: which parameters it trains, and how the result is kept.

Trained are the final k transformer blocks, the final norm and the head, as transfer learning does in vision. What was
trained is kept whole (not as a difference, which could not be stored exactly) in peft's own format, so that plain
peft loads it too:

    adapter_config.json         peft_type LN_TUNING, target_modules [final norm],
                                modules_to_save [block, ..., head], all by their full names in the base
    adapter_model.safetensors   "base_model.model." + parameter name, for the blocks and the head;
                                "base_model.model." + norm + ".ln_tuning_layers." + weight or bias, for the norm;
                                in the base's precision
    card.json                   as every adapter has it, with "method": "last_layers"

A head that is tied to the embeddings in the base gets a weight of its own; the embeddings stay the base's.
`adapter_weights.changed_weights` reads it: each tensor takes the place of the base's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.base import BackendError
from backends.engines.adapter_files import CONFIG, PREFIX, WEIGHTS, WHOLE


@dataclass(frozen=True, slots=True)
class LastLayers:
    """Module names in the base: the final blocks, first to last, the final norm and the head."""

    blocks: tuple[str, ...]
    norm: str
    head: str

    def parameters(self, model: Any) -> dict[str, Any]:
        """Parameter name -> the model's tensor, for everything that is trained. A tied head is named as well."""
        chosen = (*self.blocks, self.norm, self.head)
        every = model.named_parameters(remove_duplicate=False)
        return {name: one for name, one in every if any(name.startswith(f"{module}.") for module in chosen)}


def last_layers(model: Any, blocks: int) -> LastLayers:
    """The final `blocks` blocks of a causal language model, with its norm and head.

    Raises `BackendError` if it has fewer, or is built in a way that is not known here.
    """
    import torch

    names = {id(module): name for name, module in model.named_modules()}
    backbone = model.base_model
    lists = [child for child in backbone.children() if isinstance(child, torch.nn.ModuleList)]
    norms = [child for child in backbone.children() if "norm" in type(child).__name__.lower()]
    head = model.get_output_embeddings()
    if not lists or not norms or head is None:
        raise BackendError(
            f"The last layers of {type(model).__name__} could not be told from the others.", "Train a LoRA adapter."
        )
    stack = max(lists, key=len)
    if not 1 <= blocks <= len(stack):
        raise BackendError(f"The model has {len(stack)} blocks, so {blocks} can not be trained.", "Choose fewer.")
    return LastLayers(tuple(names[id(block)] for block in stack[-blocks:]), names[id(norms[-1])], names[id(head)])


def save_last_layers(folder: Path, layers: LastLayers, tensors: Mapping[str, Any], base_model: str) -> None:
    """Write peft's two files to `folder`, which exists. `tensors` by parameter name, in the base's precision."""
    import peft
    from safetensors.torch import save_file

    saved = [*layers.blocks, layers.head]
    config = {
        "peft_type": "LN_TUNING",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "inference_mode": True,
        "target_modules": [layers.norm],
        "modules_to_save": saved,
        "peft_version": peft.__version__,
    }
    named = {_file_name(name, layers): one.detach().cpu().contiguous() for name, one in tensors.items()}
    save_file(named, folder / WEIGHTS, {"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _file_name(parameter: str, layers: LastLayers) -> str:
    module, _, leaf = parameter.rpartition(".")
    return f"{PREFIX}{module}{WHOLE}{leaf}" if module == layers.norm else PREFIX + parameter
