"""LoRA beside a linear layer as one product with one gradient, while it learns.

peft computes the layer, the two small products, their scaling and the sum one after the other, each into memory of its
own. Here the small product is added into the large one's result, and its gradient into the large one's gradient: fewer
passes over memory, fewer kernels, and in float32 the same numbers. In bfloat16 all products are computed in it, as
under torch's autocast, where peft raises the small ones to float32.

Few rows, as the live answers have, are multiplied from the weight's side, which reads the weight once. What that
gains is in docs/measurements.md; when peft's own layer comes back is in docs/decisions.md.
"""

from __future__ import annotations

from functools import cache
from typing import Any

_FEW_ROWS = 16


def use_one_product(model: Any) -> None:
    """Let every linear layer of a peft model that LoRA is beside compute both at once; other layers stay peft's."""
    import torch
    from peft.tuners.lora import Linear

    for module in model.modules():
        if isinstance(module, Linear) and type(module.base_layer) is torch.nn.Linear:
            module.forward = _forward(module)  # type: ignore[method-assign]
    head = model.get_output_embeddings()
    if type(head) is torch.nn.Linear:
        head.forward = _of_head(head.weight, head.bias)  # type: ignore[method-assign]


def _of_head(weight: Any, bias: Any) -> Any:
    import torch

    def forward(inputs: Any) -> Any:
        if torch.is_grad_enabled():
            return torch.nn.functional.linear(inputs, weight, bias)
        return _large(inputs.reshape(-1, inputs.shape[-1]), weight, bias).view(*inputs.shape[:-1], -1)

    return forward


def _large(rows: Any, weight: Any, bias: Any) -> Any:
    """rows W' + b, of shape (rows, out)."""
    import torch

    if len(rows) > _FEW_ROWS or rows.device.type != "cpu":
        return torch.nn.functional.linear(rows, weight, bias)
    made = (weight @ rows.t()).t().contiguous()
    return made if bias is None else made.add_(bias)


def _forward(module: Any) -> Any:
    layer, scale = module.base_layer, module.scaling["default"]
    first, second = module.lora_A["default"].weight, module.lora_B["default"].weight
    product = _product().apply

    def forward(inputs: Any) -> Any:
        rows = inputs.reshape(
            -1, inputs.shape[-1]
        )  # out here: models may change the result in place, but no function's view
        return product(rows, layer.weight, layer.bias, first, second, scale).view(*inputs.shape[:-1], -1)

    return forward


@cache
def _product() -> Any:
    """The function, as torch has it; made here because torch is imported late."""
    import torch

    class Product(torch.autograd.Function):
        """x W' + b + s (x A') B', with x of shape (rows, in), W (out, in), A (rank, in) and B (out, rank).

        A and B are kept in float32 and take part in the precision of x, as under torch's autocast. W and b are frozen.
        """

        @staticmethod
        def forward(ctx: Any, rows: Any, weight: Any, bias: Any, first: Any, second: Any, scale: float) -> Any:
            a, b = first.to(rows.dtype), second.to(rows.dtype)
            narrow = rows @ a.t()
            made = _large(rows, weight, bias)
            made.addmm_(narrow, b.t(), alpha=scale)
            ctx.save_for_backward(rows, narrow, weight, first, second)
            ctx.scale = scale
            return made

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            rows, narrow, weight, first, second = ctx.saved_tensors
            a, b = first.to(rows.dtype), second.to(rows.dtype)
            inner = (gradient @ b).mul_(ctx.scale)
            of_rows = (gradient @ weight).addmm_(inner, a) if ctx.needs_input_grad[0] else None
            of_second = (gradient.t() @ narrow).mul_(ctx.scale)
            return of_rows, None, None, (inner.t() @ rows).to(first.dtype), of_second.to(second.dtype), None

    return Product
