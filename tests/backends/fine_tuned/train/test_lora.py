"""LoRA's one product computes what peft's several do, and so does its gradient."""

from __future__ import annotations

from typing import Any

import pytest

from backends.fine_tuned.train.lora import use_one_product
from backends.models import inference


def made(bias: bool, dtype: str) -> Any:
    """A peft model of two linear layers and an embedding, LoRA beside all of them and away from its first zeros."""
    import peft
    import torch

    class Two(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = torch.nn.Embedding(11, 6)
            self.up = torch.nn.Linear(6, 10, bias=bias)
            self.down = torch.nn.Linear(10, 6, bias=bias)
            self.head = torch.nn.Linear(6, 9, bias=bias)

        def get_output_embeddings(self) -> Any:
            return self.head

        def forward(self, ids: Any) -> Any:
            return self.head(self.down(torch.tanh(self.up(self.words(ids)))))

    torch.manual_seed(3)
    config = peft.LoraConfig(r=2, lora_alpha=6, target_modules=["words", "up", "down"])
    model = peft.get_peft_model(Two().to(getattr(torch, dtype)), config)
    with torch.no_grad():
        for name, one in model.named_parameters():
            if "lora_" in name:
                one.copy_(0.3 * torch.randn(one.shape))
    return model


def computed(model: Any, rows: int) -> list[Any]:
    """What it computes for a batch, with and without gradients, and the gradient of everything that learns."""
    import torch

    ids = torch.arange(2 * rows).view(2, rows) % 11
    with torch.no_grad():
        answered = model(ids)
    found = model(ids)
    learning = [one for _, one in sorted(model.named_parameters()) if one.requires_grad]
    return [answered, found.detach(), *torch.autograd.grad(found.float().square().sum(), learning)]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [3, 12])
@pytest.mark.parametrize(("dtype", "apart"), [("float32", 1e-6), ("bfloat16", 3e-2)])
def test_it_computes_what_peft_computes(bias: bool, rows: int, dtype: str, apart: float) -> None:
    def work() -> tuple[list[Any], list[Any], Any]:
        model = made(bias, dtype)
        plain = computed(model, rows)
        use_one_product(model)
        return plain, computed(model, rows), model

    plain, one, model = inference.run(work)
    assert len(plain) == 2 + 3 * 2
    for expected, found in zip(plain, one, strict=True):
        assert found.dtype == expected.dtype
        assert float((found - expected).float().norm()) <= apart * float(expected.float().norm())
    own = {name for name, module in model.named_modules() if "forward" in vars(module)}
    assert {name.rsplit(".", 1)[-1] for name in own} == {"up", "down", "head"}, "the embedding stays peft's"
