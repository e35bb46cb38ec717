"""The head and the loss of its answers in one, which keeps no scores over the vocabulary for the gradient."""

from __future__ import annotations

from functools import cache
from typing import Any


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
