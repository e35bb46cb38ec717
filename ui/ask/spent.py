"""What was spent today, wherever somebody can spend more."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backends.remote.address import is_loopback
from backends.remote.connection_settings import name_in
from backends.settings import Settings
from backends.spend import budget
from ui.shared.text import escaped


def spent_today(current: Settings, approaches: Sequence[str]) -> None:
    """One line if a paid approach takes part; nothing otherwise."""
    if current.scripted or not any(_can_spend(current, approach) for approach in approaches):
        return
    st.caption(escaped(budget.today_in_words(current.data, current.budget)), width="content")


def _can_spend(current: Settings, approach: str) -> bool:
    """Whether a question to this approach may be charged by somebody."""
    if approach == "rag":
        return _can_spend(current, current.rag.generator)
    if approach == "fine_tuned":
        served = current.fine_tuned
        return bool(served.base_url and (served.price or not is_loopback(served.base_url)))
    return name_in(approach) is not None
