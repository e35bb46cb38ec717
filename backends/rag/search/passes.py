"""Passes of an embedder side by side, one core each.

One pass on all cores makes its threads meet after each of hundreds of small operations. Where anything else runs on
the machine they wait for each other, so passes side by side embed more texts a second (docs/measurements.md).

The threads here are not the inference thread, but they work only while that one waits for them, and they end with the
work: as long as they live, OpenMP counts more threads than cores and lets its workers sleep at every meeting, which
slows the inference thread down (docs/measurements.md).
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

_LEVELS = 255
"""Steps between the smallest and the largest 8-bit integer."""

_SMALLEST = -128


def is_fast(model: SentenceTransformer) -> bool:
    """Whether 8-bit layers pay: on an x86 processor with the instructions for them (VNNI), in place of float32."""
    return (
        model.device.type == "cpu"
        and torch.cpu._is_vnni_supported()
        and torch.backends.mkldnn.is_available()
        and all(parameter.dtype == torch.float32 for parameter in model.parameters())
    )


def use_int8_layers(module: nn.Module) -> None:
    """Put 8-bit layers in place of all linear layers of a module."""
    for name, child in module.named_children():
        if type(child) is nn.Linear:
            setattr(module, name, Int8Linear(child))
        else:
            use_int8_layers(child)


class Int8Linear(nn.Module):
    """What a linear layer computes, with weights and inputs rounded to 8-bit integers. For inference only."""

    _weight: Tensor
    _scales: Tensor
    _sums: Tensor
    _bias: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        scales = weight.abs().amax(1).clamp_min(1e-10) / 127
        rounded = torch.round(weight / scales[:, None])
        bias = torch.zeros_like(scales) if linear.bias is None else linear.bias.detach()
        self.register_buffer("_weight", rounded.to(torch.int8).t().contiguous())
        self.register_buffer("_scales", scales)
        self.register_buffer("_sums", (rounded.sum(1) * scales)[None])
        self.register_buffer("_bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """`x` has shape (..., inputs), the result (..., outputs)."""
        rows = x.reshape(-1, x.shape[-1])
        low = rows.amin(1, keepdim=True)
        scale = rows.amax(1, keepdim=True).sub_(low).div_(_LEVELS).clamp_min_(1e-10)
        zero = low.sub_(scale, alpha=_SMALLEST)  # what the integer 0 stands for
        integers = rows.sub(zero).div_(scale).round_().to(torch.int8)
        products = torch._int_mm(integers, self._weight).to(torch.float32).mul_(scale)
        out = torch.addmm(self._bias, zero, self._sums).addcmul_(products, self._scales)
        return out.view(*x.shape[:-1], -1)


_MOST = 16
"""Passes at once: beyond that they would wait for Python."""


class Passes:
    """Embeds documents with a model; with `eights`, in 8-bit layers where the processor is fast at that.

    Make it and use it on the inference thread.
    """

    def __init__(self, model: SentenceTransformer, eights: bool) -> None:
        if eights and is_fast(model):
            model = _shared_copy(model)
            use_int8_layers(model[0])
        self.on_processor = model.device.type == "cpu"
        self.at_once = min(torch.get_num_threads(), _MOST) if self.on_processor else 1
        self._models = [model, *(_shared_copy(model) for _ in range(self.at_once - 1))]

    def run(self, batches: Sequence[list[str]]) -> list[NDArray[np.float32]]:
        """The normalised vectors of each batch, which goes through the model in one pass."""
        if self.at_once == 1:
            return list(map(self._embed, batches))
        with _threads(self.at_once) as threads:
            return list(threads.map(self._embed, batches))

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        model = self._models.pop()
        try:
            vectors = model.encode_document(
                texts, batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False
            )
        finally:
            self._models.append(model)
        return cast("NDArray[np.float32]", vectors)


def _shared_copy(model: SentenceTransformer) -> SentenceTransformer:
    """A copy with a tokenizer of its own, which two threads cannot share, and with the same tensors."""
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


def _threads(count: int) -> ThreadPoolExecutor:
    """Threads among which the cores are divided. Leave it as a context, so that they end."""
    cores = torch.get_num_threads()
    all_started = threading.Barrier(count)

    def start() -> None:
        torch.set_num_threads(max(1, cores // count))
        all_started.wait()

    threads = ThreadPoolExecutor(count, thread_name_prefix="embedding", initializer=start)
    list(threads.map(lambda _: None, range(count)))
    torch.set_num_threads(cores)  # what is set last holds for threads that are yet to come
    return threads
