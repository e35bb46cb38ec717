"""Widgets bound to settings. Their values live outside the widgets, so they survive a page change."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backends.settings import Settings
from ui.resources import override, overrides


def _apply(name: str, key: str) -> None:
    override(name, st.session_state[key])


def _bound(name: str) -> dict[str, Any]:
    key = f"setting:{name}"
    return {"key": key, "on_change": _apply, "args": (name, key)}


def generation(current: Settings) -> None:
    """The settings that every approach shares."""
    st.text_area("System prompt", current.system_prompt, height=100, **_bound("system_prompt"))
    st.number_input("Answer length, at most (tokens)", 1, 32_000, current.max_tokens, 20, **_bound("max_tokens"))
    st.slider(
        "Temperature",
        0.0,
        2.0,
        current.temperature,
        0.1,
        help="0 always takes the likeliest token, so the same question gets the same answer.",
        **_bound("temperature"),
    )
    st.number_input(
        "Machine rate (USD per hour)",
        0.0,
        1000.0,
        float(current.machine_usd_per_hour),
        0.01,
        format="%.2f",
        help="Your assumption of what this machine costs; local answers are charged latency times this rate.",
        **_bound("machine_usd_per_hour"),
    )


def raw(current: Settings) -> None:
    """Which base model, on which device."""
    st.text_input(
        "Model (Hub id or local folder)",
        current.raw.model,
        help="Also the base of the fine-tuned and RAG columns. Only safetensors weights are loaded.",
        **_bound("raw.model"),
    )
    devices = ("auto", "cpu", "cuda", "mps")
    st.selectbox("Device", devices, devices.index(current.raw.device), **_bound("raw.device"))


def fine_tuned(current: Settings) -> None:
    """Which adapter, and over how many answers its training is spread."""
    from backends.fine_tuned.catalogue import adapter_folders

    names = list(adapter_folders(current.data))
    chosen = current.fine_tuned.adapter
    options = names if chosen in names else [*names, chosen]
    st.selectbox("Adapter", options, options.index(chosen), **_bound("fine_tuned.adapter"))
    st.number_input(
        "Spread the training cost over (answers)",
        1,
        100_000_000,
        current.fine_tuned.answers_per_training,
        1000,
        help="Your assumption: how many answers one training serves.",
        **_bound("fine_tuned.answers_per_training"),
    )


def paid_api(current: Settings) -> None:
    """Model, address and key. The key stays in this browser session and belongs to the address."""
    from backends import pricing

    known = pricing.models("openai")
    chosen = current.paid_api.model
    options = known if chosen in known else [chosen, *known]
    st.selectbox(
        "Model",
        options,
        options.index(chosen),
        accept_new_options=True,
        help="Type a name that is not in the list for other servers.",
        **_bound("paid_api.model"),
    )
    st.text_input(
        "Base URL",
        current.paid_api.base_url or "",
        placeholder="https://api.openai.com/v1",
        help="Any OpenAI-compatible server. A key is only ever sent to the address it was entered for.",
        **_bound("paid_api.base_url"),
    )
    held = "paid_api.api_key" in overrides()
    st.text_input(
        "API key",
        type="password",
        autocomplete="off",
        placeholder="kept for this browser session" if held else "",
        help="Kept in memory for this browser session alone. Or set OPENAI_API_KEY in the environment or .env.",
        **_bound("paid_api.api_key"),
    )
    st.toggle(
        "The server computes on this machine",
        current.paid_api.on_this_machine,
        help="It then waits its turn like the local approaches, so that no column slows another one down.",
        **_bound("paid_api.on_this_machine"),
    )


def rag(current: Settings) -> None:
    """Which collection, how many passages, how close they must be, and who writes the answer."""
    st.text_input("Collection", current.rag.collection, **_bound("rag.collection"))
    st.slider("Passages in the prompt", 1, 10, min(current.rag.k, 10), **_bound("rag.k"))
    st.slider(
        "Least similarity",
        0.0,
        1.0,
        max(current.rag.min_score, 0.0),
        0.05,
        help="Cosine similarity below which a passage does not count. Nothing above it: the documents do not say.",
        **_bound("rag.min_score"),
    )
    writers = ("raw", "fine_tuned", "paid_api")
    st.selectbox("Written by", writers, writers.index(current.rag.generator), **_bound("rag.generator"))


PANELS = {"raw": raw, "fine_tuned": fine_tuned, "paid_api": paid_api, "rag": rag}
