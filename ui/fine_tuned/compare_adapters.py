"""Several adapters, one question: their answers side by side over the same base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from backends.base import Backend
from backends.fine_tuned.approach import FineTunedBackend
from backends.run.ask import PreparedQuestion
from backends.settings import Settings
from backends.spend.ledger import recorder
from ui.ask.answers import Answers
from ui.ask.bar import stop_button
from ui.resources import live, start
from ui.shared.text import escaped, plain

_PAGE = "adapters"
_WHO, _QUESTION = "compared_adapters", "adapters_question"
_ADAPTER = "adapter "  # and its name: the id of its column
_MOST = 4
_QUESTION_SHOWN = 500  # characters
_COLUMN_WIDTH = 290  # pixels at least: four beside each other at 1440, two at 800


def compare_adapters(current: Settings, names: Sequence[str]) -> None:
    """Draw the box and the answers. `names` are those that fit the base."""
    if len(names) < 2:
        return
    with st.container(border=True):
        st.markdown("## :material/compare: Compare several")
        st.multiselect(
            "Adapters",
            names,
            default=list(names[:2]),
            key=_WHO,
            format_func=plain,
            max_selections=_MOST,
            persist_state="session",
            help="They share the base in memory; switching takes a fraction of a second.",
        )
        with st.form("form:compare_adapters", border=False):
            st.text_input("One question for all of them", key=_QUESTION)
            st.form_submit_button(
                "Ask them", type="primary", icon=":material/send:", on_click=_ask, args=(current, tuple(names))
            )
        _answers()


def _ask(current: Settings, names: Sequence[str]) -> None:
    chosen = [name for name in st.session_state[_WHO] if name in names]
    record = recorder(current)
    if chosen:
        made = tuple(_backend(current, name) for name in chosen)
        question = current.question(st.session_state[_QUESTION])
        start(
            _PAGE, PreparedQuestion(made, question, {}, lambda answer: record(replace(answer, approach="fine_tuned")))
        )


def _backend(current: Settings, name: str) -> Backend:
    own = current.fine_tuned.model_copy(update={"adapter": name})
    backend = FineTunedBackend(current.model_copy(update={"fine_tuned": own}))
    backend.approach = f"{_ADAPTER}{name}"  # what tells the columns apart, and those who wait what they wait for
    return backend


def _answers() -> None:
    comparison = live(_PAGE)
    if comparison is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{escaped(comparison.question.text[:_QUESTION_SHOWN])}**", width="stretch")
        stop = st.empty()
        stop_button(_PAGE, stop)
    shown = Answers(_PAGE, comparison, title=_title, least_width=_COLUMN_WIDTH)
    shown.watch()
    stop.empty()
    shown.finish()


def _title(approach: str) -> str:
    return f":orange[:material/model_training:] **{escaped(approach.removeprefix(_ADAPTER))}**"
