"""With no API key: what the question would cost, which variable to set, and the stand-in for one click."""

from __future__ import annotations

import streamlit as st

from backends.remote.connection_settings import PAID_API
from backends.settings import Settings
from backends.spend.estimate import expect_cost
from ui.resources import paid_api, stand_in_start
from ui.shared import numbers
from ui.shared.text import escaped, plain

_USUAL_START_S = 12.0


def stand_in_offer(current: Settings, question: str | None, key: str) -> None:
    """Draw the offer where there is neither key nor stand-in; nothing otherwise. `question` prices the estimate."""
    if current.scripted:
        return
    backend = paid_api(current)
    if not backend.needs_key:
        return
    with st.container(border=True):
        st.markdown(
            ":material/key_off: **No API key.** Set `OPENAI_API_KEY` in the environment or `.env`, or enter one "
            f"{'under *API key* above' if key == PAID_API else 'on the Paid API page'}."
        )
        if backend.connection.withheld:
            st.caption(escaped(backend.connection.withheld))
        if question:
            cost = expect_cost(backend, current.question(question), current).cost
            st.markdown(f"This question would cost about **{escaped(numbers.dollars(cost.usd))}** (estimate).")
            st.caption(escaped(cost.basis))
        start = stand_in_start()
        if start.under_way:
            st.fragment(_watch, run_every=0.5)()
            return
        if start.fault:
            st.text(plain(start.fault))
        st.button(
            "Start the stand-in",
            key=f"stand_in:{key}",
            icon=":material/swap_horiz:",
            on_click=start.begin,
            args=(current.data,),
            help="A small model on this machine answers over real HTTP, labelled as a stand-in.",
        )


def _watch() -> None:
    start = stand_in_start()
    st.progress(
        min(start.waited_s / _USUAL_START_S, 0.99), f"Starting the stand-in \u00b7 {start.waited_s:.0f} of about 12 s"
    )
    if not start.under_way:
        st.rerun()
