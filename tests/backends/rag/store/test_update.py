"""Collections of earlier versions: they open, say what they lack, and are brought up to date without a loss."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from backends.rag.documents import chunks as chunking
from backends.rag.documents.chunks import chunk
from backends.rag.documents.files import Document, Page
from backends.rag.search.retriever import Searcher
from backends.rag.search.sentences import SENTENCES_VERSION, cut, in_words
from backends.rag.store.database import open_database
from backends.rag.store.index import Index
from backends.rag.store.library import StoredChunk
from backends.settings import RagSettings
from benchmarks.corpora import FIELD, HANDBOOK
from tests.backends.rag.conftest import NEVER, fill, make_docx
from tests.backends.rag.quick import SETTINGS, QuickEmbedder

NOTES = "OPENING HOURS\n\nThe shop opens at nine. It closes at six.\n\nPRICES\n\nA cup costs three pounds.\n"


@pytest.fixture
def old(index: Index, tmp_path: Path, data: Path) -> Index:
    """A collection as the first version made it: no headings in the text, nothing of tables, no sentences."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "notes.txt").write_text(NOTES)
    (folder / "plan.md").write_text("# Plan\n\nThe plan is kept. It is short.")
    (folder / "rules.docx").write_bytes(make_docx("Rules", "Doors close at ten."))
    (folder / "lost.docx").write_bytes(make_docx("Lost", "Windows close at eleven."))
    fill(index, folder)
    (folder / "lost.docx").unlink()
    open_database(data).close()
    with closing(sqlite3.connect(data / "index" / "library.sqlite")) as library, library:
        library.execute(
            "UPDATE chunks SET heading = '' WHERE document = (SELECT id FROM documents WHERE format = 'text')"
        )
        library.execute("UPDATE documents SET added = '2025-01-02T03:04:05+00:00'")
        library.execute("DROP TABLE sentence_vectors")
        library.execute("ALTER TABLE documents DROP COLUMN reader")
        library.execute("ALTER TABLE documents DROP COLUMN cutter")
        library.execute("PRAGMA user_version = 1")
    return index


def searched(index: Index, query: str) -> list[tuple[str, str, float]]:
    found = Searcher(index, QuickEmbedder(), RagSettings(**SETTINGS)).search(query, 5)
    return [(one.passage.document, in_words(one.passage), one.score) for one in found.sentences]


def test_an_old_collection_is_searched_and_says_what_it_lacks(old: Index) -> None:
    assert searched(old, "When does the shop open?")[0][1] == "The shop opens at nine."
    assert old.health().ok
    lacking = old.lacking()
    assert lacking.can_update
    assert lacking.sentence == (
        "This collection can be brought up to date: 1 file was read by an earlier version, which lost tables and "
        "headings; 4 documents were not looked through by today's rules for headings; the sentences of 4 chunks have "
        "no vectors yet, so questions wait for them."
    )
    assert lacking.kept == (
        "Read by an earlier version, and the file is gone or was changed: lost.docx. What the collection has of it "
        "stays; add the file again to have its tables and headings read by today's rules."
    )


def test_an_update_keeps_every_document_and_mends_what_can_be_mended(old: Index) -> None:
    before = {one.name: one for one in old.documents()}
    steps = list(old.update(NEVER))
    assert {step.file: step.state for step in steps if step.file} == dict.fromkeys(before, "updated")
    assert {one.name: one for one in old.documents()} == before
    assert {one.heading for one in old.chunks(["notes.txt"])} == {"OPENING HOURS"}
    lacking = old.lacking()
    assert (lacking.sentence, lacking.can_update, lacking.gone) == ("", False, ("lost.docx",))
    assert searched(old, "When do the windows close?")[0][1] == "Windows close at eleven."
    assert [step.state for step in old.update(NEVER)] == ["sentences"]
    assert old.health().ok


def test_a_file_that_was_changed_since_is_not_taken_in(old: Index, tmp_path: Path) -> None:
    (tmp_path / "docs" / "rules.docx").write_bytes(make_docx("Rules", "Doors close at one o'clock."))
    assert old.lacking().gone == ("lost.docx", "rules.docx")
    list(old.update(NEVER))
    assert "Doors close at ten." in old.chunks(["rules.docx"])[0].text


def test_what_cannot_be_read_again_keeps_its_text(old: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.rag.documents.files._check_kind", _refuse)
    steps = {step.file: step for step in old.update(NEVER) if step.file and step.state == "rejected"}
    assert list(steps) == ["rules.docx"]
    assert "Doors close at ten." in old.chunks(["rules.docx"])[0].text


def _refuse(path: Path) -> None:
    raise PermissionError(13, "Permission denied")


def test_an_update_that_is_cancelled_has_lost_nothing_and_goes_on(old: Index) -> None:
    names = [one.name for one in old.documents()]
    cancel = threading.Event()
    for step in old.update(cancel):
        if step.file:
            cancel.set()
    assert [one.name for one in old.documents()] == names
    assert old.health().ok
    assert searched(old, "When does the shop open?")[0][1] == "The shop opens at nine."
    assert old.lacking().can_update
    list(old.update(NEVER))
    assert not old.lacking().can_update


# --- vectors of sentences ---------------------------------------------------------------------------


def test_a_question_embeds_nothing_but_itself(index: Index, folder: Path) -> None:
    fill(index, folder)
    asked = QuickEmbedder()
    Searcher(index, asked, RagSettings(**SETTINGS)).search("How many days of holiday are there?", 3)
    assert asked.batches == []


def test_kept_vectors_rank_as_those_that_are_made_now(index: Index, folder: Path, data: Path) -> None:
    fill(index, folder)
    kept = searched(index, "How many days of holiday are there?")
    with open_database(data).writing() as library:
        library.execute("DELETE FROM sentence_vectors")
    made = searched(index, "How many days of holiday are there?")
    assert [one[:2] for one in kept] == [one[:2] for one in made]
    assert np.allclose([one[2] for one in kept], [one[2] for one in made], atol=2e-4)


def test_vectors_of_another_way_of_cutting_are_not_used(index: Index, folder: Path, data: Path) -> None:
    fill(index, folder)
    with open_database(data).writing() as library:
        library.execute("UPDATE sentence_vectors SET cut = cut - 1")
    assert index.lacking().sentences == index.count()
    asked = QuickEmbedder()
    Searcher(index, asked, RagSettings(**SETTINGS)).search("How many days of holiday are there?", 3)
    assert len(asked.batches) == 1


def test_cancelled_among_the_sentences_the_next_run_goes_on(index: Index, tmp_path: Path, quick: QuickEmbedder) -> None:
    path = tmp_path / "long.txt"
    path.write_text("\n\n".join(f"Row {n} says {n}. " + f"word{n} " * 40 for n in range(300)))
    cancel = threading.Event()
    for step in index.add([path], cancel):
        if step.state == "sentences" and step.chunks_done >= 128:
            cancel.set()
    left = index.lacking().sentences
    assert 0 < left < index.count()
    assert fill(index, path) == {"long.txt": "skipped"}
    assert index.lacking().sentences == 0
    assert all(len(made) for made in index.sentence_vectors(index.numbers()).values())


def test_indexing_one_file_leaves_the_sentences_of_others_for_an_update(old: Index, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("Something new.")
    fill(old, tmp_path / "new.txt")
    assert old.lacking().sentences == 4


def _digest(made: Callable[[Document], list[str]]) -> str:
    whole = hashlib.sha256()
    for corpus in (HANDBOOK, FIELD):
        for path in sorted(corpus.documents.iterdir()):
            if path.suffix in (".md", ".txt", ".csv"):
                text = path.read_text("utf-8")
                format = {".md": "markdown", ".txt": "text", ".csv": "csv"}[path.suffix]
                document = Document(path.name, "0", format, (Page(None, 0, text),))
                whole.update("\n".join(made(document)).encode())
    return whole.hexdigest()[:16]


def test_the_versions_are_raised_when_the_rules_are_changed(quick: QuickEmbedder) -> None:
    """If this fails because the rules were changed, raise the version and put the new digest here: without that, old
    collections would not be brought up to date, and kept vectors would be taken for those of other sentences."""

    def chunks(document: Document) -> list[StoredChunk]:
        found = chunk(document, quick.tokenizer, 128, 16)
        return [StoredChunk(0, "", c.document, c.page, c.start, c.end, c.heading, c.text) for c in found]

    cut_places = _digest(lambda document: [f"{one.start} {one.end} {one.heading}" for one in chunks(document)])
    texts = _digest(lambda document: [in_words(one) for each in chunks(document) for one in cut(each)])
    assert (chunking.CHUNKS_VERSION, cut_places) == (1, "dad0eb25138a996f")
    assert (SENTENCES_VERSION, texts) == (2, "de612fbd02d499e1")
