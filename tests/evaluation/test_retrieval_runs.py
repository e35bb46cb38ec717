"""Measuring a collection as a job: every mode and chunk setting gets a row, and the best is named with its lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from backends.rag.search.retriever import Mode
from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from backends.rag.store.index import Index
from backends.run.jobs import Job, Progress
from backends.settings import RagSettings
from evaluation.retrieval import METRICS, Latency, ModeReport, RetrievalReport, Scores
from evaluation.retrieval_runs import Measurement, SearchSetting, in_thousandths, measurement, start_measurement
from evaluation.samples import Sample, parse_question_set
from evaluation.statistics import bootstrap
from tests.backends.rag.conftest import TEXTS, fill
from tests.backends.rag.quick import SETTINGS, QuickEmbedder
from tests.scripted import PATIENCE_S

STORED = (48, 8)
SAMPLES = [
    Sample(
        "1", "Within how many days may unopened goods be returned?", key_facts=(("45 days",),), sources=("returns.md",)
    ),
    Sample("2", "How many days of paid holiday has an employee?", key_facts=(("27 days",),), sources=("leave.txt",)),
    Sample("3", "Who founded it?", sources=("history.md",)),
]


@pytest.fixture
def index(tmp_path: Path, shared_parser: None) -> Iterator[Index]:
    data = tmp_path / "data"
    index = Index(data, "handbook", QuickEmbedder(), RagSettings(**SETTINGS))
    for name in ("returns.md", "leave.txt"):
        (tmp_path / name).write_text(TEXTS[name])
        fill(index, tmp_path / name)
    yield index
    close_stores(data)
    open_database(data).close()


def measured(index: Index, *others: tuple[int, int], samples: list[Sample] = SAMPLES) -> Job:
    job = start_measurement(index, QuickEmbedder(), RagSettings(**SETTINGS), samples, STORED, others)
    assert job.wait(PATIENCE_S)
    return job


def test_every_mode_and_chunk_setting_has_a_row(index: Index) -> None:
    job = measured(index, (40, 0))
    assert job.state.fault is None
    (made,) = job.state.results
    assert isinstance(made, Measurement)
    assert {row.setting for row in made.rows} == {
        SearchSetting(mode, *cut) for mode in ("dense", "keyword", "fused", "sentences") for cut in (STORED, (40, 0))
    }
    assert made.questions == 3
    assert made.left_out == {"3": "history.md is not in the collection"}
    assert all(row.report.latency["total"].p50_s > 0 for row in made.rows)
    assert (job.state.done, job.state.total) == (1000, 1000)
    assert index.count() == 2  # what is stored stays as it was


def test_questions_that_cannot_be_judged_are_a_sentence(index: Index) -> None:
    fault = measured(index, samples=SAMPLES[2:]).state.fault
    assert fault is not None
    assert fault.cause == "No question can be judged: history.md is not in the collection."


# --- which is the best -------------------------------------------------------------------------------


def report(values: Mapping[Mode, list[float]], **cut: int) -> RetrievalReport:
    modes = {}
    for mode, each in values.items():
        questions = {str(number): dict.fromkeys(METRICS, value) for number, value in enumerate(each)}
        scores = Scores(questions, {metric: bootstrap(each) for metric in METRICS})
        modes[mode] = ModeReport(mode, scores, None, {"total": Latency(0.01, 0.02)})
    return RetrievalReport("", modes, {}, **cut)


def test_the_best_is_ahead_of_the_next_and_of_what_is_in_force() -> None:
    stored = report({"dense": [0.5] * 10, "fused": [1.0] * 10, "keyword": [0.25] * 10})
    made = measurement([stored], STORED, "keyword", 10)
    assert [row.setting.mode for row in made.rows] == ["fused", "dense", "keyword"]
    assert made.lead.best.setting == SearchSetting("fused", *STORED)
    assert made.lead.ahead is not None
    assert (made.lead.ahead.value, made.lead.clear) == (0.5, True)
    assert made.over_in_force is not None
    assert made.over_in_force.other is made.rows[2]
    assert made.over_in_force.ahead is not None
    assert made.over_in_force.ahead.value == 0.75


def test_a_lead_that_may_be_chance_is_not_clear() -> None:
    stored = report({"dense": [1.0, 0.0] * 5, "fused": [0.0, 1.0] * 4 + [1.0, 1.0]})
    made = measurement([stored], STORED, "fused", 10)
    assert made.lead.best.setting.mode == "fused"
    assert not made.lead.clear
    assert made.over_in_force is None  # the best is in force


def test_a_single_row_leads_nobody() -> None:
    made = measurement([report({"dense": [1.0, 0.5]})], STORED, "fused", 2)
    assert (made.lead.other, made.lead.ahead, made.lead.clear, made.over_in_force) == (None, None, False, None)


def test_chunk_settings_of_the_report_are_those_of_the_row() -> None:
    reports = [report({"dense": [0.5]}), report({"dense": [1.0]}, chunk_tokens=64, overlap_tokens=0)]
    made = measurement(reports, STORED, "dense", 1)
    assert [row.setting for row in made.rows] == [SearchSetting("dense", 64, 0), SearchSetting("dense", *STORED)]


# --- progress ----------------------------------------------------------------------------------------


def test_phases_that_count_from_their_own_beginning_make_one_progress() -> None:
    found = report({"dense": [1.0]})
    steps = [
        Progress(1, 2, "question 1 of 2"),
        Progress(2, 2, "question 2 of 2"),
        Progress(2, 2, "done", found),
        Progress(32, 64, "32 of 64 embedded"),
        Progress(64, 64, "64 of 64 embedded"),
        Progress(1, 2, "question 1 of 2"),
        Progress(2, 2, "done", found),
    ]
    reports: list[RetrievalReport] = []
    shown: list[Progress[Measurement]] = list(in_thousandths(iter(steps), [1.0, 2.0, 1.0], reports))
    assert [step.done for step in shown] == [125, 250, 250, 500, 750, 875, 999]
    assert len(reports) == 2
    assert [step.detail for step in shown][2:4] == ["computing the intervals", "32 of 64 embedded"]


def test_a_question_set_that_was_uploaded() -> None:
    (sample,) = parse_question_set("Mine.JSONL", b'{"question": "Why?", "source": "a.pdf;b.pdf"}\n')
    assert (sample.question, sample.sources) == ("Why?", ("a.pdf", "b.pdf"))
