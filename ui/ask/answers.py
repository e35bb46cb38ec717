"""The answers to a question side by side: each column is filled while its approach answers, until all have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from backends.base import Answer
from backends.run.live import LiveComparison
from ui.ask.box import stop_button
from ui.ask.column import TEXT_HEIGHT, AnswerColumn
from ui.shared.approaches import title_of
from ui.shared.text import escaped

COLUMN_WIDTH = 300
"""Pixels at least: four beside each other at 1440, two at 800."""

_MOST_COLUMNS = 4
_REFRESH_S = 0.1
_QUESTION_SHOWN = 500  # characters


def side_by_side(count: int, least_width: int = COLUMN_WIDTH) -> DeltaGenerator:
    """A grid for so many columns, at most four beside each other; each is `least_width` pixels wide or more."""
    return st.grid(min(count, _MOST_COLUMNS), min_column_width=least_width)


class Answers:
    """The question, a stop button and the columns, drawn as they are now. `watch` keeps them up to date.

    `title` gives the heading of an approach's column as Markdown. `text_height` and `least_width` are pixels; with
    `compact`, the question is no heading.
    """

    def __init__(
        self,
        page: str,
        comparison: LiveComparison,
        *,
        compact: bool = False,
        title: Callable[[str], str] = title_of,
        text_height: int = TEXT_HEIGHT,
        least_width: int = COLUMN_WIDTH,
    ) -> None:
        self._comparison = comparison
        with st.container(horizontal=True, vertical_alignment="center"):
            question = escaped(comparison.question.text[:_QUESTION_SHOWN])
            if compact:
                st.markdown(f"**{question}**", width="stretch")
            else:
                st.subheader(question, anchor=False, width="stretch")
            self._stop = stop_button(page)
        self._columns: dict[str, AnswerColumn] = {}
        self._below: dict[str, DeltaGenerator] = {}
        with side_by_side(len(comparison.columns), least_width):
            for column in comparison.columns:
                area = st.container(border=True, height="stretch")
                self._columns[column.approach] = AnswerColumn(
                    area, column.approach, title=title(column.approach), text_height=text_height
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

    def watch(self) -> None:
        """Let the asking begin, and fill the columns until every answer is there."""
        self._comparison.start()
        while not self._comparison.wait(_REFRESH_S):
            self._draw({})
        self._stop.empty()

    def finish(self, marks: Mapping[str, frozenset[str]] | None = None) -> None:
        """Draw the columns for the last time. `marks`: by approach, the measures in which it was the best."""
        self._draw(marks or {})

    def _draw(self, marks: Mapping[str, frozenset[str]]) -> None:
        for column in self._comparison.columns:
            self._columns[column.approach].draw(column, marks.get(column.approach, frozenset()))
