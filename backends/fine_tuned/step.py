"""The loss of one batch and its gradient, with the prompt's shared beginning computed once.

Every pair begins with the same chat format and system prompt. The fast way runs them through the model once per batch
and lets all pairs attend to the same keys and values; then only the head's outputs at answer tokens are computed.
The gradients are those of the plain way (tested to 1e-5 in float32), in about half of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.fine_tuned.examples import Example, shared_prefix
from backends.unforeseen import is_out_of_memory

_IGNORED = -100  # the label that torch's cross entropy leaves out
_SAME = 0.05
"""Relative difference of the gradients up to which two ways count as the same; bfloat16 alone makes up to 0.02."""


def summed_loss(model: Any, batch: Sequence[Example], fast: bool) -> Any:
    """Cross entropy in nats, summed over the batch's answer tokens: a tensor of shape ()."""
    return _fast_loss(model, batch) if fast else _plain_loss(model, batch)


def fast_way_works(model: Any, batch: Sequence[Example], parameters: Sequence[Any]) -> bool:
    """Whether this model computes the same gradient the fast way, tried on two pairs of the batch.

    Not so where keys and values are kept in another form (sliding windows, state space models) or where something is
    done to the head's output. Leaves no gradients behind. Lack of memory tells nothing of that, so it is raised.
    """
    import torch

    pairs = batch[:2]
    try:
        plain = torch.autograd.grad(_plain_loss(model, pairs), parameters, allow_unused=True)
        fast = torch.autograd.grad(_fast_loss(model, pairs), parameters, allow_unused=True)
    except (AttributeError, TypeError, ValueError, IndexError, NotImplementedError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        return False
    return _difference(plain, fast) < _SAME


def _difference(one: Sequence[Any], other: Sequence[Any]) -> float:
    """|a - b| / |a| over all gradients; those that are None are 0."""
    import torch

    apart = size = 0.0
    for a, b in zip(one, other, strict=True):
        if a is None and b is None:
            continue
        a = torch.zeros_like(b) if a is None else a
        apart += float((a - (0 if b is None else b)).double().square().sum())
        size += float(a.double().square().sum())
    return float((apart / size) ** 0.5) if size else float(apart > 0)


def _plain_loss(model: Any, batch: Sequence[Example]) -> Any:
    import torch

    ids, mask, labels = _padded(batch, 0, model.device)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    flat = logits[:, :-1].reshape(-1, logits.shape[-1]).float()
    return torch.nn.functional.cross_entropy(flat, labels[:, 1:].reshape(-1), ignore_index=_IGNORED, reduction="sum")


def _fast_loss(model: Any, batch: Sequence[Example]) -> Any:
    import torch

    prefix = shared_prefix(batch)
    ids, mask, labels = _padded(batch, prefix, model.device)
    backbone = model.base_model
    cache = None
    if prefix:
        first = torch.tensor([batch[0].ids[:prefix]], device=model.device)
        cache = backbone(input_ids=first, use_cache=True).past_key_values
        for layer in cache.layers:
            if getattr(layer, "is_sliding", False):
                raise NotImplementedError("a sliding window forgets the shared beginning")
            layer.keys = layer.keys.expand(len(batch), -1, -1, -1)
            layer.values = layer.values.expand(len(batch), -1, -1, -1)
        mask = torch.cat([mask.new_ones(len(batch), prefix), mask], 1)
    hidden = backbone(
        input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=cache is not None
    ).last_hidden_state
    wanted = labels[:, 1:]
    counted = wanted != _IGNORED
    logits = model.get_output_embeddings()(hidden[:, :-1][counted]).float()
    return torch.nn.functional.cross_entropy(logits, wanted[counted], reduction="sum")


def _padded(batch: Sequence[Example], prefix: int, device: Any) -> tuple[Any, Any, Any]:
    """Ids, mask and labels after the shared beginning, each of shape (pairs, longest)."""
    import torch

    longest = max(len(one.ids) for one in batch) - prefix
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, _IGNORED)
    for row, one in enumerate(batch):
        length = len(one.ids) - prefix
        ids[row, :length] = torch.tensor(one.ids[prefix:])
        mask[row, :length] = 1
        labels[row, length - one.answer : length] = ids[row, length - one.answer : length]
    return ids.to(device), mask.to(device), labels.to(device)
