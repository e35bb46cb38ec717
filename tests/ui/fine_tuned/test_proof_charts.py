"""Proof and attribution as charts: what stands where, and in which words."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from backends.rag import approach
from backends.settings import DEFAULT_EMBEDDER, Settings
from evaluation.judging import Gain
from evaluation.statistics import Estimate
from tests.evaluation import test_attribution as attributions
from tests.evaluation import test_proof as proofs
from tests.evaluation.answering import FixedEmbedder
from tests.evaluation.made_data import make_data
from ui.fine_tuned.attribution import (
    extra_dollars,
    gains_frame,
    meeting_chart,
    meeting_frame,
    points_cell,
    technique_table,
)
from ui.fine_tuned.proof import proof_chart, proof_frame

INK = "#123456"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, tmp_path / "data"), FixedEmbedder())
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
    arms = meeting_frame(found)
    assert list(zip(arms["name"], arms["value"], strict=True)) == [
        ("Base", 10.0),
        ("Base + RAG", 50.0),
        ("Adapter", 60.0),
        ("Adapter + RAG", 70.0),
    ]
    assert list(arms["share"]) == ["10 %", "50 %", "60 %", "70 %"]
    assert [round(value) for value in (arms["low"][0], arms["high"][0])] == [3, 30]
    gains = gains_frame(found)
    assert list(gains["name"]) == ["RAG alone", "Adapter alone", "Both", "Both beyond the sum"]
    assert [label.endswith("may be chance)") for label in gains["label"]] == [False, False, False, True]
    assert len(set(arms["colour"])) == 4
    assert list(gains["colour"])[:3] == list(arms["colour"])[1:]


def test_the_meetings_chart_says_what_was_bought_and_what_it_costs(made: Settings) -> None:
    found = attributions.found(made, attributions.arms())
    words = list(meeting_frame(found)["bought"])
    assert words[0].startswith("as it is \u00b7 ")
    assert all(re.search(r" \u00b7 .+ an answer, \S+ for 1,000$", one) for one in words), words
    assert words[2].startswith("+50 points (")
    unknown = replace(found.arms["base"], usd=None, latency_p50_s=None)
    bare = meeting_frame(replace(found, arms={**found.arms, "base": unknown}))
    assert bare["bought"][0] == "as it is \u00b7 \u2014 an answer, \u2014 for 1,000"
    drawn = meeting_chart(found, INK).to_dict()["layer"]
    assert [layer["mark"].get("color") for layer in drawn] == [None, INK, INK, INK]


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
