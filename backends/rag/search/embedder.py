"""The model that turns text into vectors, in process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from backends.errors import BackendError, is_out_of_memory, too_little_memory
from backends.models import inference
from backends.models.model_files import check_model_files
from backends.run.lane import Cancelled
from backends.settings import DEFAULT_EMBEDDER
from backends.storage import strict_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    from backends.rag.search.passes import Passes

BATCH_SIZE = 64
"""How many texts `embed_documents` should be given at once: enough to find neighbours of equal length among them,
few enough that other work for the inference thread waits for about half a second at most."""

_PASS_TOKENS = 512
"""Tokens per forward pass on a processor: what a core computes stays in its cache."""

INT8_WITHOUT_LOSS = frozenset({DEFAULT_EMBEDDER})
"""Embedders that find as much with 8-bit layers for documents as without, questions staying exact: measured by
`python -m benchmarks int8_loss`, figures in docs/measurements.md."""

_SENTENCES_KEPT = 10_000
"""Vectors of sentences that are kept in memory: 15 MB with the default embedder."""

_LENGTHS = "sentence_bert_config.json"


class Embedder:
    """A sentence-transformers model from a local folder, loaded on first use; safe to use from several threads.

    `identity` names the weights (model id and revision or checksum): vectors of different identities do not mix. With
    `int8`, documents are embedded with 8-bit layers on processors that are fast at it; the identity says so, on every
    machine, because such vectors mix with exact ones of the same weights.
    """

    device: str | None = None
    """Where it computes; None leaves it to torch. The reranker computes there too."""

    def __init__(self, weights_folder: Path, device: str = "auto", identity: str = "", int8: bool = False) -> None:
        self._folder = Path(weights_folder)
        self.device = None if device == "auto" else device
        self.identity = (identity or self._folder.name) + (" int8" if int8 else "")
        self._int8 = int8
        self._lock = threading.RLock()
        self._model: SentenceTransformer | None = None
        self._passes: Passes | None = None
        self._tokenizer: Tokenizer | None = None
        self._sentences: dict[str, NDArray[np.float32]] = {}

    @property
    def loaded(self) -> bool:
        """Whether the weights are in memory already."""
        return self._model is not None

    def load(self) -> SentenceTransformer:
        """The model, read from disk the first time. Raises `BackendError` if the folder cannot be loaded."""
        with self._lock:
            if self._model is None:
                check_model_files(self._folder)
                try:
                    self._model = inference.run(self._read)
                except (OSError, ValueError, KeyError, RuntimeError, MemoryError) as error:
                    if is_out_of_memory(error):
                        raise too_little_memory(f"the embedder {self.identity}") from error
                    raise BackendError(
                        f"The embedder {self.identity} cannot be loaded: {str(error).splitlines()[0]}.",
                        "Choose another one with rag.embedder, or fetch it again.",
                    ) from error
            return self._model

    def _read(self) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
        logging.set_verbosity_error()  # type: ignore[no-untyped-call,unused-ignore]  # a report of unused weights
        model = SentenceTransformer(
            str(self._folder),
            device=self.device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        if model.device.type != "cpu":  # loading a GPU's kernels is part of loading, and not of the first search
            for text in ("a", "a question of a few words", "a longer one " * 20):
                model.encode_query(text, show_progress_bar=False)
        return model

    def _load_passes(self) -> Passes:
        model = self.load()
        with self._lock:
            if self._passes is None:
                self._passes = inference.run(_make_passes, model, self._int8)
            return self._passes

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
        """Tokens that one text may have; the model does not read what is beyond.

        Raises `BackendError` if the model's file says no such number.
        """
        try:
            told = strict_json.an_object((self._folder / _LENGTHS).read_bytes()).get("max_seq_length")
        except FileNotFoundError:
            told = None
        except (OSError, ValueError):
            told = 0
        if told is None:
            return int(self.load().get_max_seq_length() or 512)
        if not isinstance(told, int) or told < 1:
            raise BackendError(
                f"{_LENGTHS} of the embedder {self.identity} is damaged.",
                "Choose another one with rag.embedder, or fetch it again.",
            )
        return told

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.load().get_embedding_dimension() or 0)

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Normalised vectors, shape (n, dimension)."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        passes = self._load_passes()
        batches = self._batches(texts, passes.at_once) if passes.on_processor else _slices(len(texts))
        parts = inference.run(passes.run, [[texts[place] for place in places] for places in batches])
        vectors = np.empty((len(texts), parts[0].shape[1]), dtype=np.float32)
        for places, part in zip(batches, parts, strict=True):
            vectors[places] = part
        return vectors

    def embed_sentences(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Like `embed_documents`; those that were embedded lately are not embedded again."""
        import numpy as np

        with self._lock:
            known = {text: self._sentences[text] for text in texts if text in self._sentences}
        fresh = [text for text in dict.fromkeys(texts) if text not in known]
        known |= dict(zip(fresh, self.embed_documents(fresh), strict=True)) if fresh else {}
        with self._lock:
            for text in fresh:
                self._sentences[text] = known[text]
            for text in list(self._sentences)[: max(0, len(self._sentences) - _SENTENCES_KEPT)]:
                del self._sentences[text]
        return np.stack([known[text] for text in texts]) if texts else self.embed_documents([])

    def _batches(self, texts: Sequence[str], at_once: int) -> list[list[int]]:
        """Which texts go through the model together: those with about as many tokens, so that little is padded."""
        limit = self.max_tokens
        lengths = [max(1, min(len(one), limit)) for one in self.tokenizer.encode_batch_fast(list(texts))]
        order = sorted(range(len(texts)), key=lambda place: -lengths[place])
        tokens = min(_PASS_TOKENS, sum(lengths) // at_once)
        batches = []
        while order:
            count = max(1, round(tokens / lengths[order[0]]))
            batches.append(order[:count])
            order = order[count:]
        return batches

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The normalised vector of a question, shape (dimension,)."""
        import numpy as np

        model = self.load()
        vector = inference.run(model.encode_query, text, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vector, dtype=np.float32)


def _make_passes(model: SentenceTransformer, int8: bool) -> Passes:
    from backends.rag.search.passes import Passes

    return Passes(model, int8)


def _slices(count: int) -> list[list[int]]:
    """Batches for a GPU, in the order given."""
    return [list(range(start, min(start + BATCH_SIZE, count))) for start in range(0, count, BATCH_SIZE)]


Turn = Callable[[], AbstractContextManager[object]]
"""Gives the right to use the machine for one step of work, so that questions are answered between steps."""

WINDOW = 512
"""Chunks that are embedded together, from as many files as it takes: sorted by length, padded little."""


def embed(
    texts: Sequence[str], embedder: Embedder, cancel: threading.Event, turn: Turn
) -> Generator[int, None, NDArray[np.float32]]:
    """Yields after each batch how many texts are done; returns the vectors, shape (n, dimension).

    Raises `Cancelled`.
    """
    import numpy as np

    if not texts:
        return np.zeros((0, 0), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    parts = []
    for start in range(0, len(order), BATCH_SIZE):
        if cancel.is_set():
            raise Cancelled
        with turn():
            parts.append(embedder.embed_documents([texts[place] for place in order[start : start + BATCH_SIZE]]))
        yield min(start + BATCH_SIZE, len(order))
    vectors = np.empty((len(order), parts[0].shape[1]), dtype=np.float32)
    vectors[order] = np.concatenate(parts)
    return vectors
