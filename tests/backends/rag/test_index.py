"""A collection in a real Chroma database with the real embedder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backends.base import BackendError
from backends.rag.documents import Source
from backends.rag.embedder import Embedder
from backends.rag.index import DocumentInfo, Index
from backends.rag.store import open_store
from backends.settings import RagSettings
from tests.backends.rag.conftest import make_pdf

NEVER = threading.Event()
SETTINGS = RagSettings(chunk_tokens=48, overlap_tokens=8)

TEXTS = {
    "returns.md": "# Returns\n\nUnopened goods may be returned within 45 days of delivery.",
    "leave.txt": "Every employee has 27 days of paid holiday a year.",
    "sub/kettle.csv": "item,price\nKettle K2,49 pounds\nKettle K3,89 pounds\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "manual.pdf").write_bytes(make_pdf(["Fill the tank with water.", "Descale every 60 days."]))
    return folder


@pytest.fixture
def index(tmp_path: Path, embedder: Embedder) -> Iterator[Index]:
    yield Index(tmp_path / "data", "My händbook / 2025", embedder, SETTINGS)
    open_store(tmp_path / "data", None).close()


def fill(index: Index, *paths: Path | Source) -> dict[str, str]:
    return {progress.file: progress.state for progress in index.add(paths, NEVER)}


def test_what_was_indexed_is_found_with_page_and_offsets(index: Index, folder: Path) -> None:
    progress = list(index.add([folder], NEVER))
    assert [(one.files_done, one.files_total, one.chunks_done, one.file, one.state) for one in progress] == [
        (1, 4, 1, "leave.txt", "indexed"),
        (2, 4, 3, "manual.pdf", "indexed"),
        (3, 4, 4, "returns.md", "indexed"),
        (4, 4, 5, "sub/kettle.csv", "indexed"),
    ]
    assert index.count() == 5
    index.check()
    best = index.search("How many days of vacation do I get?", 3)
    assert len(best) == 3
    assert (best[0].document, best[0].page, best[0].text) == ("leave.txt", None, TEXTS["leave.txt"])
    assert best[0].score > best[1].score >= best[2].score
    (descale,) = index.search("when to descale", 1)
    assert (descale.document, descale.page, descale.start, descale.end) == ("manual.pdf", 2, 27, 49)
    assert len(descale.chunk_id) == 12
    assert index.search("when to descale", 50, min_score=0.999) == ()
    assert index.search("  ", 5) == ()


def test_the_score_is_the_cosine_similarity(index: Index, folder: Path, embedder: Embedder) -> None:
    fill(index, folder / "leave.txt")
    (hit,) = index.search("paid holiday", 4)
    document, query = embedder.embed_documents([f"leave\n{hit.text}"])[0], embedder.embed_query("paid holiday")
    assert hit.score == pytest.approx(float(document @ query), abs=1e-5)
    assert float(np.linalg.norm(document)) == pytest.approx(1, abs=1e-5)


def test_documents_lists_what_is_there(index: Index, folder: Path) -> None:
    assert index.documents() == []
    assert index.count() == 0
    fill(index, folder)
    listed = index.documents()
    assert [one.name for one in listed] == ["leave.txt", "manual.pdf", "returns.md", "sub/kettle.csv"]
    assert listed[1] == DocumentInfo("manual.pdf", listed[1].sha256, "pdf", 2, 2)
    assert listed[2].pages is None


def test_unchanged_files_are_skipped_and_changed_ones_replaced(index: Index, folder: Path) -> None:
    fill(index, folder)
    (folder / "leave.txt").write_text("Every employee has 31 days of paid holiday a year.")
    (folder / "returns.md").unlink()
    assert fill(index, folder) == {"leave.txt": "replaced", "manual.pdf": "skipped", "sub/kettle.csv": "skipped"}
    assert index.count() == 5  # a document that vanished from the folder stays
    assert [hit.text for hit in index.search("paid holiday", 5) if hit.document == "leave.txt"] == [
        "Every employee has 31 days of paid holiday a year."
    ]


def test_other_chunk_settings_make_new_chunks(index: Index, folder: Path, tmp_path: Path, embedder: Embedder) -> None:
    fill(index, folder / "leave.txt")
    other = Index(tmp_path / "data", index.collection, embedder, RagSettings(chunk_tokens=40, overlap_tokens=0))
    assert fill(other, folder / "leave.txt") == {"leave.txt": "replaced"}
    assert index.count() == 1


def test_a_bad_file_is_rejected_and_the_others_are_indexed(index: Index, folder: Path) -> None:
    (folder / "empty.md").touch()
    rejected = [one for one in index.add([folder], NEVER) if one.state == "rejected"]
    assert [(one.file, one.cause) for one in rejected] == [("empty.md", "The file is empty (0 bytes).")]
    assert rejected[0].next_step == "Check that it was saved or copied completely."
    assert len(index.documents()) == 4


def test_the_same_content_and_the_same_name_can_occur_twice(index: Index, tmp_path: Path) -> None:
    for name, text in {"a/x.txt": "Same text.", "a/y.txt": "Same text.", "b/x.txt": "Another text."}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert fill(index, tmp_path / "a", tmp_path / "b") == {
        "x.txt": "indexed",
        "y.txt": "indexed",
        "b/x.txt": "indexed",
    }
    index.check()
    assert fill(index, tmp_path / "b" / "x.txt") == {"b/x.txt": "skipped"}
    assert fill(index, Source(tmp_path / "b" / "x.txt", "x.txt", named=True)) == {"x.txt": "replaced"}
    assert sorted(hit.document for hit in index.search("text", 9)) == ["b/x.txt", "x.txt", "y.txt"]


def test_cancelling_keeps_what_is_finished(index: Index, folder: Path) -> None:
    cancel = threading.Event()
    for progress in index.add([folder], cancel):
        if progress.files_done == 2:
            cancel.set()
    assert [one.name for one in index.documents()] == ["leave.txt", "manual.pdf"]
    assert fill(index, folder)["sub/kettle.csv"] == "indexed"


def test_what_a_dead_writer_left_half_written_is_removed(index: Index, folder: Path, tmp_path: Path) -> None:
    fill(index, folder / "leave.txt")
    store = open_store(tmp_path / "data", None)
    (stored,) = index._records.documents().values()
    store.wrote(index._name, {"collection": index._name, "document": "leave.txt", "revision": stored.revision})
    assert fill(index, folder / "returns.md", folder / "leave.txt") == {"leave.txt": "indexed", "returns.md": "indexed"}
    assert index.count() == 2


def test_deleting_and_dropping(index: Index, folder: Path, tmp_path: Path) -> None:
    fill(index, folder)
    index.delete("manual.pdf")
    assert [one.name for one in index.documents()] == ["leave.txt", "returns.md", "sub/kettle.csv"]
    with pytest.raises(BackendError, match=r"^There is no document manual\.pdf in My händbook"):
        index.delete("manual.pdf")
    index.drop()
    assert index.documents() == []
    assert [path.name for path in (tmp_path / "data" / "index").iterdir() if path.is_dir()] == []
    index.drop()
    assert fill(index, folder)["manual.pdf"] == "indexed"


def test_an_empty_collection_says_how_to_fill_it(tmp_path: Path, embedder: Embedder, index: Index) -> None:
    default = Index(tmp_path / "data", "handbook", embedder, SETTINGS)
    for ask in (default.check, lambda: default.search("x", 3)):
        with pytest.raises(BackendError) as fault:
            ask()
        assert fault.value.cause == "The collection handbook is empty."
        assert fault.value.next_step == "Index documents with `crossroads index PATH`."
    with pytest.raises(BackendError, match=r"index PATH --collection 'My händbook / 2025'`"):
        index.check()
    with pytest.raises(BackendError, match="no name"):
        Index(tmp_path, "  ", embedder, SETTINGS)


def test_another_embedder_is_refused(index: Index, folder: Path, weights_folder: Path, tmp_path: Path) -> None:
    fill(index, folder / "leave.txt")
    other = Index(tmp_path / "data", index.collection, Embedder(weights_folder, "cpu", "another@1"), SETTINGS)
    for ask in (other.check, lambda: other.search("x", 3), lambda: fill(other, folder)):
        with pytest.raises(BackendError, match=r"was indexed with the embedder all-MiniLM-L6-v2@test.*--rebuild"):
            ask()


def test_chunks_that_the_embedder_cannot_read_are_refused(tmp_path: Path, embedder: Embedder, folder: Path) -> None:
    index = Index(tmp_path / "data", "long", embedder, RagSettings(chunk_tokens=256))
    with pytest.raises(BackendError, match=r"Set rag\.chunk_tokens to 206 or less\."):
        fill(index, folder)


def test_a_second_writer_is_refused(index: Index, folder: Path) -> None:
    first = index.add([folder], NEVER)
    next(first)
    with pytest.raises(BackendError, match=r"^Documents are being indexed already\."):
        fill(index, folder)
    assert len(list(first)) == 3
    assert set(fill(index, folder).values()) == {"skipped"}


WRITER = """
import sys, threading
from pathlib import Path
from backends.rag.embedder import Embedder
from backends.rag.index import Index
from backends.settings import RagSettings

data, collection, weights, docs = sys.argv[1:]
embedder = Embedder(Path(weights), "cpu", "all-MiniLM-L6-v2@test")
index = Index(Path(data), collection, embedder, RagSettings(chunk_tokens=48, overlap_tokens=8))
list(index.add([docs], threading.Event()))
"""


def test_a_reader_notices_what_another_process_wrote(
    index: Index, folder: Path, tmp_path: Path, weights_folder: Path
) -> None:
    fill(index, folder / "leave.txt")
    assert len(index.search("days", 9)) == 1
    subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path / "data"), index.collection, str(weights_folder), str(folder)],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert len(index.search("days", 9)) == 5
    assert index.count() == 5
    index.check()


def test_searching_from_many_threads_while_indexing(index: Index, folder: Path) -> None:
    fill(index, folder / "leave.txt")
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(index.search("days", 9)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    fill(index, folder)
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) <= {1, 2, 3, 4, 5}


def assert_damaged_then_rebuilt(index: Index, folder: Path) -> None:
    for ask in (index.check, lambda: index.search("x", 3), lambda: fill(index, folder)):
        with pytest.raises(BackendError) as fault:
            ask()
        assert fault.value.cause == f"The index of the collection {index.collection} is damaged."
        assert "--rebuild" in fault.value.next_step
    index.drop()
    assert set(fill(index, folder).values()) == {"indexed"}
    index.check()


@pytest.mark.parametrize("damage", ["deleted", "cut short"])
def test_a_damaged_vector_folder_is_detected(index: Index, folder: Path, tmp_path: Path, damage: str) -> None:
    fill(index, folder)
    open_store(tmp_path / "data", None).close()
    for file in (tmp_path / "data" / "index").glob("*/*.bin"):
        if damage == "deleted":
            file.unlink()
        else:
            os.truncate(file, file.stat().st_size // 2)
    assert_damaged_then_rebuilt(index, folder)


@pytest.mark.parametrize("damage", ["garbage", "cut short"])
def test_a_damaged_database_is_detected(index: Index, folder: Path, tmp_path: Path, damage: str) -> None:
    fill(index, folder)
    open_store(tmp_path / "data", None).close()
    database = tmp_path / "data" / "index" / "chroma.sqlite3"
    if damage == "garbage":
        database.write_bytes(b"not a database " * 1000)
    else:
        os.truncate(database, database.stat().st_size // 2)
    assert_damaged_then_rebuilt(index, folder)


def test_vectors_that_are_not_found_again_are_damage(index: Index, folder: Path, tmp_path: Path) -> None:
    """Chroma answers with the wrong neighbours when its vector files are replaced: 1,500 vectors are past its log."""
    fill(index, folder)
    store = open_store(tmp_path / "data", None)
    collection = store.collection(index._name)
    assert collection
    vectors = np.random.default_rng(0).normal(size=(1500, 384)).astype(np.float32)
    names = [f"x{number}" for number in range(1500)]
    collection.add(ids=names, embeddings=vectors, metadatas=[{"ordinal": 1}] * 1500, documents=names)
    index.check()
    store.close()
    for file in (tmp_path / "data" / "index").glob("*/*"):
        file.unlink()
    state = tmp_path / "data" / "index" / "state.json"
    state.write_text(json.dumps({"generation": "1"}))  # as if the sizes had not been noted
    with pytest.raises(BackendError, match="is damaged"):
        index.check()
