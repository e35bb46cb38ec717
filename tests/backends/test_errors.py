"""Too little memory is told as such, wherever it shows; every other surprise by its kind."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.errors import BackendError, is_out_of_memory, too_little_memory, unexpected_fault
from backends.fine_tuned.train.training import TrainingSettings
from backends.models.adapter_view import load_adapter
from backends.rag.search.embedder import Embedder
from backends.rag.search.reranker import Reranker
from backends.raw import RawBackend
from tests.backends.fine_tuned.small_training import base_of, tiny_settings, trained

MAKE_ROOM = "Close other programs, or choose a smaller model."


def no_memory(*_: Any, **__: Any) -> Any:
    """torch's own error: more is asked for than any machine has."""
    import torch

    return torch.empty(1 << 60, dtype=torch.uint8)


def fault(call: Callable[[], object]) -> str:
    with pytest.raises(BackendError) as caught:
        call()
    return str(caught.value)


def test_lack_of_memory_is_known_by_what_torch_says() -> None:
    with pytest.raises(RuntimeError) as caught:
        no_memory()
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(OSError("not enough memory"))


def test_the_sentences() -> None:
    assert str(unexpected_fault("raw", MemoryError())) == f"raw failed: there was not enough memory. {MAKE_ROOM}"
    assert str(unexpected_fault("Training", KeyError("x"))) == (
        "Training failed unexpectedly (KeyError). The log has the details; try again."
    )
    assert str(too_little_memory("the reranker a/b")) == f"There is not enough memory for the reranker a/b. {MAKE_ROOM}"


def test_a_base_that_does_not_fit(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(tiny_model, tmp_path / "tiny")  # of which nothing is in memory yet
    raw = RawBackend(tiny_settings(tmp_path / "tiny", tmp_path))
    monkeypatch.setattr("torch.nn.Module.to", no_memory)
    assert fault(lambda: list(raw.load(threading.Event()))).startswith("There is not enough memory for tiny. ")
    monkeypatch.undo()
    list(raw.load(threading.Event()))
    assert raw.base.model.device.type == "cpu", "the next attempt is not spoiled by the first"


def test_an_adapter_that_does_not_fit_into_memory_is_not_called_foreign(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny_settings(tiny_model, tmp_path)
    trained(settings, TrainingSettings(epochs=1, answers_every=0, precision="float32"))
    base, folder = base_of(settings), settings.data / "adapters" / "doors"
    monkeypatch.setattr("torch.Tensor.addmm_", no_memory)
    wanted = f"There is not enough memory for the adapter doors over its base. {MAKE_ROOM}"
    assert fault(lambda: load_adapter(base, folder)) == wanted
    monkeypatch.setattr("peft.PeftModel.from_pretrained", no_memory)
    assert fault(lambda: load_adapter(base, folder, merge=False)) == wanted


def test_embedder_and_reranker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentence_transformers.SentenceTransformer.__init__", no_memory)
    monkeypatch.setattr("sentence_transformers.CrossEncoder.__init__", no_memory)
    (tmp_path / "config.json").write_text('{"architectures": ["BertForSequenceClassification"]}')
    (tmp_path / "tokenizer.json").write_text("{}")
    assert fault(Embedder(tmp_path, "cpu", "acme/small").load).startswith(
        "There is not enough memory for the embedder acme/small. "
    )
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert fault(lambda: Reranker(str(tmp_path), tmp_path, "cpu").load()).startswith(
        f"There is not enough memory for the reranker {tmp_path}. "
    )
