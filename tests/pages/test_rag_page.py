"""The RAG page's sections as a person meets them: documents in, looked at, searched, drawn, measured; and faults."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

from backends.base import Question
from backends.rag import approach
from backends.rag.store import jobs as background
from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from backends.rag.store.index import Index
from backends.run import jobs
from backends.run.lane import THIS_MACHINE, lane
from backends.run.live import LiveComparison
from backends.settings import DEFAULT_EMBEDDER, RagSettings
from evaluation.retrieval_runs import measuring_key
from tests.backends.rag.conftest import TEXTS, fill, make_pdf
from tests.backends.rag.cross_encoder import tiny_cross_encoder
from tests.backends.rag.quick import QuickEmbedder
from tests.scripted import PATIENCE_S, Scripted, finished
from ui.resources import warm_up
from ui.shared import numbers

HOME = Path(__file__).resolve().parents[2]
HOSTILE = "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](http://evil.example) $z$ :smile: **b**"
QUESTION = "How many days of paid holiday a year?"


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared_parser: None) -> Iterator[Path]:
    """The app with real collections, an embedder that costs nothing, and no model that writes answers."""
    folder = tmp_path / "data"
    monkeypatch.setenv("CROSSROADS_RAW__MODEL", str(tmp_path / "no-such-folder"))
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, folder), QuickEmbedder())
    monkeypatch.chdir(tmp_path)
    warm_up.clear()
    yield folder
    warm_up.clear()
    close_stores(folder)
    open_database(folder).close()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the collection `handbook` of three documents; the PDF has two pages. To be copied."""
    root = tmp_path_factory.mktemp("filled")
    folder = root / "docs"
    folder.mkdir()
    (folder / "returns.md").write_text(TEXTS["returns.md"])
    (folder / "leave.txt").write_text(TEXTS["leave.txt"])
    (folder / "manual.pdf").write_bytes(make_pdf(["Fill the tank with water.", "Descale every 60 days."]))
    fill(Index(root / "data", "handbook", QuickEmbedder(), RagSettings()), folder)
    close_stores(root / "data")
    open_database(root / "data").close()
    return root / "data"


@pytest.fixture
def index(data: Path, filled: Path) -> Index:
    """The collection `handbook` in the data folder."""
    shutil.copytree(filled, data)
    return Index(data, "handbook", approach.embedders[DEFAULT_EMBEDDER, data], RagSettings())


def run(acted: AppTest | Widget) -> AppTest:
    at = acted.run()
    assert not at.exception, at.exception
    return at


def opened(section: str = "Ask") -> AppTest:
    """A section, once the models have been looked for."""
    at = AppTest.from_file(str(HOME / "pages" / "rag.py"), default_timeout=PATIENCE_S)
    run(at)
    for thread in threading.enumerate():
        if thread.name == "warm-up":
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
    at.button_group(key="section").set_value(section)
    return run(at)


@contextmanager
def answer_under_way() -> Iterator[None]:
    """A question is being answered on this machine, so background work has to wait."""
    line = lane(THIS_MACHINE)
    with line.turn(line.join("raw"), threading.Event()):
        yield


def click(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click()
    return run(at)


def done(at: AppTest, key: str) -> AppTest:
    """The page once a job has ended."""
    job = jobs.find(key)
    assert job is not None
    assert job.wait(PATIENCE_S)
    return run(at)


def worked_out(at: AppTest) -> AppTest:
    """The page with what it works out in the background: on a busy machine it says first that it waits for that."""
    places = ("work:search", "work:preview now", "work:preview then")
    while shows(at, "what this machine does already goes first."):
        for _, job in (at.session_state[place] for place in places if place in at.session_state):
            assert job.wait(PATIENCE_S)
        run(at)
    return at


def written(at: AppTest, data: Path) -> AppTest:
    return done(at, background.writing_key(data))


def upload(at: AppTest, *files: tuple[str, bytes]) -> AppTest:
    for name, content in files:
        at.file_uploader(key="uploads").upload(name, content)
    return click(at, "FormSubmitter:form:upload-Add to the collection")


def seen(at: AppTest) -> list[str]:
    """Every text that is read as Markdown, with its escapes taken out."""
    kinds = (at.markdown, at.caption, at.info, at.error, at.warning, at.success)
    return [re.sub(r"\\(.)", r"\1", element.value) for kind in kinds for element in kind]


def shows(at: AppTest, text: str) -> bool:
    return any(text in one for one in seen(at))


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


# --- sections -----------------------------------------------------------------------------------------


def test_the_page_opens_with_the_question_box(data: Path) -> None:
    at = opened()
    assert list(at.button_group(key="section").options) == ["Ask", "Documents", "Search", "Map", "Measure"]
    assert at.button_group(key="section").value == "Ask"
    assert "Ask" in labels(at)
    assert list(at.selectbox(key="setting:rag.collection").options) == ["handbook"]


def test_a_section_has_an_address_of_its_own(index: Index) -> None:
    at = AppTest.from_file(str(HOME / "pages" / "rag.py"), default_timeout=PATIENCE_S)
    at.query_params["section"] = "Documents"
    assert run(at).button_group(key="section").value == "Documents"
    assert len(at.dataframe) == 1


@pytest.mark.parametrize("section", ["Documents", "Search", "Map", "Measure"])
def test_the_scripted_app_says_that_it_has_no_documents(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "true")
    at = AppTest.from_file(str(HOME / "pages" / "rag.py"), default_timeout=PATIENCE_S)
    run(at)
    at.button_group(key="section").set_value(section)
    assert shows(run(at), "The script answers without documents")


@pytest.mark.parametrize("section", ["Search", "Map", "Measure"])
def test_an_empty_collection_leads_to_the_documents(section: str, data: Path) -> None:
    assert shows(opened(section), "Add documents in the section Documents.")


# --- below the threshold ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["rag", "compare"])
def test_a_refusal_by_threshold_shows_what_came_nearest_and_is_answered_anyway(
    index: Index, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    for name, value in {"GENERATOR": "quote", "JUDGE": "false", "MIN_SCORE": "0.99"}.items():
        monkeypatch.setenv(f"CROSSROADS_RAG__{name}", value)
    at = run(AppTest.from_file(str(HOME / "pages" / f"{page}.py"), default_timeout=PATIENCE_S))
    at.text_area(key=f"question:{page}").set_value(QUESTION)
    click(at, f"ask:{page}")
    assert shows(at, ":orange-badge[:material/vertical_align_bottom: below threshold]")
    assert shows(at, 'the threshold is 0.99). Choose "Answer anyway"')
    assert "Nearest sentences (3)" in [expander.label for expander in at.expander]
    assert shows(at, "Every employee has 27 days of paid holiday a year.")
    click(at, f"nearest:{page}:rag:1")
    assert shows(at, "leave.txt")
    assert len(at.get("dialog")) == 1
    before = {one.approach: one for one in at.session_state["live_comparisons"][page].answers}
    assert before["rag"].status == "below_threshold"
    click(at, f"anyway:{page}:rag")
    after = {one.approach: one for one in at.session_state["live_comparisons"][page].answers}
    assert all(after[other] is answer for other, answer in before.items() if other != "rag")
    assert "27 days of paid holiday" in after["rag"].text
    assert shows(at, "It was answered all the same.")
    assert "Answer anyway" not in labels(at)


# --- documents in ---------------------------------------------------------------------------------------


def test_an_empty_collection_says_what_it_is_for_and_is_filled_with_one_click(data: Path) -> None:
    at = opened("Documents")
    assert shows(at, "handbook is empty")
    assert shows(at, "A collection is what the RAG approach searches before it answers")
    click(at, "fill_sample")
    written(at, data)
    assert shows(at, "16 added.")
    assert shows(at, "16 documents \u00b7 189 chunks of at most 128 tokens, 32 shared \u00b7 vectors by quick")
    assert "Fill it with the sample documents" not in labels(at)


def test_the_encoding_of_an_upload_can_be_chosen(index: Index, data: Path) -> None:
    at = opened("Documents")
    at.selectbox(key="upload_encoding").select("koi8-r")
    written(upload(at, ("shelf.txt", "Шкаф".encode("koi8-r"))), data)
    assert [page.text for page in index.pages("shelf.txt")] == ["Шкаф"]


def test_uploads_end_each_with_a_result_and_a_reason(index: Index, data: Path) -> None:
    at = upload(
        opened("Documents"),
        ("notes.txt", b"The kettle is red."),
        ("leave.txt", b"Every employee has 30 days of paid holiday a year."),
        ("copy.md", TEXTS["returns.md"].encode()),
        ("empty.txt", b""),
        ("picture.txt", bytes(range(256)) * 20),
    )
    written(at, data)
    ended = "Adding to handbook\\: 1 added, 1 replaced, 1 there already, 2 not read"
    assert any(warning.value.startswith(ended) for warning in at.warning)
    first, second, third = [text for text in seen(at) if text.startswith(":material/warning: **")]
    assert "not read" in first
    assert "not read" in second
    assert "there already" in third
    assert shows(at, "**empty.txt** not read: The file is empty (0 bytes).")
    assert shows(at, "**picture.txt** not read: The file is named as text but holds binary data.")
    assert shows(at, "**copy.md** there already: It has the same content as returns.md.")
    results, table = (element.value for element in at.dataframe)
    assert dict(zip(results["File"], results["Result"], strict=True)) == {
        "empty.txt": "not read",
        "picture.txt": "not read",
        "copy.md": "there already",
        "leave.txt": "replaced",
        "notes.txt": "added",
    }
    assert list(table["Document"]) == ["leave.txt", "manual.pdf", "notes.txt", "returns.md"]
    assert not at.error
    click(at, "hide_job")
    assert len(at.dataframe) == 1


def test_files_that_are_not_listed_are_counted_and_warnings_are_in_the_list(index: Index, data: Path) -> None:
    empty = [(f"empty {number:02}.txt", b"") for number in range(12)]
    at = upload(opened("Documents"), *empty, ("french.txt", "Le café est fermé le lundi.".encode("latin-1")))
    written(at, data)
    assert shows(at, "1 added, 12 not read.")
    assert sum(": The file is empty (0 bytes)." in text for text in seen(at)) == 10
    assert shows(at, "and 2 more, see Every file.")
    remarks = at.dataframe[0].value.set_index("File")["Why, or what to be wary of"]
    assert remarks["french.txt"] == "The file does not say how its text is encoded: Windows-1252 was guessed."


def test_the_table_says_what_was_understood(index: Index) -> None:
    table = opened("Documents").dataframe[0].value.set_index("Document")
    assert list(table.columns) == ["Format", "Pages", "Characters", "Chunks", "Language", "Size", "Warnings"]
    assert list(table.loc["manual.pdf"][["Format", "Pages", "Characters", "Chunks"]]) == ["pdf", 2, 49, 2]
    assert table["Pages"].isna().to_dict() == {"leave.txt": True, "manual.pdf": False, "returns.md": True}
    assert table.loc["leave.txt"]["Size"] == "50 B"


def test_while_documents_come_in_the_page_shows_how_far_it_is_and_can_be_left(index: Index, data: Path) -> None:
    at = opened("Documents")
    with answer_under_way():
        upload(at, ("notes.txt", b"The kettle is red."))
        assert at.progress[0].text == "**Adding to handbook**"
        assert at.button(key="FormSubmitter:form:upload-Add to the collection").disabled
        at.button_group(key="section").set_value("Ask")
        assert not run(at).progress
        at.button_group(key="section").set_value("Documents")
        assert run(at).progress[0].text == "**Adding to handbook**"
        click(at, "cancel:writing")
        written(at, data)
    assert shows(at, "Adding to handbook: Stopped. Nothing was changed.")
    assert [one.name for one in index.documents()] == ["leave.txt", "manual.pdf", "returns.md"]


def test_nothing_chosen_is_nothing_added(index: Index, data: Path) -> None:
    before = jobs.find(background.writing_key(data))
    click(opened("Documents"), "FormSubmitter:form:upload-Add to the collection")
    assert jobs.find(background.writing_key(data)) is before


# --- a document -----------------------------------------------------------------------------------------


def select(at: AppTest, index: Index, row: int) -> AppTest:
    at.session_state[f"documents:{index.version}"] = {"selection": {"rows": [row], "columns": [], "cells": []}}
    return run(at)


def test_a_document_is_shown_page_by_page_with_its_chunks(index: Index) -> None:
    at = select(opened("Documents"), index, 1)
    assert shows(at, "## manual.pdf")
    assert ":gray-badge[1] :violet-background[Fill the tank with water.]" in [one.strip() for one in seen(at)]
    at.get("pagination")[0].set_value(2)
    run(at)
    assert ":gray-badge[2] :blue-background[Descale every 60 days.]" in [one.strip() for one in seen(at)]
    at.button_group(key="document_view").set_value("Plain text")
    assert "Descale every 60 days." in [text.value for text in run(at).text]
    at.button_group(key="document_view").set_value("List of chunks")
    chunks = run(at).dataframe[1].value
    assert list(chunks["text"]) == ["Fill the tank with water.", "Descale every 60 days."]
    assert list(chunks["page"]) == [1, 2]


def test_a_document_is_deleted_brought_back_and_forgotten(index: Index) -> None:
    at = select(opened("Documents"), index, 0)
    click(at, "delete_document")
    assert [one.name for one in index.documents()] == ["manual.pdf", "returns.md"]
    assert shows(at, "1 document is deleted and no longer searched.")
    assert not shows(at, "## manual.pdf")  # the next row is not taken for the chosen one
    click(at, "restore:leave.txt")
    assert [one.name for one in index.documents()] == ["leave.txt", "manual.pdf", "returns.md"]
    click(select(at, index, 0), "delete_document")
    click(at, "purge")
    assert index.deleted() == []
    assert not shows(at, "no longer searched")


def test_a_document_is_replaced_under_its_name(index: Index, data: Path) -> None:
    at = select(opened("Documents"), index, 0)
    at.file_uploader(key="replacement").upload("holidays-2026.txt", b"Every employee has 31 days.")
    click(at, "FormSubmitter:form:replace-Replace")
    written(at, data)
    assert shows(at, "1 replaced.")
    assert [page.text for page in index.pages("leave.txt")] == ["Every employee has 31 days."]
    assert len(index.documents()) == 3


def test_a_hostile_document_is_shown_as_text(index: Index, data: Path) -> None:
    name = "![x](http:evil.example) **b**.txt"
    at = upload(opened("Documents"), (name, HOSTILE.encode()), ("$z$ [y](http:evil.example).txt", b""))
    written(at, data)
    names = [one.name for one in index.documents()]
    assert name in names
    at = select(at, index, names.index(name))
    assert name in [re.sub(r"\\(.)", r"\1", one.value).removeprefix("## ") for one in at.markdown]
    for element in (*at.markdown, *at.caption):
        live = re.sub(r"\\.", "", element.value)
        assert not re.search(r"<script|!\[|\]\(|evil\.example|\$z\$|:smile:|\*\*b\*\*", live), live
    assert not at.get("imgs")


# --- collections ----------------------------------------------------------------------------------------


def test_collections_are_created_chosen_and_deleted(index: Index, data: Path) -> None:
    at = opened("Documents")
    at.text_input(key="new_collection").input("  My   manuals ")
    click(at, "FormSubmitter:form:new_collection-Create")
    assert at.selectbox(key="collection").value == "My manuals"
    assert at.session_state["new_collection_open"] is False
    assert shows(at, "My manuals is empty")
    assert "Fill it with the sample documents" not in labels(at)
    upload(at, ("notes.txt", b"The kettle is red."))
    written(at, data)
    assert list(at.selectbox(key="collection").options) == ["My manuals", "handbook"]
    run(at.selectbox(key="collection").set_value("handbook"))
    assert shows(at, "3 documents")
    run(at.selectbox(key="collection").set_value("My manuals"))
    click(at, "drop")
    assert at.selectbox(key="collection").value == "handbook"
    assert list(at.selectbox(key="collection").options) == ["handbook"]


# --- health ---------------------------------------------------------------------------------------------


def test_lost_vectors_are_named_and_rebuilt_with_one_click(index: Index, data: Path) -> None:
    close_stores(data)
    for folder in (data / "index").glob("v-*"):
        shutil.rmtree(folder)
    at = opened("Documents")
    assert shows(at, "The vectors of the collection handbook are missing.")
    click(at, "rebuild")
    written(at, data)
    assert shows(at, "Rebuilding handbook")
    assert not shows(at, "are missing")
    index.check()


def test_an_older_collection_is_brought_up_to_date_with_one_click(index: Index, data: Path) -> None:
    with open_database(data).writing() as library:
        library.execute("DELETE FROM sentence_vectors")
        library.execute("UPDATE documents SET cutter = 0")
    at = opened("Documents")
    assert shows(at, "This collection can be brought up to date: 3 documents were not looked through")
    click(at, "update_collection")
    written(at, data)
    assert shows(at, "3 brought up to date.")
    assert not shows(at, "This collection can be brought up to date")
    assert not index.lacking().can_update


def test_another_embedder_is_named_and_embedded_again_with_one_click(
    index: Index, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, data), QuickEmbedder("other@2"))
    at = opened("Documents")
    assert shows(at, "The collection handbook was indexed with the embedder quick@1, but other@2 is chosen now.")
    click(at, "re_embed")
    written(at, data)
    assert not shows(at, "is chosen now")
    assert shows(at, "vectors by other")


def test_a_damaged_library_is_a_sentence_and_can_be_set_aside(index: Index, data: Path) -> None:
    open_database(data).close()
    for file in (data / "index").glob("library.sqlite-*"):
        file.unlink()
    (data / "index" / "library.sqlite").write_bytes(b"not a database " * 1000)
    at = opened("Documents")
    assert len(at.error) == 1
    assert "Set it aside and start anew" in labels(at)
    for section in ("Search", "Map", "Measure", "Ask"):
        at.button_group(key="section").set_value(section)
        run(at)
    at.button_group(key="section").set_value("Documents")
    run(at)
    click(at, "drop")
    assert not at.error
    assert shows(at, "handbook is empty")
    assert (data / "index" / "library.damaged").exists()


def test_an_embedder_that_cannot_be_had_is_a_sentence(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_RAG__EMBEDDER", "./no-such-embedder")
    for section in ("Documents", "Search", "Map", "Measure"):
        (error,) = opened(section).error
        assert "no-such-embedder" in error.value.replace("\\", "")


# --- how documents are cut --------------------------------------------------------------------------------


def cut_panel(index: Index) -> AppTest:
    at = opened("Documents")
    at.session_state["chunk_settings"] = True
    return worked_out(run(at))


def test_the_effect_of_chunk_settings_shows_before_anything_is_indexed(index: Index, data: Path) -> None:
    before = index.version
    at = cut_panel(index)
    assert [(metric.label, metric.value) for metric in at.metric] == [
        ("Chunks now", "4"),
        ("Chunks with these settings", "4"),
    ]
    assert at.button(key="rechunk").disabled
    at.slider(key="overlap_tokens").set_value(0)
    worked_out(run(at.slider(key="chunk_tokens").set_value(32)))
    assert len(at.get("vega_lite_chart")) == 1
    assert shows(at, "**With these settings** \u00b7 32 tokens, 0 shared")
    assert shows(at, "The present chunks go on answering until the new ones are complete.")
    assert index.version == before
    click(at, "rechunk")
    written(at, data)
    assert shows(at, "Re-indexing handbook")
    assert shows(at, "chunks of at most 32 tokens, 0 shared")
    index.check()


def test_neighbours_cannot_share_a_whole_chunk(index: Index) -> None:
    at = cut_panel(index)
    at.slider(key="chunk_tokens").set_value(32)
    run(at.slider(key="overlap_tokens").set_value(64))
    assert shows(at, "Neighbours cannot share a whole chunk")
    assert "Re-index with these" not in labels(at)


# --- search -----------------------------------------------------------------------------------------------


def search(at: AppTest, question: str = QUESTION) -> AppTest:
    return worked_out(searching(at, question))


def searching(at: AppTest, question: str = QUESTION) -> AppTest:
    at.text_input(key="rag_query_box").input(question)
    return click(at, "FormSubmitter:form:rag_query-Search")


def test_every_way_of_searching_is_shown_beside_the_others(index: Index) -> None:
    at = search(opened("Search"))
    headings = [one.value for one in at.markdown if one.value.startswith("## ")]
    assert headings == [
        "## Dense",
        "## Keyword",
        "## Fused",
        "## Best sentence :blue-badge[:material/check: in use]",
        "## Reranked",
        "## Best sentences",
    ]
    assert [one for one in seen(at) if one.startswith("**1 \u00b7 ")] == ["**1 \u00b7 leave.txt**"] * 4
    assert shows(at, "chance 0.")
    assert shows(at, "dense #1 (")
    assert shows(at, "Time: turning the question into numbers")
    table = at.dataframe[0].value
    assert table.iloc[0]["document"] == "leave.txt"
    assert (table.iloc[0]["dense rank"], table.iloc[0]["keyword rank"], table.iloc[0]["fused rank"]) == (1, 1, 1)


def test_a_reranker_that_works_can_be_changed_where_it_was_chosen(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "cross-encoder"
    folder.mkdir()
    at = search(opened("Search"))
    run(at.text_input(key="setting:rag.reranker").input(str(tiny_cross_encoder(folder))))
    assert at.session_state["work:search"][1].wait(PATIENCE_S)  # it may outlast the page's own patience
    run(at)
    assert shows(at, "reranked #1 (")
    run(at.text_input(key="setting:rag.reranker").input(""))
    assert shows(at, "No reranker is configured")


def test_without_a_reranker_the_page_says_how_to_get_one(index: Index) -> None:
    at = search(opened("Search"))
    assert shows(at, "No reranker is configured")
    run(at.text_input(key="setting:rag.reranker").input("./no-such-reranker"))
    assert shows(at, "no-such-reranker")
    assert [one for one in seen(at) if one.startswith("**1 \u00b7 ")] == ["**1 \u00b7 leave.txt**"] * 4


def test_what_is_below_the_threshold_is_marked(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    at = search(opened("Search"), "zebra")
    assert shows(at, "RAG would say that the documents do not say.")
    assert shows(at, f"below the threshold of {RagSettings().min_score}")
    assert shows(at, "No passage shares a word with it.")


def test_the_last_question_that_rag_was_asked_is_the_first_to_be_searched(index: Index) -> None:
    comparison = LiveComparison([Scripted(finished(1), approach="rag", lane="rag-page-test")], Question(QUESTION))
    assert comparison.wait(PATIENCE_S)
    at = opened()
    at.session_state["live_comparisons"] = {"rag": comparison}
    at.button_group(key="section").set_value("Search")
    assert run(at).text_input(key="rag_query_box").value == QUESTION
    assert shows(worked_out(at), "**1 \u00b7 leave.txt**")


def test_filters_narrow_the_search_down(index: Index) -> None:
    at = opened("Search")
    run(at.multiselect(key="rag_filters:formats").set_value(["pdf"]))
    search(at)
    assert {one for one in seen(at) if one.startswith("**1 \u00b7 ")} == {"**1 \u00b7 manual.pdf** \u00b7 page 2"}
    assert shows(at, "Nothing is searched but format pdf")


def test_filters_hold_in_every_section_and_are_undone_with_one_click(index: Index) -> None:
    at = opened("Ask")
    run(at.multiselect(key="rag_filters:documents").set_value(["leave.txt"]))
    run(at.button_group(key="section").set_value("Search"))
    assert at.multiselect(key="rag_filters:documents").value == ["leave.txt"]
    search(at)
    assert {one for one in seen(at) if one.startswith("**1 \u00b7 ")} == {"**1 \u00b7 leave.txt**"}
    run(at.multiselect(key="rag_filters:formats").set_value(["pdf"]))
    assert shows(at, "No document of the collection passes the filters (document leave.txt, format pdf).")
    click(at, "rag_filters:none")
    assert at.multiselect(key="rag_filters:documents").value == []
    assert not shows(at, "Nothing is searched but")
    assert shows(at, "manual.pdf")


def test_another_collection_is_not_narrowed_to_the_documents_of_the_last_one(index: Index) -> None:
    at = opened("Ask")
    run(at.multiselect(key="rag_filters:documents").set_value(["leave.txt"]))
    run(at.multiselect(key="rag_filters:formats").set_value(["text"]))
    run(at.button_group(key="section").set_value("Documents"))
    at.text_input(key="new_collection").input("other")
    click(at, "FormSubmitter:form:new_collection-Create")
    run(at.button_group(key="section").set_value("Ask"))
    assert shows(at, "Nothing is searched but format text.")


def test_a_search_waits_for_an_answer_under_way_without_blocking_the_page(index: Index) -> None:
    at = opened("Search")
    with answer_under_way():
        searching(at)
        assert shows(at, "Searching; what this machine does already goes first.")
    (_, job) = at.session_state["work:search"]
    assert job.wait(PATIENCE_S)
    assert shows(run(at), "**1 \u00b7 leave.txt**")


# --- map --------------------------------------------------------------------------------------------------


def test_the_map_is_drawn_and_explained(index: Index, data: Path) -> None:
    at = opened("Map")
    done(at, background.map_key(data, "handbook"))
    assert len(at.get("vega_lite_chart")) == 1
    assert shows(at, "## What you see")
    assert not shows(at, "The star lies at the mean")
    search(at)
    (chart,) = at.get("vega_lite_chart")
    assert all(name in chart.proto.spec for name in ("leave.txt", "manual.pdf", "returns.md"))
    assert shows(at, "The star lies at the mean of the 3 chunks most similar to the question")


def test_of_a_large_collection_a_sample_is_drawn_and_the_hits_with_it(
    index: Index, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.rag.search.projection.MAX_POINTS", 1)
    at = opened("Map")
    done(at, background.map_key(data, "handbook"))
    assert shows(at, "1 of 4 chunks are shown, evenly chosen.")
    search(at)
    (chart,) = at.get("vega_lite_chart")
    drawn = [pa.ipc.open_stream(table.data.data).read_pandas() for table in chart.proto.datasets]
    assert sorted(drawn[0]["document"]) == ["leave.txt", "manual.pdf", "manual.pdf", "returns.md"]
    assert sorted(drawn[0]["rank"].dropna()) == [1, 2, 3, 4]


def test_the_map_is_drawn_anew_after_a_change(index: Index, data: Path) -> None:
    done(opened("Map"), background.map_key(data, "handbook"))
    first = jobs.find(background.map_key(data, "handbook"))
    index.delete("manual.pdf")
    at = opened("Map")
    done(at, background.map_key(data, "handbook"))
    assert jobs.find(background.map_key(data, "handbook")) is not first
    assert "manual.pdf" not in at.get("vega_lite_chart")[0].proto.spec


def test_a_map_can_be_cancelled_and_asked_for_again(index: Index, data: Path) -> None:
    at = opened()
    with answer_under_way():
        at.button_group(key="section").set_value("Map")
        run(at)
        assert at.progress[0].text == "**Drawing the map of handbook**"
        click(at, "cancel:map")
        done(at, background.map_key(data, "handbook"))
    assert shows(at, "The map was not drawn.")
    run(next(button for button in at.button if button.label == "Draw the map").click())
    done(at, background.map_key(data, "handbook"))
    assert len(at.get("vega_lite_chart")) == 1


# --- measure ----------------------------------------------------------------------------------------------

QUESTIONS = b"""question,source,key_facts,tags
How many days of paid holiday a year?,leave.txt,27 days,
Within how many days may unopened goods be returned?,returns.md,45 days,
Who founded it?,history.md,,
Is there a zeppelin?,,,not_answered
"""


def measured(data: Path, questions: bytes = QUESTIONS, name: str = "mine.csv") -> AppTest:
    at = opened("Measure")
    run(at.button_group(key="question_set").set_value("A file of yours"))
    at.file_uploader(key="question_file").upload(name, questions)
    run(at)
    click(at, "measure")
    return at


def test_measuring_names_the_best_and_shows_every_setting(index: Index, data: Path) -> None:
    at = done(measured(data), measuring_key(data, "handbook"))
    assert any(re.match(r"## [\w ]+, 128/32 is best: nDCG@10 \d", one) for one in seen(at))
    assert shows(at, "Measured on 2 questions.")
    table, refused, times = (element.value for element in at.dataframe)
    assert shows(at, f"Threshold {RagSettings().min_score}: ")
    assert list(refused.columns) == ["Threshold", "Falsely refused", "Rightly refused"]
    assert list(refused.iloc[0]) == ["0", "0 of 2", "0 of 1"]
    assert f"{RagSettings().min_score} (in force)" in list(refused["Threshold"])
    assert list(refused.iloc[-1]) == ["1", "2 of 2", "1 of 1"]
    steps = [
        "turning the question into numbers",
        "dense",
        "keyword",
        "fusing",
        "reading sentences",
        "judging sentences",
        "total",
    ]
    assert sorted(times.columns) == sorted(["Setting", *steps])
    by_setting = times.set_index("Setting")
    assert by_setting.loc["Dense, 128/32"]["keyword"] == numbers.UNKNOWN
    assert re.fullmatch(r"[\d.]+ m?s \([\d.]+ m?s\)", by_setting.loc["Fused, 128/32"]["total"])
    names = ["Best sentence, 128/32", "Dense, 128/32", "Fused, 128/32", "Keyword, 128/32"]
    assert sorted(table["Setting"]) == names
    assert list(table.columns)[1:] == ["hit@1", "hit@3", "hit@5", "hit@10", "MRR", "nDCG@10", "Time p50", "p95"]
    assert sum("\u2605" in cell for cell in table["nDCG@10"]) >= 1
    assert len(at.get("vega_lite_chart")) == 3
    assert sorted(text.value for text in at.text) == [
        "1 \u00d7 history.md is not in the collection",
        "1 \u00d7 the documents do not answer it: it shows what the threshold refuses rightly",
    ]
    assert shows(at, "Nothing is clearly better than what was in force.")  # with two questions, nothing can be
    assert "Use this setting" not in labels(at)


def test_a_measured_setting_is_taken_over(index: Index, data: Path) -> None:
    at = done(measured(data), measuring_key(data, "handbook"))
    table = at.dataframe[0].value
    row = list(table["Setting"]).index("Keyword, 128/32")
    at.session_state["measured"] = {"selection": {"rows": [row], "columns": [], "cells": []}}
    run(at)
    click(at, "use_setting")
    assert at.session_state["setting_overrides"]["rag.mode"] == "keyword"
    assert shows(at, "**Keyword, 128/32** is in force.")


def test_other_chunks_are_tried_aside_and_taken_over_by_cutting_anew(index: Index, data: Path) -> None:
    at = opened("Measure")
    run(at.button_group(key="question_set").set_value("A file of yours"))
    at.file_uploader(key="question_file").upload("mine.csv", QUESTIONS)
    at.multiselect(key="try_cuts").set_value(["64/16"])
    run(at)
    done(click(at, "measure"), measuring_key(data, "handbook"))
    names = list(at.dataframe[0].value["Setting"])
    assert len(names) == 8
    row = names.index("Dense, 64/16")
    at.session_state["measured"] = {"selection": {"rows": [row], "columns": [], "cells": []}}
    run(at)
    assert shows(at, "the collection is cut and embedded anew")
    with answer_under_way():
        click(at, "use_setting")
        assert at.progress[0].text == "**Re\\-indexing handbook**"
        assert at.button(key="use_setting").disabled
    written(at, data)
    assert shows(at, "chunks of at most 64 tokens, 16 shared")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("mine.csv", b"a,b\n1,2\n", "mine.csv has no questions."),
        ("mine.csv", b"question\n" + bytes(range(32)) * 30, "mine.csv is not text."),
        ("mine.jsonl", b"{", "Line 1 of mine.jsonl is not JSON."),
    ],
)
def test_a_question_set_that_cannot_be_read_is_a_sentence(
    index: Index, data: Path, name: str, content: bytes, sentence: str
) -> None:
    assert shows(measured(data, content, name), sentence)


def test_without_a_file_there_is_nothing_to_measure(index: Index) -> None:
    at = opened("Measure")
    run(at.button_group(key="question_set").set_value("A file of yours"))
    assert shows(click(at, "measure"), "There is no file with questions yet.")


def test_questions_about_other_documents_are_a_sentence(index: Index, data: Path) -> None:
    at = opened("Measure")
    done(click(at, "measure"), measuring_key(data, "handbook"))
    assert shows(at, "No question can be judged")
