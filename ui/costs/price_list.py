"""The price list: find a model by name, see what a month would cost with it, and take it into the calculation."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import streamlit as st

from backends.spend.pricing import ListedModel, price_list, source
from evaluation.costs.inputs import Inputs, UnknownValue
from evaluation.costs.monthly import month_at
from evaluation.costs.paid import PickedModel
from ui.costs import assumptions
from ui.costs.exports import price_list_file
from ui.costs.sentences import subject
from ui.shared import numbers
from ui.shared.downloads import heading_with_download
from ui.shared.sections import open_section
from ui.shared.tables import plain_frame
from ui.shared.text import escaped

_SEARCH, _TABLE = "price_list_search", "price_list"
_HEIGHT = 460  # pixels: twelve models, the rest is scrolled to


def draw(inputs: Inputs) -> None:
    """Search, table, and the button that draws what was chosen. Makers come first, then the cheapest month."""
    try:
        priced = [(one, month_at(one.rates, inputs)) for one in _listed()]
    except UnknownValue as reason:
        st.info(escaped(f"What a month costs is unknown: {reason}. Fill it in in the inputs."), icon=":material/help:")
        return
    priced.sort(key=lambda pair: (not pair[0].from_maker, pair[1], pair[0].model, pair[0].provider))
    heading_with_download(
        "## What would a month cost with another model?",
        "crossroads-price-list.csv",
        lambda: price_list_file(priced, inputs),
        what="Every model of the list, its price with its date, and every input with its origin.",
    )
    tokens = ", ".join(
        f"{numbers.figure(inputs.values[f'{inputs.reference}.{name}'].value)} {what}"
        for name, what in (("prompt_tokens", "tokens in"), ("completion_tokens", "out"))
    )
    st.caption(
        escaped(
            f"{inputs.formatted('questions')} questions a month of {tokens} each: {_whose(inputs)}. Another model may "
            f"count and write other tokens. Prices in USD per million tokens: {source()}."
        )
    )
    st.caption(
        "Models sold by their maker come first, as far as the list tells whose a name is; then all others, most of "
        "them at those who host or resell them. Each part begins with the cheapest month."
    )
    words = st.text_input("Find a model", key=_SEARCH, placeholder="gpt mini, claude, llama groq, ...").split()
    found = matching(priced, words)
    if not found:
        st.info("No model of the list has all these words in its name or its provider's.", icon=":material/search_off:")
        return
    _choose(found, " ".join(words))


def _whose(inputs: Inputs) -> str:
    """Where the tokens of an answer come from: measured of a model, typed, or an assumption."""
    found = [inputs.values[f"{inputs.reference}.{name}"] for name in ("prompt_tokens", "completion_tokens")]
    if all(one.origin == "measured here" for one in found):
        return f"measured of {subject(inputs.reference, inputs)}, {found[0].note}"
    kinds = dict.fromkeys(f"{one.origin} ({one.note})" if one.note else one.origin for one in found)
    return " and ".join(kinds)


@st.cache_resource(ttl=3600, show_spinner=False)
def _listed() -> list[ListedModel]:
    """The list, read once an hour: prices come into force by the day or by the hour."""
    return price_list()


def matching(priced: Sequence[tuple[ListedModel, Decimal]], words: Sequence[str]) -> list[tuple[ListedModel, Decimal]]:
    """Those with every word in their name or that of their provider."""
    asked = [word.casefold() for word in words]
    return [pair for pair in priced if all(word in f"{pair[0].model} {pair[0].provider}".casefold() for word in asked)]


def _choose(found: Sequence[tuple[ListedModel, Decimal]], search: str) -> None:
    """The table; rows that are chosen can be drawn."""
    event = st.dataframe(
        plain_frame(
            [
                {
                    "Model": one.model,
                    "Provider": one.provider,
                    "Sold by": "its maker" if one.from_maker else "",
                    "A month": float(usd),
                    "In": float(one.rates.input_mtok),
                    "Cached in": float(one.rates.cached_mtok),
                    "Out": float(one.rates.output_mtok),
                    "Price": one.rates.basis,
                }
                for one, usd in found
            ]
        ),
        hide_index=True,
        key=f"{_TABLE}:{search}",  # other rows, another choice
        on_select="rerun",
        selection_mode="multi-row",
        height=_HEIGHT,
        column_config={
            "Model": st.column_config.TextColumn(pinned=True, width=230),
            "Provider": st.column_config.TextColumn(width=130),
            "Sold by": st.column_config.TextColumn(width=80),
            "A month": st.column_config.NumberColumn(format="$%.3g", width=90),
            **{name: st.column_config.NumberColumn(format="%.4g", width=80) for name in ("In", "Cached in", "Out")},
        },
        alt="Models of the price list, makers first, then the cheapest month first",
    )
    chosen = [PickedModel(found[row][0]) for row in event.selection.rows if row < len(found)]
    st.button(
        f"Compare {len(chosen)} on Per month" if chosen else "Compare on Per month",
        key="compare_listed",
        type="primary",
        icon=":material/show_chart:",
        disabled=not chosen,
        help=None if chosen else "Choose models in the table first.",
        on_click=_compare,
        args=(chosen,),
    )


def _compare(chosen: Sequence[PickedModel]) -> None:
    assumptions.add_models(chosen)
    open_section("Per month", "costs")
