"""The field of a key, and whether the system's keyring remembers what is typed there."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from backends.errors import BackendError
from backends.remote import system_keyring
from backends.remote.connection_settings import same_address
from ui.kept import browser_id
from ui.resources import address_of, key_in_force, override, overrides
from ui.shared.errors import show_fault
from ui.shared.text import escaped

_REMEMBERED, _FAULT = "keyring_keys", "keyring_fault"
_LABEL = "Remember this key in the system's keyring"


def key_field(section: str, help: str) -> None:
    """Draw the field for a key of a settings section, and below it whether it is remembered. `help` is Markdown."""
    held, name = f"{section}.api_key" in overrides(), f"setting:{section}.api_key"
    kept = _is_remembered(section)
    st.text_input(
        "API key",
        type="password",
        autocomplete="off",
        placeholder="in the system's keyring" if kept else "kept for this browser session" if held else "",
        help=f"Kept in memory for this browser session alone, unless the system's keyring remembers it. {help}",
        key=name,
        on_change=_typed,
        args=(section, name),
    )
    if kept:
        st.button(
            "Forget the key",
            key=f"forget_key:{section}",
            icon=":material/key_off:",
            on_click=_forget,
            args=(section,),
            help="Takes it out of the system's keyring and out of this session.",
        )
    else:
        remember_box(f"remember:{section}", section if held else "")
    if (fault := st.session_state.pop(_FAULT, None)) is not None:
        show_fault(fault)


def remember_box(key: str, section: str = "") -> None:
    """Draw the choice, or why there is none. With a `section`, its key is remembered at once."""
    why = system_keyring.unavailable()
    if not why and browser_id() is None:
        why = "This browser takes no cookie from this server, so nothing is remembered for it."
    if why:
        st.caption(f":material/key_off: {escaped(why)}")
        return
    turned: dict[str, Any] = {"on_change": _turned, "args": (section, key)} if section else {}
    st.checkbox(_LABEL, key=key, help="Only for this browser, and for this address.", **turned)


def remember_key(section: str) -> None:
    """Put the session's key of a section into the keyring, for the address that it goes to. For callbacks."""
    key, address, browser = overrides().get(f"{section}.api_key"), address_of(section), browser_id()
    if key and address and browser:
        try:
            system_keyring.remember(section, address, browser, key)
        except BackendError as fault:
            st.session_state[_FAULT] = fault
        else:
            st.session_state[_REMEMBERED] = [*(one for one in _remembered() if one[0] != section), (section, address)]


def forget_keys() -> None:
    """Take every key that this browser let be remembered out of the keyring. Raises `BackendError`."""
    browser = browser_id()
    for section, address in _remembered() if browser else ():
        system_keyring.forget(section, address, str(browser))
    st.session_state.pop(_REMEMBERED, None)


def to_keep() -> bytes | None:
    """Which sections have a key in the keyring, for which address, as JSON; never the key."""
    return json.dumps(_remembered()).encode() if _remembered() else None


def take_remembered(content: bytes) -> None:
    """Use the keys that the keyring has, each for the very address that it was kept for.

    Raises `ValueError` for another content, and `BackendError` where the keyring refuses.
    """
    entries = [(str(section), str(address)) for section, address in json.loads(content)]
    st.session_state[_REMEMBERED] = entries
    browser = browser_id()
    for section, address in entries:
        if browser is None or not same_address(_address(section), address) or key_in_force(section):
            continue
        if key := system_keyring.remembered(section, address, browser):
            override(f"{section}.api_key", key)
        else:
            st.session_state[_REMEMBERED] = [one for one in _remembered() if one != (section, address)]


def _remembered() -> list[tuple[str, str]]:
    """Sections and the addresses for which their keys are in the keyring."""
    return st.session_state.get(_REMEMBERED, [])


def _is_remembered(section: str) -> bool:
    address = _address(section)
    return any(one == section and same_address(address, kept) for one, kept in _remembered())


def _address(section: str) -> str:
    """The address to which a key of the section would go; empty where there is none, nor such a connection any more."""
    try:
        return address_of(section) or ""
    except BackendError:
        return ""


def _typed(section: str, name: str) -> None:
    override(f"{section}.api_key", st.session_state[name])
    if _is_remembered(section) or st.session_state.get(f"remember:{section}"):
        remember_key(section)


def _turned(section: str, key: str) -> None:
    if st.session_state[key]:
        remember_key(section)


def _forget(section: str) -> None:
    browser = browser_id()
    try:
        for one, address in _remembered() if browser else ():
            if one == section:
                system_keyring.forget(section, address, str(browser))
    except BackendError as fault:
        st.session_state[_FAULT] = fault
        return
    st.session_state[_REMEMBERED] = [one for one in _remembered() if one[0] != section]
    override(f"{section}.api_key", None)
