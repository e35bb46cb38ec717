"""The loss of a frozen head and its gradient are torch's own."""

from __future__ import annotations

from typing import Any

import pytest

from backends.fine_tuned.train.step import head_loss
from backends.models import inference


@pytest.mark.parametrize(("frozen", "bias"), [(True, False), (True, True), (False, True)])
@pytest.mark.parametrize(("dtype", "apart"), [("float32", 1e-6), ("bfloat16", 2e-2)])
def test_the_loss_is_torchs(frozen: bool, bias: bool, dtype: str, apart: float) -> None:
    import torch

    def work() -> None:
        torch.manual_seed(2)
        head = torch.nn.Linear(6, 50, bias=bias).to(getattr(torch, dtype)).requires_grad_(not frozen)
        hidden = (30 * torch.randn(7, 6)).to(head.weight.dtype).requires_grad_()
        wanted = torch.tensor([3, 0, 49, 7, 7, 21, 3])
        plain: Any = torch.nn.functional.cross_entropy(head(hidden).float(), wanted, reduction="sum") / 5
        ours = head_loss(head, hidden, wanted) / 5
        learning = [hidden] if frozen else [hidden, *head.parameters()]
        expected, found = (torch.autograd.grad(one, learning) for one in (plain, ours))
        assert float(ours.detach()) == pytest.approx(float(plain.detach()), rel=apart)
        for one, other in zip(expected, found, strict=True):
            assert one.dtype == other.dtype
            assert float((one - other).float().norm()) <= apart * float(one.float().norm())
        with torch.no_grad():
            assert float(head_loss(head, hidden, wanted)) == pytest.approx(5 * float(plain.detach()), rel=apart)

    inference.run(work)
