"""How long a search takes with 1,000, 10,000 and 100,000 chunks, step by step, against a bare query of Chroma.

Texts and vectors are made up: words with frequencies as in language (Zipf), vectors in clusters. They are stored as
any document is, only without being parsed and embedded. The bare query asks the same Chroma collection for the ids
and distances of the five nearest vectors, nothing more; a search puts forward fifty candidates each way, looks up
texts and vectors in the library, fuses and merges. The vector of a query is given to both, so that embedding, which
depends on the model, is in neither.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, cast

from backends.rag.documents.chunks import Chunk
from backends.rag.documents.files import Document, Page
from backends.rag.search.embedder import Embedder
from backends.rag.search.keyword_cache import KeywordCache, keyword_cache
from backends.rag.search.retriever import Searcher
from backends.rag.store.database import open_database
from backends.rag.store.index import Index
from backends.rag.store.library import Entry, Library
from backends.rag.store.lock import writing
from backends.rag.store.writer import Writer
from backends.settings import RagSettings
from benchmarks.bench import Bench, Outcome
from benchmarks.figures import Figure, Goal

if TYPE_CHECKING:
    import numpy as np
    from chromadb.api.models.Collection import Collection
    from numpy.typing import NDArray

NAME = "search_speed"
SIZES = (1_000, 10_000, 100_000)
K = 5
QUERIES = 200
DIMENSION = 384
_WORDS_PER_CHUNK = 85
_CHUNKS_PER_DOCUMENT = 100
_VOCABULARY = 50_000
_CLUSTERS = 500
_AT_MOST = Goal(5, "at most", "ms")

_NOTES = (
    "Embedding the query is in no figure, neither in a search nor in the bare query, nor is reading sentences.",
    "The figures of a step are the median and the 95th percentile over the queries of one run.",
)


@dataclass(frozen=True, slots=True)
class _Query:
    text: str
    vector: NDArray[np.float32]


_LEFT_OUT = ("embed", "sentences")
"""Steps that are the embedder's: of the question, and of the sentences of the best passages."""


class _Given(Embedder):
    """Gives the vectors it was told."""

    def __init__(self) -> None:
        super().__init__(Path("given"), "cpu", "given@1")
        self.vectors: dict[str, NDArray[np.float32]] = {}

    @property
    def max_tokens(self) -> int:
        """More than any of the queries has: none is searched in pieces."""
        return 1_000

    def embed_sentences(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Those of the passages are not what is measured here."""
        import numpy as np

        return np.zeros((len(texts), len(next(iter(self.vectors.values())))), dtype=np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return self.vectors[text] if text in self.vectors else next(iter(self.vectors.values()))


def run(bench: Bench) -> Outcome:
    """Build each collection once and search it."""
    figures: list[Figure] = []
    raw: dict[str, Any] = {}
    for size in SIZES[:1] if bench.quick else SIZES:
        found, record = _measure(bench, size)
        figures += found
        raw[str(size)] = record
    return Outcome(tuple(figures), _NOTES, raw)


def _measure(bench: Bench, size: int) -> tuple[list[Figure], dict[str, Any]]:
    embedder = _Given()
    settings = RagSettings(collection=f"speed {size}")
    index = Index(bench.data, settings.collection, embedder, settings)
    bench.report(f"{size:,} chunks: storing them")
    with _stopwatch() as stored:
        queries = _fill(index, settings, size, bench.report)
    embedder.vectors = {query.text: query.vector for query in queries}
    searcher = Searcher(index, embedder, settings)
    with _stopwatch() as built:
        searcher.prepare()
    again = KeywordCache(index, keyword_cache(index)._folder)
    with _stopwatch() as read:
        again.current()
    bench.report(f"{size:,} chunks: {len(queries)} queries")
    bare = _bare(index)
    seconds: dict[str, list[float]] = {}
    for query in queries[:20]:
        searcher.search(query.text, K)
        bare(query)
    for query in queries:
        for mode in ("dense", "fused"):
            steps = searcher.search(query.text, K, mode=mode).stage_s
            for step, value in steps.items():
                seconds.setdefault(f"{mode} {step}", []).append(value)
            seconds.setdefault(mode, []).append(sum(v for step, v in steps.items() if step not in _LEFT_OUT))
        with _stopwatch() as asked:
            bare(query)
        seconds.setdefault("bare", []).append(asked.seconds)
    index.drop()
    once = {"store_s": stored.seconds, "keyword_index_s": built.seconds, "keyword_index_read_s": read.seconds}
    return _figures(size, seconds, once), {**once, **{f"{name}_s": values for name, values in seconds.items()}}


def _figures(size: int, seconds: dict[str, list[float]], once: dict[str, float]) -> list[Figure]:
    ms = {name: tuple(1000 * value for value in values) for name, values in seconds.items()}
    name = f"{size:,} chunks"
    figures = [
        Figure(NAME, f"{name}: search, {mode}, p50", "ms", ms[mode], "bare Chroma", ms["bare"], "difference", _AT_MOST)
        for mode in ("fused", "dense")
    ]
    figures += [
        Figure(
            NAME,
            f"{name}: search, {mode}, p95",
            "ms",
            (_p95(ms[mode]),),
            "bare, p95",
            (_p95(ms["bare"]),),
            "difference",
        )
        for mode in ("fused", "dense")
    ]
    for step in ("dense", "keyword", "fuse"):
        values = ms[f"fused {step}"]
        shown = f"{median(values):.2f} ms; p95 {_p95(values):.2f} ms"
        figures.append(Figure(NAME, f"{name}: step {step} of a fused search", "ms", values, shown=shown))
    figures.append(Figure(NAME, f"{name}: keyword index built, once", "s", (once["keyword_index_s"],)))
    figures.append(Figure(NAME, f"{name}: keyword index read from disk", "s", (once["keyword_index_read_s"],)))
    return figures


def _p95(values: Sequence[float]) -> float:
    import numpy as np

    return float(np.percentile(values, 95))


def _bare(index: Index) -> Callable[[_Query], object]:
    """A query of the collection in Chroma that holds the vectors of an index."""
    import chromadb
    from chromadb.config import Settings

    serving = Library(open_database(index.data), index.collection).serving()
    assert serving
    folder = Path(index.data).resolve() / "index" / serving.store
    client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    collection: Collection = client.get_collection(serving.store, embedding_function=None)

    def ask(query: _Query) -> object:
        return collection.query(query_embeddings=cast(Any, [query.vector]), n_results=K, include=["distances"])

    return ask


def _fill(index: Index, settings: RagSettings, size: int, report: Callable[[str], None]) -> list[_Query]:
    """Store `size` made-up chunks as an indexing run does; returns queries that look for some of them."""
    import numpy as np

    random = np.random.default_rng(size)
    centres = random.normal(size=(_CLUSTERS, DIMENSION))
    queries: list[_Query] = []
    library = Library(open_database(index.data), index.collection)
    writer = Writer(index.data, None, library, index.collection)
    with writing(index.data):
        writer.begin("given@1", settings.chunk_tokens, settings.overlap_tokens)
        for start in range(0, size, _CHUNKS_PER_DOCUMENT):
            vectors = centres[random.integers(0, _CLUSTERS, _CHUNKS_PER_DOCUMENT)]
            vectors = vectors + 0.7 * random.normal(size=vectors.shape)
            vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
            texts = _texts(random)
            writer.put([_entry(f"document {start:06}.txt", texts, vectors)], nullcontext)
            wanted = QUERIES * (start + _CHUNKS_PER_DOCUMENT) // size - len(queries)
            queries += _queries(random, texts, vectors, wanted)
            if (start + _CHUNKS_PER_DOCUMENT) % 10_000 == 0:
                report(f"{start + _CHUNKS_PER_DOCUMENT:,} of {size:,} chunks stored")
    return queries


def _texts(random: np.random.Generator) -> list[str]:
    """Texts of words that are as frequent as in language: the n-th with a probability of about 1 / n."""
    import numpy as np

    ranks = np.minimum(np.exp(random.uniform(0, np.log(_VOCABULARY), (_CHUNKS_PER_DOCUMENT, _WORDS_PER_CHUNK))), 49_999)
    return [" ".join(f"word{rank:05d}" for rank in row) for row in ranks.astype(int)]


def _entry(name: str, texts: Sequence[str], vectors: NDArray[np.float32]) -> Entry:
    chunks: list[Chunk] = []
    start = 0
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    for text in texts:
        chunk_id = hashlib.sha256(f"{name} {start}".encode()).hexdigest()[:12]
        chunks.append(Chunk(chunk_id, name, None, start, start + len(text), text, sha256, ""))
        start += len(text) + 1
    return Entry(Document(name, sha256, "txt", (Page(None, 0, "\n".join(texts)),)), name, "", chunks, vectors, 0)


def _queries(
    random: np.random.Generator, texts: Sequence[str], vectors: NDArray[np.float32], number: int
) -> Iterator[_Query]:
    """Some words of a text, and a vector near its own."""
    import numpy as np

    for place in random.choice(len(texts), number, replace=False):
        words = random.choice(texts[place].split(), 10)
        vector = vectors[place] + 0.03 * random.normal(size=DIMENSION)
        yield _Query(" ".join(words), (vector / np.linalg.norm(vector)).astype(np.float32))


@dataclass(slots=True)
class _Watch:
    seconds: float = 0.0


@contextmanager
def _stopwatch() -> Iterator[_Watch]:
    watch = _Watch()
    began = time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - began
