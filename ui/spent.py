"""What was spent today, wherever somebody can spend more."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backends import budget
from backends.base import BackendError
from backends.connections import name_in
from backends.settings import Settings
from ui.text import escaped


def spent_today(current: Settings, approaches: Sequence[str]) -> None:
    """One line if a paid approach takes part; nothing otherwise."""
    over_paid = "rag" in approaches and name_in(current.rag.generator) is not None
    if current.scripted or not (over_paid or any(name_in(approach) is not None for approach in approaches)):
        return
    try:
        spent = budget.spent_today(current.data)
    except BackendError as fault:
        st.caption(escaped(f"Spent today: unknown. {fault.cause}"), width="content")
        return
    cap = current.budget.per_day_usd
    parts = [
        f"Spent today (UTC): {budget.dollars(spent.usd)}" + (f" of {budget.dollars(cap)}" if cap is not None else "")
    ]
    if spent.in_flight_usd:
        parts.append(f"{budget.dollars(spent.in_flight_usd)} set aside for questions under way")
    if spent.unknown:
        parts.append(f"{spent.unknown:,} of unknown cost")
    st.caption(escaped(" · ".join(parts)), width="content")
