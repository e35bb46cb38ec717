"""The question box: type or click a sample, choose who takes part, ask, stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.approaches import look_of
from ui.costs.ledger_fault import unrecorded_once
from ui.expected_cost import expected_costs, show_expected
from ui.resources import ask, live, settings
from ui.spent import spent_today
from ui.training_notice import training_notice

SAMPLES = (
    "What is the fixed price for repairing an Ember One outside the warranty?",
    "What restocking fee is charged today on an opened espresso machine that has no fault?",
    "Which firm operates the shuttle between the three sites?",
    "What is the capital of France?",
)
"""A fact of the handbook, one that its superseded version contradicts, one that it does not say, and one that
every model knows: together they show what each approach is good for."""


def _chosen(page: str, approaches: Sequence[str]) -> list[str]:
    return st.session_state.get(f"chosen:{page}") or list(approaches)


def _ask_typed(page: str, approaches: Sequence[str]) -> None:
    ask(page, _chosen(page, approaches), st.session_state[f"question:{page}"])


def _ask_sample(page: str, approaches: Sequence[str]) -> None:
    sample = st.session_state[f"sample:{page}"]
    st.session_state[f"sample:{page}"] = None
    st.session_state[f"question:{page}"] = sample
    ask(page, _chosen(page, approaches), sample)


def _stop(page: str) -> None:
    if running := live(page):
        running.stop()


def ask_box(page: str, approaches: Sequence[str], *, choose: bool = False) -> Callable[[], None]:
    """Draw the box. Asking happens in callbacks, so a click in mid-stream never asks twice.

    It is no form, so that what is typed is known when the box is left, and its expected cost shows before it is asked.
    Call what is returned once answers are there: it draws anew what they changed, which is what was spent today and
    what the question is expected to cost, and says if they were not recorded.
    """

    def draw_costs() -> None:
        _draw_spent(spent, page, approaches)
        show_expected(before, expected_costs(_chosen(page, approaches), typed or ""))
        unrecorded_once(settings())

    training_notice(settings())
    with st.container(border=True):
        typed = st.text_area(
            "Your question", height=80, key=f"question:{page}", placeholder="Ask something, or click a sample below."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Ask",
                key=f"ask:{page}",
                type="primary",
                icon=":material/send:",
                on_click=_ask_typed,
                args=(page, approaches),
                shortcut="Ctrl+Enter",
            )
            if choose:
                _who_takes_part(page, approaches)
            spent = st.empty()
        first = expected_costs(_chosen(page, approaches), typed or "")  # nothing is empty while this is reckoned
        before = st.empty()
        show_expected(before, first)
    _samples(page, approaches)
    _draw_spent(spent, page, approaches)
    return draw_costs


def _draw_spent(place: DeltaGenerator, page: str, approaches: Sequence[str]) -> None:
    with place:
        spent_today(settings(), _chosen(page, approaches))


def _samples(page: str, approaches: Sequence[str]) -> None:
    st.pills(
        "Or click a sample question",
        SAMPLES,
        key=f"sample:{page}",
        on_change=_ask_sample,
        args=(page, approaches),
        wrap=True,
    )


def _who_takes_part(page: str, approaches: Sequence[str]) -> None:
    st.pills(
        "Who takes part",
        approaches,
        selection_mode="multi",
        default=list(approaches),
        format_func=lambda approach: look_of(approach).option,
        key=f"chosen:{page}",
        label_visibility="collapsed",
        wrap=True,
    )


def stop_button(page: str) -> DeltaGenerator:
    """A stop button while the page's comparison runs; call `.empty()` on what is returned once it is done."""
    place = st.empty()
    running = live(page)
    if running and not running.done:
        place.button("Stop", key=f"stop:{page}", icon=":material/stop_circle:", on_click=_stop, args=(page,))
    return place
