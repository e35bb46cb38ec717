"""What a run may be charged at most: the cap, beside what is expected."""

from __future__ import annotations

from decimal import Decimal

import streamlit as st

from backends.settings import Settings
from backends.spend.budget import rounded_up
from evaluation.runs.estimate import RunEstimate
from ui.shared.text import escaped


def first_cap(current: Settings, estimate: RunEstimate, charged_usd: Decimal = Decimal(0)) -> Decimal | None:
    """The cap of the settings, or without one what is suggested, `charged_usd` so far included.

    None where there is none and nobody charges.
    """
    if current.budget.per_run_usd is not None or not estimate.may_be_charged:
        return current.budget.per_run_usd
    return charged_usd + estimate.suggested_cap_usd


def choose_cap(current: Settings, estimate: RunEstimate, key: str, charged_usd: Decimal = Decimal(0)) -> Decimal | None:
    """Draw the cap and what it comes to; the cap that is in force."""
    first = first_cap(current, estimate, charged_usd)
    if not estimate.may_be_charged:
        st.caption(":material/savings: Nobody charges for it: all of it is computed on this machine.")
        return first
    given = st.number_input(
        "Stop before servers have charged more than, USD",
        min_value=0.0,
        value=None if first is None else float(first),
        step=0.1,
        format="%.4f",
        key=f"{key}:{first}",  # what is suggested follows what is chosen
        placeholder="no cap",
        persist_state="session",
        help="The cap of this run (budget.per_run_usd). Each question is checked with its worst case before it is "
        "asked. What is missing can be asked later, with another cap.",
    )
    if given is None:
        st.warning("There is no cap: servers may charge whatever the answers come to.", icon=":material/warning:")
        return None
    cap = Decimal(repr(given))
    so_far = f", of which {rounded_up(charged_usd)} so far" if charged_usd else ""
    st.markdown(f":material/savings: Charged at most: **{escaped(rounded_up(cap))}**{escaped(so_far)}.")
    for sentence in estimate.cap_words(cap - charged_usd):
        st.caption(f":material/warning: {escaped(sentence)}")
    return cap


def with_cap(current: Settings, cap: Decimal | None) -> Settings:
    """The same settings with this cap for a run."""
    return current.model_copy(update={"budget": current.budget.model_copy(update={"per_run_usd": cap})})
