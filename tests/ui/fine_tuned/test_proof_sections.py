"""The sections Proof and Attribution as a person meets them: empty, at work, with a result, and with faults."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backends.base import Backend
from backends.errors import BackendError
from backends.fine_tuned.adapters.card import amend_card
from backends.rag import approach
from backends.run import jobs
from backends.settings import DEFAULT_EMBEDDER, Settings
from evaluation import attribution, proof
from evaluation.attribution import attribution_key, stored_attributions
from evaluation.proof import proof_key, stored_proofs
from tests.evaluation import test_attribution as attributions
from tests.evaluation import test_proof as proofs
from tests.evaluation.answering import AnsweringBackend, FixedEmbedder
from tests.evaluation.made_data import BASE_MODEL, make_data
from tests.scripted import PATIENCE_S

HOSTILE = "<b>x</b> ![x](http://evil.example/x.png) $z$"


@pytest.fixture
def current(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """A data folder with the adapter `doors`; arms that answer by heart."""
    data = tmp_path / "data"
    monkeypatch.setenv("CROSSROADS_RAW__MODEL", BASE_MODEL)
    monkeypatch.setenv("CROSSROADS_FINE_TUNED__ADAPTER", "doors")
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, data), FixedEmbedder())
    monkeypatch.setattr(proof, "proof_arms", lambda settings, adapter: proofs.arms())
    monkeypatch.setattr(attribution, "attribution_arms", lambda settings: attributions.arms())
    return make_data(data)


def opened(section: str) -> AppTest:
    def page(section: str) -> None:
        from importlib import import_module

        from ui.resources import settings

        import_module(f"ui.fine_tuned.{section}").draw(settings())

    return run(AppTest.from_function(page, kwargs={"section": section}, default_timeout=PATIENCE_S))


def run(at: AppTest) -> AppTest:
    at.run()
    assert not at.exception, at.exception
    return at


def click(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click()
    return run(at)


def upload(at: AppTest, section: str, content: str) -> AppTest:
    at.button_group(key=f"{section}_set:doors").set_value("A file of yours")
    run(at).file_uploader(key=f"{section}_file").upload("mine.csv", content.encode())
    return run(at)


def done(at: AppTest, key: str) -> AppTest:
    job = jobs.find(key)
    assert job is not None
    assert job.wait(PATIENCE_S)
    return run(at)


def seen(at: AppTest) -> str:
    kinds = (at.markdown, at.caption, at.info, at.error, at.warning, at.success)
    return "\n".join(re.sub(r"\\(.)", r"\1", element.value) for kind in kinds for element in kind)


def questions() -> str:
    rows = [f'{sample.question},"{sample.reference_answer}"' for sample in proofs.SAMPLES]
    return "\n".join(["question,reference_answer", *rows])


# --- proof -------------------------------------------------------------------------------------------


def test_without_an_adapter_that_fits_the_sections_say_so(current: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_RAW__MODEL", "acme/other")
    for section in ("proof", "attribution"):
        assert "There is no adapter that fits the base." in seen(opened(section))


def test_nothing_is_proved_yet_and_the_held_out_part_comes_first(current: Settings) -> None:
    at = opened("proof")
    assert "Nothing was proved of this adapter yet." in seen(at)
    assert at.button_group(key="proof_set:doors").value == "Its held-out part"


def test_an_adapter_without_a_run_is_asked_the_sample_questions(current: Settings) -> None:
    (current.data / "trainings" / "run-1" / "held_out.jsonl").unlink()
    at = opened("proof")
    assert at.button_group(key="proof_set:doors").options == ["Sample questions", "A file of yours"]


def test_another_system_prompt_than_the_training_s_is_told(current: Settings) -> None:
    said = "It was trained with another system prompt than the one in force"
    amend_card(current.data / "adapters" / "doors", {"settings": {"system_prompt": current.system_prompt}})
    assert said not in seen(opened("proof"))
    amend_card(current.data / "adapters" / "doors", {"settings": {"system_prompt": HOSTILE}})
    for section in ("proof", "attribution"):
        assert said in seen(opened(section))


def test_the_held_out_part_is_proved(current: Settings) -> None:
    at = done(click(opened("proof"), "prove"), proof_key(current.data))
    assert "On 1 question the difference may be chance" in seen(at)
    assert "its held-out part" in seen(at)


def test_a_proof_shows_figures_flips_and_what_was_forgotten(current: Settings) -> None:
    at = done(click(upload(opened("proof"), "proof", questions()), "prove"), proof_key(current.data))
    assert [(one.label, one.value) for one in at.metric] == [
        ("Base, right", "0 %"),
        ("Adapter, right", "100 %"),
        ("Difference, points", "+100"),
    ]
    text = seen(at)
    assert "doors answers more right than its base: +100 points" in text
    assert "Forgotten: of 33 general questions that the base answers right, the adapter gets 33 wrong." in text
    assert "Leak: 1 of 8 questions" in text
    assert "mine.csv" in text
    flips, lost = at.dataframe[0].value, at.dataframe[1].value
    assert list(flips["Adapter"][:2]) == ["✓ yes, door 1", "✓ yes, door 2"]
    assert list(flips["Base"][:1]) == ["✗ I do not know."]
    assert len(lost) == 33
    at.button_group(key="flips").set_value("To wrong (0)")
    assert "None." in seen(run(at))
    assert at.get("vega_lite_chart")


def test_a_chosen_row_shows_both_answers_side_by_side(current: Settings) -> None:
    at = done(click(upload(opened("proof"), "proof", questions()), "prove"), proof_key(current.data))
    at.session_state["flip_table"] = {"selection": {"rows": [4], "columns": [], "cells": []}}
    run(at)
    assert "**Is door 5 open?**" in seen(at)
    assert [one.value for one in at.text][:2] == ["I do not know.", "yes, door 5"]


def test_an_earlier_proof_can_be_chosen(current: Settings) -> None:
    at = done(click(upload(opened("proof"), "proof", questions()), "prove"), proof_key(current.data))
    at.number_input(key="proof_most").set_value(2)
    at = done(click(run(at), "prove"), proof_key(current.data))
    assert "2 of 8 of mine.csv" in seen(at)
    at.selectbox(key="which_proof").set_value(1)
    assert "2 of 8 of mine.csv" not in seen(run(at))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("question\nWhy?\n", "No question says what a right answer is."), ("answer\nx\n", "mine.csv has no questions.")],
)
def test_questions_that_are_of_no_use_are_a_sentence(current: Settings, content: str, sentence: str) -> None:
    at = click(upload(opened("proof"), "proof", content), "prove")
    if job := jobs.find(proof_key(current.data)):
        assert job.wait(PATIENCE_S)
        run(at)
    assert sentence in seen(at)


def test_without_a_file_there_is_nothing_to_prove_with(current: Settings) -> None:
    at = opened("proof")
    at.button_group(key="proof_set:doors").set_value("A file of yours")
    assert "There is no file with questions yet." in seen(click(run(at), "prove"))


def test_a_damaged_proof_is_told_and_the_others_are_shown(current: Settings) -> None:
    at = done(click(opened("proof"), "prove"), proof_key(current.data))
    sha256 = next((current.data / "proofs").iterdir()).name
    (good,) = stored_proofs(current.data, sha256)
    damaged = good.parent.parent / ("0" * 16)
    damaged.mkdir()
    (damaged / "proof.json").write_text("{")
    assert "cannot be read" in seen(run(at))
    assert "On 1 question" in seen(at)


def test_hostile_text_stays_text(current: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    question = f"{HOSTILE}?"
    given = proofs.arms(adapter={question: f"yes {HOSTILE}"})
    monkeypatch.setattr(proof, "proof_arms", lambda settings, adapter: given)
    content = f'question,reference_answer\n"{question}",yes\n'
    at = done(click(upload(opened("proof"), "proof", content), "prove"), proof_key(current.data))
    shown = [one.value for kind in (at.markdown, at.caption, at.warning) for one in kind]
    assert any("\\!\\[x\\]" in one for one in shown)
    assert not any("![x](" in one or "$z$" in one for one in shown)


# --- attribution -------------------------------------------------------------------------------------


def attributed(current: Settings) -> AppTest:
    rows = [f"{sample.question},yes,{sample.tags[0]}" for sample in attributions.SAMPLES]
    content = "\n".join(["question,reference_answer,tags", *rows])
    at = click(upload(opened("attribution"), "attribution", content), "attribute")
    return done(at, attribution_key(current.data))


def test_nothing_is_attributed_yet(current: Settings) -> None:
    assert "Nothing was attributed yet." in seen(opened("attribution"))


def test_an_attribution_says_what_bought_what(current: Settings) -> None:
    at = attributed(current)
    text = seen(at)
    assert "Right answers on 20 questions: Base 10 %, Base + RAG 50 %, Adapter 60 %, Adapter + RAG 70 %." in text
    assert "RAG alone bought +40 points" in text
    assert "Whether both together bring more or less than the sum of the two is open" in text
    assert "Leak: 1 of 20 questions" in text
    assert "Training cost $0.1; spread over 10,000 answers, it is $0.01 of each 1,000 answers" in text
    ways, techniques, parts = (one.value for one in at.dataframe)
    assert list(ways["USD per 1,000 answers"]) == ["$1", "$3", "$2", "$5"]
    assert [one.startswith("★") for one in ways["Right"]] == [False, False, False, True]
    assert list(techniques["Beyond chance"]) == ["yes", "yes", "yes", "open", "open", "open"]
    assert list(techniques["Extra USD per 1,000 answers"]) == ["+$2", "+$1", "+$4", "+$3", "+$2", "+$1"]
    assert list(parts["Questions"])[:2] == ["odd", "even"]
    assert len(at.get("vega_lite_chart")) == 2
    assert [one.label for one in at.get("download_button")] == ["Chart as PNG", "Chart as SVG", "All answers as CSV"]


def test_the_number_of_passages_is_asked_for(current: Settings) -> None:
    at = opened("attribution")
    at.number_input(key="attribution_passages").set_value(7)
    click(run(at), "attribute")
    done(at, attribution_key(current.data))
    assert "collection handbook, 7 passages" in seen(at)


def test_an_arm_that_cannot_answer_is_a_sentence(current: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = BackendError("The collection is empty.", "Index documents first.")
    given: Mapping[str, Backend] = attributions.arms(base_rag=AnsweringBackend({}, loading=fault))
    monkeypatch.setattr(attribution, "attribution_arms", lambda settings: given)
    at = done(click(opened("attribution"), "attribute"), attribution_key(current.data))
    assert "The collection is empty. Index documents first." in seen(at)
    assert stored_attributions(current.data) == []


def test_the_picture_for_the_meeting(current: Settings) -> None:
    from PIL import Image

    from evaluation.attribution import read_attribution
    from ui.fine_tuned.attribution import meeting_png, meeting_svg

    attributed(current)
    found = read_attribution(stored_attributions(current.data)[0])
    picture = Image.open(io.BytesIO(meeting_png(found)))
    assert picture.format == "PNG"
    assert picture.width > 1280
    drawing = meeting_svg(found).decode()
    assert "<svg" in drawing
    for words in ("20 questions, adapter doors", "Adapter + RAG", "+40 points", "for 1,000"):
        assert words in drawing
