"""The network of the judge: the default embedder's encoder, changed by low-rank adapters, and a head on top.

Source of the adapters: E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

HIDDEN = 128
"""Units of the head's one hidden layer."""


class LowRank(nn.Module):
    """A frozen linear layer plus what is learned: `up` times `down`, of a rank far below the layer's."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """`x` has shape (..., inputs), the result (..., outputs)."""
        return self.linear(x) + (x @ self.down.t()) @ self.up.t()


class Head(nn.Module):
    """One number for each pair: from the state of the first token and the mean of the states of all."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * width, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """`states` has shape (pairs, tokens, width), `mask` (pairs, tokens); the result (pairs,), log-odds."""
        weights = mask[..., None].to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1)
        return self.layers(torch.cat([states[:, 0], mean], dim=-1)).squeeze(-1)


def linears(encoder: nn.Module) -> Iterator[tuple[str, nn.Module, str, nn.Linear]]:
    """The linear layers of the encoder in their order: full name, module that holds it, name there, the layer."""
    for name, module in list(encoder.named_modules()):
        for child, layer in list(module.named_children()):
            if type(layer) is nn.Linear:
                yield f"{name}.{child}", module, child, layer


def with_adapters(model: Any, rank: int) -> dict[str, LowRank]:
    """Put adapters around all linear layers of a BERT's encoder, and freeze the rest. Returns them by name."""
    model.requires_grad_(False)
    found = {}
    for name, module, child, layer in linears(model.encoder):
        found[name] = LowRank(layer, rank)
        setattr(module, child, found[name])
    return found


def merge(model: Any, tensors: Mapping[str, Tensor]) -> None:
    """Add what was learned to the layers of a BERT's encoder. Raises `KeyError` if a tensor is missing."""
    with torch.no_grad():
        for name, _, _, layer in linears(model.encoder):
            layer.weight += tensors[f"{name}.up"].float() @ tensors[f"{name}.down"].float()
