"""A price entered by hand for the model of a connection, with the date on which it was read somewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import streamlit as st

from backends import connections, pricing
from backends.settings import Settings
from ui.resources import override, overrides
from ui.text import escaped

_FIELDS = {"input_usd": "In", "cached_usd": "In, from the cache", "output_usd": "Out"}


def price_entry(current: Settings, name: str) -> None:
    """Say what the model's tokens cost and since when, and offer to enter another price for this browser session."""
    section, chosen = connections.section_of(name), connections.of(current, name)
    if not chosen.model:
        return
    st.caption(escaped(_in_force(current, name)))
    with st.popover("Enter a price by hand", icon=":material/sell:"):
        st.caption(
            f"USD per million tokens of {escaped(chosen.model)}, for this browser session. Choosing another model or "
            f"address drops it. To keep it, set `{section}.price` in the environment or `.env`."
        )
        given = chosen.price
        with st.form(f"price:{section}", border=False):
            for field, label in _FIELDS.items():
                value = getattr(given, field) if given else None
                st.number_input(
                    label,
                    min_value=0.0,
                    value=None if value is None else float(value),
                    format="%.4f",
                    key=f"price:{section}:{field}",
                    help="Empty: as any other token in." if field == "cached_usd" else None,
                )
            today = datetime.now(UTC).date()
            st.date_input("As of", given.date if given else today, key=f"price:{section}:date")
            st.form_submit_button("Use this price", icon=":material/check:", on_click=_enter, args=(section,))
        if any(entry.startswith(f"{section}.price.") for entry in overrides()):
            st.button("Drop what was entered here", key=f"price:{section}:drop", on_click=_drop, args=(section,))
        if fault := st.session_state.get(f"price:{section}:fault"):
            st.error(escaped(fault), icon=":material/error:")


def _in_force(current: Settings, name: str) -> str:
    chosen = connections.of(current, name)
    try:
        found = (
            pricing.manual_rates(chosen.price, chosen.model)
            if chosen.price
            else pricing.rates(chosen.model, connections.price_url(current, name))
        )
    except LookupError as unknown:
        here = connections.computes_here(current, name)
        instead = " It computes here, so machine time is charged." if here else " What an answer costs is unknown."
        return f"Price: {unknown}.{instead}"
    return (
        f"Price per million tokens: {found.input_mtok} USD in, {found.cached_mtok} cached, {found.output_mtok} out. "
        f"{found.basis}."
    )


def _enter(section: str) -> None:
    entered = {field: st.session_state[f"price:{section}:{field}"] for field in _FIELDS}
    missing = [_FIELDS[field] for field in ("input_usd", "output_usd") if entered[field] is None]
    st.session_state[f"price:{section}:fault"] = f"{missing[0]} is missing; 0 is a price too." if missing else None
    if missing:
        return
    for field, value in entered.items():
        override(f"{section}.price.{field}", None if value is None else str(Decimal(repr(value))))
    override(f"{section}.price.date", str(st.session_state[f"price:{section}:date"]))


def _drop(section: str) -> None:
    for field in (*_FIELDS, "date"):
        override(f"{section}.price.{field}", None)
