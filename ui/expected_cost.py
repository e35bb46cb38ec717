"""What the typed question is expected to cost with each approach, before it is asked."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

import backends
from backends.expected import Expected
from ui import numbers
from ui.approaches import look_of
from ui.resources import expectations, settings
from ui.text import escaped

_WIDTH, _HEIGHT = 292, 52  # pixels: four beside each other at 1440, two at 800; the amount, and a line of words
_LINE = 46  # characters that fit into it
_UNTYPED = "type a question"


def expected_cost(approaches: Sequence[str], text: str) -> None:
    """One amount for each approach, with how far off such amounts were so far; the reckoning on hover.

    It has its size before anything is typed, so that what is below never moves; only a long reason for not knowing
    takes more.
    """
    current = settings()
    made = [backends.make(approach, current) for approach in approaches]
    found = expectations(made, text) if text.strip() else {}
    with st.container(gap=None):
        st.caption("Expected cost, before it is asked")
        with st.container(horizontal=True, gap="small"):
            for approach in approaches:
                _cell(approach, found.get(approach))


def _cell(approach: str, one: Expected | None) -> None:
    look, error = look_of(approach), one.error if one else _UNTYPED
    amount = numbers.dollars(one.cost.usd) if one else numbers.UNKNOWN
    with st.container(width=_WIDTH, height=_HEIGHT if len(error) <= _LINE else "content", border=False, gap=None):
        st.markdown(
            f":{look.colour}[{look.icon}] {escaped(look.name)}: **{escaped(amount)}**",
            help=escaped(one.cost.basis) if one else None,
        )
        st.caption(escaped(error))
