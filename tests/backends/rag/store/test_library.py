"""The library survives killed writers, shared use, damage, and disks that cannot be written."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.rag.search.embedder import WINDOW
from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from backends.rag.store.index import Index, collections
from backends.settings import RagSettings
from tests.backends.rag import quick
from tests.backends.rag.conftest import NEVER, fill, nearest_texts
from tests.backends.rag.quick import SETTINGS, QuickEmbedder

NAMES = ["a.txt", "b.txt", "c.txt"]


class Child:
    """A process of its own that works on an index."""

    def __init__(self, process: ForkServerProcess, said: Connection) -> None:
        self.process, self._said = process, said

    def says(self) -> Iterator[str]:
        """What it says, line by line until it ends."""
        with contextlib.suppress(EOFError):
            while True:
                yield self._said.recv()

    def killed(self) -> list[str]:
        """What it said until it stopped; it is killed there with SIGKILL."""
        said = list(itertools.takewhile(lambda line: line != "stopped", self.says()))
        self.process.kill()
        self.process.join()
        return said


Started = Callable[..., contextlib.AbstractContextManager[Child]]


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that have imported already what they need: each would take seconds to do so."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["chromadb", "numpy", "semantic_text_splitter", "tokenizers", quick.__name__])
    return context


@pytest.fixture
def child(processes: ForkServerContext, index: Index, data: Path) -> Started:
    """Start a process that works on the index."""
    return partial(started, processes, index, data)


@contextmanager
def started(
    processes: ForkServerContext, index: Index, data: Path, work: str, stop: int, paths: Sequence[Path] = ()
) -> Iterator[Child]:
    """A process that works on the index and stops for ever in its turn `stop`; killed in the end."""
    said, say = processes.Pipe(duplex=False)
    process = processes.Process(target=quick.work_on, args=(work, data, index.collection, stop, paths, say.send))
    process.start()
    say.close()
    try:
        yield Child(process, said)
    finally:
        process.kill()
        process.join()
        process.close()
        said.close()


def make_long_files(parent: Path) -> list[Path]:
    """Three files of a window of chunks each."""
    folder = parent / "long"
    folder.mkdir()
    for name in NAMES:
        paragraphs = (f"{name} {number} " + f"word{number} " * 30 for number in range(WINDOW // 2 + 10))
        (folder / name).write_text("\n\n".join(paragraphs))
    return [folder / name for name in NAMES]


def stores(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "index").glob("v-*"))


def held(index: Index) -> set[int]:
    """The rows that Chroma has."""
    serving = index._writer.serving()
    return index._writer.store(serving.store).rows(serving.store_state)


@pytest.fixture(scope="module")
def turns(processes: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How many turns each kind of work takes on two of the long files when nobody kills it."""
    folder = tmp_path_factory.mktemp("turns")
    data = folder / "data"
    index = Index(data, "turns", QuickEmbedder(), RagSettings(**SETTINGS))
    files = make_long_files(folder)
    counts = {}
    for work, paths in (("add", files[:2]), ("rebuild", []), ("rechunk", [])):
        with started(processes, index, data, work, 0, paths) as child:
            *_, last = child.says()
            counts[work] = int(last.split()[2])
    close_stores(data)
    open_database(data).close()
    return counts


def found(index: Index, word: str) -> bool:
    """Whether a search finds the chunk that has this word again and again."""
    return f"{word} {word} {word}" in nearest_texts(index, f"{word} {word}", 1)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", ["reading", "embedding", "writing", "before the rows", "after a file", "in the second"]
)
def test_a_killed_add_loses_nothing_that_was_confirmed(
    index: Index, data: Path, tmp_path: Path, turns: dict[str, int], child: Started, where: str
) -> None:
    files = make_long_files(tmp_path)
    window = turns["add"] // 2  # read, embed, write vectors, write rows; one more turn finds that there is no more
    stop = {
        "reading": 1,
        "embedding": window // 2,
        "writing": window - 1,
        "before the rows": window,
        "after a file": window + 1,
        "in the second": 2 * window,
    }[where]
    with child("add", stop, files) as writer:
        said = writer.killed()
    kept = ["a.txt"] if stop > window else []
    assert said == [f"indexed {name}" for name in kept]
    assert [one.name for one in index.documents()] == kept
    assert index.health().state == ("ok" if kept else "empty")
    assert index.count() == len(index.chunks()) == sum(one.chunks for one in index.documents())
    assert not kept or found(index, "word7")
    assert fill(index, *files) == {name: "skipped" if name in kept else "indexed" for name in NAMES}
    index.check()
    assert held(index) == {one.row for one in index.chunks()}
    assert len(stores(data)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("work", ["rebuild", "rechunk"])
def test_a_killed_build_leaves_the_old_one_serving(
    index: Index, data: Path, tmp_path: Path, turns: dict[str, int], child: Started, work: str, share: float
) -> None:
    files = make_long_files(tmp_path)
    fill(index, *files[:2])
    before = index.version, index.chunks(), index.health(), stores(data)
    with child(work, max(1, int(turns[work] * share))) as writer:
        assert writer.killed() == []
    assert len(stores(data)) == 2  # the new one was begun
    assert (index.version, index.chunks(), index.health()) == before[:3]
    assert before[2].ok
    assert found(index, "word7")
    assert fill(index, *files) == {"a.txt": "skipped", "b.txt": "skipped", "c.txt": "indexed"}
    assert stores(data) == before[3]
    with index._database.reading() as connection:
        counted = [
            connection.execute(query).fetchone()[0]
            for query in (
                "SELECT count(*) FROM builds",
                "SELECT count(*) FROM stores",
                "SELECT count(*) FROM stale",
                "SELECT count(*) FROM chunks",
            )
        ]
    assert counted == [1, 1, 0, index.count()]
    index.check()


def test_a_reader_notices_what_another_process_wrote(index: Index, folder: Path, child: Started) -> None:
    fill(index, folder / "leave.txt")
    assert len(nearest_texts(index, "days", 9)) == 1
    version = index.version
    with child("add", 0, [folder]) as writer:
        writer.process.join()
        assert writer.process.exitcode == 0
    assert index.version != version
    assert len(nearest_texts(index, "days", 9)) == index.count() == 5
    index.check()


def test_a_second_writer_is_refused(index: Index, folder: Path, tmp_path: Path, child: Started) -> None:
    files = make_long_files(tmp_path)
    first = index.add([folder], NEVER)
    next(first)
    works = [
        lambda: fill(index, folder),
        lambda: list(index.rebuild(NEVER)),
        lambda: list(index.rechunk(64, 0, NEVER)),
        lambda: index.delete("leave.txt"),
        index.drop,
    ]
    for work in works:
        with pytest.raises(BackendError, match=r"^Documents are being indexed already\."):
            work()
    assert len([step for step in first if step.state != "sentences"]) == 4
    assert set(fill(index, folder).values()) == {"skipped"}
    with child("add", 10, files) as writer:
        assert next(writer.says()) == "stopped"
        with pytest.raises(BackendError, match=r"^Documents are being indexed already\."):
            fill(index, folder)
        assert len(nearest_texts(index, "days", 9)) == 5  # readers go on
    assert fill(index, *files)["a.txt"] == "indexed"


def test_reading_from_many_threads_while_indexing(index: Index, folder: Path) -> None:
    fill(index, folder / "leave.txt")
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(nearest_texts(index, "days", 9)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    fill(index, folder)
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) <= {1, 2, 3, 4, 5}


@pytest.mark.parametrize("damage", ["garbage", "cut short", "another version"])
def test_a_damaged_library_is_named_and_can_be_replaced(index: Index, data: Path, folder: Path, damage: str) -> None:
    fill(index, folder)
    open_database(data).close()
    file = data / "index" / "library.sqlite"
    if damage == "garbage":
        for path in (data / "index").glob("library.sqlite*"):
            path.write_bytes(b"not a database " * 1000)
    elif damage == "cut short":
        os.truncate(file, file.stat().st_size // 3)
    else:
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    health = index.health()
    sentence = "made by another version" if damage == "another version" else "is damaged"
    assert (health.state, health.can_rebuild) == ("damaged", False)
    assert f"The library of documents {'was ' * (damage == 'another version')}{sentence}." == health.sentence
    assert health.next_step == (
        "Index the documents again with `crossroads index PATH --rebuild --collection 'My händbook / 2025'`; "
        "all collections go."
    )
    for ask in (
        index.check,
        index.documents,
        index.count,
        lambda: fill(index, folder),
        lambda: list(index.rebuild(NEVER)),
    ):
        with pytest.raises(BackendError) as fault:
            ask()
        assert (fault.value.cause, fault.value.next_step) == (health.sentence, health.next_step)
    with pytest.raises(BackendError, match=sentence):
        collections(data)
    index.drop()
    assert (data / "index" / "library.damaged").exists()  # nothing is thrown away that might be saved
    assert set(fill(index, folder).values()) == {"indexed"}
    index.check()
    assert len(stores(data)) == 1


def test_an_empty_library_file_is_no_library(index: Index, data: Path, folder: Path) -> None:
    """A process that died at the very beginning may leave one."""
    (data / "index").mkdir(parents=True)
    (data / "index" / "library.sqlite").touch()
    assert (index.health().state, index.count(), collections(data)) == ("empty", 0, [])
    assert fill(index, folder / "leave.txt") == {"leave.txt": "indexed"}


def test_a_folder_that_cannot_be_written_is_named(index: Index, data: Path, folder: Path) -> None:
    """A file in the place of the folder stops even those who may write everywhere."""
    data.mkdir()
    (data / "index").write_text("in the way")
    assert index.health().state == "empty"
    why = "there is a file where a folder should be. Choose another data folder with CROSSROADS_DATA."
    with pytest.raises(BackendError, match=f"^The index cannot be written: {re.escape(why)}$"):
        fill(index, folder)


def test_a_full_disk_is_named_and_leaves_no_half_document(index: Index, folder: Path, tmp_path: Path) -> None:
    files = make_long_files(tmp_path)
    fill(index, folder)
    with index._database.writing() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    with index._database.reading() as connection:  # the only connection there is
        connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(BackendError, match=r"^The disk is full\. Make room and try again\.$"):
        fill(index, *files)
    assert index.count() == 5
    open_database(index.data).close()
    assert fill(index, *files)["a.txt"] == "indexed"
    index.check()


def test_a_file_whose_name_is_not_utf8(index: Index, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    path.write_text("Coffee is served at eight.")
    assert list(fill(index, path).values()) == ["indexed"]
    assert list(fill(index, path).values()) == ["skipped"]


def test_documents_of_one_collection_may_be_in_another(index: Index, data: Path, folder: Path) -> None:
    other = Index(data, "other", QuickEmbedder(), RagSettings(**SETTINGS))
    fill(index, folder / "leave.txt")
    assert fill(other, folder / "leave.txt") == {"leave.txt": "indexed"}
    index.delete("leave.txt")
    assert [one.name for one in other.documents()] == ["leave.txt"]
