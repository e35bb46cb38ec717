"""How documents and chunks are kept in a Chroma collection, and read back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backends.base import Passage
from backends.rag.chunks import Chunk
from backends.rag.documents import Document
from backends.rag.store import Store, chroma_faults

if TYPE_CHECKING:
    import numpy as np
    from chromadb.api.models.Collection import Collection
    from numpy.typing import NDArray

_NO_PAGE = -1
"""Chroma's metadata has no None."""


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A document of a collection. `pages` is None where the format has none."""

    name: str
    sha256: str
    format: str
    pages: int | None
    chunks: int


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document with what indexing compares: file content and chunk settings, and where the file was."""

    info: DocumentInfo
    revision: str
    path: str


class Records:
    """Reads and writes the chunks of one collection. `name` is the collection's name in Chroma."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    def documents(self) -> dict[str, StoredDocument]:
        """Every complete document by name."""
        with self._store.lock, chroma_faults(self._name):
            collection = self._store.collection(self._name)
            if collection is None:
                return {}
            # The first chunk is written last, so a document without it is not complete.
            found = collection.get(where={"ordinal": 0}, include=["metadatas"])
        stored = (_stored(dict(metadata)) for metadata in found["metadatas"] or [])
        return {document.info.name: document for document in sorted(stored, key=lambda one: one.info.name)}

    def add(
        self, document: Document, path: str, revision: str, chunks: list[Chunk], vectors: NDArray[np.float32]
    ) -> None:
        """Write all chunks of a document, then delete those of its earlier revisions."""
        shared: dict[str, str | int] = {
            "document": document.name,
            "sha256": document.sha256,
            "format": document.format,
            "pages": len(document.pages) if document.pages[0].page is not None else _NO_PAGE,
            "path": path,
            "revision": revision,
            "chunks": len(chunks),
        }
        undo = {"collection": self._name, "document": document.name, "revision": revision}
        with self._store.lock, chroma_faults(self._name):
            collection = self._existing()
            self._store.wrote(self._name, unfinished=undo)
            size = self._store.client.get_max_batch_size()
            for start in reversed(range(0, len(chunks), size)):
                batch = slice(start, start + size)
                collection.add(
                    ids=[_record_id(one, revision) for one in chunks[batch]],
                    embeddings=vectors[batch],
                    documents=[one.text for one in chunks[batch]],
                    metadatas=[
                        {**shared, **_metadata(one, ordinal)} for ordinal, one in enumerate(chunks[batch], start)
                    ],
                )
            self._delete(collection, {"$and": [{"document": document.name}, {"revision": {"$ne": revision}}]})
            self._store.wrote(self._name)

    def delete(self, document: str) -> bool:
        """Delete a document; False if there is none of that name."""
        with self._store.lock, chroma_faults(self._name):
            deleted = self._delete(self._existing(), {"document": document})
            self._store.wrote(self._name)
        return bool(deleted)

    def undo_unfinished(self) -> None:
        """Delete what a writer that died or failed left half-written."""
        with self._store.lock, chroma_faults(self._name):
            undo = self._store.state().get("unfinished")
            if not undo:
                return
            collection = self._store.collection(undo["collection"])
            if collection is not None:
                self._delete(collection, {"$and": [{"document": undo["document"]}, {"revision": undo["revision"]}]})
            self._store.wrote(undo["collection"])

    def _existing(self) -> Collection:
        return self._store.client.get_collection(self._name, embedding_function=None)

    def _delete(self, collection: Collection, where: dict[str, Any]) -> int:
        ids = collection.get(where=where, include=[])["ids"]
        size = self._store.client.get_max_batch_size()
        for start in range(0, len(ids), size):
            collection.delete(ids=ids[start : start + size])
        return len(ids)


def _record_id(chunk: Chunk, revision: str) -> str:
    """Unique in the collection even where two documents have the same content."""
    return hashlib.sha256(f"{chunk.document}\n{revision}\n{chunk.chunk_id}".encode()).hexdigest()[:32]


def _metadata(chunk: Chunk, ordinal: int) -> dict[str, str | int]:
    return {
        "chunk_id": chunk.chunk_id,
        "page": _NO_PAGE if chunk.page is None else chunk.page,
        "start": chunk.start,
        "end": chunk.end,
        "heading": chunk.heading,
        "ordinal": ordinal,
    }


def _stored(metadata: dict[str, Any]) -> StoredDocument:
    pages = None if metadata["pages"] == _NO_PAGE else metadata["pages"]
    info = DocumentInfo(metadata["document"], metadata["sha256"], metadata["format"], pages, metadata["chunks"])
    return StoredDocument(info, metadata["revision"], metadata["path"])


def passage(metadata: dict[str, Any], text: str, distance: float) -> Passage:
    """A search hit. The score is the cosine similarity, 1 minus Chroma's cosine distance."""
    return Passage(
        document=metadata["document"],
        page=None if metadata["page"] == _NO_PAGE else metadata["page"],
        chunk_id=metadata["chunk_id"],
        score=1.0 - distance,
        start=metadata["start"],
        end=metadata["end"],
        text=text,
    )
