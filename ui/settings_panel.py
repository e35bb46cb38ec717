"""Widgets bound to settings. Their values live outside the widgets, so they survive a page change."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backends.settings import Settings
from ui.resources import override, overrides

SEARCH_MODES = {
    "dense": "Dense: by meaning",
    "keyword": "Keyword: by words",
    "fused": "Fused: by both",
    "reranked": "Reranked: fused, then read again",
}


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
    """Which collection, how it is searched, how close passages must be, and who writes the answer."""
    from ui.rag.collections import names_of

    names = names_of(current)
    st.selectbox("Collection", names, names.index(current.rag.collection), **_bound("rag.collection"))
    modes = list(SEARCH_MODES)
    st.selectbox(
        "Search", modes, modes.index(current.rag.mode), format_func=SEARCH_MODES.__getitem__, **_bound("rag.mode")
    )
    if current.rag.mode in ("fused", "reranked"):
        st.slider(
            "Weight of the words",
            0.0,
            1.0,
            min(current.rag.keyword_weight, 1.0),
            0.05,
            help="What the best keyword match adds to its cosine similarity. 0 searches by meaning alone.",
            **_bound("rag.keyword_weight"),
        )
    if current.rag.mode == "reranked":
        reranker(current)
    st.slider("Passages in the prompt", 1, 10, min(current.rag.k, 10), **_bound("rag.k"))
    st.slider(
        "Least similarity",
        0.0,
        1.0,
        max(current.rag.min_score, 0.0),
        0.05,
        help="Cosine similarity that the best passage must reach. If none does, the documents do not say.",
        **_bound("rag.min_score"),
    )
    writers = ("raw", "fine_tuned", "paid_api")
    st.selectbox("Written by", writers, writers.index(current.rag.generator), **_bound("rag.generator"))


def reranker(current: Settings) -> None:
    """Which cross-encoder puts the passages in order, if any."""
    st.text_input(
        "Reranker (Hub id or local folder)",
        current.rag.reranker or "",
        placeholder="cross-encoder/ms-marco-MiniLM-L6-v2",
        help="A cross-encoder reads question and passage together. Only safetensors weights are loaded.",
        **_bound("rag.reranker"),
    )


PANELS = {"raw": raw, "fine_tuned": fine_tuned, "paid_api": paid_api, "rag": rag}
