"""Vectors that are kept in a file, so that ways of ranking can be compared in seconds. No time is measured with it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from backends.rag.search.embedder import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RememberingEmbedder:
    """An embedder that looks a question or sentence up before it embeds it, and is the given one in all else.

    `save` writes what is new. The file is that of the embedder's identity; a text it was not asked for stays in it.
    """

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        import numpy as np

        self._embedder = embedder
        name = hashlib.sha256(embedder.identity.encode()).hexdigest()[:16]
        self._file = folder / "bench-vectors" / f"{name}.npz"
        self._known: dict[str, NDArray[np.float32]] = {}
        if self._file.exists():
            with np.load(self._file, allow_pickle=False) as stored:
                self._known = dict(zip(stored["texts"].tolist(), stored["vectors"], strict=True))
        self._stored = len(self._known)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder`."""
        key = f"query {text}"
        if key not in self._known:
            self._known[key] = self._embedder.embed_query(text)
        return self._known[key]

    def embed_sentences(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Normalised vectors of sentences, shape (n, dimension)."""
        import numpy as np

        keys = [f"document {text}" for text in texts]
        new = [text for text, key in zip(texts, keys, strict=True) if key not in self._known]
        for text, vector in zip(new, self._embedder.embed_documents(new), strict=True) if new else ():
            self._known[f"document {text}"] = vector
        return np.stack([self._known[key] for key in keys])

    def save(self) -> None:
        """Write the file, if there is anything new."""
        import numpy as np

        if len(self._known) > self._stored:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self._file, texts=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
            self._stored = len(self._known)


def as_embedder(remembered: RememberingEmbedder) -> Embedder:
    """For what takes an embedder: it asks for nothing that this one does not pass on."""
    return cast("Embedder", remembered)
