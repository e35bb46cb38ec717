"""The answers to a question side by side: each column is filled while its approach answers, until all have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from backends.base import FAILED, STATUS_WORDS, Answer
from backends.registry import spec_of
from backends.run.live import LiveComparison
from evaluation.references import VERDICT_WORDS, Verdict
from ui.ask.column import TEXT_LENGTH, AnswerColumn
from ui.shared import numbers
from ui.shared.approaches import title_of
from ui.shared.text import escaped

_MOST_BESIDE = 5
_LEAST_WIDTHS = {1: 240, 2: 240, 3: 240, 4: 260, 5: 205}
"""Columns beside each other -> pixels that each has at least. At 1280 all of them stand in one row; at 800 three do,
four stand two by two, and of five none stands alone."""

_REFRESH_S = 0.1


def side_by_side(count: int, least_width: int | None = None) -> DeltaGenerator:
    """A grid for so many columns: up to five beside each other, more in rows that are as full as each other.

    Each column is `least_width` pixels wide or more.
    """
    beside = _beside(count)
    gap_px = 8 if beside == _MOST_BESIDE else 16
    return st.grid(beside, min_column_width=least_width or _LEAST_WIDTHS[beside], gap=gap_px)


def _beside(count: int) -> int:
    return math.ceil(count / math.ceil(count / _MOST_BESIDE)) if count else 1


def _in_words(answer: Answer, verdict: Verdict | None) -> str:
    """`Raw model: done, not right, 1.84 s.`"""
    stands = [] if verdict in (None, answer.status) else [VERDICT_WORDS[verdict]]
    parts = [STATUS_WORDS[answer.status], *stands]
    if answer.status not in FAILED:
        parts.append(numbers.seconds(answer.timings.latency_s))
    return f"{spec_of(answer.approach).name}: {', '.join(parts)}."


class Answers:
    """The columns, drawn as they are now. `watch` keeps them up to date.

    `judge` says how an answer stands, None where nobody can say. `title` gives the heading of an approach's column as
    Markdown; without it, it is the approach's name, with that of a connection in a line of its own. `text_length` is
    what is shown of an answer at first, in characters; `least_width` is pixels.
    """

    def __init__(
        self,
        page: str,
        comparison: LiveComparison,
        *,
        judge: Callable[[Answer], Verdict | None] = lambda answer: None,
        title: Callable[[str], str] | None = None,
        text_length: int = TEXT_LENGTH,
        least_width: int | None = None,
    ) -> None:
        self._comparison, self._judge = comparison, judge
        self._columns: dict[str, AnswerColumn] = {}
        self._below: dict[str, DeltaGenerator] = {}
        key = f"{page}:{comparison.question.run}"
        narrow = _beside(len(comparison.columns)) == _MOST_BESIDE
        names = {column.approach: column.approach.partition(":") for column in comparison.columns}
        second_line = title is None and len(names) > 1 and any(name for _, _, name in names.values())
        with side_by_side(len(comparison.columns), least_width):
            for column in comparison.columns:
                area = st.container(border=True, height="stretch", gap="xsmall")
                kind, _, name = names[column.approach]
                self._columns[column.approach] = AnswerColumn(
                    area,
                    column.approach,
                    key=key,
                    title=title(column.approach) if title else title_of(kind if second_line else column.approach),
                    subtitle=name if second_line else None,
                    text_length=text_length * 3 // 5 if narrow else text_length,
                    narrow=narrow,
                    two_lines=narrow or second_line,
                )
                self._below[column.approach] = area.empty()
        self._draw({})

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers that are finished."""
        return self._comparison.answers

    def below(self, approach: str) -> DeltaGenerator:
        """A container at the end of a column."""
        return self._below[approach].container()

    def corner(self, approach: str) -> DeltaGenerator:
        """The place beside a column's name; it has room for an icon."""
        return self._columns[approach].corner

    def under_text(self, approach: str) -> DeltaGenerator:
        """A container right below the text of an answer."""
        return self._columns[approach].under_text.container()

    def watch(self, on_unasked: Callable[[Answer], None] = lambda answer: None) -> None:
        """Let the asking begin, and fill the columns until every answer is there.

        `on_unasked` is called once for each column that nobody could be asked for, while the others still come.
        """
        self._comparison.start()
        told: set[str] = set()
        while not self._comparison.wait(_REFRESH_S):
            self._draw({})
            for answer in self.answers:
                if answer.status == "not_asked" and answer.approach not in told:
                    told.add(answer.approach)
                    on_unasked(answer)

    def finish(self, marks: Mapping[str, frozenset[str]] | None = None) -> None:
        """Draw the columns for the last time. `marks`: by approach, the measures in which it was the best."""
        self._draw(marks or {})
        self._announce()

    def _announce(self) -> None:
        """Say to those who listen that every answer is there, and how each stands: an alert that is out of sight."""
        with st.container(key="announced"):
            st.info(escaped(f"Answered. {' '.join(_in_words(one, self._judge(one)) for one in self.answers)}"))

    def _draw(self, marks: Mapping[str, frozenset[str]]) -> None:
        for column in self._comparison.columns:
            verdict = self._judge(column.answer) if column.answer else None
            self._columns[column.approach].draw(column, verdict, marks.get(column.approach, frozenset()))
