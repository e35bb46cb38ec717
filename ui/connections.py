"""The connections of the Paid API page: which one is asked, its settings, and adding another for this session."""

from __future__ import annotations

import streamlit as st

from backends import connections, pricing
from backends.base import BackendError
from backends.connections import DEFAULT
from backends.engines.remote_connection import without_secrets
from backends.providers import CHECKED, PROVIDERS
from backends.settings import Settings
from ui.connection_check import listed_models, test_section
from ui.price_entry import price_entry
from ui.resources import override, overrides, settings
from ui.settings_panel import bound
from ui.text import escaped, plain

_ADD, _FAULT = "add_connection", "add_connection_fault"
_OTHER = "another server"


def chosen_connection(current: Settings) -> str:
    """Draw which connection the page is about, where there are several; returns its name."""
    names = [DEFAULT, *sorted(current.connections)]
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = DEFAULT
        if len(names) > 1:
            chosen = st.segmented_control(
                "Connection",
                names,
                default=DEFAULT,
                format_func=lambda name: escaped(name or "default"),
                key="connection",
                required=True,
                label_visibility="collapsed",
                wrap=True,
            )
        with st.popover("Add a connection", icon=":material/add_link:"):
            _add_form()
    return chosen


def _add_form() -> None:
    st.caption("For this browser session. To keep one, set `connections.NAME` in the environment or `.env`.")
    with st.form(_ADD, border=False):
        st.selectbox(
            "Provider",
            [*PROVIDERS, _OTHER],
            format_func=lambda name: PROVIDERS[name].title if name in PROVIDERS else name,
            key=f"{_ADD}:provider",
        )
        st.text_input("Name", key=f"{_ADD}:name", placeholder="the provider's name if left out")
        st.text_input("Base URL", key=f"{_ADD}:base_url", placeholder="the provider's if left out")
        st.text_input("Model", key=f"{_ADD}:model")
        st.form_submit_button("Add", icon=":material/add:", on_click=_add)
    if fault := st.session_state.get(_FAULT):
        st.error(escaped(fault), icon=":material/error:")


def _add() -> None:
    provider, name, base_url, model = (
        (st.session_state[f"{_ADD}:{field}"] or "").strip() for field in ("provider", "name", "base_url", "model")
    )
    known = provider in PROVIDERS
    name = name or (provider if known else "")
    st.session_state[_FAULT] = None
    try:
        connections.check_name(name)
        if name in settings().connections:
            raise BackendError(f"There is a connection called {name} already.", "Choose another name.")
        if not base_url and not (known and PROVIDERS[provider].base_url):
            raise BackendError("The address is missing.", "Give the server's base URL; it usually ends with /v1.")
    except BackendError as fault:
        st.session_state[_FAULT] = f"{fault.cause} {fault.next_step}"
        return
    section = connections.section_of(name)
    override(f"{section}.provider", provider if known else None)
    override(f"{section}.base_url", base_url)
    override(f"{section}.model", model)


def connection_panel(current: Settings, name: str) -> None:
    """Model, address and key of a connection. The key stays in this browser session and belongs to the address."""
    section, chosen = connections.section_of(name), connections.of(current, name)
    provider = connections.provider_of(chosen, name)
    _model(current, name)
    st.text_input(
        "Base URL",
        without_secrets(chosen.base_url or ""),
        placeholder=without_secrets(connections.base_url_of(current, name)),
        help="Any OpenAI-compatible server. A key is only ever sent to the address it was entered for.",
        **bound(f"{section}.base_url"),
    )
    held = f"{section}.api_key" in overrides()
    _, variable = connections.key_of(current, name)
    st.text_input(
        "API key",
        type="password",
        autocomplete="off",
        placeholder="kept for this browser session" if held else "",
        help=f"Kept in memory for this browser session alone. Or set {escaped(variable)} in the environment or .env.",
        **bound(f"{section}.api_key"),
    )
    if withheld := current.withheld(section):
        st.warning(escaped(withheld), icon=":material/key_off:")
    st.toggle(
        "The server computes on this machine",
        connections.computes_here(current, name),
        help="It then waits its turn like the local approaches, so that no column slows another one down.",
        **bound(f"{section}.on_this_machine"),
    )
    if provider:
        about = escaped(f"{provider.title}. {provider.note}".strip())
        st.caption(f"{about} [Documentation]({provider.documentation}), address as of {CHECKED}.")
    price_entry(current, name)
    test_section(current, name)


def _model(current: Settings, name: str) -> None:
    section, chosen = connections.section_of(name), connections.of(current, name)
    listed = listed_models(current, name)
    known = list(listed) or ([] if name else pricing.models("openai"))
    options = known if not chosen.model or chosen.model in known else [chosen.model, *known]
    st.selectbox(
        "Model",
        options,
        options.index(chosen.model) if chosen.model else None,
        format_func=plain,
        accept_new_options=True,
        help="As the server lists them." if listed else "Type a name that is not in the list for other servers.",
        **bound(f"{section}.model"),
    )
