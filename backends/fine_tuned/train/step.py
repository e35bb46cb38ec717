"""The loss of one batch and its gradient, with the prompt's shared beginning computed once.

Every pair begins with the same chat format and system prompt. The fast way writes this beginning once and the rest of
the pairs after it, in one row or a few; a mask hides the pairs from each other, and only the head's outputs at answer
tokens are computed. The gradients are those of the plain way (tested to 1e-5 in float32); what it
gains is in docs/measurements.md.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from backends.errors import is_out_of_memory
from backends.fine_tuned.train.examples import Example, shared_prefix


def head_loss(head: Any, hidden: Any, wanted: Any) -> Any:
    """Cross entropy in nats, summed: a tensor of shape (). `hidden`: (tokens, width); `wanted`: their token ids.

    Scores over a vocabulary are by far the largest tensor of a step. Where the head is an ordinary one and learns
    nothing, they are turned into the gradient in place; torch keeps them three times.
    """
    import torch

    if type(head) is torch.nn.Linear and not head.weight.requires_grad:
        return _frozen_head().apply(hidden, head.weight, head.bias, wanted)
    return torch.nn.functional.cross_entropy(head(hidden).float(), wanted, reduction="sum")


@cache
def _frozen_head() -> Any:
    """The function, as torch has it; made here because torch is imported late."""
    import torch

    class FrozenHead(torch.autograd.Function):
        """The gradient of the loss with respect to the scores is softmax(scores) - 1 at the wanted token."""

        @staticmethod
        def forward(ctx: Any, hidden: Any, weight: Any, bias: Any, wanted: Any) -> Any:
            scores = torch.nn.functional.linear(hidden, weight, bias).float()
            scores -= scores.amax(1, keepdim=True)
            picked = scores.gather(1, wanted[:, None])
            total = scores.exp_().sum(1, keepdim=True)
            if ctx.needs_input_grad[0]:
                scores /= total
                scores.scatter_add_(1, wanted[:, None], torch.full_like(picked, -1.0))
                ctx.save_for_backward(scores.to(hidden.dtype) @ weight)
            return (total.log() - picked).sum()

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            (of_hidden,) = ctx.saved_tensors
            return of_hidden * gradient.to(of_hidden.dtype), None, None, None

    return FrozenHead


_IGNORED = -100  # the label that torch's cross entropy leaves out
ROW_TOKENS = 512
"""About how long a row gets: in longer ones, attention to hidden tokens costs more than the shared beginning saves."""

_ROWS_TRIED = 8
"""How many numbers of rows are tried; a few more than the fewest can be filled more evenly."""

_GRADIENT_TOLERANCE = 0.05
"""Relative difference of the gradients up to which two ways count as the same; bfloat16 alone makes up to 0.02."""


def summed_loss(model: Any, batch: Sequence[Example], fast: bool) -> Any:
    """Cross entropy in nats, summed over the batch's answer tokens: a tensor of shape ()."""
    return _packed_loss(model, pack(batch)) if fast else _plain_loss(model, batch)


def packing_works(model: Any, batch: Sequence[Example], parameters: Sequence[Any]) -> bool:
    """Whether this model computes the same gradient the fast way, tried on two pairs of the batch in one row.

    Not so where tokens see each other in another way (sliding windows, state space models) or where something is
    done to the head's output. Leaves no gradients behind. Lack of memory tells nothing of that, so it is raised.
    """
    import torch

    pairs = batch[:2]
    try:
        plain = torch.autograd.grad(_plain_loss(model, pairs), parameters, allow_unused=True)
        one_row = _spread(pairs, shared_prefix(pairs), 1)
        fast = torch.autograd.grad(_packed_loss(model, one_row), parameters, allow_unused=True)
    except (AttributeError, TypeError, ValueError, IndexError, NotImplementedError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        return False
    return _difference(plain, fast) < _GRADIENT_TOLERANCE


def _difference(one: Sequence[Any], other: Sequence[Any]) -> float:
    """|a - b| / |a| over all gradients; those that are None are 0."""
    import torch

    apart = size = 0.0
    for a, b in zip(one, other, strict=True):
        if a is None and b is None:
            continue
        a = torch.zeros_like(b) if a is None else a
        apart += float((a - (0 if b is None else b)).float().square().sum())
        size += float(a.float().square().sum())
    return float((apart / size) ** 0.5) if size else float(apart > 0)


def _plain_loss(model: Any, batch: Sequence[Example]) -> Any:
    import torch

    ids, mask, labels = _padded(batch, model.device)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    flat = logits[:, :-1].reshape(-1, logits.shape[-1]).float()
    return torch.nn.functional.cross_entropy(flat, labels[:, 1:].reshape(-1), ignore_index=_IGNORED, reduction="sum")


def _packed_loss(model: Any, layout: PackedBatch) -> Any:
    import torch

    _check_packable(model)
    ids, positions, mask = _rows_of(layout, model.device, model.dtype)
    hidden = model.base_model(
        input_ids=ids, position_ids=positions, attention_mask=mask, use_cache=False
    ).last_hidden_state
    places, wanted = _answers_of(layout)
    counted = hidden.flatten(0, 1)[torch.tensor(places, device=model.device)]
    return head_loss(model.get_output_embeddings(), counted, torch.tensor(wanted, device=model.device))


def _check_packable(model: Any) -> None:
    """Raises `NotImplementedError` where a short trial could not tell that longer rows come out differently.

    Packed are models whose attention is transformers' own, with its masks and positions; in which every layer attends
    to all that comes before; and that leave the head's outputs as they are, which a cap changes little at first.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    windows = kinds - {"full_attention"} if kinds else getattr(config, "sliding_window", None)
    capped = getattr(config, "final_logit_softcapping", None)
    if windows or capped or not getattr(model, "_supports_attention_backend", False):
        raise NotImplementedError("this architecture cannot be packed")


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Pairs one after the other: each of the `rows` begins with the `prefix` tokens that all pairs share.

    `width` is the tokens of the longest row; shorter ones are padded at their end.
    """

    rows: tuple[tuple[Example, ...], ...]
    prefix: int
    width: int


def pack(batch: Sequence[Example]) -> PackedBatch:
    """The batch in about as few rows as `ROW_TOKENS` allow; one pair in a row where that is less, or one is longer."""
    prefix = shared_prefix(batch)
    lengths = [len(one.ids) - prefix for one in batch]
    room = ROW_TOKENS - prefix
    counts = [len(batch)]
    if max(lengths) < room:
        fewest = -(-sum(lengths) // room)
        counts = [*range(fewest, min(fewest + _ROWS_TRIED, len(batch))), len(batch)]
    return min((_spread(batch, prefix, count) for count in counts), key=_tokens)


def _spread(batch: Sequence[Example], prefix: int, count: int) -> PackedBatch:
    """The pairs in so many rows, filled alike: the longest first, each into the emptiest row."""
    rows: list[list[Example]] = [[] for _ in range(count)]
    filled = [(prefix, row) for row in range(count)]  # a heap: the emptiest row first
    for one in sorted(batch, key=lambda one: -len(one.ids)):
        tokens, row = filled[0]
        rows[row].append(one)
        heapq.heapreplace(filled, (tokens + len(one.ids) - prefix, row))
    return PackedBatch(tuple(map(tuple, rows)), prefix, max(filled)[0])


def _tokens(layout: PackedBatch) -> int:
    return len(layout.rows) * layout.width


def computed_tokens(batch: Sequence[Example]) -> int:
    """How many tokens go through the model for a batch, the fast way."""
    return _tokens(pack(batch))


def _rows_of(layout: PackedBatch, device: Any, dtype: Any) -> tuple[Any, Any, Any]:
    """Ids and positions, each of shape (rows, width), and what is added to the scores: (rows, 1, width, width).

    A token sees the shared beginning and what comes before it in its own pair. Where each row is one pair, the mask
    only tells tokens from padding, (rows, width), as models take it: long pairs need no matrix of their length squared.
    """
    import torch

    prefix, width = layout.prefix, layout.width
    ids, positions, pairs = [], [], []
    for row in layout.rows:
        tokens, places, owners = list(row[0].ids[:prefix]), list(range(prefix)), [0] * prefix
        for number, one in enumerate(row, 1):
            tokens += one.ids[prefix:]
            places += range(prefix, len(one.ids))
            owners += [number] * (len(one.ids) - prefix)
        missing = width - len(tokens)
        ids.append(tokens + [0] * missing)
        positions.append(places + [0] * missing)
        pairs.append(owners + [-1] * missing)
    owner = torch.tensor(pairs)
    mask: Any = (owner >= 0).long()
    if all(len(row) == 1 for row in layout.rows):
        return torch.tensor(ids, device=device), torch.tensor(positions, device=device), mask.to(device)
    seen = (owner[:, :, None] == owner[:, None, :]) | (owner[:, None, :] == 0)
    seen &= torch.ones(width, width, dtype=torch.bool).tril()
    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)[:, None]
    return torch.tensor(ids, device=device), torch.tensor(positions, device=device), mask.to(device)


def _answers_of(layout: PackedBatch) -> tuple[list[int], list[int]]:
    """Where, in the rows one after the other, the answers' tokens are predicted, and which tokens these are."""
    places: list[int] = []
    wanted: list[int] = []
    for number, row in enumerate(layout.rows):
        end = number * layout.width + layout.prefix
        for one in row:
            end += len(one.ids) - layout.prefix
            places += range(end - one.answer_tokens - 1, end - 1)
            wanted += one.ids[-one.answer_tokens :]
    return places, wanted


def _padded(batch: Sequence[Example], device: Any) -> tuple[Any, Any, Any]:
    """Ids, mask and labels, each of shape (pairs, longest)."""
    import torch

    longest = max(len(one.ids) for one in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, _IGNORED)
    for row, one in enumerate(batch):
        length = len(one.ids)
        ids[row, :length] = torch.tensor(one.ids)
        mask[row, :length] = 1
        labels[row, length - one.answer_tokens : length] = ids[row, length - one.answer_tokens : length]
    return ids.to(device), mask.to(device), labels.to(device)
