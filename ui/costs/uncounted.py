"""Answers whose process ended before they were counted: what they count as, and a place to say what was charged."""

from __future__ import annotations

from decimal import Decimal

import streamlit as st

from backends.errors import BackendError
from backends.settings import Settings
from backends.spend import budget
from backends.spend.budget import Uncounted
from ui.shared.errors import keep_fault, show_kept_fault
from ui.shared.text import escaped

_MOST = 10  # rows at once: the next ones come up when these are settled
_DEAREST_USD = 1e6  # more than any answer costs, and less than what the ledger can hold


def draw(current: Settings) -> None:
    """One row per answer; nothing where every answer was counted. Raises `BackendError` for an unreadable ledger."""
    found = budget.uncounted(current)
    if not found:
        return
    with st.container(border=True):
        total = budget.uncounted_in_words(sum((one.worst_usd for one in found), Decimal(0)))
        st.markdown(f":material/power_off: **{escaped(total)}**")
        st.caption(
            "The provider may have charged them, so each counts in its day's and its run's budget at its worst case "
            "until you enter what the provider's bill says."
        )
        show_kept_fault()
        for one in found[:_MOST]:
            _row(current, one)
        if len(found) > _MOST:
            st.caption(f"{len(found) - _MOST:,} more come up when these are settled.")


def _row(current: Settings, one: Uncounted) -> None:
    key = f"uncounted:{one.number}"
    with st.form(key, border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        asked = (
            f"{one.at:%d %b %Y, %H:%M} UTC · {one.approach} · {one.model} · at most {budget.rounded_up(one.worst_usd)}"
        )
        st.markdown(escaped(asked), width="stretch")
        st.number_input(
            "Charged (USD)",
            min_value=0.0,
            max_value=max(_DEAREST_USD, float(one.worst_usd)),
            value=float(one.worst_usd),
            step=0.001,
            format="%.6f",
            key=f"{key}:usd",
            width=180,
        )
        st.form_submit_button(
            "Count it", icon=":material/receipt_long:", on_click=_count, args=(current, one.number, f"{key}:usd")
        )


def _count(current: Settings, number: int, key: str) -> None:
    try:
        budget.count_charge(current, number, Decimal(repr(st.session_state[key])))
    except BackendError as fault:
        keep_fault(fault)
