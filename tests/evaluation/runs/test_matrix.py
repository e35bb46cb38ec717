"""Which questions a filter finds, in which order, what a page shows of them, and one cell whole."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from backends.base import Cost, Recorded, Timings
from backends.errors import BackendError
from backends.settings import Settings
from backends.store.database import Store
from evaluation.runs.marks import CellMark, set_mark
from evaluation.runs.matrix import (
    Place,
    Show,
    Summary,
    Wanted,
    answers_to,
    cell_at,
    id_at,
    page_of,
    place_of,
    position_of,
    tags_of,
)
from evaluation.runs.model import Run
from evaluation.runs.records import add_cell, set_scores
from evaluation.samples import Sample
from evaluation.scorers import Score
from tests.evaluation.runs.made_runs import SAMPLES, begun, cell, filled, passage

TAGS = (("a",), ("A", "a b"), ("b",), ('x, "b"',), ("ä",), ())
TAGGED = tuple(replace(one, tags=tags) for one, tags in zip(SAMPLES, TAGS, strict=True))


def found(store: Store, run: Run, show: Show = "all", earlier: Run | None = None, **more: Any) -> list[int]:
    return [row.position for row in page_of(store, run, Wanted(show, **more), 0, 100, earlier).rows]


@pytest.fixture
def run(store: Store, settings: Settings) -> Run:
    """Six questions: what `raw` and `rag` got right, failed, and were not asked."""
    begun_ = begun(store, settings, samples=TAGGED)
    filled(store, begun_, "raw", [True, False, "The server is away.", True, None, False])
    filled(store, begun_, "rag", [True, True, True, False, None])
    return begun_


FILTERS: list[tuple[Show, dict[str, str], list[int]]] = [
    ("all", {}, [0, 1, 2, 3, 4, 5]),
    ("disagree", {}, [1, 2, 3]),
    ("split", {"of": "rag", "against": "raw"}, [1, 2]),
    ("split", {"of": "raw", "against": "rag"}, [3]),
    ("wrong", {"of": "raw"}, [1, 2, 5]),
    ("wrong", {}, [1, 2, 3, 5]),
    ("right", {"of": "rag"}, [0, 1, 2]),
    ("failed", {}, [2]),
    ("failed", {"of": "rag"}, []),
    ("missing", {}, [5]),
    ("missing", {"of": "rag"}, [5]),
    ("missing", {"of": "raw"}, []),
    ("unscored", {}, [4]),
    ("unscored", {"scorer": "semantic"}, []),
    ("wrong", {"of": "raw", "tag": "b"}, [2]),
    ("wrong", {"of": "raw", "find": "THING 5"}, [5]),
    ("marked", {}, []),
    ("all", {"find": "thing 3"}, [3]),
    ("all", {"find": "Q2"}, [2]),
    ("all", {"find": "is BLUE"}, [2]),
    ("all", {"find": "it is red"}, [0, 1, 2, 3, 4, 5]),
    ("all", {"find": "100 %"}, []),
    ("all", {"find": "_"}, []),
]


def test_a_filter_finds_its_questions(store: Store, run: Run) -> None:
    """Tests of a store are many cases at once where they only read."""
    assert [(show, more, found(store, run, show, **more)) for show, more, _ in FILTERS] == FILTERS


def test_of_several_answers_all_have_to_be_right(store: Store, settings: Settings) -> None:
    run = begun(store, settings, repeats=2)
    filled(store, run, "raw", [True, True, False, "no"])
    filled(store, run, "raw", [True, False, False, True], repeat=1)
    filled(store, run, "rag", [True, True], repeat=1)
    assert found(store, run, "right", of="raw") == [0]
    assert found(store, run, "wrong", of="raw") == [1, 2, 3]
    assert found(store, run, "split", of="rag", against="raw") == [1]
    assert found(store, run, "disagree") == [1]
    assert found(store, run, "missing", of="raw") == [4, 5]
    summaries = [answers_to(store, run, position, "right")["raw"] for position in range(5)]
    assert [one.standing for one in summaries] == ["right", "mixed", "wrong", "mixed", "missing"]
    assert (summaries[3].cells, summaries[3].failed, summaries[3].text) == (2, 1, "It is red.")


def test_a_tag_is_found_as_it_is_written(store: Store, run: Run) -> None:
    """And not within another one."""
    for tag in (known := sorted(one for tags in TAGS for one in tags)):
        assert found(store, run, tag=tag) == [place for place, tags in enumerate(TAGS) if tag in tags]
    assert tags_of(store, run) == known


def test_worse_than_in_another_run_is_by_question_and_approach(store: Store, run: Run, settings: Settings) -> None:
    same = begun(store, settings, samples=TAGGED)
    filled(store, same, "raw", [True] * 6)
    filled(store, same, "rag", [False] * 6)
    assert found(store, run, "worse", same) == [1, 2, 5]
    assert found(store, run, "worse", same, of="rag") == []
    assert found(store, same, "worse", run) == [0, 1, 2]
    moved = begun(store, settings, ("rag",), samples=(TAGGED[3], replace(TAGGED[0], question="Another one?")))
    filled(store, moved, "rag", [True, True])
    assert found(store, run, "worse", moved) == [3]
    with pytest.raises(BackendError, match="No run was named"):
        found(store, run, "worse")


def test_people_are_found_where_they_marked_and_differ(store: Store, run: Run) -> None:
    set_mark(store, run, ("raw", 0, 0), "anna", CellMark("wrong"))
    set_mark(store, run, ("rag", 1, 0), "anna", CellMark("right"))
    set_mark(store, run, ("raw", 3, 0), "anna", CellMark("unclear", comment="Hm."))
    assert found(store, run, "marked") == [0, 1, 3]
    assert found(store, run, "marked", of="rag") == [1]
    assert found(store, run, "contested") == [0]
    (row, *_) = page_of(store, run, Wanted(), 0, 1).rows
    assert [(one.verdict, one.who) for one in row.answers["raw"].said] == [("wrong", "anna")]


def test_figures_order_the_questions_that_have_them(store: Store, settings: Settings) -> None:
    run = begun(store, settings)
    for position, (latency_s, usd) in enumerate([(2.0, "0.1"), (9.0, "0.01"), (5.0, None), (2.0, "0.000001")]):
        timings, cost = Timings(latency_s=latency_s, ttft_s=10 - latency_s), Cost(usd and Decimal(usd), "")  # type: ignore[arg-type]
        add_cell(store, run.id, cell(position=position, timings=timings, cost=cost))
        set_scores(store, run.id, {("raw", position, 0): {"semantic": Score(latency_s / 10)}})
    add_cell(store, run.id, cell(position=4, status="error", text="", error="no", timings=Timings(latency_s=99.0)))
    add_cell(store, run.id, cell("rag", 5, timings=Timings(latency_s=99.0), recorded=Recorded(None, "a file")))
    assert found(store, run, "slowest", of="raw") == [1, 2, 0, 3]
    assert found(store, run, "slowest") == [1, 2, 0, 3]  # neither the failed one nor the recorded one
    assert found(store, run, "latest", of="raw") == [0, 3, 2, 1]
    assert found(store, run, "dearest", of="raw") == [0, 1, 4, 3]
    assert found(store, run, "lowest", scorer="semantic") == [0, 3, 2, 1]
    assert found(store, run, "wrong", scorer="semantic") == []  # a number is neither right nor wrong


def test_a_page_has_its_rows_and_says_how_many_there_are(store: Store, run: Run) -> None:
    page = page_of(store, run, Wanted("wrong"), 1, 2)
    assert (page.total, [row.id for row in page.rows]) == (4, ["q2", "q3"])
    row = page.rows[0]
    assert (row.question, row.tags, list(row.answers)) == ("What colour is thing 2?", ("b",), ["raw", "rag"])
    raw, rag = row.answers.values()
    assert (raw.standing, raw.error, raw.text) == ("failed", "The server is away.", "")
    assert (rag.standing, rag.text, rag.status) == ("right", "It is red.", "ok")
    assert page_of(store, run, Wanted(), 5, 9).rows[0].answers["rag"] == Summary()
    assert page_of(store, run, Wanted(), 6, 9).rows == ()


def test_neighbours_are_those_of_the_filter(store: Store, run: Run) -> None:
    assert place_of(store, run, Wanted(), 0) == Place(1, 6, None, 1)
    assert place_of(store, run, Wanted("wrong", of="raw"), 2) == Place(2, 3, 1, 5)
    assert place_of(store, run, Wanted("wrong", of="raw"), 0) == Place(None, 3, None, None)
    assert (position_of(store, run, "q3"), id_at(store, run, 3)) == (3, "q3")
    with pytest.raises(BackendError, match="has no question 'q9'"):
        position_of(store, run, "q9")


def test_a_cell_comes_with_its_question_and_scores(store: Store, run: Run) -> None:
    add_cell(store, run.id, cell("rag", 5, sources=(passage(),)), {"right": Score(False, reason="It is grey.")})
    whole = cell_at(store, run, ("rag", 5, 0))
    assert whole.texts
    assert whole.cell is not None
    assert (whole.sample.reference_answer, whole.cell.text) == ("It is grey.", "It is red.")
    assert whole.scores == {"right": Score(False, reason="It is grey.")}
    assert cell_at(store, run, ("raw", 5, 1)).cell is None


def test_without_texts_all_else_is_there(store: Store, settings: Settings) -> None:
    given = settings.model_copy(update={"store": settings.store.model_copy(update={"keep_texts": False})})
    untold = tuple(Sample(f"u{place}", f"Untold {place}?", "no", (("x",),)) for place in range(2))
    run = begun(store, given, samples=untold)
    filled(store, run, "raw", [True, False], keep_texts=False)
    (first, second) = page_of(store, run, Wanted(), 0, 9).rows
    assert (first.question, first.answers["raw"].text, first.answers["raw"].standing) == (None, None, "right")
    assert second.answers["raw"].standing == "wrong"
    assert not cell_at(store, run, ("raw", 0, 0)).texts
    assert found(store, run, find="untold") == []
