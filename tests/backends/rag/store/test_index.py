"""A collection in a real library and a real Chroma database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.errors import BackendError
from backends.rag.documents.files import Source
from backends.rag.search.embedder import BATCH_SIZE, WINDOW, Embedder
from backends.rag.store.index import CollectionInfo, DocumentInfo, Index, collections, nearest
from backends.rag.store.jobs import in_thousandths
from backends.rag.store.library import Serving
from backends.run.lane import Cancelled
from backends.settings import RagSettings
from tests.backends.rag.conftest import NEVER, TEXTS, fill, nearest_texts
from tests.backends.rag.quick import IDENTITY, SETTINGS, QuickEmbedder


def test_what_was_indexed_is_found_with_page_and_offsets(data: Path, folder: Path, embedder: Embedder) -> None:
    index = Index(data, "handbook", embedder, RagSettings(**SETTINGS))
    progress = list(index.add([folder], NEVER))
    assert [(one.files_done, one.files_total, one.chunks_done, one.file, one.state) for one in progress] == [
        (0, 4, 5, "", "embedding"),
        (1, 4, 5, "leave.txt", "indexed"),
        (2, 4, 5, "manual.pdf", "indexed"),
        (3, 4, 5, "returns.md", "indexed"),
        (4, 4, 5, "sub/kettle.csv", "indexed"),
        (4, 4, 5, "", "sentences"),
        (4, 4, 5, "", "sentences"),
    ]
    shown = list(in_thousandths(iter(progress)))
    assert [(one.detail, one.result) for one in shown[:2]] == [
        ("0 of 4 files, 5 of 5 chunks known so far", None),
        ("1 of 4 files, 5 of 5 chunks known so far", progress[1]),
    ]
    assert index.count() == 5
    index.check()
    assert nearest_texts(index, "How many days of vacation do I get?", 3)[0] == TEXTS["leave.txt"]
    ((row, score),) = index.nearest(embedder.embed_query("when to descale"), 1)
    chunk = index.rows([row, 999])[row]
    assert (chunk.document, chunk.page, chunk.start, chunk.end) == ("manual.pdf", 2, 27, 49)
    assert (chunk.text, chunk.searched_text, chunk.heading) == (
        "Descale every 60 days.",
        "manual\nDescale every 60 days.",
        "",
    )
    assert len(chunk.chunk_id) == 12
    stored = index.vectors([row])[0]
    assert float(np.linalg.norm(stored)) == pytest.approx(1, abs=1e-5)
    assert score == pytest.approx(float(stored @ embedder.embed_query("when to descale")), abs=1e-5)
    assert np.allclose(stored, embedder.embed_documents([chunk.searched_text])[0], atol=1e-5)


def test_documents_lists_what_is_there(index: Index, folder: Path, data: Path) -> None:
    assert (index.documents(), index.count(), index.version, collections(data)) == ([], 0, "", [])
    assert (index.chunks(), index.rows([1]), index.matrix()[0], index.deleted()) == ([], {}, [], [])
    fill(index, folder)
    listed = index.documents()
    assert [one.name for one in listed] == ["leave.txt", "manual.pdf", "returns.md", "sub/kettle.csv"]
    pdf = listed[1]
    size = (folder / "manual.pdf").stat().st_size
    assert pdf == DocumentInfo("manual.pdf", pdf.sha256, "pdf", pdf.language, 2, 49, 2, size, pdf.warnings, pdf.added)
    assert pdf.added.endswith("+00:00")
    assert listed[2].pages is None
    assert [page.text for page in index.pages("manual.pdf")] == ["Fill the tank with water.", "Descale every 60 days."]
    with pytest.raises(BackendError, match=r"^There is no document nothing\.txt in My händbook"):
        index.pages("nothing.txt")
    assert collections(data) == [CollectionInfo(index.collection, 4, 5, IDENTITY, 48, 8)]


def test_chunks_rows_vectors_and_matrix_agree(index: Index, folder: Path) -> None:
    fill(index, folder)
    chunks = index.chunks()
    assert [(one.document, one.start) for one in chunks] == [
        ("leave.txt", 0),
        ("manual.pdf", 0),
        ("manual.pdf", 27),
        ("returns.md", 0),
        ("sub/kettle.csv", 0),
    ]
    assert index.chunks(["manual.pdf", "unknown"]) == chunks[1:3]
    assert index.rows([one.row for one in chunks]) == {one.row: one for one in chunks}
    rows, matrix = index.matrix()
    assert rows == sorted(one.row for one in chunks)
    assert (matrix.shape, matrix.dtype) == ((5, 64), np.dtype(np.float32))
    assert np.array_equal(index.vectors(rows[::-1]), matrix[::-1])
    with pytest.raises(BackendError, match="has just changed"):
        index.vectors([999])


def test_a_search_can_be_limited_to_documents(index: Index, folder: Path) -> None:
    fill(index, folder)
    assert nearest_texts(index, "descale", 9, ["manual.pdf"]) == ["Descale every 60 days.", "Fill the tank with water."]
    assert nearest_texts(index, "descale", 9, ["leave.txt", "unknown"]) == [TEXTS["leave.txt"]]
    assert nearest_texts(index, "descale", 9, []) == []
    assert len(nearest_texts(index, "descale", 99)) == 5


def test_unchanged_files_are_skipped_and_changed_ones_replaced(index: Index, folder: Path) -> None:
    fill(index, folder)
    version = index.version
    (folder / "leave.txt").write_text("Every employee has 31 days of paid holiday a year.")
    (folder / "returns.md").unlink()
    assert fill(index, folder) == {"manual.pdf": "skipped", "sub/kettle.csv": "skipped", "leave.txt": "replaced"}
    assert index.count() == 5  # a document that vanished from the folder stays
    assert nearest_texts(index, "paid holiday", 1) == ["Every employee has 31 days of paid holiday a year."]
    assert index.version not in ("", version)
    index.check()


def test_a_settled_file_is_not_read_again(index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was just written is compared by content; later, size and times of change are enough."""
    import backends.rag.store.ingest as ingest

    hashed: list[str] = []
    real = ingest.sha256
    monkeypatch.setattr(ingest, "sha256", lambda path: hashed.append(path.name) or real(path))
    written_ns = (folder / "leave.txt").stat().st_ctime_ns

    def after(seconds: int) -> dict[str, str]:
        """Indexed so many seconds after the file was written."""
        steps = index.add([folder / "leave.txt"], NEVER, now_ns=lambda: written_ns + seconds * 10**9)
        return {step.file: step.state for step in steps if step.file}

    after(0)
    after(1)
    assert hashed == ["leave.txt"] * 2
    after(60)
    assert hashed == ["leave.txt"] * 3
    assert after(61) == {"leave.txt": "skipped"}
    assert hashed == ["leave.txt"] * 3
    (folder / "leave.txt").write_text("x" * len(TEXTS["leave.txt"]))  # the same size
    assert after(62) == {"leave.txt": "replaced"}


def test_a_bad_file_is_rejected_and_the_others_are_indexed(index: Index, folder: Path) -> None:
    (folder / "empty.md").touch()
    rejected = [one for one in index.add([folder], NEVER) if one.state == "rejected"]
    assert [(one.file, one.cause) for one in rejected] == [("empty.md", "The file is empty (0 bytes).")]
    assert rejected[0].next_step == "Check that it was saved or copied completely."
    assert len(index.documents()) == 4


def test_the_same_content_under_two_names_is_one_document(index: Index, tmp_path: Path) -> None:
    for name, text in {"a/x.txt": "Same text.", "a/y.txt": "Same text.", "b/x.txt": "Another text."}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    steps = [step for step in index.add([tmp_path / "a", tmp_path / "b"], NEVER) if step.file]
    assert [(step.file, step.state, step.cause) for step in steps] == [
        ("x.txt", "indexed", ""),
        ("b/x.txt", "indexed", ""),
        ("y.txt", "duplicate", "It has the same content as x.txt."),
    ]
    assert steps[-1].files_done == steps[-1].files_total == 3
    assert fill(index, tmp_path / "a" / "y.txt") == {"y.txt": "duplicate"}
    assert fill(index, tmp_path / "b" / "x.txt") == {"b/x.txt": "skipped"}
    assert [one.name for one in index.documents()] == ["b/x.txt", "x.txt"]


def test_contents_that_change_places_are_not_duplicates(index: Index, tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("First.")
    two.write_text("Second.")
    fill(index, one, two)
    one.write_text("Second.")
    two.write_text("First.")
    assert fill(index, one, two) == {"one.txt": "replaced", "two.txt": "replaced"}
    assert {chunk.document: chunk.text for chunk in index.chunks()} == {"one.txt": "Second.", "two.txt": "First."}


def test_the_twin_of_a_rejected_file_is_read(index: Index, tmp_path: Path) -> None:
    for name in ("notes.xyz", "notes.txt"):
        (tmp_path / name).write_text("Some text.")
    assert fill(index, tmp_path / "notes.xyz", tmp_path / "notes.txt") == {
        "notes.xyz": "rejected",
        "notes.txt": "indexed",
    }


def test_an_upload_replaces_the_document_of_its_name(index: Index, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("1f3a", "88c1", "90ab")]
    for path, text in zip(paths, ("First text.", "Second text.", "Third text."), strict=True):
        path.with_suffix(".txt").write_text(text)
    uploads = [Source(path.with_suffix(".txt"), "report.txt", named=True) for path in paths]
    assert fill(index, uploads[0]) == {"report.txt": "indexed"}
    assert fill(index, uploads[1]) == {"report.txt": "replaced"}
    assert [chunk.text for chunk in index.chunks()] == ["Second text."]
    steps = [(step.file, step.state, step.cause) for step in index.add([uploads[2], uploads[0]], NEVER) if step.file]
    assert steps == [
        ("report.txt", "rejected", "Another file of this name was given at the same time."),
        ("report.txt", "replaced", ""),
    ]
    assert [chunk.text for chunk in index.chunks()] == ["Third text."]


def test_many_small_files_are_embedded_in_full_batches(index: Index, tmp_path: Path, quick: QuickEmbedder) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:03}.txt").write_text(f"Note number {number} says {number * 7}.")
    steps = list(index.add([folder], NEVER))
    assert index.count() == 300 < WINDOW
    full, rest = divmod(300, BATCH_SIZE)
    documents = [BATCH_SIZE] * full + ([rest] if rest else [])
    assert quick.batches[: len(documents)] == documents
    assert [step.chunks_done for step in steps if step.state == "embedding"][-1] == 300
    assert [step.files_done for step in steps if step.file] == list(range(1, 301))


def test_a_file_larger_than_a_window_goes_in_whole(index: Index, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("\n\n".join(f"Paragraph {n} " + f"word{n} " * 30 for n in range(WINDOW + 60)))
    (tmp_path / "short.txt").write_text("Short.")
    assert fill(index, tmp_path / "long.txt", tmp_path / "short.txt") == {"long.txt": "indexed", "short.txt": "indexed"}
    assert index.documents()[0].chunks > WINDOW
    index.check()


def test_cancelling_keeps_what_is_finished(index: Index, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("\n\n".join(f"{name} {n} " + f"word{n} " * 30 for n in range(WINDOW)))
    cancel = threading.Event()
    last = None
    for last in index.add([tmp_path / "a.txt", tmp_path / "b.txt"], cancel):
        if last.file == "a.txt":
            cancel.set()
    assert last is not None
    assert (last.file, last.files_done) == ("a.txt", 1)
    assert [one.name for one in index.documents()] == ["a.txt"]
    index.check()
    assert fill(index, tmp_path / "a.txt", tmp_path / "b.txt") == {"a.txt": "skipped", "b.txt": "indexed"}


def test_small_files_do_not_wait_for_a_huge_one(index: Index, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Tea at four.")
    (tmp_path / "b.txt").write_text("\n\n".join(f"Row {n} " + f"word{n} " * 30 for n in range(WINDOW)))
    cancel = threading.Event()
    for step in index.add([tmp_path], cancel):
        if step.chunks_known > 1:  # the huge one is being embedded
            cancel.set()
    assert [one.name for one in index.documents()] == ["a.txt"]
    index.check()


def test_giving_up_in_the_line_for_a_turn_is_a_cancel(index: Index, folder: Path) -> None:
    turns: list[str] = []

    @contextmanager
    def turn() -> Iterator[None]:
        if len(turns) == 5:
            raise Cancelled
        turns.append("taken")
        yield

    assert [step.file for step in index.add([folder], NEVER, turn)] == []
    assert index.documents() == []
    fill(index, folder)
    turns.clear()
    turns += ["taken"] * 5
    assert list(index.rebuild(NEVER, turn)) == []
    assert list(index.rechunk(64, 0, NEVER, turn)) == []
    index.check()
    assert index.chunk_settings() == (48, 8)


def test_each_step_takes_one_turn(index: Index, folder: Path) -> None:
    inside: list[bool] = []

    @contextmanager
    def turn() -> Iterator[None]:
        inside.append(True)
        yield
        inside.append(False)

    for _ in index.add([folder], NEVER, turn):
        assert not inside or inside[-1] is False  # nothing is held while the progress is shown
    # four files are read and then their end, one batch is embedded, its vectors and its rows are written; one batch of
    # sentences is embedded, and its vectors are written
    assert inside == [True, False] * (4 + 1 + 1 + 2 + 2)


def test_a_deleted_document_can_be_restored(index: Index, folder: Path) -> None:
    fill(index, folder)
    index.delete("manual.pdf")
    assert [one.name for one in index.documents()] == ["leave.txt", "returns.md", "sub/kettle.csv"]
    assert [one.name for one in index.deleted()] == ["manual.pdf"]
    assert index.count() == len(index.chunks()) == len(index.matrix()[0]) == 3
    assert "Descale every 60 days." not in nearest_texts(index, "descale every 60 days", 9)
    assert index._writer.store(index._writer.serving().store).count(index._writer.serving().store_state) == 3
    index.check()
    with pytest.raises(BackendError, match=r"^There is no document manual\.pdf in My händbook"):
        index.delete("manual.pdf")
    index.restore("manual.pdf")
    assert nearest_texts(index, "descale every 60 days", 1) == ["Descale every 60 days."]
    assert (index.deleted(), index.count()) == ([], 5)
    index.check()
    with pytest.raises(BackendError, match=r"^There is no deleted document manual\.pdf"):
        index.restore("manual.pdf")


def test_a_deleted_document_is_gone_once_its_name_is_indexed_again(index: Index, folder: Path) -> None:
    fill(index, folder)
    index.delete("leave.txt")
    assert fill(index, folder)["leave.txt"] == "indexed"
    assert (index.deleted(), index.count()) == ([], 5)
    index.delete("leave.txt")
    index.delete("returns.md")
    index.purge()
    assert index.deleted() == []
    with pytest.raises(BackendError, match="no deleted document"):
        index.restore("leave.txt")
    index.check()


def test_a_document_deleted_before_a_rechunk_can_be_restored_after_it(index: Index, folder: Path) -> None:
    fill(index, folder)
    index.delete("leave.txt")
    list(index.rechunk(64, 0, NEVER))
    assert [one.document for one in index.chunks()] == ["manual.pdf", "manual.pdf", "returns.md", "sub/kettle.csv"]
    index.restore("leave.txt")
    assert nearest_texts(index, "days of paid holiday", 1) == [TEXTS["leave.txt"]]
    index.check()


def test_the_last_document_can_be_deleted_and_restored(index: Index, folder: Path) -> None:
    fill(index, folder / "leave.txt")
    index.delete("leave.txt")
    assert index.health().state == "empty"
    fill(index, folder / "returns.md")
    index.restore("leave.txt")
    assert index.count() == 2
    index.check()


def test_dropping(index: Index, folder: Path, data: Path) -> None:
    fill(index, folder)
    index.drop()
    assert (index.documents(), index.version, collections(data)) == ([], "", [])
    assert [path.name for path in (data / "index").iterdir() if path.is_dir()] == []
    index.drop()
    assert fill(index, folder)["manual.pdf"] == "indexed"


def test_collections_do_not_mix(index: Index, folder: Path, data: Path, quick: QuickEmbedder) -> None:
    other = Index(data, "other", quick, RagSettings(**SETTINGS))
    fill(index, folder)
    fill(other, folder / "leave.txt")
    assert [(one.name, one.documents, one.chunks) for one in collections(data)] == [
        ("My händbook / 2025", 4, 5),
        ("other", 1, 1),
    ]
    assert nearest_texts(other, "descale", 9) == [TEXTS["leave.txt"]]
    index.drop()
    other.check()


def test_other_chunk_settings_are_refused_by_name(index: Index, folder: Path, data: Path, quick: QuickEmbedder) -> None:
    fill(index, folder / "leave.txt")
    other = Index(data, index.collection, quick, RagSettings(chunk_tokens=40))
    with pytest.raises(BackendError) as fault:
        fill(other, folder)
    assert fault.value.cause == (
        "The collection My händbook / 2025 has chunks of 48 tokens that share 8, but rag.chunk_tokens is set to 40."
    )
    assert fault.value.next_step == (
        "Cut it again with `crossroads index --rechunk --set rag.chunk_tokens=40 --collection 'My händbook / 2025'`, "
        "or leave rag.chunk_tokens out."
    )
    assert other.chunk_settings() == (40, 8)
    unset = Index(data, index.collection, quick, RagSettings())
    assert unset.chunk_settings() == (48, 8)
    assert fill(unset, folder)["returns.md"] == "indexed"


def test_rechunking_works_from_the_stored_text(index: Index, tmp_path: Path, quick: QuickEmbedder) -> None:
    path = tmp_path / "long.txt"
    path.write_text("\n\n".join(f"Paragraph {n} " + f"word{n} " * 30 for n in range(60)))
    fill(index, path)
    path.unlink()
    before = index.chunks()
    shown = index.preview(120, 16)
    steps = list(index.rechunk(120, 16, NEVER))
    after = index.chunks()
    characters = index.documents()[0].characters
    assert [step.done for step in steps if step.total == characters][-1] == characters
    assert steps[-1].done == steps[-1].total == len(after)
    assert len(after) == index.count() == index.documents()[0].chunks < len(before)
    assert (shown.chunks, shown.exact, len(shown.tokens)) == (len(after), True, len(after))
    assert [(piece.start, piece.end, piece.text) for piece in shown.pieces] == [
        (one.start, one.end, one.text) for one in after
    ]
    assert max(shown.tokens) <= 120
    assert shown.tokens == [piece.tokens for piece in shown.pieces]
    assert not {one.row for one in before} & {one.row for one in after}
    assert index.rows([one.row for one in before]) == {}
    assert index.chunk_settings() == (48, 8)  # the settings of this object are explicit
    assert index._library.serving().chunk_tokens == 120  # type: ignore[union-attr]
    index.check()


def test_a_preview_of_much_text_is_an_estimate(index: Index, folder: Path) -> None:
    fill(index, folder)
    shown = index.preview(48, 0, "manual.pdf", most=60)
    assert (shown.document, shown.exact, [piece.text for piece in shown.pieces]) == (
        "manual.pdf",
        False,
        ["Fill the tank with water.", "Descale every 60 days."],
    )
    assert shown.tokens == [6, 7]
    assert shown.chunks == round(2 * sum(one.characters for one in index.documents()) / 49)
    with pytest.raises(BackendError, match="is not smaller than"):
        index.preview(32, 32)


def test_rebuilding_keeps_rows_and_version_moves_on(index: Index, folder: Path, data: Path) -> None:
    fill(index, folder)
    rows, version = index.matrix()[0], index.version
    steps = list(index.rebuild(NEVER))
    assert [(step.done, step.total, step.detail) for step in steps] == [(5, 5, "5 of 5 chunks")]
    assert index.matrix()[0] == rows
    assert index.version != version
    assert len(list((data / "index").glob("v-*"))) == 1
    index.check()


def test_rows_that_are_listed_while_one_searches_are_found() -> None:
    """The file of the only row is replaced between the look at what is not listed and the look into the store."""

    unlisted = [{8}, {7}]

    class Replacing:
        def stale(self, store: str) -> set[int]:
            return unlisted.pop(0) if len(unlisted) > 1 else unlisted[0]

        def nearest(self, *_: object) -> list[tuple[int, float]]:
            return [(8, 0.9)]

    both: Any = Replacing()
    serving = Serving(1, 1, "vectors", "1", IDENTITY, 64, 0, "{}")
    vector = np.zeros(3, np.float32)
    assert nearest(both, serving, both, vector, 5, None) == [(8, 0.9)]
    unlisted[:] = [{8}]
    assert nearest(both, serving, both, vector, 5, None) == []


def test_searching_goes_on_while_a_build_switches(data: Path, quick: QuickEmbedder, tmp_path: Path) -> None:
    index = Index(data, "notes", quick, RagSettings())
    path = tmp_path / "long.txt"
    path.write_text("\n\n".join(f"Paragraph {n} " + f"word{n} " * 30 for n in range(300)))
    fill(index, path)
    query = quick.embed_query("word7")
    stop, found = threading.Event(), list[int | BaseException]()

    def search() -> None:
        try:
            while not stop.is_set():
                found.append(len(index.nearest(query, 5)))
        except BaseException as fault:
            found.append(fault)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        list(index.rebuild(NEVER))
        list(index.rechunk(64, 0, NEVER))
        path.write_text("Short.")
        fill(index, path)
        list(index.rebuild(NEVER))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(found) <= {1, 2, 3, 4, 5}


def test_chunks_that_the_embedder_cannot_read_are_refused(data: Path, quick: QuickEmbedder, folder: Path) -> None:
    index = Index(data, "long", quick, RagSettings(chunk_tokens=256))
    with pytest.raises(BackendError, match=r"Set rag\.chunk_tokens to 206 or less\."):
        fill(index, folder)
    fine = Index(data, "long", quick, RagSettings())
    fill(fine, folder)
    with pytest.raises(BackendError, match=r"Set rag\.chunk_tokens to 206 or less\."):
        list(fine.rechunk(256, 0, NEVER))


def test_an_unusable_name_or_path(index: Index, data: Path, quick: QuickEmbedder, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="no name"):
        Index(data, "  ", quick, RagSettings())
    with pytest.raises(BackendError, match=r"^There is no file or folder "):
        fill(index, tmp_path / "nothing")
    odd = Index(data, "na\udcffme", quick, RagSettings())
    (tmp_path / "x.txt").write_text("Text.")
    fill(odd, tmp_path / "x.txt")
    assert (odd.collection, odd.count()) == ("na?me", 1)
