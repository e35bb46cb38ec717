"""8-bit linear layers: exact where rounding loses nothing, close where it does."""

from __future__ import annotations

import pytest

from backends.models import inference


def layers(weight, bias):
    from torch import nn

    from backends.rag.search.passes import Int8Linear

    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    linear.weight.data = weight
    if bias is not None:
        linear.bias.data = bias
    return linear.eval(), Int8Linear(linear)


def test_what_fits_into_8_bits_is_computed_exactly():
    def compute():
        import torch

        weight = torch.tensor([[127.0, -3.0, 0.0], [1.0, 127.0, -127.0]])
        _, int8 = layers(weight, torch.tensor([0.5, -2.0]))
        rows = torch.tensor([[[0.0, 255.0, 7.0]], [[-128.0, 127.0, 1.0]]])  # 255 steps of 1 from least to greatest
        return int8(rows).tolist()

    assert inference.run(compute) == [
        [[-3 * 255 + 0.5, 127 * 255 - 127 * 7 - 2.0]],
        [[127 * -128 - 3 * 127 + 0.5, -128 + 127 * 127 - 127 - 2.0]],
    ]


@pytest.mark.parametrize("bias", [True, False])
def test_an_outlier_in_one_row_does_not_blur_the_others(bias):
    def compute():
        import torch

        torch.manual_seed(0)
        linear, int8 = layers(torch.randn(48, 96), torch.randn(48) if bias else None)
        rows = torch.randn(5, 7, 96)
        rows[0, 0, 0] = 1e6
        exact, rounded = linear(rows), int8(rows)
        assert rounded.shape == exact.shape == (5, 7, 48)
        errors = (rounded - exact).norm(dim=-1) / exact.norm(dim=-1)
        return errors.flatten()[1:].max().item(), errors.flatten()[0].item()

    others, outlier = inference.run(compute)
    assert others < 0.02
    assert outlier < 0.02


def test_rows_without_differences_are_no_trouble():
    def compute():
        import torch

        linear, int8 = layers(torch.randn(4, 6), torch.zeros(4))
        rows = torch.tensor([[0.0] * 6, [3.0] * 6])
        return (int8(rows) - linear(rows)).abs().max().item()

    assert inference.run(compute) < 0.2
