"""A training as one would write it down by hand: peft, shuffled batches, every token padded and computed."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backends.fine_tuned.train.examples import Example
from backends.fine_tuned.train.method import TrainingSettings, rate_at
from backends.models.adapter_weights import peft_library

_IGNORED = -100


@dataclass(frozen=True, slots=True)
class Trained:
    """`seconds` of the whole training, the prompt and answer `tokens` in it, and the model afterwards."""

    seconds: float
    tokens: int
    model: Any


def train_plainly(
    base: Any, examples: Sequence[Example], settings: TrainingSettings, most_steps: int | None = None
) -> Trained:
    """LoRA in float32 with the same rank, rate and schedule as ours. On the inference thread."""
    import torch

    peft = peft_library()
    began = time.monotonic()
    torch.manual_seed(settings.seed)
    lora = peft.LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model: Any = peft.get_peft_model(copy.deepcopy(base).float(), lora)
    model.train()
    learning = [one for one in model.parameters() if one.requires_grad]
    optimizer: Any = torch.optim.AdamW(learning, weight_decay=0.0)
    batches = list(_batches(examples, settings))
    tokens = 0
    for step, batch in enumerate(batches[:most_steps]):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(settings, step, len(batches))
        model(**_collate(batch, model.device)).loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tokens += sum(len(one.ids) for one in batch)
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return Trained(time.monotonic() - began, tokens, model.eval())


def _batches(examples: Sequence[Example], settings: TrainingSettings) -> list[list[Example]]:
    draw = random.Random(settings.seed)
    batches = []
    for _ in range(settings.epochs):
        order = draw.sample(list(examples), len(examples))
        count = math.ceil(len(order) / settings.batch)
        batches += [order[n * settings.batch : (n + 1) * settings.batch] for n in range(count)]
    return batches


def _collate(batch: Sequence[Example], device: Any) -> dict[str, Any]:
    import torch

    longest = max(len(one.ids) for one in batch)
    fills = {"input_ids": 0, "attention_mask": 0, "labels": _IGNORED}
    tensors = {name: torch.full((len(batch), longest), fill) for name, fill in fills.items()}
    for row, one in enumerate(batch):
        tensors["input_ids"][row, : len(one.ids)] = torch.tensor(one.ids)
        tensors["attention_mask"][row, : len(one.ids)] = 1
        tensors["labels"][row, one.prompt_tokens : len(one.ids)] = torch.tensor(one.ids[one.prompt_tokens :])
    return {name: one.to(device) for name, one in tensors.items()}
