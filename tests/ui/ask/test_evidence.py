"""An answer with its citations: what the sentences are marked with, and the passage that a click opens."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backends.base import Answer, BelowThreshold, Draft, Passage, Usage
from backends.rag.approach import open_index
from backends.rag.documents.headings import heading_marks
from backends.rag.evidence.answer import METHOD, AnswerEvidence, check
from backends.rag.prompt import REFUSAL
from backends.run.live import Column
from backends.settings import load_settings
from tests.pages.opening import markdown_in
from tests.scripted import PATIENCE_S
from ui.ask.column import paragraphs
from ui.ask.evidence import excerpt, highlighted
from ui.shared.text import escaped

QUESTION = "How long can an opened Ember One be returned?"
HOSTILE = "<b>x</b> ![x](http://evil.example/x.png) [y](http://evil.example) $z$ :smile: **b** :red[c]"
TEXT = (
    "".join(f"Line {number} of the policy says nothing else.\n" for number in range(60))
    + "An opened Ember One may be returned within 30 days.\n"
    + f"{HOSTILE}\n"
    + "".join(f"Line {number} of the policy says nothing else.\n" for number in range(60, 120))
)
SAID = "An opened Ember One may be returned within 30 days."
START = TEXT.index(SAID)


@pytest.fixture(scope="module")
def data(model_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose collection holds one document."""
    folder = tmp_path_factory.mktemp("evidence")
    (folder / "models").symlink_to(model_data / "models")
    (folder / "returns.md").write_text(TEXT, encoding="utf-8")
    index = open_index(load_settings({"data": folder}))
    assert [step.state for step in index.add([folder / "returns.md"], threading.Event()) if step.file] == ["indexed"]
    return folder


@pytest.fixture(autouse=True)
def _settings(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_DATA", str(data))


def passage(document: str = "returns.md", text: str = f"{SAID}\n{HOSTILE}") -> Passage:
    return Passage(document, None, "abc", 0.61, START, START + len(text), text)


def answered(text: str, *sources: Passage) -> Answer:
    usage = Usage(0 if text == REFUSAL and not sources else 9, 0 if not sources else 3, source="tokenizer")
    return Answer("rag", "a model", text, "ok", "stop", usage=usage, sources=sources)


def app() -> None:
    import streamlit as st

    from ui.ask.column import AnswerColumn

    column = st.session_state["column"]
    drawn = AnswerColumn(st.container(width=302), "rag")
    drawn.draw(column)
    drawn.draw(column, None, frozenset({"latency_s"}))


def shown(answer: Answer, question: str | None = QUESTION) -> AppTest:
    at = AppTest.from_function(app, default_timeout=PATIENCE_S)
    checked = None if question is None else check(answer, question)
    at.session_state["column"] = Column(
        "rag", "a model", phase="done", text=answer.text, answer=answer, checked=checked
    )
    return run(at)


def run(at: AppTest) -> AppTest:
    at.run()
    assert not at.exception, at.exception
    return at


def text(at: AppTest) -> list[str]:
    """The pieces of the answer's text, as Markdown."""
    return markdown_in(at, "answer-")


def badges(at: AppTest) -> list[str]:
    return [one.value for one in at.expander[0].markdown]


# --- the column ---------------------------------------------------------------------------------


def test_sentences_carry_their_marks_and_the_text_its_citations() -> None:
    at = shown(answered(f"{SAID} Most makers give two years. Want more?", passage()))
    assert text(at) == [paragraphs(SAID), paragraphs("Most makers give two years. Want more?")]
    assert [expander.label for expander in at.expander] == [
        "Evidence: 1 of 2 sentences supported",
        "How it was measured",
        "Sources (1)",
    ]
    assert badges(at) == [
        ":green-badge[:material/check_circle: supported by]",
        ":orange-badge[:material/help: not found in the passages]",
        ":gray-badge[nothing to check]",
    ]
    captions = [caption.value for caption in at.expander[0].caption]
    assert captions == [escaped(SAID), escaped("Most makers give two years."), escaped("Want more?"), METHOD]
    assert [button.label for button in at.button] == [":blue[\\[1\\]]"] * 2  # in the text, and beside the sentence


def test_a_quote_stands_beside_what_was_written_first_and_is_no_evidence() -> None:
    draft = Draft("It can be returned within 99 days.", f"It was not found. {HOSTILE}", 1.25)
    at = shown(replace(answered(f"{SAID} [1]", passage()), draft=draft))
    assert text(at) == [paragraphs(SAID)]
    labels = [expander.label for expander in at.expander]
    assert labels[:1] == ["Where the quote stands: 1 sentence"]
    assert labels[1:] == ["How it was measured", "What the model wrote first", "Sources (1)"]
    assert any("Whether it answers the question is yours to judge" in caption.value for caption in at.caption)
    first = at.expander[2]
    assert first.markdown[0].value == escaped(draft.why)
    assert first.text[0].value == draft.text
    assert any("in place of the writer's text" in one.value for one in at.markdown)


def withdrawn() -> None:
    from dataclasses import replace

    import streamlit as st

    from ui.ask.column import AnswerColumn

    column = st.session_state["column"]
    drawn = AnswerColumn(st.container(), "rag")
    for text in ("word " * 100, "", "word " * 90, ""):  # written, withdrawn, written anew, withdrawn
        drawn.draw(replace(column, phase="writing", text=text, answer=None, checked=None))
    drawn.draw(column)


def test_a_short_answer_after_a_long_one_that_was_withdrawn_is_whole() -> None:
    answer = Answer("rag", "a model", "It costs 95 pounds.", "ok")
    at = AppTest.from_function(withdrawn, default_timeout=PATIENCE_S)
    at.session_state["column"] = Column("rag", "a model", phase="done", text=answer.text, answer=answer)
    run(at)
    assert text(at) == [paragraphs("It costs 95 pounds.")]
    assert not at.button


def test_what_was_not_checked_is_said() -> None:
    answer = answered(SAID, passage())
    at = AppTest.from_function(app, default_timeout=PATIENCE_S)
    (sentence,) = check(answer, QUESTION).sentences
    unchecked = replace(sentence, start=sentence.end, end=sentence.end, verdict="unchecked", support=())
    checked = AnswerEvidence((sentence, unchecked), "Only the first 1 of 2 sentences were checked.")
    at.session_state["column"] = Column("rag", "a model", text=SAID, phase="done", answer=answer, checked=checked)
    run(at)
    assert f":material/warning: {escaped(checked.note)}" in [caption.value for caption in at.caption]
    assert at.expander[0].label == "Evidence: 1 of 1 sentence supported"
    assert ":gray-badge[not checked]" in badges(at)
    at.session_state["column"] = replace(at.session_state["column"], checked=AnswerEvidence(note="It failed."))
    assert ":material/warning: It failed\\." in [caption.value for caption in run(at).caption]
    assert text(at) == [paragraphs(SAID)]


def test_an_own_citation_that_is_wrong_is_marked() -> None:
    at = shown(answered(f"{SAID} [2]", passage(), passage(text="Something else.")))
    assert text(at) == [paragraphs(SAID)]
    captions = [caption.value for caption in at.expander[0].caption]
    assert ":material/warning: The answer cites \\[2\\] here; not confirmed." in captions


def test_a_refusal_is_shown_as_such() -> None:
    at = shown(answered(REFUSAL, passage()))
    assert ":material/info: The model says that the documents do not say." in [c.value for c in at.caption]
    assert [expander.label for expander in at.expander] == ["How it was measured", "Sources (1)"]
    below = BelowThreshold(0.031, 0.05, ((passage(text=SAID), 0.031),))
    error = f"{below.sentence} {below.next_step}"
    refused = replace(answered(REFUSAL), status="below_threshold", error=error, below_threshold=below)
    at = shown(refused)
    assert f":material/info: {escaped(error)}" in [c.value for c in at.caption]
    assert ":orange-badge[:material/vertical_align_bottom: below threshold]" in [m.value for m in at.markdown]
    assert [expander.label for expander in at.expander] == ["How it was measured"]
    at = shown(replace(answered(SAID, passage()), below_threshold=replace(below, refused=False)))
    assert any("Nothing answers well enough" in c.value and "all the same" in c.value for c in at.caption)
    assert ":orange-badge[:material/vertical_align_bottom: answered anyway]" in [m.value for m in at.markdown]


def test_sources_that_disagree_are_told_right_below_the_text() -> None:
    old = passage("returns-2022.md", text=SAID.replace("may be", "was").replace("30", "14"))
    old = replace(old, superseded="superseded by returns.md")
    calm, stale = shown(answered(SAID, passage(), old)), shown(answered(old.text, passage(), old))
    for at, said, warned in ((calm, "in force", False), (stale, "not in force", True)):
        (told,) = [c.value for c in at.caption if "Sources disagree" in c.value]
        assert (":orange-badge[:material/balance: sources disagree]" in [m.value for m in at.markdown]) is warned
        assert told.endswith(
            escaped(f"[1] says 30 days, [2] says 14 days (superseded). The answer goes by the one that is {said}.")
        )
        assert at.expander[0].label == "Evidence: 1 of 1 sentence supported; sources disagree"
    assert badges(calm) == [":gray-badge[:material/balance: sources disagree; supported by]"]
    assert badges(stale) == [":orange-badge[:material/balance: sources disagree; supported by]"]


def test_while_others_are_measured_nothing_is_compared() -> None:
    at = shown(answered(f"{SAID}", passage()), question=None)
    assert text(at) == [paragraphs(SAID)]
    assert [expander.label for expander in at.expander] == ["How it was measured", "Sources (1)"]


def test_an_answer_without_passages_has_no_evidence() -> None:
    at = shown(replace(answered("Paris is the capital of France.", passage()), sources=()))
    assert [expander.label for expander in at.expander] == ["How it was measured"]
    assert not at.button


def test_text_of_the_answer_stays_text() -> None:
    at = shown(answered(f"{HOSTILE} costs 12 USD.", passage()))
    assert escaped(f"{HOSTILE} costs 12 USD.") in [caption.value for caption in at.expander[0].caption]


# --- the passage in its document ----------------------------------------------------------------


def opened(answer: Answer) -> AppTest:
    at = shown(answer)
    at.button[0].click()
    return run(at)


def test_a_click_opens_the_passage_highlighted_in_its_document() -> None:
    at = opened(answered(SAID, passage()))
    assert [toggle.label for toggle in at.toggle] == ["Show the whole text"]
    assert f"The answer: {escaped(SAID)}" in [caption.value for caption in at.caption]
    texts = [one.value for one in at.markdown]
    assert f"**\\[1\\] {escaped('returns.md')}** \u00b7 similarity 0.61" in texts
    lines = texts[-1].split("  \n")
    place = lines.index(f":green-background[**{escaped(SAID)}**]")
    assert lines[place + 1] == f":gray-background[{escaped(HOSTILE)}]"
    assert lines[place - 1] == escaped("Line 59 of the policy says nothing else.")
    assert escaped("Line 0 of the policy says nothing else.") not in lines
    at.toggle[0].set_value(True)
    at.button[0].click()  # AppTest runs the whole script; in a browser the dialog alone runs again
    lines = run(at).markdown[-1].value.split("  \n")
    assert escaped("Line 0 of the policy says nothing else.") in lines
    assert f":green-background[**{escaped(SAID)}**]" in lines


def test_a_document_that_is_gone_gives_a_sentence_and_the_passage() -> None:
    at = opened(answered(SAID, passage("gone.md")))
    (warning,) = at.warning
    assert warning.value.startswith(escaped("There is no document gone.md in handbook."))
    assert warning.value.endswith(escaped("This is the passage as it was used:"))
    assert f":green-background[**{escaped(SAID)}**]" in at.markdown[-1].value


def test_a_document_that_changed_gives_a_sentence_and_the_passage() -> None:
    at = opened(answered(SAID, replace(passage(), start=5, end=5 + len(passage().text))))
    (warning,) = at.warning
    assert warning.value.startswith(escaped("returns.md has changed since this answer."))


def test_a_damaged_library_gives_a_sentence(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "library.sqlite").write_bytes(b"not a database " * 100)
    (tmp_path / "models").symlink_to(data / "models")
    monkeypatch.setenv("CROSSROADS_DATA", str(tmp_path))
    at = opened(answered(SAID, passage()))
    assert len(at.warning) == 1
    assert at.markdown[-1].value.startswith(f":green-background[**{escaped(SAID)}**]")


# --- highlighting -------------------------------------------------------------------------------


def test_lines_are_highlighted_one_by_one() -> None:
    text = "before\n  first line\n\nlast line, after"
    assert highlighted(text, (9, 30), []).split("  \n") == [
        "before",
        "\u00a0 :green-background[**first line**]",
        "\u00a0",
        ":green-background[**last line**], after",
    ]


def test_the_place_that_says_so_stands_out_in_the_passage() -> None:
    assert highlighted("a bc d", (0, 6), [(2, 4)]) == (
        ":gray-background[a ]:green-background[**bc**]:gray-background[ d]"
    )


def test_headings_are_read_without_their_number_signs() -> None:
    text = "## Returns\n\nWithin 28 days."
    assert highlighted(text, (0, 26), [(12, 26)], heading_marks(text, "a.md")).split("  \n") == [
        ":gray-background[Returns]",
        "\u00a0",
        ":green-background[**Within 28 days**]\\.",
    ]


def test_what_is_highlighted_cannot_break_out() -> None:
    shown = highlighted(f"]{HOSTILE}** :red[", (0, 200), [])
    assert shown == f":green-background[**{escaped(f']{HOSTILE}** :red[')}**]"
    assert "\n" not in highlighted("a\r\u2028b", (0, 3), []).replace("  \n", "")


def test_an_excerpt_is_cut_at_lines() -> None:
    text = "".join(f"{number:04} 67890\n" for number in range(1000))
    part = excerpt(text, 5500, 5510, whole=False)
    assert (text[part.start - 1], part.length) == ("\n", 11_000)
    assert text[part.start : part.start + len(part.text)] == part.text
    assert part.text.startswith(("0", "1"))
    assert not part.text.endswith("\n")
    assert excerpt(text, 5500, 5510, whole=True).text == text
    assert excerpt("short", 1, 2, whole=False).text == "short"
    assert len(excerpt("x" * 100_000, 50_000, 50_010, whole=True).text) <= 40_000
