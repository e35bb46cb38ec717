"""What to do when answers cannot be recorded: said once in a session, and in full on the Costs page."""

from __future__ import annotations

import streamlit as st

from backends.errors import BackendError
from backends.settings import Settings
from backends.spend import ledger
from backends.spend.old_ledger import LedgerDamaged
from ui.shared.errors import show_fault
from ui.shared.text import escaped

_SAID = "ledger_fault_said"
_ASIDE = "ledger_set_aside"


def unrecorded_once(current: Settings) -> None:
    """Say that the last answer was not recorded, the first time only: answers go on without the ledger."""
    found = ledger.fault(current)
    if found and st.session_state.get(_SAID) != str(found):
        st.session_state[_SAID] = str(found)
        st.warning(escaped(str(found)), icon=":material/receipt_long:")


def ledger_fault(current: Settings, found: BackendError) -> None:
    """Draw the fault; a damaged ledger can be set aside, so that a new one is begun."""
    show_fault(found)
    if isinstance(found, LedgerDamaged):
        st.button(
            "Set the damaged ledger aside",
            key="set_ledger_aside",
            icon=":material/drive_file_move:",
            on_click=_set_aside,
            args=(current,),
            help="The file is renamed and kept. A new ledger begins with the next answer.",
        )


def _set_aside(current: Settings) -> None:
    try:
        kept = ledger.set_aside(current)
    except BackendError as fault:
        st.session_state[_ASIDE] = str(fault)
        return
    st.session_state[_ASIDE] = f"The damaged ledger is kept as {kept.name}." if kept else "There is no ledger."


def show_set_aside() -> None:
    """What became of the click on the button, once."""
    if sentence := st.session_state.pop(_ASIDE, None):
        st.info(escaped(sentence), icon=":material/drive_file_move:")
