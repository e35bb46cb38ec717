"""Nothing of a model is unpickled, and none of its patterns keeps the server busy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from backends.models.model_files import check_model_files
from backends.models.weights import resolve
from backends.rag.search.embedder import Embedder
from backends.rag.search.reranker import Reranker
from tests.backends.models.made_adapters import fault

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
]
ONLY_SAFE = "Only safetensors are loaded; convert the model or choose another."


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A model with a Dense module."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "modules.json").write_text(json.dumps(MODULES))
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "model.safetensors").write_bytes(b"x")
    return folder


@pytest.mark.parametrize("where", ["2_Dense", "2_Dense/deeper", "query_0_Dense"])
def test_a_module_s_pickled_weights_are_refused_wherever_the_model_is_used(model: Path, where: str) -> None:
    (model / where).mkdir(exist_ok=True, parents=True)
    (model / where / "model.safetensors").unlink(missing_ok=True)
    (model / where / "pytorch_model.bin").write_bytes(b"x")
    said = (f"model holds pickled weights without safetensors ({where}/pytorch_model.bin).", ONLY_SAFE)
    assert fault(lambda: resolve(str(model), model.parent)) == said
    assert fault(Embedder(model, "cpu").load) == said
    assert fault(Reranker(str(model), model.parent).load) == said


def test_safetensors_beside_pickled_ones_are_enough(model: Path) -> None:
    for folder in (model, model / "2_Dense"):
        (folder / "pytorch_model.bin").write_bytes(b"x")
    assert resolve(str(model), model.parent).folder == model


@pytest.mark.parametrize("path", ["../2_Dense", "/tmp", "a/../../b", "..\\b"])
def test_a_module_outside_the_folder(model: Path, path: str) -> None:
    (model / "modules.json").write_text(json.dumps([MODULES[0], {"path": path}]))
    assert fault(lambda: check_model_files(model))[0] == "model names a module outside its folder."


@pytest.mark.parametrize("where", ["2_Dense", "2_Dense/deeper"])
def test_a_module_behind_a_link_that_leads_out_of_the_folder(model: Path, tmp_path: Path, where: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pytorch_model.bin").write_bytes(b"x")
    if (model / where).exists():
        shutil.rmtree(model / where)
    (model / where).symlink_to(elsewhere)
    assert fault(Embedder(model, "cpu").load)[0] == "model names a module outside its folder."


def test_files_may_be_links_as_in_the_cache_of_the_hub(model: Path, tmp_path: Path) -> None:
    blob = (model / "2_Dense" / "model.safetensors").rename(tmp_path / "blob")
    (model / "2_Dense" / "model.safetensors").symlink_to(blob)
    check_model_files(model)


@pytest.mark.parametrize("told", [{"modules_to_not_convert": ["(.|.)*!"]}, {"deep": [{"x": {"((.)+)+!": 1}}]}])
def test_a_pattern_that_never_ends(model: Path, told: dict[str, object]) -> None:
    config = json.loads((model / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitnet", **told}
    (model / "config.json").write_text(json.dumps(config))
    assert fault(lambda: resolve(str(model), model.parent))[0] == (
        "model has a pattern in quantization_config that may take forever to match."
    )


def test_names_and_one_star_are_no_such_pattern(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "modules_to_not_convert": ["lm_head", "model.layers.*.mlp"]}
    (model / "config.json").write_text(json.dumps(config))
    assert resolve(str(model), model.parent).folder == model
