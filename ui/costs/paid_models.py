"""Which paid models are reckoned with on the Costs page, and models whose price somebody enters by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import streamlit as st

from backends.connections import DEFAULT, ManualPrice, approach_of
from backends.connections import of as connection_of
from backends.settings import Settings
from evaluation.costs.paid import ByHand
from ui.approaches import look_of
from ui.costs import assumed
from ui.text import escaped, plain

_KEY, _FORM, _FAULT = "cost:paid", "price_by_hand", "price_by_hand_fault"
_PRICES = {"input": "Tokens in", "cached": "Cached tokens in (if cheaper)", "output": "Tokens out"}


def paid_models(current: Settings) -> None:
    """Choose the paid curves, the first one being what the others are compared with; add a model by hand."""
    named = [approach_of(name) for name in (DEFAULT, *sorted(current.connections))]
    options = [*named, *assumed.by_hand()]
    st.session_state[_KEY] = [one for one in assumed.drawn() if one in options]
    st.multiselect(
        "Paid models (break-even with the first)",
        options,
        key=_KEY,
        format_func=lambda approach: plain(_title(current, approach)),
        on_change=lambda: assumed.draw_these(st.session_state[_KEY]),
        placeholder="the paid API's own",
        help="Connections are set up on the Paid API page. A model without one can be entered below.",
    )
    with st.popover("Enter a price by hand", icon=":material/edit:"):
        _form()


def _title(current: Settings, approach: str) -> str:
    if entered := assumed.by_hand().get(approach):
        return f"{entered.model} (price by hand)"
    name = approach.partition(":")[2]
    return f"{connection_of(current, name).model or 'no model'} ({look_of(approach).name})"


def _form() -> None:
    st.caption("For a private deployment or an offer, in USD per million tokens. It is kept for this browser session.")
    with st.form(_FORM, border=False):
        st.text_input("Model", key=f"{_FORM}:model", max_chars=60)
        for of, label in (
            ("input", "Tokens in"),
            ("cached", "Cached tokens in (if cheaper)"),
            ("output", "Tokens out"),
        ):
            st.number_input(label, 0.0, 100_000.0, None, 0.1, format="%g", key=f"{_FORM}:{of}")
        st.date_input("Price as of", datetime.now(UTC).date(), key=f"{_FORM}:date")
        st.form_submit_button("Draw it", icon=":material/add:", on_click=_entered)
    if fault := st.session_state.get(_FAULT):
        st.error(escaped(fault), icon=":material/error:")


def _entered() -> None:
    typed = {of: st.session_state[f"{_FORM}:{of}"] for of in ("model", "input", "cached", "output", "date")}
    model = (typed["model"] or "").strip()
    if not model or typed["input"] is None or typed["output"] is None or typed["date"] is None:
        st.session_state[_FAULT] = "A model needs a name, a price for tokens in and out, and the date of that price."
        return
    st.session_state[_FAULT] = None
    cached = None if typed["cached"] is None else Decimal(repr(typed["cached"]))
    price = ManualPrice(
        input_usd=Decimal(repr(typed["input"])),
        cached_usd=cached,
        output_usd=Decimal(repr(typed["output"])),
        date=typed["date"],
    )
    assumed.enter(ByHand(model, price))
