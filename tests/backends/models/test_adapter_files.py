"""What an adapter's files say, without loading any of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from backends.models import adapter_files
from backends.models.adapter_files import Base, Fit, file_digest, fit, read
from backends.storage.files import sha256
from tests.backends.models.made_adapters import change_config, fault, make_lora

WEIGHTS = "adapter_model.safetensors"
SHAPES = {"model.layers.0.self_attn.q_proj.weight": (32, 32), "model.norm.weight": (32,)}


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return make_lora(tmp_path / "doors", card={"base_model": "tiny", "base_revision": "abc"})


def with_shapes(folder: Path, **shapes: tuple[int, ...]) -> Path:
    """The adapter with other tensors, of zeros."""
    import numpy
    from safetensors.numpy import save_file

    tensors = {name.replace("__", "."): numpy.zeros(shape, "float32") for name, shape in shapes.items()}
    save_file({f"base_model.model.{name}": one for name, one in tensors.items()}, folder / WEIGHTS)
    return folder


def test_reading_gives_shapes_hash_and_method(lora: Path) -> None:
    files = read(lora)
    assert (files.name, files.base_model, files.method) == ("doors", "tiny", "lora")
    assert files.sha256 == sha256(lora / WEIGHTS)
    assert files.size_bytes == (lora / WEIGHTS).stat().st_size
    assert len(files.shapes) == 2 * 7 * 2
    assert files.shapes["base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"] == (64, 4)


@pytest.mark.parametrize("cut", [0, 4, 40, -1])
def test_weights_that_are_cut_off_are_damaged(lora: Path, cut: int) -> None:
    content = (lora / WEIGHTS).read_bytes()
    (lora / WEIGHTS).write_bytes(content[:cut])
    assert fault(lambda: read(lora)) == (f"{WEIGHTS} of the adapter doors is damaged.", "Restore the adapter.")


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{}",
        b"[" * 3000,
        b'{"a": 1}',
        b'{"a": {"shape": [1], "data_offsets": [0]}}',
        b'{"a": {"shape": "x", "data_offsets": [0, 0]}}',
        b'{"a": {"shape": [1], "data_offsets": [0, "x"]}}',
    ],
)
def test_a_header_that_is_none(lora: Path, header: bytes) -> None:
    (lora / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header)
    assert fault(lambda: read(lora))[0] == f"{WEIGHTS} of the adapter doors is damaged."


def test_a_header_that_claims_to_be_huge_is_not_read(lora: Path) -> None:
    (lora / WEIGHTS).write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    assert fault(lambda: read(lora))[0] == f"{WEIGHTS} of the adapter doors is damaged."


def test_pickled_weights_are_named(lora: Path) -> None:
    (lora / WEIGHTS).rename(lora / "adapter_model.bin")
    assert fault(lambda: read(lora))[1].startswith("Only safetensors are loaded; ")


def test_the_hash_noted_at_the_import_is_checked(lora: Path) -> None:
    (lora / "origin.json").write_text(json.dumps({"kind": "Hub", "sha256": "0" * 64}))
    assert fault(lambda: read(lora))[0] == (
        f"The adapter doors is damaged: its sha256 is {sha256(lora / WEIGHTS)}, not {'0' * 64}."
    )


def test_a_hash_is_computed_once_while_the_file_stays_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    asked: list[Path] = []

    def counted(path: Path) -> str:
        asked.append(path)
        return sha256(path)

    monkeypatch.setattr(adapter_files, "sha256", counted)
    now = time.time_ns()

    def digest() -> str:
        return file_digest(file, lambda: now)

    assert digest() == digest() == sha256(file)
    assert len(asked) == 2  # it has just been written: its time stamp could not tell another change
    now += 2_000_000_000
    assert digest() == digest() == sha256(file)
    assert len(asked) == 3
    before = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest() == sha256(file)
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("claim", "fits"),
    [
        ("acme/tiny", True),
        ("/models/tiny", True),
        ("C:\\models\\tiny", True),
        ("../tiny", True),
        ("/here/tiny-v2", True),
        ("acme/other", False),
        ("other/tiny", False),
        ("/models/other", False),
    ],
)
def test_whom_an_adapter_was_trained_for(lora: Path, claim: str, fits: bool) -> None:
    (lora / "card.json").unlink()
    change_config(lora, base_model_name_or_path=claim)
    reason = "" if fits else f"It was trained for {claim}, not for acme/tiny."
    assert fit(read(lora), Base("acme/tiny", Path("/here/tiny-v2"))) == Fit(fits, reason)


def test_an_adapter_that_names_no_base(lora: Path) -> None:
    (lora / "card.json").unlink()
    change_config(lora, base_model_name_or_path=None)
    assert fit(read(lora), Base("tiny")) == Fit(True, "It does not say which base it was trained on.")


def test_another_revision_of_the_base_is_said(lora: Path) -> None:
    assert fit(read(lora), Base("tiny", revision="abc")) == Fit(True)
    assert fit(read(lora), Base("tiny", revision="def")) == Fit(
        True, "It was trained on revision abc; this base is revision def."
    )


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({"model__layers__0__self_attn__q_proj__lora_A__weight": (4, 32)}, ""),
        (
            {"model__layers__0__self_attn__q_proj__lora_A__weight": (4, 48)},
            "It needs model.layers.0.self_attn.q_proj.weight to be 48 wide; in the base it is 32.",
        ),
        (
            {"model__layers__9__self_attn__q_proj__lora_B__weight": (32, 4)},
            "It adapts model.layers.9.self_attn.q_proj.weight, which the base does not have.",
        ),
        ({"model__norm__weight": (48,)}, "Its model.norm.weight is 48; in the base it is 32."),
        ({"model__norm__ln_tuning_layers__weight": (2, 3)}, "Its model.norm.weight is 2 × 3; in the base it is 32."),
    ],
)
def test_shapes_decide_once_the_base_is_in_memory(lora: Path, shapes: dict[str, tuple[int, ...]], reason: str) -> None:
    (lora / "card.json").unlink()
    files = read(with_shapes(lora, **shapes))
    assert fit(files, Base("tiny", shapes=SHAPES)) == Fit(not reason, reason)
    assert fit(files, Base("tiny")) == Fit(True)


@pytest.mark.parametrize("transposed", [True, False])
def test_a_base_that_keeps_its_weights_as_in_by_out_is_read_so(lora: Path, transposed: bool) -> None:
    """As GPT-2 does, which peft notes as `fan_in_fan_out`."""
    (lora / "card.json").unlink()
    module = "transformer__h__0__attn__c_attn"
    tensors = {f"{module}__lora_A__weight": (4, 32), f"{module}__lora_B__weight": (96, 4)}
    change_config(lora, fan_in_fan_out=transposed)
    found = fit(
        read(with_shapes(lora, **tensors)),
        Base("tiny", shapes={f"{module.replace('__', '.')}.weight": (32, 96)}),
    )
    misfit = "It needs transformer.h.0.attn.c_attn.weight to be 32 wide; in the base it is 96."
    assert found == (Fit(True) if transposed else Fit(False, misfit))
