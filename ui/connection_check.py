"""The button that tests a connection, and what came of it, step by step."""

from __future__ import annotations

import threading

import streamlit as st

from backends import connections, stand_in
from backends.connection_test import Step, run_steps
from backends.ledger import recorder
from backends.paid_api import PaidApiBackend
from backends.settings import Settings
from ui.text import escaped

_TESTED = "tested_connections"


def test_section(current: Settings, name: str) -> None:
    """Draw the button and the steps of the last test of this connection's address in this browser session."""
    st.button(
        "Test connection",
        key=f"test_connection:{name}",
        icon=":material/network_check:",
        on_click=_test,
        args=(current, name),
        disabled=current.scripted,
        help="Name, line, certificate, list of models, and an answer of one token, which is paid for.",
    )
    for step in _tested(current, name):
        icon = ":material/check_circle:" if step.passed else ":material/error:"
        st.markdown(f"{icon} **{step.name}** {escaped(step.says)}")


def listed_models(current: Settings, name: str) -> tuple[str, ...]:
    """The models that the server listed when it was last tested."""
    return next((step.models for step in _tested(current, name) if step.models), ())


def _test(current: Settings, name: str) -> None:
    backend = PaidApiBackend(current, None if name else stand_in.running(current.data), name)
    record = recorder(current, purpose="test")
    steps: list[Step] = []
    for step in run_steps(backend, threading.Event()):
        steps.append(step)
        if step.answer:
            record(step.answer)
    st.session_state.setdefault(_TESTED, {})[_address(current, name)] = tuple(steps)


def _tested(current: Settings, name: str) -> tuple[Step, ...]:
    found: dict[tuple[str, str], tuple[Step, ...]] = st.session_state.get(_TESTED, {})
    return found.get(_address(current, name), ())


def _address(current: Settings, name: str) -> tuple[str, str]:
    return name, connections.base_url_of(current, name)
