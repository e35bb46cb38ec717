"""How many disagreements of documents are shown, and how many that are none (`benchmarks/corpora/disagreeing`).

Without a search: the answer is the reference, its document is what it was written from, the other one stands beside it.
"""

from __future__ import annotations

import csv
from functools import cache

import pytest

from backends.base import Answer, Passage
from backends.rag.evidence.answer import check
from backends.rag.evidence.figures import figures
from backends.rag.search.superseded import BEGINNING, superseded
from benchmarks.corpora import HOME

FOLDER = HOME / "disagreeing"
with (FOLDER / "questions.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))


@cache
def passages(domain: str) -> dict[str, Passage]:
    """A passage of each document; `heading` is empty, since it begins with its own."""
    texts = {one.name: one.read_text(encoding="utf-8") for one in sorted(FOLDER.glob(f"*/{domain}/*"))}
    old = superseded({name: text[:BEGINNING] for name, text in texts.items()})
    return {
        name: Passage(name, None, name, 0.5, 0, len(text), text, superseded=old.get(name, ""))
        for name, text in texts.items()
    }


def shown(row: dict[str, str]) -> list[str]:
    """The other figures that are shown for the reference answer of a question."""
    there = dict(passages(row["tags"].split(";")[0]))
    source = there.pop(row["source"])
    answer = Answer("rag", "m", row["reference_answer"], "ok", sources=(source,), beside=tuple(there.values()))
    return [one.other.text for one in check(answer, row["question"]).conflicts]


def agrees(one: str, other: str) -> bool:
    """Whether two texts hold the same figure."""
    return any(a.equals(b) for a in figures(one) for b in figures(other))


@pytest.mark.parametrize(("half", "least"), [("choose", 0.75), ("report", 0.65)])
def test_most_disagreements_are_shown_and_hardly_another_one(half: str, least: float) -> None:
    rows = [row for row in ROWS if half in row["tags"].split(";")]
    found = {row["id"]: shown(row) for row in rows}
    expected = [row for row in rows if row["other_figure"]]
    right = [row["id"] for row in expected if any(agrees(one, row["other_figure"]) for one in found[row["id"]])]
    wrong = [id for id, others in found.items() if others and id not in right]
    assert len(expected) >= 35
    assert len(right) >= least * len(expected), sorted({row["id"] for row in expected}.difference(right))
    assert len(wrong) <= 0.05 * len(rows), {id: found[id] for id in wrong}


def test_every_figure_of_the_questions_stands_in_its_document() -> None:
    for row in ROWS:
        there = {name: one.text for name, one in passages(row["tags"].split(";")[0]).items()}
        assert len(there) == 2
        assert row["key_facts"] in there.pop(row["source"]), row["id"]
        if row["other_figure"]:
            (other,) = there.values()
            assert row["other_figure"] in other, row["id"]
            assert not agrees(row["key_facts"], row["other_figure"]), row["id"]
