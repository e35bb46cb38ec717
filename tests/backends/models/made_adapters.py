"""Adapters for the tiny model, written in a moment: random matrices in peft's format instead of a training."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.base import Question
from backends.errors import BackendError
from backends.models import inference
from backends.models.generate import build_prompt
from backends.models.local import LocalModel, loaded
from backends.raw import RawBackend
from backends.settings import load_settings

QUESTION = Question("What is the code of door 3?", "Be brief.", max_tokens=6)
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def fault(call: Callable[[], object]) -> tuple[str, str]:
    """Cause and next step of the fault that `call` ends in."""
    with pytest.raises(BackendError) as caught:
        call()
    return caught.value.cause, caught.value.next_step


def load_base(model: str, data: Path | None = None) -> LocalModel:
    """A model in memory."""
    backend = RawBackend(load_settings({"raw.model": model} | ({"data": str(data)} if data else {})))
    list(backend.load(threading.Event()))
    base = loaded(model, None, "auto")
    assert base is not None
    return base


def in_float32(base: LocalModel) -> LocalModel:
    """The same model in float32, so that rounding does not hide a wrong sum."""
    import copy

    return dataclasses.replace(base, model=inference.run(lambda: copy.deepcopy(base.model).float()), dtype="float32")


def make_lora(folder: Path, seed: int = 0, base_model: str = "tiny", card: dict[str, Any] | None = None) -> Path:
    """A LoRA of rank 4 on every linear layer of the tiny model, strong enough to change every answer."""

    def write() -> None:
        import torch
        from safetensors.torch import save_file

        torch.manual_seed(seed)
        tensors = {}
        for layer in range(2):
            for name in LINEARS:
                part = "self_attn" if name in LINEARS[:4] else "mlp"
                sizes = {"down_proj": (64, 32), "gate_proj": (32, 64), "up_proj": (32, 64)}.get(name, (32, 32))
                path = f"base_model.model.model.layers.{layer}.{part}.{name}"
                tensors[f"{path}.lora_A.weight"] = 0.3 * torch.randn(4, sizes[0])
                tensors[f"{path}.lora_B.weight"] = 0.3 * torch.randn(sizes[1], 4)
        save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})

    folder.mkdir(parents=True)
    inference.run(write)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": 4,
        "lora_alpha": 8,
        "target_modules": list(LINEARS),
        "bias": "none",
        "inference_mode": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    if card is not None:
        (folder / "card.json").write_text(json.dumps(card))
    return folder


def change_config(folder: Path, **values: object) -> None:
    """Replace values of an adapter's configuration."""
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def logits(base: LocalModel, model: Any) -> Any:
    """The model's logits for every position of the question's prompt, shape (1, tokens, vocabulary)."""
    import torch

    ids = build_prompt(base, QUESTION).ids

    def forward() -> Any:
        with torch.inference_mode():
            return model(input_ids=ids.to(base.device)).logits.clone()

    return inference.run(forward)


def same(left: Any, right: Any) -> bool:
    """Whether two tensors are equal to the last bit."""
    import torch

    return inference.run(torch.equal, left, right)


def pointers(model: Any) -> dict[str, int]:
    """Parameter name -> where its memory begins."""
    return {name: one.data_ptr() for name, one in model.named_parameters(remove_duplicate=False)}
