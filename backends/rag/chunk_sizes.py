"""How large chunks are: what the embedder can read, what a collection has, what the settings ask for."""

from __future__ import annotations

from backends.base import BackendError
from backends.rag.chunks import CONTEXT_TOKENS, SPECIAL_TOKENS
from backends.rag.embedder import Embedder
from backends.rag.health import command
from backends.rag.library import Serving
from backends.settings import RagSettings


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
            words = f"--rechunk --set rag.{name}={chosen}"
            raise BackendError(
                f"The collection {collection} has chunks of {serving.chunk_tokens} tokens that share "
                f"{serving.overlap_tokens}, but rag.{name} is set to {chosen}.",
                f"Cut it again with {command(collection, words)}, or leave rag.{name} out.",
            )
