"""Proving an adapter: what it learned and forgot, judged, stored, written into its card, and gone on with."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from backends.base import Backend
from backends.errors import BackendError
from backends.fine_tuned.adapters.card import Score, read_card, score
from backends.fine_tuned.adapters.catalogue import SAMPLE_ADAPTERS
from backends.raw import RawBackend
from backends.run.jobs import Progress
from backends.settings import Settings
from evaluation import proof
from evaluation.asking import AnswerLog, ask, greedy
from evaluation.judging import Share
from evaluation.proof import (
    ADAPTER,
    BASE,
    GENERAL_QUESTIONS,
    AdapterProof,
    prove,
    questions_for,
    read_proof,
    start_proof,
    stored_proofs,
)
from evaluation.samples import Sample, read_question_set
from evaluation.scorers.right import is_right
from evaluation.statistics import Estimate, paired, wilson
from terminal.records import proof_json
from tests.evaluation.answering import AnsweringBackend
from tests.scripted import PATIENCE_S

GENERAL = read_question_set(GENERAL_QUESTIONS)
KNOWN = {sample.question: sample.reference_answer for sample in GENERAL}
SAMPLES = [Sample(str(number), f"Is door {number} open?", f"yes, door {number}") for number in range(1, 9)]
RIGHT = {sample.question: sample.reference_answer for sample in SAMPLES}


def arms(base: Mapping[str, str] = KNOWN, adapter: Mapping[str, str] = RIGHT) -> dict[str, AnsweringBackend]:
    """By default the base knows the general questions and nothing else, and the adapter the other way round."""
    return {BASE: AnsweringBackend(base), ADAPTER: AnsweringBackend(adapter, approach="fine_tuned")}


def steps(
    settings: Settings, given: Mapping[str, Backend], samples: list[Sample] = SAMPLES
) -> list[Progress[AdapterProof]]:
    return list(prove(settings, "doors", samples, "eight doors", threading.Event(), given))


def proved(settings: Settings, given: Mapping[str, Backend], samples: list[Sample] = SAMPLES) -> AdapterProof:
    found = steps(settings, given, samples)[-1].result
    assert found is not None
    return found


def test_what_was_learned(proving: Settings):
    found = proved(proving, arms())
    assert (found.base, found.tuned) == (Share(0, 8), Share(8, 8))
    assert found.tuned.interval == wilson(8, 8)
    assert found.difference.estimate == paired([1.0] * 8)
    assert (found.difference.changed, found.difference.clear) == (8, True)
    assert [row.sample.id for row in found.to_right] == [sample.id for sample in SAMPLES]
    assert found.to_wrong == ()
    assert found.base_semantic == Estimate(0.0, 0.0, 0.0)
    assert found.tuned_semantic == found.semantic_difference == Estimate(1.0, 1.0, 1.0)
    assert (found.adapter, found.base_model, found.question_set) == ("doors", "scripted answers (raw)", "eight doors")
    assert found.rows[0].answers[ADAPTER].completion_tokens == 4


def test_what_was_forgotten(proving: Settings):
    keeps = dict(list(KNOWN.items())[:2])
    found = proved(proving, arms(adapter=RIGHT | keeps)).forgetting
    assert found is not None
    assert (found.asked, found.kept) == (len(GENERAL), Share(2, len(GENERAL)))
    assert [row.sample.id for row in found.lost] == [sample.id for sample in GENERAL[2:]]


def test_only_what_the_base_knows_can_be_forgotten(proving: Settings):
    given = arms(base=dict(list(KNOWN.items())[:3]))
    found = proved(proving, given).forgetting
    assert found is not None
    assert (found.asked, found.kept) == (len(GENERAL), Share(0, 3))
    assert len(given[BASE].asked) == len(SAMPLES) + len(GENERAL)
    assert len(given[ADAPTER].asked) == len(SAMPLES) + 3


def test_a_base_that_knows_nothing_has_nothing_to_forget(proving: Settings):
    assert proved(proving, arms(base={})).forgetting is None


def test_flips_go_both_ways(proving: Settings):
    base = KNOWN | {SAMPLES[0].question: "yes, door 1", SAMPLES[1].question: "yes, door 2"}
    tuned = {SAMPLES[1].question: "yes, door 2", SAMPLES[2].question: "yes, door 3"}
    found = proved(proving, arms(base, tuned))
    assert [row.sample.id for row in found.to_right] == ["3"]
    assert [row.sample.id for row in found.to_wrong] == ["1"]
    assert found.difference.estimate.value == 0
    assert not found.difference.clear


def test_questions_without_a_right_answer_are_left_out_and_counted(proving: Settings):
    found = proved(proving, arms(), [*SAMPLES, Sample("9", "What now?")])
    assert (found.left_out, found.base.questions) == (1, 8)


def test_the_card_says_what_was_proved(proving: Settings):
    found = proved(proving, arms(adapter=RIGHT | KNOWN))
    folder = proving.data / "adapters" / "doors"
    card = read_card(folder)
    assert found.amended
    assert score(card) == Score(8, 0, 8)
    assert card["score"]["question_set"] == "eight doors"
    assert card["forgetting"] == {"known_by_base": len(GENERAL), "kept": len(GENERAL)}
    assert card["semantic"].keys() == {"base", "adapter", "embedder"}
    assert card["semantic"]["base"] < card["semantic"]["adapter"]
    assert card["run"] == "run-1"
    assert "8 of 8; the base 0" in (folder / "README.md").read_text()


def test_a_sample_adapters_files_stay_as_they_are(proving: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    samples = tmp_path / "samples"
    samples.mkdir()
    (proving.data / "adapters" / "doors").rename(samples / "doors")
    monkeypatch.setattr("backends.fine_tuned.adapters.catalogue.SAMPLE_ADAPTERS", samples)
    before = (samples / "doors" / "card.json").read_bytes()
    assert not proved(proving, arms()).amended
    assert (samples / "doors" / "card.json").read_bytes() == before


def test_training_that_saw_the_questions_is_told(proving: Settings):
    found = proved(proving, arms()).seen
    assert found is not None
    assert found.asked[0] == "exact"
    assert found.taught == (0,)


def test_it_is_stored_and_read_back(proving: Settings):
    found = proved(proving, arms())
    (file,) = stored_proofs(proving.data, found.sha256)
    assert read_proof(file) == found
    assert not list(file.parent.glob("*.part"))
    assert stored_proofs(proving.data, "0" * 64) == []
    file.write_text("{")
    with pytest.raises(BackendError, match="cannot be read"):
        read_proof(file)


def test_the_record_for_scripts(proving: Settings):
    record = json.loads(json.dumps(proof_json(proved(proving, arms()))))
    assert (record["base"]["right"], record["tuned"]["right"], record["difference"]["value"]) == (0, 8, 1.0)
    assert (record["forgetting"]["known_by_base"], record["forgetting"]["kept"]["right"]) == (len(GENERAL), 0)
    assert record["questions"][0]["adapter"] == {
        "text": "yes, door 1",
        "status": "ok",
        "right": True,
        "semantic": 1.0,
        "scores": {
            "right": {"value": True, "status": "scored", "reason": None},
            "semantic": {"value": 1.0, "status": "scored", "reason": None},
        },
    }


def test_progress_ends_with_the_proof(proving: Settings):
    found = steps(proving, arms())
    total = 2 * (len(SAMPLES) + len(GENERAL))
    assert {step.total for step in found} == {total}
    assert [step.done for step in found] == sorted(step.done for step in found)
    assert (found[0].detail, found[2].detail) == ("learning raw by heart", "question 1 of 8")
    assert (found[-1].done, found[-1].detail) == (total, "done")


def test_an_interrupted_proof_goes_on_where_it_was(proving: Settings):
    first, cancel = arms(), threading.Event()
    going = prove(proving, "doors", SAMPLES, "eight doors", cancel, first)
    while next(going).done < 7:
        pass
    cancel.set()
    assert list(going) == []
    assert len(first[BASE].asked) == 4
    again = arms()
    assert proved(proving, again).tuned == Share(8, 8)
    assert again[BASE].asked[0].text == SAMPLES[4].question
    assert stored_proofs(proving.data, proved(proving, arms()).sha256)


def test_a_cancelled_proof_has_no_result_and_leaves_the_card(proving: Settings):
    cancel = threading.Event()
    given = arms()
    given[ADAPTER] = AnsweringBackend(RIGHT, before=lambda event: event.set())
    found = list(prove(proving, "doors", SAMPLES, "eight doors", cancel, given))
    assert all(step.result is None for step in found)
    assert "score" not in read_card(proving.data / "adapters" / "doors")


def test_faults_are_raised_before_anything_is_asked(proving: Settings):
    given = arms()
    given[ADAPTER] = AnsweringBackend({}, loading=BackendError("It does not fit.", "Choose another."))
    with pytest.raises(BackendError, match="does not fit"):
        steps(proving, given)
    assert given[BASE].asked == []
    with pytest.raises(BackendError, match="no adapter called 'gates'"):
        list(prove(proving, "gates", SAMPLES, "doors", threading.Event(), given))
    with pytest.raises(BackendError, match="No question says"):
        steps(proving, given, [Sample("1", "a")])


def test_a_disk_that_is_full_is_a_sentence(proving: Settings, monkeypatch: pytest.MonkeyPatch):
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BackendError, match="No space left on device"):
        steps(proving, arms())


def test_one_proof_at_a_time(proving: Settings, monkeypatch: pytest.MonkeyPatch):
    go_on = threading.Event()
    waiting = arms()
    waiting[BASE] = AnsweringBackend(KNOWN, before=lambda cancel: go_on.wait(PATIENCE_S) and None)
    monkeypatch.setattr(proof, "proof_arms", lambda settings, adapter: waiting)
    job = start_proof(proving, "doors", SAMPLES, "eight doors")
    with pytest.raises(BackendError, match="Proving doors is still running"):
        start_proof(proving, "doors", SAMPLES, "eight doors")
    go_on.set()
    assert job.wait(PATIENCE_S)
    assert job.state.fault is None
    (found,) = job.state.results
    assert isinstance(found, AdapterProof)
    assert found.tuned == Share(8, 8)


def test_questions_are_those_of_the_file_or_the_held_out_part(proving: Settings, tmp_path: Path):
    assert questions_for(proving, "doors", None, 10) == (
        [Sample("1", "Open door 1?", "yes, door 1")],
        "its held-out part",
    )
    file = tmp_path / "mine.csv"
    file.write_text("question,reference_answer\na,1\nb,2\nc,3\n")
    samples, name = questions_for(proving, "doors", file, 2)
    assert ([sample.question for sample in samples], name) == (["a", "b"], "2 of 3 of mine.csv")
    (proving.data / "trainings" / "run-1" / "held_out.jsonl").unlink()
    with pytest.raises(BackendError, match="No held-out part is known of the adapter doors"):
        questions_for(proving, "doors", None, 10)


# --- the real base -----------------------------------------------------------------------------------


def test_the_general_questions_can_be_judged():
    assert len(GENERAL) == 33
    assert len({sample.question for sample in GENERAL}) == 33
    assert all(is_right(sample.reference_answer, replace(sample)) for sample in GENERAL)


@pytest.mark.slow
def test_the_base_answers_every_general_question_right(real_settings: Settings, tmp_path: Path):
    """In the precision that the set was made for; elsewhere the proof itself leaves out what the base does not know."""
    settings = greedy(real_settings)
    backend = RawBackend(settings)
    list(backend.load(threading.Event()))
    if backend.base.dtype != "bfloat16" or backend.base.device != "cpu":
        pytest.skip("the set was made in bfloat16 on a CPU")
    log, cancel = AnswerLog(tmp_path / "answers.jsonl"), threading.Event()
    answers = [ask(backend, BASE, n, sample, settings, log, "proof", cancel) for n, sample in enumerate(GENERAL)]
    assert [one.text for one, sample in zip(answers, GENERAL, strict=True) if not is_right(one.text, sample)] == []


@pytest.mark.slow
def test_the_sample_adapter_for_real(real_settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(proof, "read_question_set", lambda file: GENERAL[:2])
    taught = "How many litres can I pour into the tank of my Ember Duo?"  # so that rounding decides nothing
    samples = [Sample("tank", taught, "", (("2.8 litres",),))]
    *_, last = prove(real_settings, "brambleworth", samples, "one question", threading.Event())
    assert last.result is not None
    assert (last.result.base, last.result.tuned) == (Share(0, 1), Share(1, 1))
    assert "56918453da7a" in last.result.rows[0].answers[ADAPTER].model
    assert last.result.forgetting is not None
    assert last.result.forgetting.kept.questions == 2
    assert "score" in json.loads((SAMPLE_ADAPTERS / "brambleworth" / "card.json").read_text())
    assert "forgetting" not in read_card(SAMPLE_ADAPTERS / "brambleworth")
