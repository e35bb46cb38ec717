"""The connections of the Paid API page: which one is asked, its settings, and adding another for this session."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import streamlit as st

from backends.errors import BackendError
from backends.paid_api import PaidApiBackend
from backends.remote import connections
from backends.remote.connection import Connection, without_secrets
from backends.remote.connection_settings import DEFAULT, check_name
from backends.remote.connection_test import Step, run_steps
from backends.remote.providers import CHECKED, PROVIDERS
from backends.settings import Settings
from backends.spend import pricing
from backends.spend.ledger import recorder
from ui.ask.key_field import key_field
from ui.ask.settings_panel import bind
from ui.paid_api.recorded import CHOSEN, recorded_panel, upload_form
from ui.resources import override, overrides, settings
from ui.shared.text import escaped, plain

_TESTED = "tested_connections"


@dataclass(frozen=True, slots=True)
class _Tested:
    """A test in this browser session: what was tested, when (UTC), and how it went."""

    connection: Connection
    at: datetime
    steps: tuple[Step, ...]


def test_section(current: Settings, name: str) -> None:
    """Draw the button, and the steps of the last test if it was of what the page shows."""
    st.button(
        "Test connection",
        key=f"test_connection:{name}",
        icon=":material/network_check:",
        on_click=_test,
        args=(name,),
        disabled=current.scripted,
        help="Name, line, certificate, list of models, and an answer of one token, which is paid for.",
    )
    tested = _tested(name)
    if tested is None:
        return
    shown = connections.resolved(current, name)
    if tested.connection != shown:
        st.caption("What was tested has been changed since. Test it again.")
        return
    key = "with the key" if shown.api_key else "without a key"
    where = without_secrets(shown.base_url) or "no address"
    st.caption(escaped(f"Tested at {tested.at:%H:%M:%S} UTC: {shown.model or 'no model'} at {where}, {key}."))
    for step in tested.steps:
        icon = ":material/check_circle:" if step.passed else ":material/error:"
        st.markdown(f"{icon} **{step.name}** {escaped(step.says)}")


def listed_models(current: Settings, name: str) -> tuple[str, ...]:
    """The models that the server listed when its address was last tested."""
    tested = _tested(name)
    if tested is None or tested.connection.base_url != connections.base_url_of(current, name):
        return ()
    return next((step.models for step in tested.steps if step.models), ())


def _test(name: str) -> None:
    """Test what the page shows now: never the stand-in, and never what was set before the last change."""
    current = settings()
    backend = PaidApiBackend(current, name=name)
    record = recorder(current, purpose="test")
    steps: list[Step] = []
    for step in run_steps(backend, threading.Event()):
        steps.append(step)
        if step.answer:
            record(step.answer)
    found = _Tested(connections.resolved(current, name), datetime.now(UTC), tuple(steps))
    st.session_state.setdefault(_TESTED, {})[name] = found


def _tested(name: str) -> _Tested | None:
    found: dict[str, _Tested] = st.session_state.get(_TESTED, {})
    return found.get(name)


_FIELDS = {"input_usd": "In", "cached_usd": "In, from the cache", "output_usd": "Out"}


def price_entry(current: Settings, name: str) -> None:
    """Say what the model's tokens cost and since when, and offer to enter another price for this browser session."""
    section, chosen = connections.section_of(name), connections.settings_of(current, name)
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
    chosen = connections.settings_of(current, name)
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


_ADD, _FAULT = "add_connection", "add_connection_fault"
_OTHER = "another server"


def chosen_connection(current: Settings) -> str:
    """Draw which connection the page is about, where there are several; returns its name."""
    names = [DEFAULT, *sorted(current.connections)]
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen: str | None = DEFAULT
        if len(names) > 1:
            if st.session_state.get(CHOSEN) not in names:
                st.session_state[CHOSEN] = DEFAULT
            chosen = st.segmented_control(
                "Connection",
                names,
                format_func=lambda name: escaped(name or "default"),
                key=CHOSEN,
                required=True,
                label_visibility="collapsed",
                wrap=True,
            )
        # under another key once there is one more, they are shut again: what was added stands beside them
        with st.popover("Add a connection", icon=":material/add_link:", key=f"adding:{len(names)}"):
            _add_form()
        with st.popover("Show recorded answers", icon=":material/history:", key=f"recording:{len(names)}"):
            upload_form()
    return chosen or DEFAULT


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
        check_name(name)
        if name in settings().connections:
            raise BackendError(f"There is a connection called {name} already.", "Choose another name.")
        if not base_url and not (known and PROVIDERS[provider].base_url):
            raise BackendError("The address is missing.", "Give the server's base URL; it usually ends with /v1.")
    except BackendError as fault:
        st.session_state[_FAULT] = str(fault)
        return
    section = connections.section_of(name)
    override(f"{section}.provider", provider if known else None)
    override(f"{section}.base_url", base_url)
    override(f"{section}.model", model)
    if name in settings().connections:
        st.session_state[CHOSEN] = name  # the page is about it from here on


def connection_panel(current: Settings, name: str) -> None:
    """Model, address and key of a connection. The key stays in this browser session and belongs to the address.

    Recorded answers have none of these: they are listed.
    """
    if connections.settings_of(current, name).recorded:
        recorded_panel(current, name)
        return
    section, chosen = connections.section_of(name), connections.settings_of(current, name)
    provider = connections.provider_of(chosen, name)
    _model(current, name)
    st.text_input(
        "Base URL",
        without_secrets(chosen.base_url or ""),
        placeholder=without_secrets(connections.base_url_of(current, name)),
        help="Any OpenAI-compatible server. A key is only ever sent to the address it was entered for.",
        **bind(f"{section}.base_url"),
    )
    _, variable = connections.key_of(current, name)
    key_field(section, f"Or set {escaped(variable)} in the environment or .env.")
    if withheld := current.withheld(section):
        st.warning(escaped(withheld), icon=":material/key_off:")
    st.toggle(
        "The server computes on this machine",
        connections.computes_here(current, name),
        help="It then waits its turn like the local approaches, so that no column slows another one down.",
        **bind(f"{section}.on_this_machine"),
    )
    if provider:
        about = escaped(f"{provider.title}. {provider.note}".strip())
        st.caption(f"{about} [Documentation]({provider.documentation}), address as of {CHECKED}.")
    price_entry(current, name)
    test_section(current, name)


def _model(current: Settings, name: str) -> None:
    section, chosen = connections.section_of(name), connections.settings_of(current, name)
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
        **bind(f"{section}.model"),
    )
