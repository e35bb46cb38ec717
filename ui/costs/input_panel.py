"""The inputs of the cost model: grouped, few, each with where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import streamlit as st

from backends.registry import spec_of
from backends.remote.connection_settings import ManualPrice
from backends.remote.connections import settings_of as connection_of
from backends.settings import Settings
from evaluation.costs.inputs import Input, Inputs
from evaluation.costs.paid import ManualModel, priced_connections
from ui.costs import assumptions
from ui.costs.sentences import line_label
from ui.shared.sections import open_section
from ui.shared.text import escaped, plain

_KEY, _FORM, _FAULT = "cost:paid", "price_by_hand", "price_by_hand_fault"
_PRICES = {"input": "Tokens in", "cached": "Cached tokens in (if cheaper)", "output": "Tokens out"}


def paid_models(current: Settings) -> None:
    """Choose the paid curves, the first one being what the others are compared with; add a model by hand."""
    options = [*priced_connections(current), *assumptions.added_models()]
    st.session_state[_KEY] = [one for one in assumptions.compared_models() if one in options]
    st.multiselect(
        "Paid models (break-even with the first)",
        options,
        key=_KEY,
        format_func=lambda approach: plain(_title(current, approach)),
        on_change=lambda: assumptions.compare_models(st.session_state[_KEY]),
        placeholder="the paid API's own",
        help="Connections are set up on the Paid API page. Others are in the price list, or can be entered below.",
    )
    with st.container(horizontal=True):
        st.button(
            "Price list",
            key="to_price_list",
            icon=":material/search:",
            help="Find any model by name, with what a month would cost.",
            on_click=open_section,
            args=("Price list", "costs"),
        )
        with st.popover("Enter a price by hand", icon=":material/edit:"):
            _form()


def _title(current: Settings, approach: str) -> str:
    if added := assumptions.added_models().get(approach):
        return f"{added.model} ({added.priced().seller})"
    name = approach.partition(":")[2]
    return f"{connection_of(current, name).model or 'no model'} ({spec_of(approach).name})"


def _form() -> None:
    st.caption("For a private deployment or an offer, in USD per million tokens. It is kept for this browser session.")
    with st.form(_FORM, border=False):
        st.text_input("Model", key=f"{_FORM}:model", max_chars=60)
        for part, label in (
            ("input", "Tokens in"),
            ("cached", "Cached tokens in (if cheaper)"),
            ("output", "Tokens out"),
        ):
            st.number_input(label, 0.0, 100_000.0, None, 0.1, format="%g", key=f"{_FORM}:{part}")
        st.date_input("Price as of", datetime.now(UTC).date(), key=f"{_FORM}:date")
        st.form_submit_button("Draw it", icon=":material/add:", on_click=_entered)
    if fault := st.session_state.get(_FAULT):
        st.error(escaped(fault), icon=":material/error:")


def _entered() -> None:
    typed = {part: st.session_state[f"{_FORM}:{part}"] for part in ("model", "input", "cached", "output", "date")}
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
    assumptions.add_models([ManualModel(model, price)])


_ICONS = {
    "measured here": ":green[:material/straighten: measured here]",
    "price list": ":blue[:material/sell: price list]",
    "entered by hand": ":orange[:material/edit_note: entered by hand]",
    "assumption": ":gray[:material/rule: assumption]",
    "your assumption": ":gray[:material/edit: your assumption]",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One box. `scale` is what the value is multiplied by to be shown: 100 for percent."""

    name: str
    label: str
    low: float = 0.0
    high: float = 1e9
    step: float = 1.0
    format: str = "%g"
    scale: int = 1


_LOAD = (
    Field("questions", "Questions a month", 0, 10**9, 1000, "%d"),
    Field("machine.usd_per_hour", "Machine rate (USD per hour)", 0, 1000, 0.05),
)
_RENTED = (
    Field("machine.utilisation", "Utilisation of machines (%)", 1, 100, 5, "%g", 100),
    Field("machine.at_once", "Answers at once per machine", 1, 1000, 1),
)
_TRAINING = (
    Field("training.seconds", "Seconds of one training", 0, 10**8, 60),
    Field("training.per_month", "Trainings a month", 0, 10_000, 1),
)
_READERS_TRAINING = Field("rag.training.seconds", "Seconds of the training of RAG's reader", 0, 10**8, 60)
_DOCUMENTS = (
    Field("documents.chunks", "Chunks", 0, 10**9, 1000),
    Field("documents.bytes", "Bytes per chunk, stored", 0, 10**9, 1000),
    Field("documents.usd_per_gb_month", "USD per GB and month", 0, 1000, 0.01),
    Field("documents.embed_s", "Seconds to embed a chunk", 0, 1000, 0.01),
    Field("documents.per_month", "Times a month all is embedded", 0, 10_000, 1),
)


def input_panel(inputs: Inputs, current: Settings) -> None:
    """Draw every input; what is typed holds from the next run on."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown("## Inputs", width="content", anchors=False)
        st.button(
            "Reset to measured",
            key="reset_costs",
            icon=":material/restart_alt:",
            on_click=assumptions.reset,
            disabled=not assumptions.changes(),
            type="tertiary",
        )
    _fields(inputs, _LOAD)
    _billing()
    paid_models(current)
    with st.expander("Machines"):
        _fields(inputs, _RENTED if inputs.rented else _RENTED[1:])
    for profile in inputs.profiles:
        if profile.paid:
            with st.expander(escaped(line_label(profile.approach, inputs))):
                _fields(inputs, (*_tokens(profile.approach), *_prices(profile.approach)))
    _paid_writer(inputs)
    with st.expander("Local answers"):
        for profile in inputs.profiles:
            if profile.on_machine:
                what = "Search" if profile.by_token else escaped(line_label(profile.approach, inputs))
                _fields(inputs, (Field(f"{profile.approach}.machine_s", f"{what}: seconds", 0, 10**6, 0.1),))
    with st.expander("Training (fine-tuned)"):
        _fields(inputs, _TRAINING)
        if _READERS_TRAINING.name in inputs.values:
            _fields(inputs, (_READERS_TRAINING,))
    with st.expander("Documents (RAG)"):
        _fields(inputs, _DOCUMENTS)


def _paid_writer(inputs: Inputs) -> None:
    """The tokens of RAG where a paid model writes, and its prices if they stand nowhere else."""
    rag = inputs.profile("rag")
    if rag.priced_by:
        with st.expander(escaped(f"RAG: {rag.model}")):
            priced_there = any(profile.approach == rag.priced_by for profile in inputs.profiles)
            _fields(inputs, (*_tokens("rag"), *(() if priced_there else _prices(rag.priced_by))))


def _prices(approach: str) -> tuple[Field, ...]:
    labels = {"input": "tokens in", "cached": "cached tokens", "output": "tokens out"}
    return tuple(
        Field(f"{approach}.price.{part}", f"USD per million {label}", 0, 100_000, 0.1) for part, label in labels.items()
    )


def _tokens(approach: str) -> tuple[Field, ...]:
    return (
        Field(f"{approach}.prompt_tokens", "Tokens in", 0, 10**7, 10),
        Field(f"{approach}.cached_share", "Cached, of those (%)", 0, 100, 5, "%g", 100),
        Field(f"{approach}.completion_tokens", "Tokens out", 0, 10**7, 10),
    )


def _billing() -> None:
    key = "cost:billing"
    st.session_state[key] = assumptions.billing()
    st.radio(
        "Local machines",
        (assumptions.RENTED, assumptions.BY_THE_SECOND),
        key=key,
        on_change=lambda: assumptions.choose_billing(st.session_state[key]),
        help="A machine that is rented for the month costs all of its hours, whether it answers or not.",
    )


def _fields(inputs: Inputs, fields: Sequence[Field]) -> None:
    for field in fields:
        _field(field, inputs.values[field.name])


def _field(field: Field, found: Input) -> None:
    key = f"cost:{field.name}"
    whole = field.format == "%d"
    kind = int if whole else float
    st.session_state[key] = None if found.value is None else kind(_within(found.value * field.scale, field))
    st.number_input(
        field.label,
        min_value=kind(field.low),
        max_value=kind(field.high),
        value=None,
        step=kind(field.step),
        format=field.format,
        key=key,
        on_change=_typed,
        args=(field, key),
        placeholder="unknown",
    )
    st.markdown(origin_line(found))


def _within(value: Decimal, field: Field) -> Decimal:
    """What the box can show of a measured value, which may be absurd if a server said so."""
    return min(max(value, Decimal(field.low)), Decimal(field.high))


def _typed(field: Field, key: str) -> None:
    value: Any = st.session_state[key]
    assumptions.set_value(field.name, value, field.scale)


def origin_line(found: Input) -> str:
    """Where a value comes from, as Markdown: no caption, which would be too pale for a colour."""
    note = f" \u00b7 {escaped(found.note)}" if found.note else ""
    return f":small[{_ICONS[found.origin]}{note}]"
