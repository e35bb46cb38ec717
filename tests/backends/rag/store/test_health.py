"""Damage to the vectors is found, named, and mended from what is stored."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from backends.errors import BackendError
from backends.rag.search.embedder import WINDOW
from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from backends.rag.store.health import Health
from backends.rag.store.index import Index
from backends.settings import RagSettings
from tests.backends.rag.conftest import NEVER, fill, nearest_texts
from tests.backends.rag.quick import SETTINGS, QuickEmbedder

NAME = "My händbook / 2025"
COMMAND = "`crossroads index --repair --collection 'My händbook / 2025'`"


@pytest.fixture(scope="module")
def large_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a collection of more chunks than Chroma keeps in its log, so that there are vector files."""
    folder = tmp_path_factory.mktemp("large")
    path = folder / "large.txt"
    path.write_text("\n\n".join(f"Paragraph {number} " + f"word{number} " * 30 for number in range(WINDOW + 100)))
    fill(Index(folder / "data", NAME, QuickEmbedder(), RagSettings(**SETTINGS)), path)
    close_stores(folder / "data")
    open_database(folder / "data").close()
    return folder / "data"


@pytest.fixture
def large(large_data: Path, data: Path, index: Index) -> Index:
    """A copy of that collection."""
    shutil.copytree(large_data, data)
    assert index.count() > 1_000
    return index


def assert_named_and_mended(index: Index, state: str) -> None:
    sentence = f"The vectors of the collection My händbook / 2025 are {state}."
    step = f"Build them again from the stored chunks with {COMMAND}."
    assert index.health() == Health(state, sentence, step, True)  # type: ignore[arg-type]
    with pytest.raises(BackendError) as fault:
        index.check()
    assert (fault.value.cause, fault.value.next_step) == (sentence, step)
    rows = index.matrix()[0]
    embedded = len(index._embedder.batches)  # type: ignore[attr-defined]
    list(index.rebuild(NEVER))
    assert index.health().ok
    assert index.matrix()[0] == rows
    assert len(index._embedder.batches) == embedded  # type: ignore[attr-defined]


def test_a_good_collection(large: Index) -> None:
    count = f"{large.count():,}"
    assert large.health() == Health("ok", f"The collection My händbook / 2025 has {count} chunks.")
    large.check()


def test_nothing_was_indexed(data: Path, quick: QuickEmbedder) -> None:
    index = Index(data, "handbook", quick, RagSettings())
    empty = Health("empty", "The collection handbook is empty.", "Index documents with `crossroads index PATH`.")
    assert index.health() == empty
    assert not data.exists()  # looking makes nothing
    for ask in (index.check, lambda: index.nearest(quick.embed_query("x"), 3), lambda: list(index.rebuild(NEVER))):
        with pytest.raises(BackendError) as fault:
            ask()
        assert (fault.value.cause, fault.value.next_step) == (empty.sentence, empty.next_step)


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("damage", ["vector files deleted", "vector file cut short"])
def test_damaged_vector_files(large: Index, data: Path, damage: str, opened: bool) -> None:
    """Also while they are open, where Chroma itself goes on without a word."""
    if not opened:
        close_stores(data)
    for file in (data / "index").glob("v-*/*/*.bin"):
        if damage == "vector files deleted":
            file.unlink()
        else:
            os.truncate(file, file.stat().st_size // 2)
    assert_named_and_mended(large, "damaged")
    assert nearest_texts(large, "word7", 1)[0].count("word7") > 20


@pytest.mark.parametrize("name", ["header.bin", "data_level0.bin", "link_lists.bin", "length.bin"])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_vector_file_that_a_killed_writer_left_with_another_size(
    large: Index, data: Path, name: str, change: int
) -> None:
    """Opened, it would end this process, or have a search miss neighbours."""
    assert large.health().ok
    close_stores(data)
    (file,) = (data / "index").glob(f"v-*/*/{name}")
    os.truncate(file, file.stat().st_size + change)
    assert_named_and_mended(large, "damaged")


def test_searching_leaves_the_files_as_they_were_noted(large: Index, data: Path) -> None:
    """Else what is whole would be taken for damaged."""
    for _ in range(2):
        nearest_texts(large, "word7", 3)
        close_stores(data)
    assert large.health().ok


def test_a_file_that_is_being_written_is_waited_for(large: Index, data: Path) -> None:
    (file,) = (data / "index").glob("v-*/*/data_level0.bin")
    whole = file.read_bytes()
    os.truncate(file, 100)
    writer = threading.Timer(0.2, file.write_bytes, [whole])
    writer.start()
    assert large.health().ok
    writer.join()


@pytest.mark.parametrize("damage", ["garbage", "cut short", "an empty file"])
def test_a_damaged_chroma_database(large: Index, data: Path, damage: str) -> None:
    close_stores(data)
    (database,) = (data / "index").glob("v-*/chroma.sqlite3")
    if damage == "garbage":
        database.write_bytes(b"not a database " * 1000)
    else:
        os.truncate(database, database.stat().st_size // 2 if damage == "cut short" else 0)
    assert_named_and_mended(large, "missing" if damage == "an empty file" else "damaged")


def test_a_damaged_pickle_of_ids(large: Index, data: Path) -> None:
    close_stores(data)
    (file,) = (data / "index").glob("v-*/*/index_metadata.pickle")
    file.write_bytes(pickle.dumps({})[:3])
    assert_named_and_mended(large, "damaged")


@pytest.mark.parametrize("opened", [True, False])
def test_a_missing_store(index: Index, folder: Path, data: Path, opened: bool) -> None:
    fill(index, folder)
    if not opened:
        close_stores(data)
    for path in sorted((data / "index").glob("v-*/**/*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert_named_and_mended(index, "missing")


def test_vectors_that_are_not_found_again(large: Index) -> None:
    """The right number of ids, with other vectors."""
    serving = large._writer.serving()
    store = large._writer.store(serving.store)
    rows, matrix = large.matrix()
    wrong = np.random.default_rng(0).normal(size=matrix.shape).astype(np.float32)
    for start in range(0, len(rows), 250):
        store.add(rows[start : start + 250], wrong[start : start + 250], serving.store_state)
    assert_named_and_mended(large, "damaged")


def lose(index: Index, number: int) -> None:
    """Chroma forgets some vectors, as if the power had failed before it wrote them to the disk."""
    serving = index._writer.serving()
    index._writer.store(serving.store).delete(index.matrix()[0][:number], serving.store_state)


def test_what_fell_behind_is_named_and_mended_by_the_next_add(index: Index, folder: Path) -> None:
    fill(index, folder)
    lose(index, 2)
    sentence = "The vectors of the collection My händbook / 2025 are incomplete: 3 of 5."
    assert index.health() == Health("half_built", sentence, f"Complete them with {COMMAND}.", True)
    assert set(fill(index, folder).values()) == {"skipped"}
    index.check()
    lose(index, 4)
    list(index.rebuild(NEVER))
    index.check()


def test_vectors_that_nobody_listed_are_taken_out(index: Index, folder: Path) -> None:
    fill(index, folder)
    serving = index._writer.serving()
    store = index._writer.store(serving.store)
    store.add([777], index.matrix()[1][:1], serving.store_state)
    assert index.health().sentence == "The vectors of the collection My händbook / 2025 are incomplete: 6 of 5."
    fill(index, folder)
    assert store.rows(index._writer.serving().store_state) == set(index.matrix()[0])
    index.check()


def test_looking_while_somebody_writes_is_no_false_alarm(index: Index, folder: Path, tmp_path: Path) -> None:
    """In the middle of an add the store holds more than is listed; after a replacement it is the other way round."""
    fill(index, folder)
    states: list[str] = []

    @contextmanager
    def turn() -> Iterator[None]:
        states.append(index.health().state)
        yield
        states.append(index.health().state)

    path = tmp_path / "long.txt"
    for start in (0, 10):
        path.write_text("\n\n".join(f"Paragraph {n} " + f"word{n} " * 30 for n in range(start, WINDOW)))
        list(index.add([path], NEVER, turn))
    list(index.rebuild(NEVER, turn))
    list(index.rechunk(64, 0, NEVER, turn))
    assert len(states) > 40
    assert set(states) == {"ok"}


def test_a_replacement_that_breaks_off_leaves_a_collection_that_is_whole(
    index: Index, folder: Path, tmp_path: Path
) -> None:
    """Before its vectors are written, or before those of the replaced chunks are taken out."""
    path = tmp_path / "changing.txt"
    path.write_text("The first version.")
    fill(index, folder, path)
    left_over = 0
    for number in range(1, 9):
        turns = 0

        @contextmanager
        def turn(last: int = number) -> Iterator[None]:
            nonlocal turns
            turns += 1
            if turns == last:
                raise KeyboardInterrupt
            yield

        path.write_text(f"Version {number} of the text.")
        with contextlib.suppress(KeyboardInterrupt):
            list(index.add([path], NEVER, turn))
        serving = index._writer.serving()
        left_over += index._writer.store(serving.store).count(serving.store_state) > index.count()
        assert index.health() == Health("ok", "The collection My händbook / 2025 has 6 chunks.")
    assert left_over


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_adding_mends_damage_first(index: Index, folder: Path, data: Path, damage: str) -> None:
    fill(index, folder)
    close_stores(data)
    (database,) = (data / "index").glob("v-*/chroma.sqlite3")
    database.unlink() if damage == "missing" else database.write_bytes(b"not a database " * 1000)
    (folder / "new.txt").write_text("Something new.")
    steps = list(index.add([folder], NEVER))
    assert (steps[0].state, steps[0].file, steps[0].cause) == (
        "rebuilding",
        "",
        "building the vectors again, 5 of 5 chunks",
    )
    assert [step.file for step in steps if step.state == "indexed"] == ["new.txt"]
    index.check()


def test_deleting_works_on_damaged_vectors(index: Index, folder: Path, data: Path) -> None:
    fill(index, folder)
    close_stores(data)
    (database,) = (data / "index").glob("v-*/chroma.sqlite3")
    database.write_bytes(b"not a database " * 1000)
    index.delete("manual.pdf")
    assert index.count() == 3
    list(index.rebuild(NEVER))
    index.check()


def test_another_embedder_is_named_and_rechunking_mends_it(index: Index, folder: Path, data: Path) -> None:
    fill(index, folder)
    other = Index(data, index.collection, QuickEmbedder("another@1"), RagSettings())
    sentence = "The collection My händbook / 2025 was indexed with the embedder quick@1, but another@1 is chosen now."
    step = (
        "Embed it again with `crossroads index --rechunk --collection 'My händbook / 2025'`, "
        "or change rag.embedder back."
    )
    assert other.health() == Health("other_embedder", sentence, step)
    query = other._embedder.embed_query("x")
    for ask in (
        other.check,
        lambda: other.nearest(query, 3),
        lambda: fill(other, folder),
        lambda: list(other.rebuild(NEVER)),
    ):
        with pytest.raises(BackendError) as fault:
            ask()
        assert (fault.value.cause, fault.value.next_step) == (sentence, step)
    list(other.rechunk(*other.chunk_settings(), NEVER))
    other.check()
    assert index.health().state == "other_embedder"
    assert other.chunk_settings() == (48, 8)


def test_an_index_of_an_earlier_version_is_named_and_replaced(index: Index, folder: Path, data: Path) -> None:
    """It had everything in one Chroma database, with a folder of vectors and a file of notes beside it."""
    old = data / "index"
    segment = old / "ef0b6c70-62e1-4ea2-8b34-bf638fd81f66"
    segment.mkdir(parents=True)
    for path in (segment / "data_level0.bin", old / "chroma.sqlite3", old / "state.json"):
        path.write_bytes(b"old")
    assert index.health() == Health(
        "missing",
        "The index was made by an earlier version, which this one cannot read.",
        "Index the documents again with `crossroads index PATH --collection 'My händbook / 2025'`.",
    )
    with pytest.raises(BackendError, match="earlier version"):
        index.check()
    assert set(fill(index, folder).values()) == {"indexed"}
    index.check()
    assert not any(path.exists() for path in (segment, old / "chroma.sqlite3", old / "state.json"))


def test_a_library_that_is_gone_is_named_and_indexing_makes_a_new_one(index: Index, folder: Path, data: Path) -> None:
    fill(index, folder)
    index._database.close()
    for path in (data / "index").glob("library.sqlite*"):
        path.unlink()
    assert index.health() == Health(
        "missing",
        "The library of documents, index/library.sqlite in the data folder, is missing.",
        "Put it back if you have a copy, or index the documents again with "
        "`crossroads index PATH --collection 'My händbook / 2025'`.",
    )
    assert set(fill(index, folder).values()) == {"indexed"}
    index.check()
    assert len(list((data / "index").glob("v-*"))) == 1
