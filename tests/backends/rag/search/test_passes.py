"""Passes side by side give what one pass gives, and leave the threads of others alone."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from backends.models import inference
from backends.rag.search.embedder import Embedder

BATCHES = [[f"Part number {number} costs {number * 3} EUR" + " and more" * number] for number in range(12)]


@pytest.fixture(params=[1, 2])
def passes(embedder: Embedder, request: pytest.FixtureRequest) -> Any:
    """Passes on a machine of one core, and on one of two."""

    def make() -> Any:
        import torch

        from backends.rag.search.passes import Passes

        before = torch.get_num_threads()
        torch.set_num_threads(request.param)
        try:
            made = Passes(model, eights=False)
            assert torch.get_num_threads() == request.param
            return made
        finally:
            torch.set_num_threads(before)

    model = embedder.load()
    made = inference.run(make)
    assert made.at_once == request.param
    return made


def test_each_batch_gets_its_own_vectors(passes: Any, embedder: Embedder) -> None:
    found = inference.run(passes.run, BATCHES)
    assert len(found) == len(BATCHES)
    for batch, vectors in zip(BATCHES, found, strict=True):
        assert np.allclose(vectors, embedder.embed_documents(batch), atol=1e-6)


def test_a_fault_is_raised_and_the_next_batch_works(passes: Any) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        inference.run(passes.run, [[], ["text"]])
    assert [len(vectors) for vectors in inference.run(passes.run, [["text"], ["text"], ["text"]])] == [1, 1, 1]


def test_no_thread_outlives_the_work(passes: Any) -> None:
    """As long as one lives, the inference thread is slowed down."""
    inference.run(passes.run, BATCHES)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("embedding")] == []


def test_other_threads_keep_all_cores(passes: Any) -> None:
    import torch

    before = inference.run(torch.get_num_threads)
    inference.run(passes.run, BATCHES)
    assert inference.run(torch.get_num_threads) == before
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [before]


def test_the_weights_are_in_memory_once(passes: Any, embedder: Embedder) -> None:
    tensors = {tensor.data_ptr() for tensor in embedder.load().parameters()}
    assert all({tensor.data_ptr() for tensor in model.parameters()} == tensors for model in passes._models)


def test_8_bits_are_for_the_transformer_alone(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> list[str]:
        from backends.rag.search.passes import Passes

        model = Passes(embedder.load(), eights=True)._models[0]
        return [type(module).__name__ for module in model.modules() if "Linear" in type(module).__name__]

    monkeypatch.setattr("torch.cpu._is_vnni_supported", lambda: True)
    assert set(inference.run(make)) == {"Int8Linear"}
    kinds = {type(module).__name__ for module in embedder.load().modules()}
    assert "Linear" in kinds
    assert "Int8Linear" not in kinds
