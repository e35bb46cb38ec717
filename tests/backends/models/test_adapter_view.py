"""Adapters over a base in memory: merged or beside it, one at a time, and never in the base's name."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends.models import inference
from backends.models.adapter_view import is_ready, load_adapter
from backends.models.local import LocalModel
from backends.storage.files import sha256
from tests.backends.models.made_adapters import (
    fault,
    logits,
    make_lora,
    pointers,
    same,
)


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without memory to spare."""
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=0))


def distance(left: Any, right: Any) -> float:
    """The largest difference between two tensors."""
    return float(inference.run(lambda: (left.float() - right.float()).abs().max().item()))


# --- what a merged view is made of ----------------------------------------------------------------


def test_a_merged_view_has_its_own_linears_and_the_bases_everything_else(base: LocalModel, lora: Path) -> None:
    before, at = logits(base, base.model), pointers(base.model)
    view = load_adapter(base, lora)
    own = {name for name, pointer in pointers(view.model).items() if pointer != at[name]}
    assert own == {name for name in at if name.endswith("_proj.weight")}
    sizes = {name: one.numel() * one.element_size() for name, one in view.model.named_parameters()}
    assert view.own_bytes == sum(sizes[name] for name in own) == 20_480 * base.model.dtype.itemsize
    assert (view.merged, view.digest) == (True, sha256(lora / "adapter_model.safetensors"))
    megabytes = {"bfloat16": "0.041", "float32": "0.0819"}[base.dtype]
    assert view.how == f"merged in float32, rounded once to {base.dtype}; {megabytes} MB of its own"
    assert type(view.model) is type(base.model)
    assert not same(logits(base, view.model), before)
    assert same(logits(base, base.model), before)
    assert pointers(base.model) == at


def test_a_merged_weight_is_the_sum_rounded_once(base: LocalModel, lora: Path) -> None:
    import torch
    from safetensors.torch import load_file

    tensors = load_file(lora / "adapter_model.safetensors")
    name = "model.layers.1.mlp.down_proj"

    def expected() -> Any:
        up, down = (tensors[f"base_model.model.{name}.lora_{half}.weight"].double() for half in "BA")
        return (base.model.get_submodule(name).weight.double() + 8 / 4 * (up @ down)).to(torch.bfloat16)

    merged = load_adapter(base, lora).model.get_submodule(name).weight
    off = inference.run(lambda: (merged.to(torch.bfloat16) != expected()).sum().item())
    assert off <= 2  # of 2048: a sum at the very middle between two bfloat16 numbers may go either way in float32


def kinds(exact: LocalModel, folder: Path, kind: str) -> Path:
    """An adapter of another kind, made by peft itself with random numbers."""

    def write() -> None:
        import copy

        import peft
        import torch

        torch.manual_seed(3)
        linears = ["q_proj", "v_proj", "down_proj"]
        configs: dict[str, Any] = {
            "lora": peft.LoraConfig(r=4, lora_alpha=8, target_modules=linears),
            "rank-stabilised": peft.LoraConfig(r=4, lora_alpha=8, target_modules=linears, use_rslora=True),
            "other ranks": peft.LoraConfig(r=4, lora_alpha=8, target_modules=linears, rank_pattern={"v_proj": 2}),
            "other alphas": peft.LoraConfig(r=4, lora_alpha=8, target_modules=linears, alpha_pattern={"v_proj": 3}),
            "a pattern": peft.LoraConfig(r=4, lora_alpha=8, target_modules=r".*1\.(mlp|self_attn)\.(q|up)_proj"),
            "some layers": peft.LoraConfig(r=4, lora_alpha=8, target_modules=linears, layers_to_transform=[1]),
            "with a head": peft.LoraConfig(r=4, lora_alpha=8, target_modules=linears, modules_to_save=["lm_head"]),
            "embeddings": peft.LoraConfig(r=4, lora_alpha=8, target_modules=["embed_tokens", "q_proj"]),
            "dora": peft.LoraConfig(r=4, lora_alpha=8, target_modules=linears, use_dora=True),
            "ia3": peft.IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
            "loha": peft.LoHaConfig(r=4, alpha=8, target_modules=linears),
            "lokr": peft.LoKrConfig(r=4, alpha=8, target_modules=linears),
        }
        config = configs[kind]
        config.task_type = "CAUSAL_LM"
        model = peft.get_peft_model(copy.deepcopy(exact.model), config)
        for one in model.parameters():
            if one.requires_grad:
                one.data += 0.2 * torch.randn_like(one)
        model.peft_config["default"].base_model_name_or_path = "tiny"
        model.save_pretrained(folder, save_embedding_layers=False)

    inference.run(write)
    return folder


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`:UserWarning")
@pytest.mark.parametrize(
    ("kind", "method"),
    [
        *((kind, "lora") for kind in ("lora", "rank-stabilised", "other ranks", "other alphas", "a pattern")),
        *((kind, "lora") for kind in ("some layers", "with a head", "embeddings")),
        *((kind, kind) for kind in ("dora", "ia3", "loha", "lokr")),
    ],
)
def test_merged_or_beside_answers_are_the_same(exact: LocalModel, tmp_path: Path, kind: str, method: str) -> None:
    folder = kinds(exact, tmp_path / "adapter", kind)
    before, at = logits(exact, exact.model), pointers(exact.model)
    merged = load_adapter(exact, folder)
    assert (merged.merged, merged.files.method) == (True, method)
    found = logits(exact, merged.model)
    assert same(logits(exact, exact.model), before)
    beside = load_adapter(exact, folder, merge=False)
    assert beside.merged is False
    assert distance(found, logits(exact, beside.model)) < 1e-4
    assert distance(found, before) > 1e-2
    assert same(logits(exact, exact.model), before)
    assert pointers(exact.model) == at


# --- one at a time --------------------------------------------------------------------------------


def test_merged_weights_are_kept_for_one_adapter_at_a_time(base: LocalModel, lora: Path, tmp_path: Path) -> None:
    first = load_adapter(base, lora)
    expected, tree = logits(base, first.model), weakref.ref(first.model)
    assert is_ready(base, lora)
    windows = make_lora(tmp_path / "windows", seed=1)
    second = load_adapter(base, windows)
    assert (is_ready(base, lora), is_ready(base, windows)) == (False, True)
    gc.collect()
    assert tree() is None
    assert not same(logits(base, second.model), expected)
    assert same(logits(base, first.model), expected)  # made again for whoever still holds the first view
    assert (is_ready(base, lora), is_ready(base, windows)) == (True, False)
    assert load_adapter(base, lora) is first


def test_merged_weights_go_without_the_garbage_collector(base: LocalModel, lora: Path, tmp_path: Path) -> None:
    """The app spares the collector what its warm-up loaded, so nothing that is replaced may wait for it."""
    name = "model.layers.0.mlp.up_proj.weight"
    gc.collect()
    gc.disable()
    try:
        first = weakref.ref(dict(load_adapter(base, lora).model.named_parameters())[name])
        assert first() is not None
        load_adapter(base, make_lora(tmp_path / "gates", seed=1))
        inference.run(lambda: None)  # whose thread still held the last result
        assert first() is None
    finally:
        gc.enable()


def test_without_room_the_adapter_works_beside_its_base(base: LocalModel, lora: Path, no_room: None) -> None:
    view = load_adapter(base, lora)
    assert (view.merged, view.own_bytes) == (False, (lora / "adapter_model.safetensors").stat().st_size)
    assert view.how == f"beside the base's weights ({view.own_bytes / 1e6:.3g} MB), not merged"
    shared = set(pointers(base.model).values())
    assert {p for name, p in pointers(view.model).items() if "lora_" not in name} == shared
    own = [p for name, p in pointers(view.model).items() if "lora_" in name]
    assert len(own) == 2 * 7 * 2  # layers, linear layers of each, two matrices for each of those
    assert not shared & set(own)


def test_few_adapters_are_kept_beside_their_base(base: LocalModel, tmp_path: Path) -> None:
    folders = [make_lora(tmp_path / f"a{number}", seed=number) for number in range(5)]
    for folder in folders:
        load_adapter(base, folder, merge=False)
    assert [is_ready(base, folder, merge=False) for folder in folders] == [False, True, True, True, True]


def test_an_adapter_is_loaded_once_and_again_when_its_file_has_changed(base: LocalModel, lora: Path) -> None:
    first = load_adapter(base, lora)
    before = logits(base, first.model)
    assert load_adapter(base, lora) is first
    shutil.rmtree(lora)
    make_lora(lora, seed=6)
    second = load_adapter(base, lora)
    assert second.digest == sha256(lora / "adapter_model.safetensors") != first.digest
    assert not same(logits(base, second.model), before)
    assert fault(lambda: first.model) == ("The adapter doors has changed meanwhile.", "Ask again.")


def test_an_adapter_that_has_gone_is_not_ready(base: LocalModel, lora: Path) -> None:
    load_adapter(base, lora)
    assert is_ready(base, lora)
    (lora / "adapter_model.safetensors").unlink()
    assert not is_ready(base, lora)
    assert fault(lambda: load_adapter(base, lora))[0] == f"There is no adapter in {lora}."
