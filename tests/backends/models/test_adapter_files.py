"""What an adapter's files say, without loading any of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from backends.models import adapter_files
from backends.models.adapter_files import AdapterFiles, Base, Fit, file_digest, fit, read
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


def claiming(lora: Path, claim: str | None, **config: object) -> AdapterFiles:
    """The adapter, with another name for its base."""
    (lora / "card.json").unlink(missing_ok=True)
    change_config(lora, base_model_name_or_path=claim, **config)
    return read(lora)


TINY = Base("acme/tiny", Path("/here/tiny-v2"))
OTHER = "Its tokenizer is another one"
NOT_KNOWN = "Shapes are compared once the base is loaded; whether its weights are those of this base is not known."


@pytest.mark.parametrize(
    "claim",
    [
        *("acme/tiny", "/models/tiny", "C:\\models\\tiny", "../tiny", "/here/tiny-v2", "./tiny/", "~/tiny"),
        *("acme/tiny/", "Acme/Tiny", "https://huggingface.co/acme/tiny", "huggingface.co/acme/tiny/tree/main"),
        "/home/user/.cache/huggingface/hub/models--acme--tiny/snapshots/12fd25f77366fa6b3b4b768ec3050bf629380bac",
        *("D:\\cache\\models--acme--tiny\\snapshots\\12fd25f77366", "acme/tiny@main", " acme/tiny "),
    ],
)
def test_names_that_are_the_bases_own(lora: Path, claim: str) -> None:
    assert fit(claiming(lora, claim), TINY) == Fit(True)


@pytest.mark.parametrize(
    "claim",
    [
        *("unsloth/tiny-bnb-4bit", "unsloth/tiny-unsloth-bnb-4bit", "other/tiny", "tiny", "models/tiny", "TINY-GPTQ"),
        *("/models/tiny-hf", "mirror/tiny-GGUF", "models--other--tiny"),
    ],
)
def test_names_that_mean_a_copy_of_the_base_are_taken_with_a_note(lora: Path, claim: str) -> None:
    note = f"It was trained for {claim}, by its name a copy of acme/tiny. {NOT_KNOWN}"
    assert fit(claiming(lora, claim), TINY) == Fit(True, note)


@pytest.mark.parametrize("claim", ["acme/other", "/models/other", "acme/tiny-2", "acme/tiny-instruct", "acme/bit", "/"])
def test_a_base_of_quite_another_name_is_taken_if_one_says_so(lora: Path, claim: str) -> None:
    files = claiming(lora, claim)
    assert fit(files, TINY) == Fit(False, f"It was trained for {claim}, not for acme/tiny.", by_name_alone=True)
    note = f"It was trained for {claim}, by its name not acme/tiny. {NOT_KNOWN}"
    assert fit(files, TINY, any_base_name=True) == Fit(True, note)


def test_what_an_adapter_calls_its_base_is_shown_in_one_short_line(lora: Path) -> None:
    (words,) = fit(claiming(lora, "a\n\u202eb  " + "x" * 5_000), TINY).reason.splitlines()
    assert words.startswith("It was trained for a b xxx")
    assert len(words) < 300


def test_a_folder_of_the_hubs_cache_states_the_revision(lora: Path) -> None:
    commit, other = "12fd25f77366" + "0" * 28, "ab" * 20
    files = claiming(lora, f"/c/models--acme--tiny/snapshots/{commit}")
    assert fit(files, Base("acme/tiny", revision=commit)) == Fit(True)
    words = f"It was trained on revision {commit}; this base is revision {other}."
    assert fit(files, Base("acme/tiny", revision=other)) == Fit(True, words)
    assert fit(files, Base("acme/tiny", revision="b179c9523d0e")) == Fit(True)  # of a package, which has no commit


@pytest.mark.parametrize("any_base_name", [True, False])
@pytest.mark.parametrize("claim", ["acme/other", "unsloth/tiny-bnb-4bit"])
def test_shapes_layers_and_tokenizer_speak_against_a_base_of_another_name(
    lora: Path, tmp_path: Path, claim: str, any_base_name: bool
) -> None:
    files = claiming(lora, claim)
    foreign = "It was trained for acme/other, not for acme/tiny. " if claim == "acme/other" else ""
    three = {f"model.layers.{n}.self_attn.q_proj.weight": (32, 32) for n in range(3)}
    one = with_shapes(lora, model__layers__0__self_attn__q_proj__lora_A__weight=(4, 32))
    assert fit(read(one), Base("acme/tiny", shapes=three), any_base_name) == Fit(
        False, f"{foreign}It adapts 1 of the base's 3 layers."
    )
    change_config(lora, layers_to_transform=[0])
    assert fit(read(lora), Base("acme/tiny", shapes=three), any_base_name).fits is (
        any_base_name or claim != "acme/other"
    )
    wide = with_shapes(lora, model__layers__0__self_attn__q_proj__lora_A__weight=(4, 48))
    assert fit(read(wide), Base("acme/tiny", shapes=three), any_base_name) == Fit(
        False, f"{foreign}It needs model.layers.0.self_attn.q_proj.weight to be 48 wide; in the base it is 32."
    )
    assert files.base_model == claim


@pytest.mark.parametrize(
    ("own", "there", "reason"),
    [
        ({"a": 0, "b": 1}, {"a": 0, "b": 1}, ""),
        ({"a": 0}, {"a": 0, "b": 1}, ""),
        (
            {"a": 1, "c": 0},
            {"a": 0, "b": 1},
            "Its tokenizer is another one: 2 tokens, of which 2 are not the base's 2.",
        ),
        (
            [["a", -1.0], ["c", -2.0]],
            [["a", -1.5]],
            "Its tokenizer is another one: 2 tokens, of which 1 are not the base's 1.",
        ),
        ("odd", {"a": 0}, ""),
    ],
)
def test_another_tokenizer_speaks_against_a_base_of_another_name(
    lora: Path, tmp_path: Path, own: object, there: object, reason: str
) -> None:
    files = claiming(lora, "other/tiny")
    (tmp_path / "base").mkdir()
    for folder, vocabulary in ((lora, own), (tmp_path / "base", there)):
        (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}))
    found = fit(files, Base("acme/tiny", tmp_path / "base"))
    assert (found.fits, found.reason if reason else "") == (not reason, reason)
    change_config(lora, base_model_name_or_path="acme/tiny")
    assert fit(read(lora), Base("acme/tiny", tmp_path / "base")) == Fit(True)


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
