"""What other chunk settings would make of a collection, before anything is embedded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.rag.chunks import Chunk, chunk
from backends.rag.documents import Document
from backends.rag.library import Library

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CHARACTERS = 300_000
"""How much text is cut for a preview at most, about 2 s of work. Beyond, the number of chunks is estimated."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk of the document that is shown: offsets in its text, and length in tokens."""

    start: int
    end: int
    page: int | None
    heading: str
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class ChunkPreview:
    """The effect of chunk settings. `tokens` has the length of each chunk that was made, in tokens.

    `chunks` is how many the collection would have: counted if `exact`, else estimated from the documents that were
    cut. `pieces` are those of `document`.
    """

    chunk_tokens: int
    overlap_tokens: int
    chunks: int
    exact: bool
    tokens: list[int]
    document: str
    pieces: tuple[Piece, ...]


def preview(
    library: Library, tokenizer: Tokenizer, chunk_tokens: int, overlap_tokens: int, document: str | None
) -> ChunkPreview:
    """Cut the stored text of as many documents as is quick, beginning with the one to be shown (the first by name)."""
    documents = library.documents()
    documents.sort(key=lambda one: one.name != document)
    tokens: list[int] = []
    pieces: tuple[Piece, ...] = ()
    cut = 0
    for one in documents:
        if cut and cut + one.characters > _CHARACTERS:
            continue
        text = Document(one.name, one.sha256, one.format, library.pages(one.name))
        chunks = chunk(text, tokenizer, chunk_tokens, overlap_tokens)
        lengths = [
            len(encoded) for encoded in tokenizer.encode_batch([c.text for c in chunks], add_special_tokens=False)
        ]
        if not cut:
            pieces = tuple(map(_piece, chunks, lengths))
        tokens += lengths
        cut += one.characters
    total = sum(one.characters for one in documents)
    exact = cut == total
    number = len(tokens) if exact else round(len(tokens) * total / max(cut, 1))
    return ChunkPreview(
        chunk_tokens, overlap_tokens, number, exact, tokens, documents[0].name if documents else "", pieces
    )


def _piece(one: Chunk, tokens: int) -> Piece:
    return Piece(one.start, one.end, one.page, one.heading, one.text, tokens)
