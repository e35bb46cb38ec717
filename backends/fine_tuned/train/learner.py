"""A model in training. Every method does a short piece of work, on the inference thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.errors import is_out_of_memory
from backends.fine_tuned.train.examples import Example
from backends.fine_tuned.train.method import Trainable, TrainingSettings, prepare
from backends.fine_tuned.train.step import packing_works, summed_loss
from backends.models.local import GREEDY, LocalModel

_MAX_NORM = 1.0
"""The gradient is scaled down to this norm, as transformers' Trainer does by default."""


class Learner:
    """What is trained of a base, with its optimizer. Nothing is dropped out, so the same seed gives the same result.

    `fast`: whether it is trained the fast way of `step`; `slow_because` says in a sentence why not, or is "".
    """

    def __init__(self, base: LocalModel, settings: TrainingSettings, examples: Sequence[Example]) -> None:
        import torch

        self.base = base
        self.trainable: Trainable = prepare(base, settings)
        self.model = self.trainable.model.eval()
        self.parameters = list(self.trainable.parameters.values())
        self.optimizer: Any = torch.optim.AdamW(self.parameters, weight_decay=0.0, fused=True)
        shortest = sorted(examples, key=lambda one: len(one.ids))[:2]
        self.fast, self.slow_because = _try_packing(self.model, shortest, self.parameters)

    def add_gradient(self, batch: Sequence[Example], answer_tokens: int) -> float:
        """Add the batch's gradient, as its share of a step with so many answer tokens. Returns the summed loss."""
        loss = summed_loss(self.model, batch, self.fast)
        (loss / answer_tokens).backward()
        return float(loss.detach())

    def drop_gradients(self) -> None:
        """Drop the gradients that were added since the last update."""
        self.optimizer.zero_grad(set_to_none=True)

    def update(self, rate: float) -> float:
        """One step of the optimizer. Returns the gradient's norm; if that is no number, nothing was changed."""
        import torch

        norm = torch.nn.utils.clip_grad_norm_(self.parameters, _MAX_NORM)
        if bool(torch.isfinite(norm)):
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
        self.drop_gradients()
        return float(norm)

    def loss(self, batch: Sequence[Example]) -> float:
        """The summed loss, without a gradient."""
        import torch

        with torch.no_grad():
            return float(summed_loss(self.model, batch, self.fast))

    def answers(self, prompts: Sequence[Sequence[int]], max_tokens: int) -> list[str]:
        """Greedy answers to prompts, all at once."""
        return greedy_answers(self.model, self.base.tokenizer, prompts, max_tokens)


def _try_packing(model: Any, pairs: Sequence[Example], parameters: Sequence[Any]) -> tuple[bool, str]:
    """Whether the fast way works, tried on two pairs, or on one where memory does not do for two; and why not."""
    for tried in (pairs, pairs[:1]):
        try:
            works = packing_works(model, tried, parameters)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return works, "" if works else "This architecture is trained the plain way, which is slower."
    return False, (
        "There was too little memory to try out the fast way, so it is trained the plain way, which is slower. "
        "Close other programs, or lower the rank."
    )


def greedy_answers(model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], max_tokens: int) -> list[str]:
    """What a model answers to prompts that are put to it as one batch; a shorter prompt is padded on its left."""
    import torch

    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    longest = max(map(len, prompts))
    ids = torch.tensor([[pad] * (longest - len(one)) + list(one) for one in prompts], device=model.device)
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in prompts], device=model.device)
    made = model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=max_tokens,
        pad_token_id=pad,
        **GREEDY,
    )
    return [str(tokenizer.decode(row[longest:], skip_special_tokens=True)).strip() for row in made]
