"""Vectors as the library makes them, whatever the model is made of; in 8 bits almost so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.errors import BackendError
from backends.models import inference
from backends.rag.search.embedder import BATCH_SIZE, Embedder

TEXTS = (
    "The kettle K2 holds 1.7 litres and switches itself off when the water boils.",
    "Returns",
    "Opened machines may be returned within 30 days; grinders, which touch food, only if they are faulty. " * 3,
    "",
    "Die Anlage ist täglich zu reinigen. 機械は毎日清掃してください。",
    "Every claim under the warranty needs the serial number and the date of purchase. " * 40,
)


@pytest.fixture(scope="module")
def int8(weights_folder: Path) -> Embedder:
    return Embedder(weights_folder, "cpu", "all-MiniLM-L6-v2@test", int8=True)


@pytest.fixture(scope="module")
def headed(weights_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with prompts, another pooling and a head, and random weights."""

    def write() -> Path:
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
        from transformers import AutoTokenizer, BertConfig, BertModel

        torch.manual_seed(3)
        base, folder = tmp_path_factory.mktemp("base"), tmp_path_factory.mktemp("headed")
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        BertModel(BertConfig(**sizes, initializer_range=0.3)).save_pretrained(base)
        AutoTokenizer.from_pretrained(weights_folder).save_pretrained(base)
        modules = [Transformer(str(base), max_seq_length=64), Pooling(32, "cls"), Dense(32, 8)]
        prompts = {"query": "query: ", "document": "passage: "}
        SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save_pretrained(str(folder))
        return folder

    return inference.run(write)


def by_library(embedder: Embedder, texts: Sequence[str]) -> Any:
    encode = embedder.load().encode_document
    return inference.run(encode, list(texts), normalize_embeddings=True, show_progress_bar=False)


def cosines(one: Any, other: Any) -> Any:
    return (one * other).sum(1)


def test_documents_are_embedded_as_the_library_does_it_and_in_order(embedder: Embedder) -> None:
    vectors = embedder.embed_documents(TEXTS)
    assert vectors.dtype == np.float32
    assert np.allclose(vectors, by_library(embedder, TEXTS), atol=1e-5)
    assert embedder.embed_documents([]).shape == (0, embedder.dimension)


def test_more_texts_than_fit_into_a_pass_keep_their_order(embedder: Embedder) -> None:
    texts = [f"Part {number}" + " costs more" * (number % 7) for number in range(BATCH_SIZE + 3)]
    assert np.allclose(embedder.embed_documents(texts), by_library(embedder, texts), atol=1e-5)


def test_a_model_with_prompts_another_pooling_and_a_head_works_the_same(headed: Path) -> None:
    model = Embedder(headed, "cpu")
    vectors = model.embed_documents(TEXTS)
    assert vectors.shape == (len(TEXTS), 8) == (len(TEXTS), model.dimension)
    assert np.allclose(vectors, by_library(model, TEXTS), atol=1e-5)
    assert model.embed_query(TEXTS[0]) @ vectors[0] < 0.999  # another prompt


def test_8_bits_change_little(embedder: Embedder, int8: Embedder) -> None:
    exact, vectors = embedder.embed_documents(TEXTS), int8.embed_documents(TEXTS)
    assert cosines(exact, vectors).min() > 0.99
    assert cosines(exact, vectors)[[0, 2]].min() > 0.998
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_company_changes_a_vector_no_more_than_rounding_does(int8: Embedder) -> None:
    together = int8.embed_documents(TEXTS)
    alone = np.concatenate([int8.embed_documents([text]) for text in TEXTS])
    assert cosines(together, alone).min() > 0.998


def test_questions_stay_exact(embedder: Embedder, int8: Embedder) -> None:
    assert np.array_equal(embedder.embed_query(TEXTS[0]), int8.embed_query(TEXTS[0]))


def test_where_8_bits_are_not_fast_documents_are_exact(
    weights_folder: Path, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu._is_vnni_supported", lambda: False)
    elsewhere = Embedder(weights_folder, "cpu", "all-MiniLM-L6-v2@test", int8=True)
    assert np.array_equal(elsewhere.embed_documents(TEXTS), embedder.embed_documents(TEXTS))


def test_the_identity_says_how_documents_are_embedded(weights_folder: Path) -> None:
    assert Embedder(weights_folder, "cpu", "owner/name@12").identity == "owner/name@12"
    assert Embedder(weights_folder, "cpu", "owner/name@12", int8=True).identity == "owner/name@12 int8"


def test_batches_hold_neighbours_in_length_up_to_a_number_of_tokens(embedder: Embedder) -> None:
    texts = ["word " * (1 + (number * 37) % 100) for number in range(64)]
    lengths = [len(one) for one in embedder.tokenizer.encode_batch(texts)]
    batches = embedder._batches(texts, 2)
    assert sorted(place for places in batches for place in places) == list(range(64))
    padded = [len(places) * max(lengths[place] for place in places) for places in batches]
    assert sum(padded) < 1.15 * sum(lengths)
    assert max(padded) <= 1.1 * 512


def test_a_few_short_texts_are_shared_out(embedder: Embedder) -> None:
    assert [len(places) for places in embedder._batches(["A short text."] * 8, 2)] == [4, 4]


def test_a_folder_without_weights_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BackendError, match="cannot be loaded") as caught:
        Embedder(tmp_path, "cpu", "broken@1").embed_documents(["text"])
    assert "rag.embedder" in caught.value.next_step
