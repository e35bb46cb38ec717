"""How documents are cut: two sliders whose effect shows before anything is indexed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from backends.errors import BackendError
from backends.rag.approach import embedder
from backends.rag.documents.chunks import CONTEXT_TOKENS, SPECIAL_TOKENS
from backends.rag.documents.files import Page
from backends.rag.store import jobs
from backends.rag.store.index import ChunkPreview, CollectionInfo, DocumentInfo, Index
from backends.settings import Settings
from ui.rag.document_view import LEGEND, ChunkSpan, draw_chunked_text, parts
from ui.shared import numbers
from ui.shared.errors import keep_fault
from ui.shared.jobs import computed_in_background
from ui.shared.text import escaped

NOW, THEN = "now", "with these settings"
_COLOURS = ("#8a8f9c", "#2a76e2")
_BARS = 16
_HEIGHT = 250  # pixels


def lengths_chart(now: Sequence[int], then: Sequence[int]) -> alt.LayerChart:
    """Chunks by their length in tokens: those in force as gray bars, the others as a blue outline before them."""
    longest = max([*now, *then, 1])
    step = max(1, -(-longest // _BARS))
    rows = [*_bins(NOW, now, step), *_bins(THEN, then, step)]
    frame = pd.DataFrame(rows, columns=["which", "low", "high", "chunks", "label"])
    end = longest + step
    return alt.LayerChart(layer=[_bars(frame, which, end) for which in (NOW, THEN)], height=_HEIGHT)


def _bars(frame: pd.DataFrame, which: str, end: int) -> alt.Chart:
    outlined = which == THEN
    return (
        alt.Chart(frame[frame["which"] == which])
        .mark_rect(
            fillOpacity=0.12 if outlined else 0.5,
            stroke=_COLOURS[1] if outlined else None,
            strokeWidth=2 if outlined else 0,
        )
        .encode(
            x=alt.X("low:Q", title="tokens in a chunk", scale=alt.Scale(domain=[0, end], nice=False)),
            x2="high:Q",
            y=alt.Y("chunks:Q", title="chunks"),
            y2=alt.Y2Datum(0),
            color=alt.Color(
                "which:N",
                scale=alt.Scale(domain=[NOW, THEN], range=list(_COLOURS)),
                legend=alt.Legend(orient="top", title=None, symbolType="square", symbolOpacity=1),
            ),
            tooltip=[alt.Tooltip("which:N", title=" "), alt.Tooltip("label:N", title="length"), "chunks:Q"],
        )
    )


def _bins(which: str, lengths: Sequence[int], step: int) -> list[dict[str, object]]:
    counts = Counter(length // step * step for length in lengths)
    return [
        {"which": which, "low": low, "high": low + step, "chunks": count, "label": f"{low} to {low + step - 1} tokens"}
        for low, count in sorted(counts.items())
    ]


_LEAST, _STEP = 32, 8
_MOST_OVERLAP = 500


def chunk_settings(current: Settings, index: Index, info: CollectionInfo, document: DocumentInfo, busy: bool) -> None:
    """Draw the panel, with `document` as the example; what it shows is only worked out while it is open."""
    panel = st.expander(
        "How the documents are cut", icon=":material/content_cut:", on_change="rerun", key="chunk_settings"
    )
    if panel.open:
        with panel:
            _sliders(current, index, info, document.name, busy)


def _sliders(current: Settings, index: Index, info: CollectionInfo, document: str, busy: bool) -> None:
    limit = embedder(current).max_tokens - CONTEXT_TOKENS - SPECIAL_TOKENS
    st.caption(
        "Small chunks are found precisely, large ones carry more context. The embedder reads at most "
        f"{limit} tokens of a chunk; a token is about three quarters of an English word."
    )
    left, right = st.columns(2, vertical_alignment="bottom")
    size = left.slider(
        "Chunk size, at most (tokens)", _LEAST, limit, min(info.chunk_tokens, limit), _STEP, key="chunk_tokens"
    )
    overlap = right.slider(
        "Shared by neighbours (tokens)",
        0,
        min(_MOST_OVERLAP, limit // 2),
        min(info.overlap_tokens, limit // 2),
        _STEP,
        key="overlap_tokens",
        help="What neighbouring chunks share, so that a sentence at a boundary is whole in one of them.",
    )
    changed = (size, overlap) != (info.chunk_tokens, info.overlap_tokens)
    if overlap >= size:
        st.warning("Neighbours cannot share a whole chunk: lower what they share.", icon=":material/warning:")
        return
    _apply(current, index, size, overlap, changed, busy)
    now = _preview("now", index, info.chunk_tokens, info.overlap_tokens, document)
    then = _preview("then", index, size, overlap, document) if changed else now
    if now is not None and then is not None:
        _effect(now, then)
        _both_ways(now, then, index.pages(document), changed)


def _preview(slot: str, index: Index, size: int, overlap: int, document: str) -> ChunkPreview | None:
    return computed_in_background(
        f"preview {slot}",
        (index.collection, index.version, size, overlap, document),
        "Cutting the text",
        lambda: index.preview(size, overlap, document),
    )


def _apply(current: Settings, index: Index, size: int, overlap: int, changed: bool, busy: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Re-index with these",
            key="rechunk",
            type="primary",
            icon=":material/content_cut:",
            on_click=_rechunk,
            args=(current, index, size, overlap),
            disabled=busy or not changed,
        )
        st.caption(
            "The present chunks go on answering until the new ones are complete."
            if changed
            else "These are the settings in force. Move a slider to see what would change.",
            width="content",
        )


def _rechunk(current: Settings, index: Index, size: int, overlap: int) -> None:
    try:
        jobs.rechunk(index, current.data, size, overlap)
    except BackendError as fault:
        keep_fault(fault)


def _effect(now: ChunkPreview, then: ChunkPreview) -> None:
    left, right = st.columns([1, 2])
    with left:
        about = "" if now.exact else "about "
        st.metric("Chunks now", f"{about}{numbers.count(now.chunks)}", border=True)
        difference = then.chunks - now.chunks
        st.metric(
            "Chunks with these settings",
            f"{about}{numbers.count(then.chunks)}",
            delta=f"{difference:+,}" if difference else None,
            delta_color="off",
            border=True,
        )
    with right:
        st.caption("How long the chunks are")
        st.altair_chart(lengths_chart(now.tokens, then.tokens), alt="Chunks by length, now and then")


def _both_ways(now: ChunkPreview, then: ChunkPreview, pages: Sequence[Page], changed: bool) -> None:
    shown = parts(pages)
    number = st.pagination(len(shown), key="cut_page", max_visible_pages=5) if len(shown) > 1 else 1
    part = shown[min(number, len(shown)) - 1]
    st.caption(f"{escaped(now.document)} \u00b7 {part.title} \u00b7 {LEGEND}")
    columns = st.columns(2) if changed else [st.container()]
    titles = ("Now", "With these settings")
    for column, title, made in zip(columns, titles, (now, then), strict=False):
        with column:
            st.markdown(f"**{title}** \u00b7 {made.chunk_tokens} tokens, {made.overlap_tokens} shared")
            with st.container(height=420, border=True):
                spans = [ChunkSpan(place, piece.start, piece.end) for place, piece in enumerate(made.pieces, 1)]
                draw_chunked_text(part.text, spans, part.start)
