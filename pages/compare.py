"""The main page: one question, four approaches side by side."""

from __future__ import annotations

import streamlit as st

from backends import approaches
from backends.registry import spec_of
from ui.ask.box import ask_box, stop_button
from ui.ask.column import AnswerColumn
from ui.ask.raise_cap import raise_cap
from ui.compare import overview
from ui.resources import live, settings
from ui.shared.approaches import title_of
from ui.shared.text import escaped
from ui.shell import open_page

PAGE = "compare"
MOST_COLUMNS = 4  # beside each other
COLUMN_WIDTH = 300  # pixels at least: four beside each other at 1440, two at 800

open_page("Crossroads", "One question, four ways to use a language model: answers, latency and cost side by side.")
APPROACHES = approaches(settings())
draw_costs = ask_box(PAGE, APPROACHES, choose=True)

comparison = live(PAGE)
intro = st.empty()  # what is left empty here clears at once; Streamlit would let old elements fade until the end
if comparison is None:
    chosen = st.session_state.get(f"chosen:{PAGE}") or list(APPROACHES)
    with intro.container(), st.grid(min(len(chosen), MOST_COLUMNS), min_column_width=COLUMN_WIDTH):
        for approach in chosen:
            spec = spec_of(approach)
            with st.container(border=True, height="stretch"):
                st.markdown(f"#### {title_of(approach)}", anchors=False)
                st.caption(spec.what)
                if offer := spec.loaded("offer"):
                    offer(settings(), None, PAGE)
    st.stop()

with st.container(horizontal=True, vertical_alignment="center"):
    st.subheader(escaped(comparison.question.text[:500]), anchor=False, width="stretch")
    stop = stop_button(PAGE)
columns, below = {}, {}
with st.grid(min(len(comparison.columns), MOST_COLUMNS), min_column_width=COLUMN_WIDTH):
    for column in comparison.columns:
        area = st.container(border=True, height="stretch")
        columns[column.approach] = AnswerColumn(area, column.approach)
        columns[column.approach].draw(column)
        below[column.approach] = area.empty()
across = st.empty()
comparison.start()
while not comparison.wait(0.1):
    for column in comparison.columns:
        columns[column.approach].draw(column)
stop.empty()
draw_costs()
marked = overview.best(comparison.answers)
for column in comparison.columns:
    columns[column.approach].draw(column, overview.marks_of(column.approach, marked))
for answer in comparison.answers:
    with below[answer.approach].container():
        raise_cap(PAGE, answer, comparison.answers)
        if offer := spec_of(answer.approach).loaded("offer"):
            offer(settings(), comparison.question.text, PAGE)
with across.container():
    overview.show(comparison.answers, marked)
