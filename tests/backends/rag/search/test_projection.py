"""Where chunks lie on the map: neighbours stay neighbours, a question lies among its passages, a map is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from backends.rag.documents.chunks import chunk, embedded_texts
from backends.rag.documents.files import Document, read_documents
from backends.rag.search import projection
from backends.rag.search.embedder import Embedder
from backends.rag.search.projection import Projection, lay_out, place, sample, store, stored

HANDBOOK = Path(__file__).resolve().parents[4] / "sample_docs" / "handbook"
FILES = ("returns-policy.pdf", "kettle-k3-manual.html", "onboarding-guide.txt", "price-list.csv")

Vectors = NDArray[np.float32]


def mapped(vectors: Vectors, version: str = "v1") -> Projection:
    *_, last = lay_out(version, range(100, 100 + len(vectors)), vectors, threading.Event())
    assert last.result is not None
    return last.result


@pytest.fixture(scope="module")
def handbook(embedder: Embedder) -> tuple[list[str], Vectors]:
    """The document of each chunk, and its vector, of four files of the sample handbook."""
    names, parts = [], []
    for document in read_documents([HANDBOOK / name for name in FILES], 25, threading.Event()):
        assert isinstance(document, Document)
        chunks = chunk(document, embedder.tokenizer, 128, 32)
        names += [document.name] * len(chunks)
        parts.append(embedder.embed_documents(embedded_texts(chunks, embedder.tokenizer)))
    return names, np.concatenate(parts)


@pytest.fixture(scope="module")
def handbook_map(handbook: tuple[list[str], Vectors]) -> Projection:
    return mapped(handbook[1])


@pytest.mark.slow
def test_passages_of_one_document_lie_together(handbook: tuple[list[str], Vectors], handbook_map: Projection) -> None:
    names = np.array(handbook[0])
    xy = handbook_map.xy
    assert handbook_map.rows == tuple(range(100, 100 + len(names)))
    assert (handbook_map.total, handbook_map.sampled) == (len(names), False)
    assert xy.min(axis=0).tolist() == [-1, -1]
    assert xy.max(axis=0).tolist() == [1, 1]
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(apart, 9)
    nearest = names[apart.argmin(axis=1)]
    assert (nearest == names).mean() > 0.8  # of four documents; chance is about 0.3


@pytest.mark.slow
def test_a_question_lies_among_its_passages(
    handbook: tuple[list[str], Vectors], handbook_map: Projection, embedder: Embedder
) -> None:
    names, vectors = handbook
    asked = embedder.embed_query("How do I descale the K3 kettle?")
    (where,) = place(asked, vectors, handbook_map.xy)
    nearest = int(np.linalg.norm(handbook_map.xy - where, axis=1).argmin())
    assert names[nearest] == "kettle-k3-manual.html"


@pytest.mark.slow
def test_the_same_vectors_give_the_same_map(handbook: tuple[list[str], Vectors], handbook_map: Projection) -> None:
    assert np.array_equal(mapped(handbook[1]).xy, handbook_map.xy)


def test_what_is_placed_lies_where_its_neighbours_are() -> None:
    shown = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], dtype=np.float32)
    xy = np.array([[0, 0], [1, 0], [0, 1], [9, 9]], dtype=np.float32)
    weights = np.array([1.0, 0.8**8, 0.001**8])
    (where,) = place(np.array([1, 0], dtype=np.float32), shown, xy)
    expected = (xy[:3] * weights[:, None]).sum(axis=0) / weights.sum()
    assert where == pytest.approx(expected, abs=1e-6)
    assert place(shown[:2], shown[:1], xy[:1]).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match="empty map"):
        place(shown[0], shown[:0], xy[:0])


def test_a_question_unlike_everything_still_has_a_place() -> None:
    shown = np.array([[0, 1], [0, 1], [0, 1]], dtype=np.float32)
    xy = np.array([[0, 0], [3, 0], [0, 3]], dtype=np.float32)
    (where,) = place(np.array([1, 0], dtype=np.float32), shown, xy)
    assert where == pytest.approx([1, 1])


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_a_few_chunks_have_a_map_too(count: int) -> None:
    vectors = np.eye(8, dtype=np.float32)[:count]
    found = mapped(vectors)
    assert found.xy.shape == (count, 2)
    assert np.isfinite(found.xy).all()
    assert found.total == count


@pytest.mark.parametrize("count", [2, 8, 30])
def test_equal_chunks_lie_on_one_point(count: int) -> None:
    found = mapped(np.ones((count, 4), dtype=np.float32) / 2)
    assert found.xy.tolist() == [[0, 0]] * count


def test_of_a_large_collection_every_nth_chunk_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "MAX_POINTS", 10)
    assert sample(10) == list(range(10))
    assert sample(25) == [0, 2, 5, 7, 10, 12, 15, 17, 20, 22]
    vectors = np.random.default_rng(0).normal(size=(25, 6)).astype(np.float32)
    found = mapped(vectors)
    assert found.rows == tuple(100 + index for index in sample(25))
    assert (found.total, found.sampled) == (25, True)


def test_every_step_takes_a_turn_and_a_cancelled_map_ends() -> None:
    turns = []
    cancel = threading.Event()

    @contextmanager
    def turn() -> Iterator[None]:
        turns.append(len(turns))
        yield

    vectors = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    steps = lay_out("v1", range(20), vectors, cancel, turn)
    assert [(step.done, step.total) for step in (next(steps), next(steps))] == [(1, 5), (1, 5)]
    cancel.set()
    assert list(steps) == []
    assert turns == [0, 1]


# --- kept ---------------------------------------------------------------------------------------


@pytest.fixture
def example() -> Projection:
    return Projection("v1", (3, 5), np.array([[0, 1], [-1, 0.5]], dtype=np.float32), 7)


def forgotten(data: Path) -> None:
    """As a new process finds it."""
    projection._maps.pop(projection._file(data, "handbook"), None)


def test_a_map_is_kept_for_its_version(tmp_path: Path, example: Projection) -> None:
    assert stored(tmp_path, "handbook", "v1") is None
    store(tmp_path, "handbook", example)
    assert stored(tmp_path, "handbook", "v1") is example
    assert stored(tmp_path, "handbook", "v2") is None
    assert stored(tmp_path, "other", "v1") is None
    forgotten(tmp_path)
    again = stored(tmp_path, "handbook", "v1")
    assert again is not None
    assert (again.version, again.rows, again.total) == ("v1", (3, 5), 7)
    assert np.array_equal(again.xy, example.xy)
    assert [file.suffix for file in (tmp_path / "index" / "maps").iterdir()] == [".npz"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", b"not a map at all"])
def test_a_damaged_map_is_made_again(tmp_path: Path, example: Projection, damage: bytes) -> None:
    store(tmp_path, "handbook", example)
    (file,) = (tmp_path / "index" / "maps").iterdir()
    file.write_bytes(damage)
    forgotten(tmp_path)
    assert stored(tmp_path, "handbook", "v1") is None
    store(tmp_path, "handbook", example)
    forgotten(tmp_path)
    assert stored(tmp_path, "handbook", "v1") is not None
