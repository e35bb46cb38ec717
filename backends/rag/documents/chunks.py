"""A document becomes chunks: sized in the embedder's tokens, with exact offsets and the headings above them."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from backends.errors import BackendError
from backends.matching import readable
from backends.rag.documents.files import Document
from backends.rag.documents.formats import MARKDOWN_LIKE
from backends.rag.documents.headings import heading_at, headings, unwrapped
from backends.rag.documents.tables import columns_in_words, head_at, join_heading, parts_of, table_heads
from backends.run.lane import Cancelled

if TYPE_CHECKING:
    from semantic_text_splitter import MarkdownSplitter, TextSplitter
    from tokenizers import Tokenizer

CHUNKS_VERSION = 1
"""Of what `chunk` makes of a text: raised when the same text gives other chunks or other headings."""

CONTEXT_TOKENS = 48
"""Room for file name and headings in front of a chunk when it is embedded."""

SPECIAL_TOKENS = 2
"""Tokens that the embedder puts around a text."""

_LONGEST_TOKEN = 12
"""Characters per token beyond which a chunk is cut anyway: WordPiece counts any word over 100 characters as one."""

_LONGEST_LINE = 4_000
"""Characters of a line beyond which it is parted before it is cut: the time of a cut grows faster than a line."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: `document.text[start:end] == text`, offsets in characters.

    `sha256` is that of the document's file; `heading` the path of headings above the start of the
    chunk ("Returns > Exchanges"), or "". Below it, in lines of their own, stand the head rows of the table in the
    middle of which the chunk starts (`tables.parts_of`).
    """

    chunk_id: str
    document: str
    page: int | None
    start: int
    end: int
    text: str
    sha256: str
    heading: str

    @property
    def searched_text(self) -> str:
        """What is embedded and searched by keyword: file name and headings, then the text."""
        return f"{self.context}\n{self.text}"

    @property
    def context(self) -> str:
        """File name in words, and the headings."""
        return context_of(self.document, self.heading)


def context_of(document: str, heading: str) -> str:
    """A file name in words, and the headings above a place."""
    title = re.sub(r"[-_.\s]+", " ", PurePosixPath(document).stem).strip()
    path, head = parts_of(heading)
    above = " > ".join(filter(None, (path, columns_in_words(head))))
    return f"{title}: {above}" if above else title


def chunk(
    document: Document,
    tokenizer: Tokenizer,
    chunk_tokens: int,
    overlap_tokens: int,
    cancel: threading.Event | None = None,
) -> list[Chunk]:
    """Cut a document into chunks of at most `chunk_tokens` tokens that share about `overlap_tokens`.

    A chunk never crosses a page. `tokenizer` is the embedder's, without truncation or padding.
    Raises `BackendError` if the overlap is not smaller than the chunk, `Cancelled` once `cancel` is set.
    """
    if overlap_tokens >= chunk_tokens:
        raise BackendError(
            f"The overlap of {overlap_tokens} tokens is not smaller than a chunk of {chunk_tokens} tokens.",
            "Lower rag.overlap_tokens or raise rag.chunk_tokens.",
        )
    splitter = _splitter(document.format in MARKDOWN_LIKE, tokenizer, chunk_tokens, overlap_tokens)
    settings = f"{chunk_tokens}/{overlap_tokens}"
    chunks = []
    above = headings([page.text for page in document.pages], document.format)
    for page, found in zip(document.pages, above, strict=True):
        tables = table_heads(page.text, document.format)
        for offset, text in pieces(splitter, tokenizer, unwrapped(page.text, document.format), chunk_tokens):
            if cancel is not None and cancel.is_set():
                raise Cancelled
            start = page.start + offset
            end = start + len(text)
            text = page.text[offset : offset + len(text)]
            key = f"{document.sha256} {start} {end} {settings}"
            chunk_id = hashlib.sha256(key.encode()).hexdigest()[:12]
            heading = join_heading(heading_at(found, offset), head_at(tables, offset))
            chunks.append(Chunk(chunk_id, document.name, page.page, start, end, text, document.sha256, heading))
    return chunks


def embedded_texts(chunks: Sequence[Chunk], tokenizer: Tokenizer) -> list[str]:
    """What is embedded for each chunk: file name and headings, cut to `CONTEXT_TOKENS` tokens, then the text."""
    texts = []
    for one in chunks:
        context = _shortened(one, tokenizer)
        text = f"{context}\n{one.text}"
        if (read := readable(text)) != text and _count(read, tokenizer) <= _room(text, context, tokenizer):
            text = read
        texts.append(text)
    return texts


def _shortened(one: Chunk, tokenizer: Tokenizer) -> str:
    """The context of a chunk in `CONTEXT_TOKENS` tokens. If that is not enough, columns say more than headings."""
    context = one.context
    tokens = tokenizer.encode(context, add_special_tokens=False).offsets
    path, head = parts_of(one.heading)
    if len(tokens) > CONTEXT_TOKENS and path and head:
        context = context_of(one.document, join_heading("", head))
        tokens = tokenizer.encode(context, add_special_tokens=False).offsets
    return context if len(tokens) <= CONTEXT_TOKENS else context[: tokens[CONTEXT_TOKENS - 1][1]]


def _room(text: str, context: str, tokenizer: Tokenizer) -> int:
    """How many tokens the text may have at most, since the context did not take all of its own."""
    return _count(text, tokenizer) + CONTEXT_TOKENS - min(_count(context, tokenizer), CONTEXT_TOKENS)


def _count(text: str, tokenizer: Tokenizer) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False))


@lru_cache(maxsize=4)
def _splitter(markdown: bool, tokenizer: Tokenizer, size: int, overlap: int) -> TextSplitter | MarkdownSplitter:
    """Kept, because making one copies the tokenizer, which takes 30 ms."""
    from semantic_text_splitter import MarkdownSplitter, TextSplitter

    kind = MarkdownSplitter if markdown else TextSplitter
    return kind.from_huggingface_tokenizer(tokenizer, size, overlap=overlap)


def pieces(
    splitter: TextSplitter | MarkdownSplitter, tokenizer: Tokenizer, text: str, size: int
) -> Iterator[tuple[int, str]]:
    """Offset and text of each piece of at most `size` tokens and `size * _LONGEST_TOKEN` characters."""
    for begin, part in _parts(text):
        for offset, piece in splitter.chunk_indices(part):
            if len(piece) <= size * _LONGEST_TOKEN:
                yield begin + offset, piece
            else:
                yield from _halves(begin + offset, piece, tokenizer, size)


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Offset and text of the parts that are cut by themselves: all of it, unless lines are very long."""
    begin = place = 0
    for line in text.splitlines(keepends=True):
        end = place + len(line)
        while end - place > _LONGEST_LINE:
            space = text.rfind(" ", place + _LONGEST_LINE // 2, place + _LONGEST_LINE)
            place = space + 1 if space >= 0 else place + _LONGEST_LINE
            yield begin, text[begin:place]
            begin = place
        place = end
    yield begin, text[begin:]


def _halves(offset: int, text: str, tokenizer: Tokenizer, size: int) -> Iterator[tuple[int, str]]:
    if len(text) <= size * _LONGEST_TOKEN and len(tokenizer.encode(text, add_special_tokens=False)) <= size:
        if text.strip():
            yield offset, text
        return
    middle = len(text) // 2
    yield from _halves(offset, text[:middle], tokenizer, size)
    yield from _halves(offset + middle, text[middle:], tokenizer, size)
