"""The section Map: the collection as a picture, with the question and what it found."""

from __future__ import annotations

import streamlit as st

from backends import jobs
from backends.base import BackendError
from backends.rag import background, projection
from backends.rag.index import Index, StoredChunk
from backends.rag.projection import NEIGHBOURS, Projection
from backends.settings import Settings
from ui import numbers
from ui.chart_theme import theme
from ui.job_view import job_view
from ui.rag.collections import collection_bar
from ui.rag.hits import Place, place_of
from ui.rag.map_chart import Asked, Point, map_chart
from ui.rag.opened import keep_fault, opened_index, show_fault, show_kept_fault
from ui.rag.query import Found, asked_text, found, question_box

_HEIGHT = 640  # pixels
_WIDTHS = (820, 390)  # pixels of the map and the words: beside each other at 1440, below each other at 800
_TEXT = 160  # characters


def draw(current: Settings) -> None:
    """Draw the section."""
    collection_bar(current)
    index = opened_index(current)
    show_kept_fault()
    try:
        documents = index.documents()
        if not documents:
            st.info("There is nothing to draw yet. Add documents in the section Documents.")
            return
        question_box(current, documents)
        seen = found(current, index) if asked_text() else None
        beside = st.container(horizontal=True, gap="large")
        picture, words = (beside.container(width=width) for width in _WIDTHS)
        with picture:
            drawn = _map(current, index)
            if drawn is not None:
                _chart(index, drawn, seen)
        with words:
            _explain(drawn, seen)
    except BackendError as fault:
        show_fault(fault)


def _map(current: Settings, index: Index) -> Projection | None:
    """The map of the collection as it is now; while it is drawn, how far that is."""
    version = index.version
    if (held := projection.stored(current.data, index.collection, version)) is not None:
        return held
    writing = jobs.find(background.writing_key(current.data))
    if writing is not None and writing.state.running:
        with st.container(height=_HEIGHT, border=False):
            st.caption("The map is drawn once the documents are in:")
            job_view(writing, "writing")
        return None
    job = jobs.find(background.map_key(current.data, index.collection))
    if job is None or (not job.state.running and job.state.fault is None and not job.state.cancelled):
        job = background.draw_map(index, current.data)  # the first one, or one of a version that is past
    if job.wait(0.5) and (held := projection.stored(current.data, index.collection, version)) is not None:
        return held
    with st.container(height=_HEIGHT, border=False):
        job_view(job, "map", cancelled="The map was not drawn.")
        if not job.state.running:
            st.button("Draw the map", icon=":material/scatter_plot:", on_click=_draw, args=(current, index))
    return None


def _draw(current: Settings, index: Index) -> None:
    try:
        background.draw_map(index, current.data)
    except BackendError as fault:
        keep_fault(fault)


def _chart(index: Index, drawn: Projection, seen: Found | None) -> None:
    chunks = index.rows(drawn.rows)
    ranks = _ranks(seen)
    points = [
        _point(chunks[row], float(x), float(y), ranks)
        for row, (x, y) in zip(drawn.rows, drawn.xy, strict=True)
        if row in chunks
    ]
    asked = None
    if seen is not None:
        shown = index.vectors(drawn.rows)
        points += _left_out(index, drawn, ranks, {(p.document, p.rank) for p in points if p.rank})
        ((x, y),) = projection.place(seen.vector, shown, drawn.xy)
        asked = Asked(float(x), float(y), clipped(seen.question))
    st.altair_chart(
        map_chart(points, asked, theme()),
        alt="The chunks of the collection by meaning, coloured by document, with the question and its hits",
    )


def _ranks(seen: Found | None) -> dict[Place, int]:
    if seen is None:
        return {}
    return {place_of(hit.passage): rank for rank, hit in enumerate(seen.in_use.hits, 1)}


def _point(chunk: StoredChunk, x: float, y: float, ranks: dict[Place, int]) -> Point:
    place = " \u00b7 ".join(part for part in (f"page {chunk.page}" if chunk.page else "", chunk.heading) if part)
    rank = ranks.get((chunk.document, chunk.start, chunk.end))
    return Point(x, y, chunk.document, place or numbers.UNKNOWN, clipped(chunk.text), rank)


def _left_out(
    index: Index,
    drawn: Projection,
    ranks: dict[Place, int],
    there: set[tuple[str, int | None]],
) -> list[Point]:
    """The hits that the sample left out, placed beside their neighbours."""
    if not drawn.sampled:
        return []
    missing = {place: rank for place, rank in ranks.items() if (place[0], rank) not in there}
    chunks = [
        chunk
        for chunk in index.chunks(sorted({document for document, _, _ in missing}))
        if (chunk.document, chunk.start, chunk.end) in missing
    ]
    if not chunks:
        return []
    vectors = index.vectors([chunk.row for chunk in chunks])
    places = projection.place(vectors, index.vectors(drawn.rows), drawn.xy)
    return [_point(chunk, float(x), float(y), ranks) for chunk, (x, y) in zip(chunks, places, strict=True)]


def clipped(text: str, characters: int = _TEXT) -> str:
    """The beginning of a text on one line, at most this long."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 1].rstrip() + "\u2026"


def _explain(drawn: Projection | None, seen: Found | None) -> None:
    st.markdown(
        "##### What you see\n"
        "A computer cannot compare meanings, but it can compare numbers. So a model, the *embedder*, reads every "
        "chunk of your documents and writes its meaning down as a long list of numbers, the *embedding*. "
        "Texts that mean much the same get much the same numbers, even when they share no word.\n\n"
        "Each dot is one chunk. The map squeezes its numbers into a place on a plane such that **dots that lie close "
        "together say similar things**.\n\n"
        "The star is your question, turned into numbers the same way. Searching means: which dots are nearest to "
        "it? The ringed ones were found, the best is number 1.\n\n"
        "- Click a document below the map to bring it out; hover over a dot to read it.\n"
        "- Only being close means something. The axes, and how far apart two distant groups are, do not."
    )
    if drawn is None:
        return
    lines = []
    if drawn.sampled:
        lines.append(
            f"{numbers.count(len(drawn.rows))} of {numbers.count(drawn.total)} chunks are shown, evenly chosen."
        )
    if seen is not None:
        lines.append(
            f"The star lies at the mean of the {NEIGHBOURS} chunks most similar to the question, each weighted by its "
            "similarity to the power of 8; a line leads to each hit. A hit that seems far away is close in the full "
            "space, which a plane cannot show."
        )
    lines.append("Drawn with principal components and t-SNE.")
    st.caption("  \n".join(lines))
