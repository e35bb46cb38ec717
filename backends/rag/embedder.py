"""The model that turns text into vectors, in process."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backends.base import BackendError
from backends.engines import inference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

BATCH_SIZE = 32
"""Texts per forward pass."""


class Embedder:
    """A sentence-transformers model from a local folder, loaded on first use; safe to use from several threads.

    `identity` names the weights (model id and revision or checksum): vectors of different identities do not mix.
    """

    def __init__(self, weights_folder: Path, device: str = "auto", identity: str = "") -> None:
        self._folder = Path(weights_folder)
        self._device = None if device == "auto" else device
        self.identity = identity or self._folder.name
        self._lock = threading.RLock()
        self._model: SentenceTransformer | None = None
        self._tokenizer: Tokenizer | None = None

    @property
    def loaded(self) -> bool:
        """Whether the weights are in memory already."""
        return self._model is not None

    def load(self) -> SentenceTransformer:
        """The model, read from disk the first time. Raises `BackendError` if the folder cannot be loaded."""
        with self._lock:
            if self._model is None:
                from sentence_transformers import SentenceTransformer
                from transformers.utils import logging

                logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
                try:
                    self._model = inference.run(
                        SentenceTransformer,
                        str(self._folder),
                        device=self._device,
                        local_files_only=True,
                        trust_remote_code=False,
                        model_kwargs={"use_safetensors": True},
                    )
                except (OSError, ValueError, KeyError, RuntimeError) as error:
                    raise BackendError(
                        f"The embedder {self.identity} cannot be loaded: {str(error).splitlines()[0]}.",
                        "Choose another one with rag.embedder, or fetch it again.",
                    ) from error
            return self._model

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer, without truncation and padding, for counting tokens."""
        with self._lock:
            if self._tokenizer is None:
                from tokenizers import Tokenizer

                file = self._folder / "tokenizer.json"
                text = file.read_text("utf-8") if file.exists() else self.load().tokenizer.backend_tokenizer.to_str()
                self._tokenizer = Tokenizer.from_str(text)
                self._tokenizer.no_truncation()
                self._tokenizer.no_padding()
            return self._tokenizer

    @property
    def max_tokens(self) -> int:
        """Tokens that one text may have; the model does not read what is beyond."""
        try:
            config = json.loads((self._folder / "sentence_bert_config.json").read_text("utf-8"))
            return int(config["max_seq_length"])
        except (OSError, ValueError, KeyError, TypeError):
            return int(self.load().get_max_seq_length() or 512)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.load().get_embedding_dimension() or 0)

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Normalised vectors, shape (n, dimension)."""
        import numpy as np

        with self._lock:
            if not texts:
                return np.zeros((0, self.dimension), dtype=np.float32)
            vectors = inference.run(
                self.load().encode_document,
                list(texts),
                batch_size=BATCH_SIZE,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return np.asarray(vectors, dtype=np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The normalised vector of a question, shape (dimension,)."""
        import numpy as np

        with self._lock:
            vector = inference.run(self.load().encode_query, text, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vector, dtype=np.float32)
