"""Widgets bound to settings. Their values live outside the widgets, so they survive a page change."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backends.registry import spec_of, writers
from backends.remote.connection import without_secrets
from backends.settings import QUOTE, Settings
from ui.ask.key_field import key_field
from ui.resources import override
from ui.shared.text import escaped, plain

SEARCH_MODES = {
    "dense": "Dense: by meaning",
    "keyword": "Keyword: by words",
    "fused": "Fused: by both",
    "sentences": "Best sentence: fused, then by sentence",
    "reranked": "Reranked: fused, then read again",
}


CONTEXTS = {
    "auto": "Sentences, if it is small",
    "sentences": "The best sentences",
    "passages": "Whole passages",
}
UNSUPPORTED = {
    "auto": "Quote instead, if the writer is small",
    "show": "Show it with a note",
    "quote": "Quote the documents instead",
    "refuse": "Refuse",
}


def _apply(name: str, key: str) -> None:
    override(name, st.session_state[key])


def bind(name: str) -> dict[str, Any]:
    """What binds a widget to the setting of that name."""
    key = f"setting:{name}"
    return {"key": key, "on_change": _apply, "args": (name, key)}


def generation(current: Settings) -> None:
    """The settings that every approach shares."""
    st.text_area("System prompt", current.system_prompt, height=100, **bind("system_prompt"))
    st.number_input("Answer length, at most (tokens)", 1, 32_000, current.max_tokens, 20, **bind("max_tokens"))
    st.slider(
        "Temperature",
        0.0,
        2.0,
        current.temperature,
        0.1,
        help="0 always takes the likeliest token, so the same question gets the same answer.",
        **bind("temperature"),
    )
    st.number_input(
        "Machine rate (USD per hour)",
        0.0,
        1000.0,
        float(current.machine_usd_per_hour),
        0.01,
        format="%.2f",
        help="What this machine is assumed to cost; local answers are charged latency times this rate.",
        **bind("machine_usd_per_hour"),
    )


def raw(current: Settings) -> None:
    """Which base model, on which device."""
    st.text_input(
        "Model (Hub id or local folder)",
        current.raw.model,
        help="Also the base of the fine-tuned and RAG columns. Only safetensors weights are loaded.",
        **bind("raw.model"),
    )
    devices = ("auto", "cpu", "cuda", "mps")
    st.selectbox("Device", devices, devices.index(current.raw.device), **bind("raw.device"))


def fine_tuned(current: Settings) -> None:
    """Which adapter, and over how many answers its training is spread."""
    from backends.fine_tuned.adapters.catalogue import answering_adapters

    names = answering_adapters(current.data)
    chosen = current.fine_tuned.adapter
    options = names if chosen in names else [*names, chosen]
    st.selectbox(
        "Adapter",
        options,
        options.index(chosen),
        format_func=plain,
        help="Those that were taught to read passages are not among them: RAG writes with them.",
        **bind("fine_tuned.adapter"),
    )
    st.toggle(
        "Also if its base is named otherwise",
        current.fine_tuned.any_base_name,
        help="Uses an adapter that names another base, if shapes and tokenizer fit. Its answers carry a note.",
        **bind("fine_tuned.any_base_name"),
    )
    st.number_input(
        "Spread the training cost over (answers)",
        1,
        100_000_000,
        current.fine_tuned.answers_per_training,
        1000,
        help="How many answers one training is assumed to serve.",
        **bind("fine_tuned.answers_per_training"),
    )
    with st.expander("Let a server answer instead", expanded=bool(current.fine_tuned.base_url)):
        _served(current, names)


def _served(current: Settings, names: list[str]) -> None:
    """A server with the merged model: where, what it calls the model, and which adapter it is said to be."""
    chosen = current.fine_tuned
    st.text_input(
        "Base URL",
        without_secrets(chosen.base_url or ""),
        placeholder="http://127.0.0.1:8000/v1",
        help="Any OpenAI-compatible server with the exported model. Empty: the adapter above answers on this machine.",
        **bind("fine_tuned.base_url"),
    )
    st.text_input(
        "The model's name there",
        chosen.served_model or "",
        help="`transformers serve` takes the folder's path, vLLM the name that it was started with.",
        **bind("fine_tuned.served_model"),
    )
    options = [None, *names]
    st.selectbox(
        "Said to be the adapter",
        options,
        options.index(chosen.served_adapter) if chosen.served_adapter in names else 0,
        format_func=lambda name: plain(name or "not stated"),
        help="Nobody can see from here which weights a server holds, so answers say that this is not verified.",
        **bind("fine_tuned.served_adapter"),
    )
    key_field("fine_tuned", "Only ever sent to the address it was entered for.")
    if withheld := current.withheld("fine_tuned"):
        st.warning(escaped(withheld), icon=":material/key_off:")


def rag(current: Settings) -> None:
    """Which collection, which of it, how it is searched, how close passages must be, and who writes the answer."""
    _search(current)
    _writing(current)


def _search(current: Settings) -> None:
    """Which collection, which of it, and how it is searched."""
    from ui.rag.collections import names_of
    from ui.rag.filters import filter_bar, known_documents

    names = names_of(current)
    st.selectbox("Collection", names, names.index(current.rag.collection), format_func=plain, **bind("rag.collection"))
    filter_bar(current, known_documents(current))
    modes = list(SEARCH_MODES)
    st.selectbox(
        "Search", modes, modes.index(current.rag.mode), format_func=SEARCH_MODES.__getitem__, **bind("rag.mode")
    )
    if current.rag.mode in ("fused", "sentences", "reranked"):
        st.slider(
            "Weight of the words",
            0.0,
            1.0,
            min(current.rag.keyword_weight, 1.0),
            0.05,
            help="What the best keyword match adds to its cosine similarity. 0 searches by meaning alone.",
            **bind("rag.keyword_weight"),
        )
    if current.rag.mode == "reranked":
        reranker(current)


def _writing(current: Settings) -> None:
    """What of it is read, how close it must be, who writes the answer, and what if nothing supports that."""
    st.slider("Passages in the prompt", 1, 10, min(current.rag.k, 10), **bind("rag.k"))
    st.selectbox(
        "The writer reads",
        list(CONTEXTS),
        list(CONTEXTS).index(current.rag.context),
        format_func=CONTEXTS.__getitem__,
        help="A small model finds a fact in five sentences more often than in three passages.",
        **bind("rag.context"),
    )
    st.slider("Sentences in the prompt", 1, 20, min(current.rag.sentences, 20), **bind("rag.sentences"))
    st.slider(
        "Threshold",
        0.0,
        1.0,
        max(current.rag.min_score, 0.0),
        0.01,
        help="The chance that the best sentence answers, as judged, must reach it. If none does, the documents do not "
        "say.",
        **bind("rag.min_score"),
    )
    known = list(dict.fromkeys((*writers(current), QUOTE, current.rag.generator)))
    st.selectbox(
        "Written by",
        known,
        known.index(current.rag.generator),
        format_func=lambda writer: "Quote: no model" if writer == QUOTE else spec_of(writer).name,
        help="A paid model gets your question and what was found, over the network.",
        **bind("rag.generator"),
    )
    st.selectbox(
        "If the passages do not support the answer",
        list(UNSUPPORTED),
        list(UNSUPPORTED).index(current.rag.unsupported),
        format_func=UNSUPPORTED.__getitem__,
        help="Every sentence of an answer is compared with the passages by a rule.",
        **bind("rag.unsupported"),
    )


def reranker(current: Settings) -> None:
    """Which cross-encoder puts the passages in order, if any."""
    st.text_input(
        "Reranker (Hub id or local folder)",
        current.rag.reranker or "",
        placeholder="cross-encoder/ms-marco-MiniLM-L6-v2",
        help="A cross-encoder reads question and passage together. Only safetensors weights are loaded.",
        **bind("rag.reranker"),
    )
