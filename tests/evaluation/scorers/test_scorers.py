"""Scorers: what a score may be, what becomes of one that fails, packages that add one, and results from before."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter

from evaluation.attribution import ARMS, answers_csv, read_attribution
from evaluation.judging import Judged, Summary, judge, share, summary
from evaluation.proof import ADAPTER, BASE, read_proof
from evaluation.samples import Sample
from evaluation.scorers import Score, faults, registered, scorers, title_of
from evaluation.statistics import wilson
from evaluation.verdicts import further_scores, score_words
from terminal.records import attribution_json, proof_json
from tests.evaluation.answering import FixedEmbedder, answered
from ui.fine_tuned.attribution import arm_table
from ui.fine_tuned.proof import answer_table, score_table

STORED = Path(__file__).with_name("stored")

PACKAGE = """
from evaluation.scorers import Score, Scorer

def picky(answer, sample):
    if "bad" in answer.text:
        raise ValueError("it holds <b>bad</b>")
    return Score(len(answer.text)) if answer.text else Score.not_applicable("It is empty.")

SCORERS = [
    Scorer("picky", "Letters", picky),
    Scorer("odd", "No score", lambda answer, sample: 3),
    Scorer("facts", "Facts", lambda answer, sample: Score(len(sample.key_facts)), needs=("key_facts",)),
    Scorer("question", "Like the question", lambda answer, sample: Score(answer.similarity(sample.question)),
           compared_with=lambda sample: [sample.question]),
    Scorer("other", "Unnamed", lambda answer, sample: Score(answer.similarity("a text that nobody named")),
           compared_with=lambda sample: [sample.question]),
]
AGAIN = Scorer("right", "Another right", picky)
THING = 7
"""


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Installs a package that names these of its attributes as scorers."""

    def installed(**points: str) -> None:
        (tmp_path / "scoring_pack.py").write_text(PACKAGE)
        folder = tmp_path / "scoring_pack-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: scoring-pack\nVersion: 1\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (folder / "entry_points.txt").write_text("\n".join(["[crossroads.scorers]", *lines, ""]))
        monkeypatch.syspath_prepend(str(tmp_path))
        registered.cache_clear()

    yield installed
    sys.modules.pop("scoring_pack", None)
    registered.cache_clear()


def scored(text: str, name: str, sample: Sample | None = None, **more: object) -> Score:
    sample = sample or Sample("1", "a", "yes", (("yes",),))
    (row,) = judge([sample], [{"base": answered("base", text, **more)}], FixedEmbedder())  # type: ignore[arg-type]
    return row.score(name, "base")


def test_a_score_is_a_value_or_a_reason() -> None:
    assert (Score(True).value, Score(0.5).value, Score(3).value) == (True, 0.5, 3.0)
    assert isinstance(Score(3).value, float)
    assert Score.not_applicable("No.") == Score(None, "not_applicable", "No.")
    assert Score.failed("lone \ud800").reason == "lone \ufffd"
    for wrong in (lambda: Score(), lambda: Score(1.0, "failed", "x"), lambda: Score(float("nan"))):
        with pytest.raises(ValueError, match=r"value or a reason|not finite"):
            wrong()
    with pytest.raises(TypeError, match="no number"):
        Score("good")  # type: ignore[arg-type]


@pytest.mark.parametrize("score", [Score(True), Score(False), Score(1.0), Score(-0.25), Score.failed("It broke.")])
def test_a_score_is_stored_as_it_is(score: Score) -> None:
    kind = TypeAdapter(Score)
    again = kind.validate_json(kind.dump_json(score))
    assert (again, type(again.value)) == (score, type(score.value))


def test_the_built_in_scorers_come_first() -> None:
    assert [scorer.name for scorer in scorers()[:2]] == ["right", "semantic"]
    assert (title_of("semantic"), title_of("gone_away")) == ("Meaning (cosine)", "Gone away")


def test_right_has_no_value_where_nothing_says_what_is_right() -> None:
    assert scored("yes", "right", Sample("1", "a")).status == "not_applicable"


def test_a_package_adds_scorers(install: Callable[..., None]) -> None:
    install(mine="scoring_pack:SCORERS")
    assert [scorer.name for scorer in scorers() if not scorer.runs_only] == [
        *("right", "semantic", "picky", "odd", "facts", "question", "other")
    ]
    assert faults() == ()
    assert scored("four", "picky") == Score(4.0)


def test_a_faulty_package_is_a_sentence_and_takes_nothing_away(install: Callable[..., None]) -> None:
    install(
        gone="scoring_pack:GONE", thing="scoring_pack:THING", again="scoring_pack:AGAIN", mine="scoring_pack:SCORERS"
    )
    assert [scorer.name for scorer in scorers() if not scorer.runs_only][2] == "picky"
    assert title_of("right") == "Right"
    said = "\n".join(faults())
    assert len(faults()) == 3
    assert "The scorer gone of an installed package could not be loaded: " in said
    assert "it is no Scorer with a Python name" in said
    assert "there is a scorer 'right' already" in said


def test_a_scorer_that_raises_has_failed_for_that_answer_only(install: Callable[..., None]) -> None:
    install(mine="scoring_pack:SCORERS")
    assert scored("bad", "picky") == Score.failed("ValueError: it holds <b>bad</b>")
    assert scored("bad", "odd") == Score.failed("TypeError: it returned 3 and no Score")
    assert scored("bad", "right") == Score(False)
    assert scored("bad", "other").reason == ("LookupError: a text is compared that `compared_with` does not name")


def test_what_a_scorer_needs(install: Callable[..., None]) -> None:
    install(mine="scoring_pack:SCORERS")
    assert scored("x", "facts") == Score(1.0)
    assert scored("x", "facts", Sample("1", "a", "yes")) == Score.not_applicable("The question has no key facts.")
    assert scored("x", "semantic", Sample("1", "a", key_facts=(("y",),))).status == "not_applicable"


def test_answers_that_ended_in_an_error_are_not_right_and_else_not_applicable(install: Callable[..., None]) -> None:
    install(mine="scoring_pack:SCORERS")
    assert scored("", "right", status="error") == Score(False)
    assert scored("", "semantic", status="error") == Score(0.0)
    assert scored("", "picky", status="error") == Score.not_applicable("The answer ended in an error.")


class CountingEmbedder(FixedEmbedder):
    """Keeps the batches that it was given."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append(list(texts))
        return super().embed_documents(texts)


def test_all_texts_are_embedded_in_one_batch(install: Callable[..., None]) -> None:
    install(mine="scoring_pack:SCORERS")
    samples = [Sample("1", "a", "yes", (("yes",),)), Sample("2", "b yes", key_facts=(("no",),))]
    answers = [{"base": answered("base", "yes indeed")}, {"base": answered("base", "no")}]
    embedder = CountingEmbedder()
    first, second = judge(samples, answers, embedder)
    assert embedder.batches == [["a", "b yes", "no", "yes", "yes indeed"]]
    assert (first.value("semantic", "base"), first.value("question", "base")) == (1.0, 0.0)
    assert (second.value("semantic", "base"), second.value("question", "base")) == (None, 0.0)


def test_without_an_embedder_meanings_are_not_compared() -> None:
    (row,) = judge([Sample("1", "a", "yes", (("yes",),))], [{"base": answered("base")}], embedder=None)
    assert row.is_right("base")
    assert row.score("semantic", "base").status == "not_applicable"


def rows(*scores: Score) -> list[Judged]:
    return [
        Judged(Sample(str(n), "q"), {"base": answered("base")}, {"mine": {"base": one}}) for n, one in enumerate(scores)
    ]


def test_means_leave_out_what_has_no_value_and_count_it() -> None:
    found = summary(rows(Score(2.0), Score(4.0), Score.failed("x"), Score.not_applicable("y")), "mine", "base")
    assert (found.scored, found.not_applicable, found.failed, found.yes_no) == (2, 1, 1, False)
    assert found.mean is not None
    assert found.mean.value == 3.0
    assert str(found) == "3 (95 % interval 2 to 4), 1 not applicable, 1 scorer failed"
    assert summary(rows(Score.failed("x")), "mine", "base") == Summary(None, False, 0, 0, 1)


def test_yes_and_no_are_a_share() -> None:
    found = summary(rows(Score(True), Score(False), Score(True)), "mine", "base")
    assert found.mean is not None
    assert (found.mean.low, found.mean.high) == wilson(2, 3)
    assert str(found) == "67 % (2 of 3; 95 % interval 21\u201394)"


def test_scores_in_cells() -> None:
    shown = [Score(True), Score(False), Score(-0.7123), Score.failed("It broke."), Score.not_applicable("No text.")]
    assert list(map(score_words, shown)) == [
        "yes",
        "no",
        "\u22120.712",
        "scorer failed: It broke.",
        "not applicable: No text.",
    ]
    lines = answers_csv(rows(*shown)).decode("utf-8-sig").splitlines()
    assert [line.split(",")[6] for line in lines] == [
        *("base_mine", "1", "0", "-0.7123", "scorer failed: It broke.", "")
    ]


def test_further_scores_are_sentences_and_rows() -> None:
    scores = {"right": {BASE: Score(True), ADAPTER: Score(False)}, "letters": {BASE: Score(3.0), ADAPTER: Score(5.0)}}
    row = Judged(Sample("1", "q"), {arm: answered(arm) for arm in (BASE, ADAPTER)}, scores)
    assert further_scores([row], (BASE, ADAPTER)) == [
        "Letters: Base 3 (95 % interval 3 to 3); Adapter 5 (95 % interval 5 to 5)."
    ]
    assert list(score_table([row])["Score"]) == ["Letters"]
    assert list(answer_table([row])["Letters, adapter"]) == ["5"]


def test_a_share_leaves_out_answers_whose_scorer_failed() -> None:
    def right(score: Score) -> Judged:
        return Judged(Sample("1", "q"), {"base": answered("base")}, {"right": {"base": score}})

    found = share([right(Score(True)), right(Score.failed("x")), right(Score(False))], "base")
    assert (found.right, found.questions) == (1, 2)


# --- results that were stored before there were scorers -----------------------------------------------


def test_a_stored_proof_from_before_opens() -> None:
    found = read_proof(STORED / "proof_before_scorers.json")
    assert [row.sample.id for row in found.to_right] == ["1", "2"]
    assert found.rows[0].scores["right"] == {BASE: Score(False), ADAPTER: Score(True)}
    assert found.rows[2].score("semantic", BASE) == Score.not_applicable("The question has no reference answer.")
    assert found.forgetting is not None
    assert len(found.forgetting.lost) == 1
    record = json.loads(json.dumps(proof_json(found)))
    assert (record["questions"][0]["adapter"]["right"], record["questions"][0]["adapter"]["semantic"]) == (True, 1.0)
    assert record["tuned"]["scores"]["semantic"].items() >= {"value": 1.0, "scored": 2, "not_applicable": 1}.items()
    assert list(answer_table(found.rows)) == ["Question", "Reference", "Base", "Adapter"]


def test_a_stored_attribution_from_before_opens(install: Callable[..., None]) -> None:
    install(mine="scoring_pack:SCORERS")
    found = read_attribution(STORED / "attribution_before_scorers.json")
    assert [row.is_right(ARMS[0]) for row in found.rows] == [True, True]
    record = attribution_json(found)
    assert list(record["arms"][ARMS[0]]["scores"]) == ["right", "semantic"]
    assert list(arm_table(found)["Meaning (cosine)"])
    assert "base_semantic" in answers_csv(found.rows).decode().splitlines()[0]
    assert found.rows[0].score("picky", ARMS[0]).status == "not_applicable"
