"""A collection of documents that can be searched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from backends.errors import BackendError
from backends.rag.documents.chunks import CONTEXT_TOKENS, SPECIAL_TOKENS
from backends.rag.documents.files import Page, Source
from backends.rag.search.embedder import Embedder, Turn
from backends.rag.store import sentence_vectors, update
from backends.rag.store.builds import rebuild
from backends.rag.store.chroma import Store, StoreFault
from backends.rag.store.chroma_server import ChromaServer
from backends.rag.store.database import LibraryFault, open_database
from backends.rag.store.health import Health, command, examine, from_fault, other_embedder
from backends.rag.store.ingest import Ingest
from backends.rag.store.library import (
    CollectionInfo,
    DocumentInfo,
    Library,
    Serving,
    StoredChunk,
    collections,
    no_document,
)
from backends.rag.store.lock import writing
from backends.rag.store.progress import IndexProgress
from backends.rag.store.rechunk import PREVIEW_CHARACTERS, ChunkPreview, Rechunk, preview
from backends.rag.store.update import Lacking
from backends.rag.store.writer import Writer
from backends.run.jobs import Progress
from backends.run.lane import Cancelled
from backends.settings import RagSettings
from backends.text import counted, normalised

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def nearest(
    library: Library,
    serving: Serving,
    store: Store,
    vector: NDArray[np.float32],
    n: int,
    documents: Sequence[str] | None,
) -> list[tuple[int, float]]:
    """Row and cosine similarity of the `n` nearest chunks (of these documents), best first.

    The store may hold rows that are being written and not listed yet: they are left out, and more is asked for if
    they take the places of others. If too few are left, rows may have been listed meanwhile in place of others.
    """
    if documents is not None:
        return store.nearest(vector, n, serving.store_state, library.numbers(documents))
    stale = library.stale(serving.store)
    asked = n
    while True:
        found = [hit for hit in store.nearest(vector, asked, serving.store_state, None) if hit[0] not in stale]
        if len(found) >= n:
            return found[:n]
        if asked < n + len(stale):
            asked = min(asked * 4, n + len(stale))
        elif (now := library.stale(serving.store)) == stale:
            return found
        else:
            stale = now


def chunk_settings(serving: Serving | None, settings: RagSettings) -> tuple[int, int]:
    """Tokens of a chunk and of the overlap: what the settings say explicitly, else what the collection has."""
    made = serving or settings
    chosen = settings.model_fields_set
    return (
        (settings if "chunk_tokens" in chosen else made).chunk_tokens,
        (settings if "overlap_tokens" in chosen else made).overlap_tokens,
    )


def check_chunk_size(embedder: Embedder, chunk_tokens: int) -> None:
    """Raise `BackendError` if chunks of that size are more than the embedder reads."""
    limit = embedder.max_tokens - CONTEXT_TOKENS - SPECIAL_TOKENS
    if chunk_tokens > limit:
        raise BackendError(
            f"Chunks of {chunk_tokens} tokens are too long for the embedder, "
            f"which reads {embedder.max_tokens} tokens, file name and headings included.",
            f"Set rag.chunk_tokens to {limit} or less.",
        )


def check_chunk_settings(collection: str, serving: Serving, settings: RagSettings) -> None:
    """Raise `BackendError` if the settings explicitly ask for other chunks than the collection has."""
    for name in ("chunk_tokens", "overlap_tokens"):
        chosen = getattr(settings, name)
        if name in settings.model_fields_set and chosen != getattr(serving, name):
            options = f"--rechunk --set rag.{name}={chosen}"
            raise BackendError(
                f"The collection {collection} has chunks of {serving.chunk_tokens} tokens that share "
                f"{serving.overlap_tokens}, but rag.{name} is set to {chosen}.",
                f"Cut it again with {command(collection, options)}, or leave rag.{name} out.",
            )


def server_of(settings: RagSettings) -> ChromaServer | None:
    """The Chroma server of the settings; None where the vectors are in a folder."""
    if not settings.chroma_url:
        return None
    return ChromaServer(
        settings.chroma_url,
        settings.chroma_allow_private,
        settings.chroma_api_key,
        tuple(settings.chroma_headers.items()),
        settings.chroma_withheld,
    )


_NOT_STORED = ("duplicate", "left out", "rejected")
"""What may become of a file that is not in the collection afterwards."""

__all__ = [
    "ChunkPreview",
    "CollectionInfo",
    "DocumentInfo",
    "Health",
    "Index",
    "IndexProgress",
    "StoredChunk",
    "collections",
]


class Index:
    """One collection of the library in `data/index`, with its vectors in Chroma there or at `settings.chroma_url`.

    Safe to use from several threads and processes. `data` is the data folder, `collection` any name. Every method
    raises `BackendError` for what is damaged, with the command that mends it.
    """

    def __init__(self, data: Path, collection: str, embedder: Embedder, settings: RagSettings) -> None:
        name = collection.encode("utf-8", "replace").decode()  # a terminal may give what is not UTF-8
        self.collection = normalised("NFC", name).strip()
        if not self.collection:
            raise BackendError("The collection has no name.", "Give it a name.")
        self.data = data = Path(data).resolve()
        self._embedder = embedder
        self._settings = settings
        self._database = open_database(data)
        self._library = Library(self._database, self.collection)
        server = server_of(settings)
        self._writer = Writer(data, server, self._library, self.collection)

    # --- what there is ------------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """Changes with every write of any process; "" if there is no such collection."""
        with self._faults():
            serving = self._library.serving()
        return serving.version if serving else ""

    def documents(self) -> list[DocumentInfo]:
        """Every document, by name."""
        with self._faults():
            return self._library.documents()

    def deleted(self) -> list[DocumentInfo]:
        """The documents that `restore` can bring back, by name."""
        with self._faults():
            return self._library.documents(deleted=True)

    def pages(self, document: str) -> tuple[Page, ...]:
        """The extracted text of a document. Raises `BackendError` if there is none of that name."""
        with self._faults():
            return self._library.pages(document)

    def chunks(self, documents: Sequence[str] | None = None) -> list[StoredChunk]:
        """The chunks of all documents or of these, in the order of names and places."""
        with self._faults():
            return self._library.chunks(documents)

    def rows(self, rows: Sequence[int]) -> dict[int, StoredChunk]:
        """Chunks by row; unknown rows are left out."""
        with self._faults():
            return self._library.rows(rows)

    def beginnings(self, characters: int) -> dict[str, str]:
        """How each document begins, by name."""
        with self._faults():
            return self._library.beginnings(characters)

    def numbers(self, documents: Sequence[str] | None = None) -> list[int]:
        """The rows of all documents or of these, ascending."""
        with self._faults():
            return self._library.numbers(documents)

    def vectors(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """The normalised vectors of these rows, shape (n, dimension). Raises `BackendError` for an unknown row."""
        with self._faults():
            return self._library.vectors(rows)

    def sentence_vectors(self, rows: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """By row, the normalised vectors of the sentences of those chunks that have them, shape (n, dimension)."""
        with self._faults():
            return sentence_vectors.stored(self._database, rows)

    def matrix(self) -> tuple[list[int], NDArray[np.float32]]:
        """All rows, ascending, and their normalised vectors, shape (n, dimension)."""
        with self._faults():
            return self._library.matrix()

    def count(self) -> int:
        """How many chunks there are."""
        with self._faults():
            return self._library.count()

    def chunk_settings(self) -> tuple[int, int]:
        """Tokens of a chunk and of the overlap: what the settings say explicitly, else what the collection has."""
        with self._faults():
            return chunk_settings(self._library.serving(), self._settings)

    def preview(
        self, chunk_tokens: int, overlap_tokens: int, document: str | None = None, most: int = PREVIEW_CHARACTERS
    ) -> ChunkPreview:
        """What other chunk settings would make of the stored text; the pieces of `document` (the first) are shown."""
        with self._faults():
            return preview(self._library, self._embedder.tokenizer, chunk_tokens, overlap_tokens, document, most)

    # --- searching ----------------------------------------------------------------------------------

    def nearest(
        self, vector: NDArray[np.float32], n: int, documents: Sequence[str] | None = None
    ) -> list[tuple[int, float]]:
        """Row and cosine similarity of the `n` chunks (of these documents) nearest to a vector, best first.

        Raises `BackendError` if the collection is empty or was made with another embedder.
        """
        with self._faults():
            while True:
                serving = self._fit()
                try:
                    return nearest(self._library, serving, self._writer.store(serving.store), vector, n, documents)
                except StoreFault:
                    if self._library.serving() == serving:
                        raise
                    # what was asked for has been replaced, or written to, in between

    def health(self) -> Health:
        """The state of the collection: stored vectors are looked up again. Quick; never raises for damage."""
        return examine(self._library, self.collection, self._embedder.identity, self._writer.store)

    def lacking(self) -> Lacking:
        """What was made by an earlier version and would be better if it were made again."""
        with self._faults():
            return update.lacking(self._library, self.collection)

    def check(self) -> None:
        """Raise `BackendError` if the collection cannot be searched."""
        if not (health := self.health()).ok:
            raise BackendError(health.sentence, health.next_step)

    # --- writing ------------------------------------------------------------------------------------

    def add(
        self,
        paths: Iterable[Path | str | Source],
        cancel: threading.Event,
        turn: Turn | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> Iterator[IndexProgress]:
        """Index files and folders; unchanged files are skipped. Cancelling keeps the files that are finished.

        Each step of work runs inside `with turn():`. `now_ns` is Unix time in nanoseconds: files that changed just
        before it are compared by content. Raises `BackendError` when a path does not exist, another
        process is indexing, the chunks are too long for the embedder, or the collection was made otherwise.
        """
        turn = turn or nullcontext
        with writing(self.data), self._faults(), suppress(Cancelled):
            self._writer.remove_unused()
            self._begin()
            try:
                self._writer.repair(turn)
            except StoreFault:
                for step in rebuild(self._writer, cancel, turn):
                    yield IndexProgress(0, 0, 0, "", "rebuilding", f"building the vectors again, {step.detail}")
            ingest = Ingest(self._writer, self._embedder, self._settings.max_file_mb, cancel, now_ns)
            yield from self._with_sentences(ingest.run(paths, turn), cancel, turn, everything=False)

    def update(self, cancel: threading.Event, turn: Turn | None = None) -> Iterator[IndexProgress]:
        """Bring up to date what an earlier version has made: see `lacking`. Cancelling keeps what is finished.

        Raises `BackendError` as `add` does.
        """
        turn = turn or nullcontext
        with writing(self.data), self._faults(), suppress(Cancelled):
            self._fit()
            self._writer.remove_unused()
            self._writer.repair(turn)
            lacking = update.lacking(self._library, self.collection)
            ingest = Ingest(self._writer, self._embedder, self._settings.max_file_mb, cancel)
            names = {*lacking.recut, *(source.name for source in lacking.again)}
            stored = [one for one in self._library.documents() if one.name in names]
            steps = ingest.update(lacking.again, stored, turn) if stored else iter(())
            yield from self._with_sentences(steps, cancel, turn, everything=True)

    def _with_sentences(
        self, steps: Iterator[IndexProgress], cancel: threading.Event, turn: Turn, *, everything: bool
    ) -> Iterator[IndexProgress]:
        """These steps, then the vectors of the sentences of their documents, or of every document."""
        step = IndexProgress(0, 0, 0, "", "sentences")
        names: list[str] = []
        for step in steps:
            if step.file and step.state not in _NOT_STORED:
                names.append(step.file)
            yield step
        made = sentence_vectors.make(
            self._library, self.collection, self._embedder, None if everything else names, cancel, turn
        )
        files = step.files_total
        for done, total in made:
            yield IndexProgress(files, files, done, "", "sentences", chunks_known=total, share=1.0)

    def delete(self, document: str) -> None:
        """Delete a document; `restore` undoes it until the name is indexed again. Raises `BackendError` for no such."""
        with writing(self.data), self._faults():
            self._existing(document)
            self._writer.delete(document)

    def restore(self, document: str) -> None:
        """Bring a deleted document back. Raises `BackendError` if there is none of that name."""
        with writing(self.data), self._faults():
            self._existing(document)
            self._writer.restore(document)

    def purge(self) -> None:
        """Forget the deleted documents for good."""
        with writing(self.data), self._faults():
            if self._library.serving():
                self._writer.purge()

    def drop(self) -> None:
        """Delete the collection; if the library itself is damaged, all collections go with it."""
        with writing(self.data), self._faults():
            try:
                self._writer.drop()
            except LibraryFault:
                self._database.set_aside()
            self._writer.remove_unused()

    def rebuild(self, cancel: threading.Event, turn: Turn | None = None) -> Iterator[Progress[None]]:
        """Build the vectors in Chroma again from what is stored. The old ones serve until the new are complete."""
        with writing(self.data), self._faults(), suppress(Cancelled):
            self._fit()
            self._writer.remove_unused()
            yield from rebuild(self._writer, cancel, turn or nullcontext)

    def rechunk(
        self, chunk_tokens: int, overlap_tokens: int, cancel: threading.Event, turn: Turn | None = None
    ) -> Iterator[Progress[None]]:
        """Cut and embed the stored text again, with this embedder. The old chunks serve until the new are complete."""
        check_chunk_size(self._embedder, chunk_tokens)
        with writing(self.data), self._faults(), suppress(Cancelled):
            if not self._library.count():
                raise _fault(self.health())
            self._writer.remove_unused()
            run = Rechunk(self._writer, self._embedder, chunk_tokens, overlap_tokens, cancel)
            yield from run.run(turn or nullcontext)
            made = sentence_vectors.make(
                self._library, self.collection, self._embedder, None, cancel, turn or nullcontext
            )
            for done, total in made:
                yield Progress(done, total, f"searched from now on; sentences of {done:,} of {counted(total, 'chunk')}")

    # --- checks -------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """The collection is made if need be. Raises `BackendError` if it was made otherwise than is asked for now."""
        chosen = self._settings
        serving = self._library.serving()
        if serving is None or not (self._library.documents() or self._library.documents(deleted=True)):
            check_chunk_size(self._embedder, chosen.chunk_tokens)
            self._writer.begin(self._embedder.identity, chosen.chunk_tokens, chosen.overlap_tokens)
            return
        if serving.embedder != self._embedder.identity:
            raise _fault(other_embedder(self.collection, serving.embedder, self._embedder.identity))
        check_chunk_settings(self.collection, serving, chosen)

    def _fit(self) -> Serving:
        """What serves the collection, fit to be searched with this embedder."""
        serving = self._library.serving()
        if serving is None or not self._library.has_chunks():
            raise _fault(self.health())
        if serving.embedder != self._embedder.identity:
            raise _fault(other_embedder(self.collection, serving.embedder, self._embedder.identity))
        return serving

    def _existing(self, document: str) -> None:
        if self._library.serving() is None:
            raise no_document(document, self.collection)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Faults of library and store, with the name and the command that the user knows."""
        try:
            yield
        except (LibraryFault, StoreFault) as fault:
            raise _fault(from_fault(self.collection, fault)) from fault


def _fault(health: Health) -> BackendError:
    return BackendError(health.sentence, health.next_step)
