"""A searchable collection of documents."""

from __future__ import annotations

import hashlib
import shlex
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from backends.base import BackendError, Passage
from backends.rag.chunks import CONTEXT_TOKENS
from backends.rag.documents import Source
from backends.rag.embedder import Embedder
from backends.rag.ingest import IndexProgress, Ingest
from backends.rag.records import DocumentInfo, Records, passage
from backends.rag.store import chroma_faults, damaged, open_store
from backends.settings import RagSettings

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

__all__ = ["DocumentInfo", "Index", "IndexProgress"]

_PROBES = 5
"""Stored chunks that `check` looks up."""

_SAME = 1e-3
"""Cosine distance below which two vectors count as the same; rounding gives about 1e-6."""

_SPECIAL_TOKENS = 2


class Index:
    """One collection in `data/index` (or on the server at `settings.chroma_url`). Safe to use from several threads.

    `collection` is any name; every method raises `BackendError` for an index that is damaged.
    """

    def __init__(self, data: Path, collection: str, embedder: Embedder, settings: RagSettings) -> None:
        self.collection = unicodedata.normalize("NFC", collection).strip()
        if not self.collection:
            raise BackendError("The collection has no name.", "Give it a name.")
        self._embedder = embedder
        self._settings = settings
        self._store = open_store(data, settings.chroma_url)
        self._name = "c-" + hashlib.sha256(self.collection.encode("utf-8", "replace")).hexdigest()[:32]
        self._records = Records(self._store, self._name)

    def add(self, paths: Iterable[Path | str | Source], cancel: threading.Event) -> Iterator[IndexProgress]:
        """Index files and folders; unchanged files are skipped. Cancelling keeps the files that are finished.

        Raises `BackendError` when a path does not exist, another process is indexing, the chunks are
        too long for the embedder, or the collection was made with another embedder.
        """
        self._check_chunk_size()
        with self._store.writing(), self._faults():
            self._make_collection()
            yield from Ingest(self._records, self._embedder, self._settings, cancel).run(paths)

    def search(self, query: str, k: int, min_score: float | None = None) -> tuple[Passage, ...]:
        """The `k` passages most similar to a query, best first; those below `min_score` are left out.

        Raises `BackendError` when nothing is indexed or the collection was made with another embedder.
        """
        if not query.strip():
            return ()
        with self._store.lock, self._faults():  # refuse before the embedder is loaded for nothing
            self._existing()
        vector = self._embedder.embed_query(query)
        with self._store.lock, self._faults():
            collection = self._existing()
            found = collection.query(
                query_embeddings=cast(Any, [vector]),
                n_results=min(k, collection.count()),
                include=["metadatas", "documents", "distances"],
            )
        metadatas, texts, distances = found["metadatas"], found["documents"], found["distances"]
        if not metadatas or not texts or not distances or not metadatas[0]:
            raise self._damaged()
        hits = [
            passage(dict(metadata), text, distance)
            for metadata, text, distance in zip(metadatas[0], texts[0], distances[0], strict=True)
        ]
        hits.sort(key=lambda hit: (-hit.score, hit.document, hit.start))
        return tuple(hit for hit in hits if min_score is None or hit.score >= min_score)

    def documents(self) -> list[DocumentInfo]:
        """Every document, by name; an empty list if nothing is indexed."""
        with self._faults():
            return [stored.info for stored in self._records.documents().values()]

    def count(self) -> int:
        """How many chunks there are; 0 if nothing is indexed."""
        with self._store.lock, self._faults():
            collection = self._store.collection(self._name)
            return collection.count() if collection else 0

    def check(self) -> None:
        """Raise `BackendError` if the collection is empty, damaged, or made with another embedder.

        Chroma reports no damage by itself: stored vectors are looked up and must be found.
        """
        with self._store.lock, self._faults():
            collection = self._existing()
            count = collection.count()
            for probe in range(min(_PROBES, count)):
                self._check_vector(collection, probe * count // _PROBES if count > _PROBES else probe, count)

    def delete(self, document: str) -> None:
        """Delete a document. Raises `BackendError` if there is none of that name."""
        with self._store.writing(), self._faults():
            if not self._store_has() or not self._records.delete(document):
                raise BackendError(f"There is no document {document} in {self.collection}.", "Check the name.")

    def drop(self) -> None:
        """Delete the collection, even a damaged one; if the database file is broken, all collections go with it."""
        with self._store.writing(), self._store.lock:
            self._store.drop(self._name)

    def _existing(self) -> Collection:
        """The collection, fit to be searched with this embedder."""
        collection = self._store.collection(self._name)
        if collection is None or collection.count() == 0:
            raise BackendError(
                f"The collection {self.collection} is empty.", f"Index documents with {self._command()}."
            )
        self._check_embedder(collection)
        return collection

    def _store_has(self) -> bool:
        with self._store.lock:
            return self._store.collection(self._name) is not None

    def _make_collection(self) -> None:
        metadata: dict[str, Any] = {
            "name": self.collection,
            "embedder": self._embedder.identity,
            "chunk_tokens": self._settings.chunk_tokens,
            "overlap_tokens": self._settings.overlap_tokens,
        }
        with self._store.lock:
            collection = self._store.collection(self._name)
            if collection is None:
                self._store.client.create_collection(
                    self._name,
                    metadata=metadata,
                    configuration={"hnsw": {"space": "cosine"}},
                    embedding_function=None,
                )
                return
            self._check_embedder(collection)
            if dict(collection.metadata or {}) != metadata:
                collection.modify(metadata=metadata)

    def _check_embedder(self, collection: Collection) -> None:
        made_with = (collection.metadata or {}).get("embedder")
        if made_with != self._embedder.identity:
            raise BackendError(
                f"The collection {self.collection} was indexed with the embedder {made_with}, "
                f"but {self._embedder.identity} is chosen now.",
                f"Index it again with {self._command(rebuild=True)}, or change rag.embedder back.",
            )

    def _check_chunk_size(self) -> None:
        limit = self._embedder.max_tokens - CONTEXT_TOKENS - _SPECIAL_TOKENS
        if self._settings.chunk_tokens > limit:
            raise BackendError(
                f"Chunks of {self._settings.chunk_tokens} tokens are too long for the embedder, "
                f"which reads {self._embedder.max_tokens} tokens, file name and headings included.",
                f"Set rag.chunk_tokens to {limit} or less.",
            )

    def _check_vector(self, collection: Collection, offset: int, count: int) -> None:
        stored = collection.get(limit=1, offset=offset, include=["embeddings"])
        vectors = stored["embeddings"]
        if vectors is None or not len(vectors):
            raise self._damaged()
        found = collection.query(
            query_embeddings=cast(Any, [vectors[0]]), n_results=min(3, count), include=["distances"]
        )
        distances = (found["distances"] or [[]])[0]
        # The nearest may be another chunk with the same text, so the distance decides and not the id.
        if not distances or not abs(distances[0]) < _SAME:
            raise self._damaged()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Chroma's faults, with the name and the command that the user knows."""
        try:
            with chroma_faults(self._name):
                yield
        except BackendError as error:
            if error.cause == damaged(self._name).cause:
                raise self._damaged() from error
            raise

    def _damaged(self) -> BackendError:
        return BackendError(
            f"The index of the collection {self.collection} is damaged.",
            f"Build it again with {self._command(rebuild=True)}.",
        )

    def _command(self, rebuild: bool = False) -> str:
        """The terminal command that fills this collection."""
        words = ["crossroads", "index", "PATH"]
        if self.collection != RagSettings().collection:
            words += ["--collection", shlex.quote(self.collection)]
        return "`" + " ".join([*words, "--rebuild"] if rebuild else words) + "`"
