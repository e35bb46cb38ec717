"""What the typed question is expected to cost with each approach, before it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import backends
from backends.expected import Expected
from ui import numbers
from ui.approaches import look_of
from ui.resources import expectations, settings
from ui.text import escaped

_WIDTH = 292  # pixels: four beside each other at 1440, two at 800
_NAME = 20  # characters of a name that always have room beside an amount; it stands below a longer one
_UNTYPED = "type a question"


def expected_costs(approaches: Sequence[str], text: str) -> dict[str, Expected | None]:
    """What `text` is expected to cost by approach; None as long as nothing is typed."""
    current = settings()
    made = [backends.make(approach, current) for approach in approaches]
    found = expectations(made, text) if text.strip() else {}
    return {approach: found.get(approach) for approach in approaches}


def show_expected(place: DeltaGenerator, costs: Mapping[str, Expected | None]) -> None:
    """One amount for each approach, with how far off such amounts were so far; the reckoning on hover.

    It has its lines before anything is typed, so that what is below never moves; only a long reason for not knowing
    takes more. `place` holds one thing, which a later call replaces.
    """
    with place.container(gap=None):
        st.caption("Expected cost, before it is asked")
        with st.container(horizontal=True, gap="small"):
            for approach, one in costs.items():
                _cell(approach, one)


def _cell(approach: str, one: Expected | None) -> None:
    look, error = look_of(approach), one.error if one else _UNTYPED
    amount = numbers.dollars(one.cost.usd) if one else numbers.UNKNOWN
    parts = " " if len(look.name) <= _NAME else "  \n"
    with st.container(width=_WIDTH, gap=None):
        st.markdown(
            f":{look.colour}[{look.icon}] {escaped(look.name)}:{parts}**{escaped(amount)}**",
            help=escaped(one.cost.basis) if one else None,
        )
        st.caption(escaped(error))
