"""What bought what: four arms with exact figures, techniques, parts, and going on after an interruption."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from decimal import Decimal

import pytest

from backends.base import Backend
from backends.errors import BackendError
from backends.rag.approach import RagBackend
from backends.run.jobs import Progress
from backends.settings import Settings
from evaluation.attribution import (
    ADAPTER,
    ARMS,
    BASE,
    BOTH,
    QUOTED,
    RAG,
    READER_ARMS,
    TECHNIQUES,
    Attribution,
    attribute,
    attribution_arms,
    read_attribution,
    reader_arms,
    start_attribution,
    stored_attributions,
)
from evaluation.judging import Share
from evaluation.samples import Sample
from evaluation.statistics import Estimate
from evaluation.verdicts import attribution_verdicts
from terminal.records import attribution_json
from tests.evaluation.answering import AnsweringBackend
from tests.scripted import PATIENCE_S, Clock

SAMPLES = [
    Sample(
        str(number), f"Is door {number} open?", "yes, it is", (("yes",),), tags=("odd",) if number % 2 else ("even",)
    )
    for number in range(1, 21)
]


def knows(count: int) -> dict[str, str]:
    """The answers to the first `count` questions."""
    return {sample.question: "yes" for sample in SAMPLES[:count]}


def arms(clock: Clock | None = None, **more: AnsweringBackend) -> dict[str, Backend]:
    """Base knows 2 of 20, with RAG 10, with the adapter 12, with both 14; seconds 1, 3, 1 and 4 with both."""
    usd = [Decimal(number) / 1000 for number in (1, 3, 2, 5)]
    found: dict[str, Backend] = {
        BASE: AnsweringBackend(knows(2), seconds=1.0, usd=usd[0], clock=clock),
        RAG: AnsweringBackend(knows(10), approach="rag", seconds=3.0, usd=usd[1], clock=clock),
        ADAPTER: AnsweringBackend(knows(12), approach="fine_tuned", seconds=1.0, usd=usd[2], clock=clock),
        BOTH: AnsweringBackend(knows(14), approach="rag", seconds=4.0, usd=usd[3], clock=clock),
    }
    return found | more


def steps(
    settings: Settings, given: Mapping[str, Backend], samples: list[Sample] = SAMPLES, k: int = 3
) -> list[Progress[Attribution]]:
    return list(attribute(settings, "doors", samples, "twenty doors", k, threading.Event(), given))


def found(settings: Settings, given: Mapping[str, Backend], samples: list[Sample] = SAMPLES) -> Attribution:
    result = steps(settings, given, samples)[-1].result
    assert result is not None
    return result


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_every_arm_has_its_figures(proving: Settings, clock: Clock):
    made = found(proving, arms(clock))
    assert {name: arm.right for name, arm in made.arms.items()} == {
        BASE: Share(2, 20),
        RAG: Share(10, 20),
        ADAPTER: Share(12, 20),
        BOTH: Share(14, 20),
    }
    assert [arm.latency_p50_s for arm in made.arms.values()] == [1.0, 3.0, 1.0, 4.0]
    assert [arm.latency_s for arm in made.arms.values()] == [20.0, 60.0, 20.0, 80.0]
    assert [arm.usd for arm in made.arms.values()] == [Decimal(n) / 1000 * 20 for n in (1, 3, 2, 5)]
    assert made.arms[BOTH].usd_per_1000 == Decimal(5)
    assert made.arms[BASE].semantic is not None
    assert made.arms[BASE].semantic.value == pytest.approx(0.1)
    assert (made.arms[BASE].prompt_tokens, made.arms[BASE].completion_tokens) == (200, 80)
    assert (made.passages, made.collection, made.question_set) == (3, "handbook", "twenty doors")


def test_every_technique_has_its_price(proving: Settings, clock: Clock):
    made = found(proving, arms(clock)).techniques
    points = {name: round(100 * one.gain.estimate.value) for name, one in made.items()}
    assert points == {
        "rag": 40,
        "adapter": 50,
        "both": 60,
        "rag_besides": 10,
        "adapter_besides": 20,
        "interaction": -30,
    }
    assert {name: one.gain.changed for name, one in made.items()} == {
        "rag": 8,
        "adapter": 10,
        "both": 12,
        "rag_besides": 2,
        "adapter_besides": 4,
        "interaction": 10,
    }
    assert made["rag"].seconds == Estimate(2.0, 2.0, 2.0)
    assert made["interaction"].seconds == Estimate(1.0, 1.0, 1.0)
    assert {name: one.usd_per_1000 for name, one in made.items()} == {
        "rag": Decimal(2),
        "adapter": Decimal(1),
        "both": Decimal(4),
        "rag_besides": Decimal(3),
        "adapter_besides": Decimal(2),
        "interaction": Decimal(1),
    }
    assert made["rag"].gain.clear
    assert not made["rag_besides"].gain.clear  # 2 changes may be chance


def test_the_interaction_adds_up(proving: Settings):
    made = {name: one.gain.estimate.value for name, one in found(proving, arms()).techniques.items()}
    assert made["rag"] + made["adapter"] + made["interaction"] == pytest.approx(made["both"])
    assert set(TECHNIQUES["interaction"]) == set(ARMS)


def test_an_unknown_price_stays_unknown(proving: Settings):
    made = found(proving, arms(**{RAG: AnsweringBackend(knows(10), approach="rag", usd=None)}))
    assert made.arms[RAG].usd is made.arms[RAG].usd_per_1000 is None
    assert made.techniques["rag"].usd_per_1000 is None
    assert made.techniques["adapter"].usd_per_1000 == Decimal(1)


def test_a_failed_answer_is_not_right_has_no_seconds_and_is_counted(proving: Settings, clock: Clock):
    fails = {SAMPLES[0].question: BackendError("It broke.", "Mend it.")}
    made = found(proving, arms(clock, **{BASE: AnsweringBackend(knows(2) | fails, clock=clock)}))
    assert (made.arms[BASE].right, made.arms[BASE].failed) == (Share(1, 20), 1)
    assert made.arms[BASE].latency_s == 19.0
    assert made.arms[BASE].prompt_tokens is None
    assert made.techniques["rag"].seconds == Estimate(2.0, 2.0, 2.0)


def test_parts_by_tag_and_by_what_was_taught(proving: Settings):
    made = found(proving, arms(), [*SAMPLES, Sample("21", "What?", "", tags=("not_answered",))])
    parts = {part.name: part for part in made.slices}
    facts = {"facts in the training answers": 20}  # all hold the word yes, and the 21st asks for no fact
    assert {name: part.questions for name, part in parts.items()} == {"odd": 10, "even": 10, "not answered": 1} | facts
    assert parts["odd"].right[BOTH] == Share(7, 10)
    assert parts["odd"].gains["rag"].estimate.value == pytest.approx(0.4)


def test_training_is_told_apart_from_what_it_did_not_teach(proving: Settings):
    samples = [SAMPLES[0], Sample("b", "Is the door blue?", "It is blue.", (("blue",),))]
    made = found(proving, arms(), samples)
    parts = {part.name: part.questions for part in made.slices}
    assert parts == {"odd": 1, "facts in the training answers": 1, "facts not in the training answers": 1}
    assert made.seen is not None
    assert (made.seen.asked, made.seen.taught) == ({0: "exact"}, (0,))


def test_the_trainings_share_of_the_cost(proving: Settings):
    made = found(proving, arms())
    assert made.training_usd == Decimal("0.1")  # 3,600 s at 0.10 USD per hour
    assert (made.answers_per_training, made.training_usd_per_1000) == (10_000, Decimal("0.01"))


def test_it_is_stored_and_read_back(proving: Settings):
    made = found(proving, arms())
    (file,) = stored_attributions(proving.data)
    assert read_attribution(file) == made
    assert not list(file.parent.glob("*.part"))


def test_the_record_for_scripts(proving: Settings):
    record = json.loads(json.dumps(attribution_json(found(proving, arms()))))
    assert list(record["arms"]) == list(ARMS)
    assert record["arms"][RAG]["right"]["right"] == 10
    assert record["techniques"]["rag"]["value"] == pytest.approx(0.4)
    assert (record["techniques"]["rag"]["extra_usd_per_1000"], record["training_usd_per_1000"]) == ("2.000", "0.010")
    assert record["questions"][0][BOTH]["right"] is True


def test_arms_take_turns_question_by_question(proving: Settings):
    order: list[str] = []
    given = {
        name: AnsweringBackend({}, before=lambda cancel, name=name: order.append(name))  # type: ignore[misc]
        for name in ARMS
    }
    steps(proving, given, SAMPLES[:2])
    assert order == [*ARMS, *ARMS]


def test_an_interrupted_one_goes_on_where_it_was(proving: Settings):
    cancel, first = threading.Event(), arms()
    going = attribute(proving, "doors", SAMPLES, "twenty doors", 3, cancel, first)
    while next(going).done < 10:
        pass
    cancel.set()
    assert list(going) == []
    assert stored_attributions(proving.data) == []
    again = arms()
    made = found(proving, again)
    assert made.arms[BOTH].right == Share(14, 20)
    asked = [backend.asked[0].text for backend in again.values() if isinstance(backend, AnsweringBackend)]
    assert asked == [SAMPLES[number].question for number in (3, 3, 2, 2)]


def test_another_number_of_passages_is_another_attribution(proving: Settings):
    steps(proving, arms())
    again = arms()
    steps(proving, again, k=5)
    assert isinstance(again[BASE], AnsweringBackend)
    assert len(again[BASE].asked) == 20
    assert len(stored_attributions(proving.data)) == 2


def test_progress_ends_with_the_attribution(proving: Settings):
    made = steps(proving, arms())
    assert {step.total for step in made} == {80}
    assert [step.done for step in made] == sorted(step.done for step in made)
    assert [step.detail for step in made[3:6]] == ["learning rag by heart", *["question 1 of 20, four ways"] * 2]


def test_a_collection_that_cannot_be_searched_is_a_sentence_before_anything_is_asked(proving: Settings):
    given = arms(**{RAG: AnsweringBackend({}, loading=BackendError("The collection is empty.", "Index documents."))})
    with pytest.raises(BackendError, match="collection is empty"):
        steps(proving, given)
    assert isinstance(given[BASE], AnsweringBackend)
    assert given[BASE].asked == []


def test_the_real_arms_are_compositions_over_one_base(proving: Settings):
    made = attribution_arms(proving)
    assert list(made) == list(ARMS)
    assert [backend.approach for backend in made.values()] == ["raw", "rag", "fine_tuned", "rag"]
    assert "adapter doors" not in made[RAG].model
    assert "adapter doors" in made[BOTH].model
    assert isinstance(made[BOTH], RagBackend)


def test_a_second_one_waits_for_the_first(proving: Settings, monkeypatch: pytest.MonkeyPatch):
    go_on = threading.Event()
    waiting = arms(**{BASE: AnsweringBackend({}, before=lambda cancel: go_on.wait(PATIENCE_S) and None)})
    monkeypatch.setattr("evaluation.attribution.attribution_arms", lambda settings: waiting)
    job = start_attribution(proving, "doors", SAMPLES, "twenty doors", 3)
    with pytest.raises(BackendError, match="still running"):
        start_attribution(proving, "doors", SAMPLES, "twenty doors", 3)
    go_on.set()
    assert job.wait(PATIENCE_S)
    assert job.state.fault is None
    assert [type(result) for result in job.state.results] == [Attribution]


def test_a_reader_is_compared_with_its_base_and_the_quote_where_they_read(proving: Settings, clock: Clock):
    given: dict[str, Backend] = {
        RAG: AnsweringBackend(knows(4), approach="rag", clock=clock),
        BOTH: AnsweringBackend(knows(16), approach="rag", clock=clock),
        QUOTED: AnsweringBackend(knows(14), approach="rag", clock=clock),
    }
    made = found(proving, given)
    assert tuple(made.arms) == READER_ARMS
    assert {name: round(100 * one.gain.estimate.value) for name, one in made.techniques.items()} == {
        "adapter_besides": 60,
        "over_quote": 10,
    }
    assert all(set(part.gains) == {"adapter_besides", "over_quote"} for part in made.slices)
    shares, over_base, over_quote = attribution_verdicts(made)
    assert shares == "Right answers on 20 questions: Base + RAG 20 %, Adapter + RAG 80 %, Quote, no model 70 %."
    assert over_base.startswith("Reading with the adapter, in place of the base, bought +60 points")
    assert over_quote.startswith("Reading with the adapter, in place of quoting, made no difference that could not be")
    assert list(attribution_json(made)["arms"]) == list(READER_ARMS)


def test_the_writers_of_a_reader_s_comparison(proving: Settings):
    made = reader_arms(proving)
    assert [backend.approach for backend in made.values()] == ["rag"] * 3
    assert "no model: quoted word for word" in made[QUOTED].model
