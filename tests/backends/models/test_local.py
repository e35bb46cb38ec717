"""What loading does on a GPU, so that the first answer is timed like the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.models import inference, local
from backends.models.inference import stable_step_s
from tests.backends.fine_tuned.small_training import base_of, tiny_settings


@pytest.fixture
def cudnn_as_it_was() -> Any:
    import torch

    was = torch.backends.cuda.cudnn_sdp_enabled()
    yield
    torch.backends.cuda.enable_cudnn_sdp(was)


@pytest.mark.usefixtures("cudnn_as_it_was")
def test_on_a_gpu_a_short_and_a_longer_prompt_are_answered_until_steady(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    model = base_of(tiny_settings(tiny_model, tmp_path / "data")).model
    asked: list[tuple[int, int]] = []
    steady: list[float] = []

    def generate(self: Any, **given: Any) -> Any:
        made = whole(self, **given)
        asked.append((given["input_ids"].shape[1], made.shape[1]))
        return made

    def timed(device: str, seconds: Any) -> float:
        steady.append(stable_step_s(device, seconds))
        return steady[-1]

    whole = type(model).generate
    monkeypatch.setattr(type(model), "generate", generate)
    monkeypatch.setattr(local, "stable_step_s", timed)
    inference.run(local.warm_up_kernels, model, "cuda")
    assert set(asked) == {(32, 48), (128, 144)}, "half of this model's window at most"
    assert asked == sorted(asked)
    assert len(asked) >= 4
    assert all(spent > 0 for spent in steady)
    assert len(steady) == 2
    assert not torch.backends.cuda.cudnn_sdp_enabled()


@pytest.mark.usefixtures("cudnn_as_it_was")
def test_a_model_that_cannot_be_asked_in_advance_is_still_loaded(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = base_of(tiny_settings(tiny_model, tmp_path / "data")).model
    faults: list[Exception] = [ValueError("it needs a tokenizer"), ValueError("so does this"), MemoryError()]

    def generate(self: Any, **given: Any) -> Any:
        raise faults.pop(0)

    monkeypatch.setattr(type(model), "generate", generate)
    inference.run(local.warm_up_kernels, model, "cuda")
    assert "getting llama going on cuda failed" in caplog.text
    with pytest.raises(MemoryError):
        inference.run(local.warm_up_kernels, model, "cuda")


@pytest.mark.parametrize(
    ("can", "dtype"),
    [
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, "float32"),
        ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, "auto"),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": True}, "auto"),
        ({"neon": True, "bf16": False}, "float32"),
        ({"neon": True, "bf16": True}, "auto"),
    ],
)
def test_a_processor_computes_in_bfloat16_only_where_it_has_products_of_it(
    monkeypatch: pytest.MonkeyPatch, can: dict[str, bool], dtype: str
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can)
    assert str(local._dtype("cpu")).removeprefix("torch.") == dtype
    assert local._dtype("cuda") == "auto"
