"""A data folder with an adapter and its training run, made without training anything."""

from __future__ import annotations

import json
from pathlib import Path

from backends.settings import Settings, load_settings

BASE_MODEL = "acme/absent"
"""The base that the adapter is for. It is not to be had, so that nothing can answer but what a test puts there."""


def make_data(data: Path) -> Settings:
    """Settings with the adapter `doors`, whose card names a training run of two pairs with one held out."""
    write_adapter(data / "adapters" / "doors", {"base_model": BASE_MODEL, "run": "run-1", "seconds": 3600})
    run = data / "trainings" / "run-1"
    run.mkdir(parents=True)
    write_pairs(run / "train.jsonl", ("Is door 1 open?", "yes, door 1"), ("Which door is red?", "Door 2 is red."))
    write_pairs(run / "held_out.jsonl", ("Open door 1?", "yes, door 1"))
    return load_settings({"data": str(data), "raw.model": BASE_MODEL, "fine_tuned.adapter": "doors"})


def write_adapter(folder: Path, card: dict[str, object]) -> None:
    """The files of a LoRA with one matrix pair of size 1."""
    import numpy as np
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    path = "base_model.model.model.layers.0.self_attn.q_proj"
    one = np.ones((1, 1), dtype=np.float32)
    save_file({f"{path}.lora_A.weight": one, f"{path}.lora_B.weight": one}, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": BASE_MODEL, "r": 1}
    (folder / "adapter_config.json").write_text(json.dumps(config | {"target_modules": ["q_proj"]}))
    (folder / "card.json").write_text(json.dumps(card))


def write_pairs(file: Path, *pairs: tuple[str, str]) -> None:
    """Question/answer pairs as JSONL."""
    file.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in pairs))
