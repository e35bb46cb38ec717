"""A question that is longer than the embedder reads, in pieces that it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backends.matching import matchable
from backends.rag.evidence.sentences import sentences
from backends.rag.search.embedder import Embedder

MOST = 24
"""Pieces of a question that are searched for; each takes about as long as a question of its own."""

_ROOM = 16
"""Tokens left for what the embedder puts around a question."""

_SHORT = 400
"""Up to so many characters no text has more tokens than any embedder reads, but for what is not language."""

_ASKS = re.compile(r"[?\uff1f\u061f]['\")\]\u201d\u2019]*$")


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces, what asks first. `unread`: characters of the question that are in none of them."""

    texts: tuple[str, ...]
    unread: int = 0


def query_pieces(query: str, embedder: Embedder) -> Pieces:
    """The question as it is, if the embedder reads all of it.

    Else every sentence that ends with a question mark is a piece of its own, since that is what is asked; the others
    go together as far as they fit, the last of them first. A sentence that was said already is left out.
    """
    limit = max(1, embedder.max_tokens - _ROOM)
    if len(query) <= min(_SHORT, limit) or _tokens(query, embedder) <= limit:
        return Pieces((query,))
    asking: list[str] = []
    telling: list[str] = []
    seen: set[str] = set()
    for start, end in sentences(query):
        for text in _cut(query[start:end], limit, embedder):
            if (same := matchable(text)) and same not in seen:
                seen.add(same)
                (asking if _ASKS.search(text) else telling).append(text)
    texts = [*asking, *reversed(list(_together(telling, limit, embedder)))] or [query[:_SHORT]]
    return Pieces(tuple(texts[:MOST]), sum(map(len, texts[MOST:])))


def _tokens(text: str, embedder: Embedder) -> int:
    return len(embedder.tokenizer.encode(text, add_special_tokens=False))


def _cut(text: str, limit: int, embedder: Embedder) -> Iterator[str]:
    """The text, or parts of it that have no more tokens than `limit`."""
    offsets = embedder.tokenizer.encode(text, add_special_tokens=False).offsets
    if len(offsets) <= limit:
        yield text
        return
    for first in range(0, len(offsets), limit):
        part = offsets[first : first + limit]
        yield text[part[0][0] : part[-1][1]]


def _together(texts: list[str], limit: int, embedder: Embedder) -> Iterator[str]:
    """Sentences that follow each other, as many in a piece as fit."""
    piece, size = "", 0
    for text in texts:
        more = _tokens(text, embedder)
        if piece and size + more > limit:
            yield piece
            piece, size = "", 0
        piece, size = f"{piece} {text}".strip(), size + more
    if piece:
        yield piece
