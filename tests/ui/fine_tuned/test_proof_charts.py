"""Proof and attribution as charts: what stands where, and in which words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backends.rag import approach
from backends.settings import DEFAULT_EMBEDDER, Settings
from evaluation.intervals import Estimate
from evaluation.judging import Gain
from tests.evaluation import test_adapter_proof as proofs
from tests.evaluation import test_attribution as attributions
from tests.evaluation.answering import FixedEmbedder
from tests.evaluation.made_data import make_data
from ui.fine_tuned.attributed import extra_dollars, points_cell, technique_table
from ui.fine_tuned.attribution_charts import arms_chart, arms_frame, gains_frame, meeting_chart
from ui.fine_tuned.proof_charts import proof_chart, proof_frame

INK = "#123456"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setitem(approach._embedders, (DEFAULT_EMBEDDER, tmp_path / "data"), FixedEmbedder())
    return make_data(tmp_path / "data")


def test_a_proof_has_a_row_for_each_measure_and_arm(made: Settings) -> None:
    found = proofs.proved(made, proofs.arms())
    frame = proof_frame(found)
    assert list(zip(frame["measure"], frame["arm"], frame["short"], strict=True)) == [
        ("Right", "Base", "0 %"),
        ("Right", "Adapter", "100 %"),
        ("Meaning", "Base", "0.00"),
        ("Meaning", "Adapter", "1.00"),
        ("General", "Base", "100 %"),
        ("General", "Adapter", "0 %"),
    ]
    # the base's general questions are those it gets right, so there is nothing to be unsure of
    assert tuple(frame.loc[4, ["value", "low", "high"]]) == (1.0, 1.0, 1.0)
    assert proof_chart(found, INK).to_dict()["layer"][2]["mark"]["color"] == INK
    bare = replace(found, base_semantic=None, tuned_semantic=None, forgetting=None)
    assert list(proof_frame(bare)["measure"]) == ["Right", "Right"]


def test_an_attribution_says_what_may_be_chance_in_the_chart(made: Settings) -> None:
    found = attributions.found(made, attributions.arms())
    arms = arms_frame(found)
    assert list(zip(arms["name"], arms["value"], strict=True)) == [
        ("Base", 10.0),
        ("Base + RAG", 50.0),
        ("Adapter", 60.0),
        ("Adapter + RAG", 70.0),
    ]
    assert arms["label"][0] == "10 %  (3\u201330)"
    gains = gains_frame(found)
    assert list(gains["name"]) == ["RAG alone", "Adapter alone", "Both", "Both beyond the sum"]
    assert [label.endswith("may be chance)") for label in gains["label"]] == [False, False, False, True]
    assert len(set(arms["colour"])) == 4
    assert list(gains["colour"])[:3] == list(arms["colour"])[1:]


def test_the_meetings_picture_has_both_charts_on_white(made: Settings) -> None:
    found = attributions.found(made, attributions.arms())
    above, below = meeting_chart(found).to_dict()["vconcat"]
    assert above["title"] == "Right answers on 20 questions, adapter doors, 3 passages (95 % intervals)"
    assert below["title"].startswith("What each technique bought")
    assert meeting_chart(found).to_dict()["config"]["background"] == "#ffffff"
    assert arms_chart(found, INK).to_dict()["layer"][1]["mark"]["color"] == INK


def test_differences_have_their_sign_first(made: Settings) -> None:
    found = attributions.found(made, attributions.arms())
    prices = [one.usd_per_1000 for one in found.techniques.values()]
    assert prices[0] is not None
    assert [extra_dollars(prices[0]), extra_dollars(-prices[0]), extra_dollars(prices[0] * 0), extra_dollars(None)] == [
        "+$2",
        "\u2212$2",
        "$0",
        "\u2014",
    ]
    assert points_cell(Gain(Estimate(-0.123, -0.2, 0.004), 3)) == "\u221212 (\u221220 to 0)"
    assert list(technique_table(found)["Technique"])[3] == "RAG, with the adapter there"
