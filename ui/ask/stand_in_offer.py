"""With no API key: what the question would cost, a field for a key, and the stand-in for one click."""

from __future__ import annotations

import streamlit as st

from backends.remote import stand_in
from backends.remote.connection_settings import PAID_API
from backends.settings import Settings
from backends.spend.estimate import expect_cost
from ui.ask.key_field import remember_box, remember_key
from ui.resources import override, paid_api, resume_unasked
from ui.shared import numbers
from ui.shared.text import escaped, plain


def stand_in_offer(current: Settings, question: str | None, key: str) -> None:
    """Draw the offer on page `key` where there is no key, and who answers in place of the paid model if one does.

    Nothing where the paid model itself answers. `question` is what the estimate is for.
    """
    if current.scripted or current.paid_api.recorded:
        return
    backend = paid_api(current)
    if not backend.needs_key and not backend.stand_in:
        return
    with st.container(border=True):
        if backend.stand_in:
            _standing_in(current, key)
        else:
            st.markdown(":material/key_off: **No API key.** Nobody is asked, and nothing is charged.")
            if backend.connection.withheld:
                st.caption(escaped(backend.connection.withheld))
        basis = _would_cost(current, question) if question else ""
        if not backend.stand_in:
            _offer(current, key)
        if basis:  # below what can be done: it takes several lines
            st.caption(escaped(basis))


def _standing_in(current: Settings, key: str) -> None:
    control = stand_in.control(current.data)
    model = escaped(current.paid_api.model)
    st.markdown(
        ":orange-badge[:material/swap_horiz: stand-in] A small model of this machine answers here, in place of "
        f"{model}."
    )
    if control.under_way:
        st.fragment(_watch, run_every=0.5)(current)
    elif stand_in.running(current.data) is None:
        st.caption("It starts when the local models are loaded, or with the next question.")
    with st.container(horizontal=True):
        st.button("Stop the stand-in", key=f"stop_stand_in:{key}", icon=":material/stop_circle:", on_click=control.stop)
        if key != PAID_API:
            with st.popover("Enter an API key", icon=":material/key:"):
                _key_form(key)


def _would_cost(current: Settings, question: str) -> str:
    """What the paid model itself would cost, whoever answers in its place; on what that rests."""
    from backends.paid_api import PaidApiBackend

    cost = expect_cost(PaidApiBackend(current), current.question(question), current).cost
    st.markdown(
        f"With {escaped(current.paid_api.model)}, this question would cost about "
        f"**{escaped(numbers.dollars(cost.usd))}**."
    )
    return cost.basis


def _offer(current: Settings, key: str) -> None:
    control = stand_in.control(current.data)
    if control.fault:
        st.text(plain(control.fault))
    st.button(
        "Start the stand-in",
        key=f"stand_in:{key}",
        icon=":material/swap_horiz:",
        on_click=_start,
        args=(current, key),
        help="A small model of this machine answers over real HTTP, labelled as a stand-in.",
    )
    if key != PAID_API:  # its panel has the field
        _key_form(key)


def _key_form(key: str) -> None:
    """A field for the key of this browser session; it is empty again once it was used."""
    with st.form(f"key:{key}", border=False, clear_on_submit=True):
        st.text_input(
            "API key",
            type="password",
            autocomplete="off",
            key=f"key:{key}:typed",
            help="Kept in memory for this browser session alone unless the system's keyring remembers it, and only "
            "ever sent to the address it is for. Or set OPENAI_API_KEY in the environment or .env.",
        )
        remember_box(f"key:{key}:remember")
        st.form_submit_button("Use this key", icon=":material/key:", on_click=_use_key, args=(key,))


def _use_key(key: str) -> None:
    if typed := st.session_state[f"key:{key}:typed"].strip():
        override(f"{PAID_API}.api_key", typed)
        if st.session_state.get(f"key:{key}:remember"):
            remember_key(PAID_API)
        resume_unasked(key, stood_in=True)


def _start(current: Settings, key: str) -> None:
    stand_in.control(current.data).begin()
    resume_unasked(key)


def _watch(current: Settings) -> None:
    control = stand_in.control(current.data)
    usual_s, waited_s = stand_in.USUAL_START_S, control.waited_s
    st.progress(min(waited_s / usual_s, 0.99), f"Starting it \u00b7 {numbers.waited(waited_s, usual_s)}")
    if not control.under_way:
        st.rerun()
