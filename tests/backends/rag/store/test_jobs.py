"""A collection's long work as jobs: uploads are indexed and discarded, questions pass, the map is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from backends.errors import BackendError
from backends.rag.documents.uploads import save_upload
from backends.rag.search import projection
from backends.rag.store import jobs as background
from backends.rag.store.index import Index, IndexProgress
from backends.rag.store.jobs import in_thousandths
from backends.rag.store.progress import IndexState
from backends.run import jobs
from backends.run.jobs import Job, Progress
from backends.run.lane import THIS_MACHINE, lane
from tests.backends.rag.conftest import NEVER, TEXTS, fill
from tests.scripted import PATIENCE_S


@contextmanager
def machine_busy() -> Iterator[None]:
    """As while a question is answered: background work has to wait."""
    line = lane(THIS_MACHINE)
    with line.turn(line.join("raw"), NEVER):
        yield


def ended(job: Job) -> Job:
    assert job.wait(PATIENCE_S)
    return job


def states(job: Job) -> dict[str, str]:
    return {one.file: one.state for one in job.state.results if isinstance(one, IndexProgress)}


def test_uploads_are_indexed_under_their_names_and_discarded(index: Index, data: Path) -> None:
    sources = [save_upload(data, name, text.encode()) for name, text in TEXTS.items()]
    sources.append(save_upload(data, "empty.txt", b""))
    job = ended(background.add(index, data, sources))
    assert job.state.fault is None
    assert (job.state.what, job.state.done, job.state.total) == ("Adding to My händbook / 2025", 1000, 1000)
    assert states(job) == {
        "empty.txt": "rejected",
        "kettle.csv": "indexed",
        "leave.txt": "indexed",
        "returns.md": "indexed",
    }
    assert [one.name for one in index.documents()] == ["kettle.csv", "leave.txt", "returns.md"]
    assert list((data / "uploads").iterdir()) == []
    assert jobs.find(background.writing_key(data)) is job


def test_indexing_waits_for_an_answer_and_can_be_cancelled_meanwhile(index: Index, data: Path) -> None:
    source = save_upload(data, "leave.txt", TEXTS["leave.txt"].encode())
    with machine_busy():
        job = background.add(index, data, [source])
        while not any("indexing" in name for name in lane(THIS_MACHINE).behind(object())):
            assert not job.wait(0.01)
        second = save_upload(data, "second.txt", b"text")
        with pytest.raises(BackendError, match=r"^Adding to My händbook / 2025 is still running\."):
            background.add(index, data, [second])
        assert not second.path.exists()
        job.cancel()
        assert job.wait(PATIENCE_S)
    assert (job.state.fault, job.state.cancelled, index.documents()) == (None, True, [])
    assert not source.path.exists()


def test_rebuilding_and_cutting_anew(index: Index, data: Path, folder: Path) -> None:
    fill(index, folder)
    assert ended(background.rebuild(index, data)).state.fault is None
    before = index.count()
    assert ended(background.rechunk(index, data, 40, 0)).state.fault is None
    index.check()
    assert index.count() == before
    fault = ended(background.rechunk(index, data, 2000, 0)).state.fault
    assert fault is not None
    assert fault.cause.startswith("Chunks of 2000 tokens are too long for the embedder")


def test_the_map_is_drawn_and_kept_for_the_version(index: Index, data: Path, folder: Path) -> None:
    fill(index, folder)
    version = index.version
    assert projection.stored(data, index.collection, version) is None
    assert ended(background.draw_map(index, data)).state.fault is None
    held = projection.stored(data, index.collection, version)
    assert held is not None
    assert (set(held.rows), held.total, held.sampled) == (set(index.matrix()[0]), 5, False)
    assert np.isfinite(held.xy).all()
    index.delete("leave.txt")
    assert projection.stored(data, index.collection, index.version) is None


def test_a_map_that_waits_is_cancelled(index: Index, data: Path, folder: Path) -> None:
    fill(index, folder)
    with machine_busy():
        job = background.draw_map(index, data)
        job.cancel()
        assert job.wait(PATIENCE_S)
    assert (job.state.fault, job.state.results) == (None, ())
    assert projection.stored(data, index.collection, index.version) is None


# --- how far indexing is ----------------------------------------------------------------------------


def progress(files: int, of: int, chunks: int, known: int, file: str = "", read: int = 0) -> IndexProgress:
    """Of files of one size."""
    state: IndexState = "indexed" if file else "embedding"
    counts = files, of, chunks
    return IndexProgress(*counts, file, state, chunks_known=known, share=files / of, share_read=read / of)


def shown(*steps: IndexProgress) -> list[int]:
    return [step.done for step in in_thousandths(iter(steps))]


def test_within_the_last_window_chunks_move_the_bar() -> None:
    steps = [progress(0, 4, done, 100, read=4) for done in (25, 50, 100)]
    files = [progress(done, 4, 100, 100, f"{done}.txt") for done in (1, 2, 3, 4)]
    assert shown(*steps, *files) == [137, 275, 550, 550, 550, 550, 550]


def test_in_a_large_job_a_window_counts_for_the_files_that_it_holds() -> None:
    first = [progress(0, 100, 300, 600, read=10), progress(10, 100, 600, 600, "10.txt")]
    second = [progress(10, 100, 900, 1200, read=10), progress(20, 100, 1200, 1200, "20.txt")]
    assert shown(*first, *second) == [27, 55, 82, 110]


def test_one_huge_file_moves_the_bar_from_its_first_chunks_on() -> None:
    assert shown(*(progress(0, 1, done, 15_000, read=1) for done in (300, 7_500, 15_000))) == [11, 275, 550]


def test_files_count_by_their_size(index: Index, tmp_path: Path) -> None:
    (tmp_path / "small.txt").write_text("Tea at four.")
    (tmp_path / "long.txt").write_text("\n\n".join(f"Row {n} " + f"word{n} " * 30 for n in range(600)))
    size = (tmp_path / "long.txt").stat().st_size
    large = (size + 1_000) / (size + 2_012)
    steps = list(index.add([tmp_path / "small.txt", tmp_path / "long.txt", tmp_path], NEVER))
    embedding = [step for step in steps if step.state == "embedding"]
    assert [step.share_read for step in embedding if step.chunks_known == 1] == [pytest.approx(1 - large)]
    assert {round(step.share_read, 6) for step in embedding if step.chunks_known > 1} == {round(large, 6)}
    ended = {step.file: step.share for step in steps if step.file}
    assert ended == {"small.txt": pytest.approx(1 - large), "long.txt": pytest.approx(1.0)}


def test_files_that_need_no_embedding_move_the_bar_too() -> None:
    assert shown(*(progress(done, 4, 0, 0, f"{done}.txt") for done in (1, 2, 3, 4))) == [137, 275, 412, 550]


def test_when_all_files_are_stored_sentences_move_the_bar() -> None:
    steps = [IndexProgress(4, 4, done, "", "sentences", chunks_known=100) for done in (0, 50, 100)]
    assert shown(progress(4, 4, 100, 100, "4.txt"), *steps) == [550, 550, 775, 1000]
    assert shown(IndexProgress(0, 0, 0, "", "sentences")) == [1000]


def test_the_bar_never_goes_back() -> None:
    found = shown(
        progress(0, 2, 10, 20, read=2),
        progress(0, 2, 20, 20, read=2),
        progress(1, 2, 20, 20, "a"),
        progress(2, 2, 20, 20, "b"),
    )
    assert found == sorted(found)


def test_files_and_chunks_in_words() -> None:
    def details(*steps: IndexProgress) -> Sequence[str]:
        return [step.detail for step in in_thousandths(iter(steps))]

    assert details(progress(1, 5, 0, 0, "a.txt"), progress(1, 5, 1200, 2400)) == [
        "1 of 5 files",
        "1 of 5 files, 1,200 of 2,400 chunks known so far",
    ]
    assert details(IndexProgress(0, 0, 0, "", "rebuilding", "building the vectors again, 5 of 9 chunks")) == [
        "building the vectors again, 5 of 9 chunks"
    ]
    (step,) = in_thousandths(iter([progress(1, 5, 3, 3, "a.txt")]))
    assert isinstance(step, Progress)
    assert step.result is not None
    assert step.result.file == "a.txt"


def test_jobs_of_different_folders_do_not_meet(tmp_path: Path) -> None:
    keys = {background.writing_key(tmp_path / name) for name in ("a", "b")}
    assert len(keys | {background.map_key(tmp_path / "a", "x"), background.map_key(tmp_path / "a", "y")}) == 4
