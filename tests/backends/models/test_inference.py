"""A GPU's first uses of a kernel are not what a piece of work takes."""

from __future__ import annotations

import pytest

from backends.models.inference import stable_step_s


@pytest.mark.parametrize(
    ("device", "spent", "steady", "rounds"),
    [
        ("cpu", [9.0, 1.0], 9.0, 1),
        ("cuda", [9.0, 2.0, 1.0, 0.95, 0.1], 1.0, 4),
        ("cuda", [1.0, 3.0, 0.1], 1.0, 2),
        ("mps", [2.0**-n for n in range(9)], 2.0**-5, 6),
    ],
)
def test_a_gpu_works_until_it_no_longer_gets_faster(
    device: str, spent: list[float], steady: float, rounds: int
) -> None:
    left = list(spent)
    assert stable_step_s(device, lambda: left.pop(0)) == steady
    assert len(spent) - len(left) == rounds
