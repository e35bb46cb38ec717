"""Pairs as tables and files: nothing is lost between the pairs, the editor and a download."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd

from backends.fine_tuned.pairs.check import PairReport, RowFault, check_pairs
from backends.fine_tuned.pairs.draft_job import Draft
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.pairs.held_out import Leak, Split
from ui.fine_tuned.pair_tables import (
    csv_file,
    drafts_frame,
    faults_table,
    frame,
    held_out_table,
    jsonl,
    pairs_of,
    split_words,
)

PAIRS = (
    Pair("When?", "At 9:00."),
    Pair('Who, "the" chef?\nHer name', "Zoë", "staff", generated=True, source="guide.pdf, page 2"),
)


def test_what_goes_into_the_editor_comes_out_of_it() -> None:
    assert pairs_of(frame(PAIRS)) == PAIRS
    assert pairs_of(frame(())) == ()


def test_a_row_that_was_added_is_empty_until_it_is_filled() -> None:
    table = pd.concat([frame(PAIRS[:1]), pd.DataFrame([{"question": "Where?"}])], ignore_index=True)
    table.loc[2] = [None, np.nan, None, None, None]
    assert pairs_of(table) == (PAIRS[0], Pair("Where?", ""), Pair("", ""))


def test_drafts_are_ticked_at_first_and_only_those_are_used() -> None:
    table = drafts_frame([Draft(pair, "What it says.") for pair in PAIRS])
    assert list(table.columns) == ["use", "question", "answer", "source", "passage"]
    assert len(pairs_of(table)) == 2
    table.loc[0, "use"] = False
    table.loc[1, "answer"] = "Zoë Park"
    assert pairs_of(table) == (Pair(PAIRS[1].question, "Zoë Park", generated=True, source="guide.pdf, page 2"),)


def test_jsonl_is_read_back_as_the_same_pairs() -> None:
    assert check_pairs(jsonl(PAIRS), "pairs.jsonl").pairs == PAIRS
    assert jsonl(PAIRS[:1]) == b'{"question": "When?", "answer": "At 9:00."}\n'


def test_csv_is_read_back_as_the_same_pairs() -> None:
    assert check_pairs(csv_file(PAIRS), "pairs.csv").pairs == PAIRS


def test_a_spreadsheet_takes_nothing_for_a_formula() -> None:
    formulas = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1")
    text = csv_file([Pair(one, one, one) for one in formulas]).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert [row[:3] for row in rows] == [[f"'{one}"] * 3 for one in formulas]


def test_errors_come_before_what_is_only_to_be_looked_at() -> None:
    faults = (
        RowFault(None, "It was guessed.", "warning"),
        RowFault(1200, "It is empty.", "warning"),
        RowFault(3, "It has no answer.", "error"),
    )
    table = faults_table(PairReport((), (), faults, "", "", 3, None), 2)
    assert table.to_dict("list") == {
        "Row": ["3", "file"],
        "What": ["error", "look at it"],
        "Sentence": ["It has no answer.", "It was guessed."],
    }


def test_a_held_out_question_that_was_taught_says_by_what() -> None:
    split = Split((PAIRS[0],), (Pair("when", "At 9:00."), PAIRS[1]), (), (Leak(0, 0, "normalised"),))
    assert list(held_out_table(split)["Seen in training"]) == ["the same but for case and marks: When?", ""]


def test_what_is_kept_aside_is_told_as_it_will_be() -> None:
    pairs = tuple(Pair(f"Question {number}?", "Yes.") for number in range(10))
    told = split_words(Split(pairs[:8], pairs[8:], (), ()))
    assert (
        told
        == "**2 pairs** are kept aside and **8** are trained on. None of those that are kept aside is seen in training."
    )
    many = split_words(Split(pairs[:8] * 1_200, pairs[8:] * 1_200, (), (Leak(0, 0, "near"),)))
    assert many == (
        "More than 10,000 pairs are not trained on at once: the section Train draws a sample, of which about 20 % are "
        "kept aside."
    )
