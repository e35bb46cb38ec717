"""The section Map: the collection as a picture, with the question and what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import altair as alt
import pandas as pd
import streamlit as st

from backends.errors import BackendError
from backends.rag.documents.tables import shown_heading
from backends.rag.search import projection
from backends.rag.search.projection import NEIGHBOURS, Projection
from backends.rag.store import jobs as background
from backends.rag.store.index import Index, StoredChunk
from backends.run import jobs
from backends.settings import Settings
from ui.rag.collections import collection_bar, opened_index
from ui.rag.hits import PassageKey, passage_key
from ui.rag.query import QuestionResults, asked_text, question_box, question_results
from ui.shared import numbers
from ui.shared.charts import INK, theme
from ui.shared.errors import keep_fault, show_fault, show_kept_fault
from ui.shared.jobs import job_view
from ui.shared.text import plain

COLOURS = (
    "#2a76e2", "#fb4c10", "#437200", "#f945da", "#994487", "#659889", "#ae6f43", "#a473ee", "#c70cc1", "#d0126f",
    "#6758b4", "#ff4983", "#85789f", "#124efb", "#3f6e5d", "#5692c5", "#d273b0", "#c03809", "#91994e", "#0f6c93",
)  # fmt: skip
"""Colours for documents, the first ones furthest apart.

Each has a contrast of at least 3:1 with the light and with the dark page, and was chosen to be as far as possible
from those before it in OKLab, for full colour vision and for deuteranopia (simulated after Machado, 2009).
"""

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
"""Each document has a shape too, so that no reader needs the colours alone."""

REST = "other documents"
REST_COLOUR = "#8a8f9c"

_LIFTED = 0.25
"""How far colours are mixed with white on the dark page, where the deep ones would sink in."""

_STAR = "M0,-1L0.23,-0.32L0.95,-0.31L0.37,0.12L0.59,0.81L0,0.4L-0.59,0.81L-0.37,0.12L-0.95,-0.31L-0.23,-0.32Z"
_HEIGHT = 640  # pixels
_TOOLTIP = [
    alt.Tooltip("document:N", title="document"),
    alt.Tooltip("place:N", title="place"),
    alt.Tooltip("text:N", title="text"),
]


@dataclass(frozen=True, slots=True)
class Point:
    """A chunk on the map. `rank` counts from 1 for a passage that the question found; `place` is page and heading."""

    x: float
    y: float
    document: str
    place: str
    text: str
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class QuestionPoint:
    """The question on the map."""

    x: float
    y: float
    text: str


def coloured_documents(points: Sequence[Point]) -> list[str]:
    """The documents that get a colour of their own, those with the most chunks first; at most as many as colours."""
    counts = Counter(point.document for point in points)
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    return ordered if len(ordered) <= len(COLOURS) else ordered[: len(COLOURS) - 1]


def map_chart(points: Sequence[Point], asked: QuestionPoint | None, theme: str = "light") -> alt.LayerChart:
    """Points by document, hits ringed and numbered, the question a star with a line to each hit.

    A click on a document in the legend brings it out; hovering shows a point's text. `theme` is light or dark.
    """
    ink = INK[theme]
    points = [
        replace(one, document=plain(one.document), place=plain(one.place), text=plain(one.text)) for one in points
    ]
    shown = coloured_documents(points)
    rest = len({point.document for point in points} - set(shown))
    labels = [*shown, f"{REST} ({rest})"] if rest else shown
    rows = [asdict(point) | {"colour": point.document if point.document in shown else labels[-1]} for point in points]
    frame = pd.DataFrame(rows, columns=["x", "y", "document", "place", "text", "rank", "colour"])
    colours = [COLOURS[index % len(COLOURS)] for index in range(len(labels))]
    if rest:
        colours[-1] = REST_COLOUR
    layers: list[alt.Chart] = [_chunks(frame, labels, lightened(colours) if theme == "dark" else colours)]
    if asked is not None:
        layers += _question(frame[frame["rank"].notna()], asked, ink)
    return alt.layer(*layers).properties(height=_HEIGHT).configure_view(strokeOpacity=0)


def _axes() -> tuple[alt.X, alt.Y]:
    scale = alt.Scale(domain=[-1.08, 1.08], nice=False)
    return alt.X("x:Q", axis=None, scale=scale), alt.Y("y:Q", axis=None, scale=scale)


def lightened(colours: Sequence[str]) -> list[str]:
    """The colours (#rrggbb) for the dark page."""
    parts = [[int(colour[start : start + 2], 16) for start in (1, 3, 5)] for colour in colours]
    return ["#" + "".join(f"{round(part + (255 - part) * _LIFTED):02x}" for part in rgb) for rgb in parts]


def _chunks(frame: pd.DataFrame, labels: list[str], colours: list[str]) -> alt.Chart:
    shapes = [SHAPES[index % len(SHAPES)] for index in range(len(labels))]
    legend = alt.Legend(
        title=None, orient="bottom", columns=3, labelLimit=210, symbolOpacity=1, symbolSize=90, symbolStrokeWidth=0
    )
    chosen = alt.selection_point(name="document", fields=["colour"], bind="legend")
    x, y = _axes()
    return (
        alt.Chart(frame)
        .mark_point(filled=True, size=70, strokeWidth=0)
        .encode(
            x=x,
            y=y,
            color=alt.Color("colour:N", scale=alt.Scale(domain=labels, range=colours), legend=legend),
            shape=alt.Shape("colour:N", scale=alt.Scale(domain=labels, range=shapes), legend=legend),
            opacity=alt.condition(chosen, alt.value(0.85), alt.value(0.08)),
            tooltip=_TOOLTIP,
        )
        .add_params(chosen, alt.selection_interval(name="zoom", bind="scales"))
    )


def _question(hits: pd.DataFrame, asked: QuestionPoint, ink: str) -> list[alt.Chart]:
    x, y = _axes()
    hits = hits.assign(number=hits["rank"].astype(int).astype(str), from_x=asked.x, from_y=asked.y)
    lines = (
        alt.Chart(hits).mark_rule(color=ink, opacity=0.45, strokeDash=[4, 3]).encode(x=x, y=y, x2="from_x", y2="from_y")
    )
    rings = (
        alt.Chart(hits)
        .mark_point(size=330, filled=False, stroke=ink, strokeWidth=2, opacity=1)
        .encode(x=x, y=y, tooltip=[alt.Tooltip("number:N", title="hit"), *_TOOLTIP])
    )
    ranks = (
        alt.Chart(hits)
        .mark_text(dx=15, dy=-11, fontWeight="bold", fontSize=13, color=ink)
        .encode(x=x, y=y, text="number:N")
    )
    star = (
        alt.Chart(pd.DataFrame([asdict(asked)]))
        .mark_point(shape=_STAR, size=320, filled=True, color=ink, opacity=1)
        .encode(x=x, y=y, tooltip=[alt.Tooltip("text:N", title="question")])
    )
    return [lines, rings, ranks, star]


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
        seen = question_results(current, index) if asked_text() else None
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


def _chart(index: Index, drawn: Projection, seen: QuestionResults | None) -> None:
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
        asked = QuestionPoint(float(x), float(y), clipped(seen.question))
    st.altair_chart(
        map_chart(points, asked, theme()),
        alt="The chunks of the collection by meaning, coloured by document, with the question and its hits",
    )


def _ranks(seen: QuestionResults | None) -> dict[PassageKey, int]:
    if seen is None:
        return {}
    return {passage_key(hit.passage): rank for rank, hit in enumerate(seen.in_use.hits, 1)}


def _point(chunk: StoredChunk, x: float, y: float, ranks: dict[PassageKey, int]) -> Point:
    place = " \u00b7 ".join(
        part for part in (f"page {chunk.page}" if chunk.page else "", shown_heading(chunk.heading)) if part
    )
    rank = ranks.get((chunk.document, chunk.start, chunk.end))
    return Point(x, y, chunk.document, place or numbers.UNKNOWN, clipped(chunk.text), rank)


def _left_out(
    index: Index,
    drawn: Projection,
    ranks: dict[PassageKey, int],
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


def _explain(drawn: Projection | None, seen: QuestionResults | None) -> None:
    st.markdown(
        "## What you see\n"
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
