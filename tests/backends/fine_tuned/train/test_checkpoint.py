"""A checkpoint brings back what was trained, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.fine_tuned.train import checkpoint
from backends.fine_tuned.train.checkpoint import TrainingState
from backends.models import inference

STATE = TrainingState(step=3, batch=4, seconds=1.5, step_seconds=1.25, tokens=900, held_out_loss=0.5)


def small(seed: int) -> tuple[dict[str, Any], Any]:
    import torch

    torch.manual_seed(seed)
    parameters = {"a": torch.nn.Parameter(torch.randn(3, 2)), "b": torch.nn.Parameter(torch.randn(4))}
    optimizer = torch.optim.AdamW(parameters.values(), lr=0.1, weight_decay=0.0, fused=True)
    return parameters, optimizer


def step(parameters: dict[str, Any], optimizer: Any) -> None:
    loss = sum((one**2).sum() for one in parameters.values())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def test_going_on_from_a_checkpoint_is_going_on(tmp_path: Path) -> None:
    def work() -> None:
        parameters, optimizer = small(1)
        for _ in range(3):
            step(parameters, optimizer)
        checkpoint.save(tmp_path / "c", parameters, optimizer, STATE)
        again, other = small(2)
        assert checkpoint.load(tmp_path / "c", again, other) == STATE
        for _ in range(3):
            step(parameters, optimizer)
            step(again, other)
        assert all(bool((parameters[name] == again[name]).all()) for name in parameters)

    inference.run(work)
    assert checkpoint.state_of(tmp_path / "c") == STATE
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


def test_the_best_state_has_parameters_only(tmp_path: Path) -> None:
    parameters, _ = inference.run(small, 1)
    inference.run(checkpoint.save, tmp_path / "best", parameters, None, STATE)
    kept = inference.run(checkpoint.parameters_in, tmp_path / "best")
    assert {name: tuple(one.shape) for name, one in kept.items()} == {"a": (3, 2), "b": (4,)}


def test_a_checkpoint_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path) -> None:
    parameters, _ = inference.run(small, 1)
    inference.run(checkpoint.save, tmp_path / "c", parameters, None, STATE)
    before = (tmp_path / "c").read_bytes()
    other, _ = inference.run(small, 2)
    other["a"].requires_grad_(False)[0, 0] = 7
    file = (tmp_path / "c").rename(tmp_path / ("c" * 250))  # a draft beside it would have too long a name
    with pytest.raises(Exception, match="name too long"):
        inference.run(checkpoint.save, file, other, None, STATE)
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == {file: before}
