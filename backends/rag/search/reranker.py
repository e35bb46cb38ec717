"""The cross-encoder that reads question and passage together and puts the best candidates in order."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backends.errors import BackendError, is_out_of_memory, too_little_memory
from backends.models import inference
from backends.models.weights import resolve
from backends.storage import strict_json

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

BATCH_SIZE = 16
"""Pairs of question and passage per forward pass."""

_LONGEST = 512
"""Tokens of a pair that are read at most, whatever the model could."""

_CHARACTERS = 8_000
"""A passage is cut to this many characters before its tokens are counted."""

_VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
"""Files of which a tokenizer needs one. Without any, transformers makes one that knows no word, and says nothing."""

_rerankers: dict[tuple[str, Path, str | None], Reranker] = {}
_rerankers_lock = threading.Lock()


def open_reranker(model_id: str, data: Path, device: str | None = None) -> Reranker:
    """The one reranker of this process for a Hub id or a local folder; its weights are fetched on first use."""
    key = (model_id, Path(data).resolve(), device)
    with _rerankers_lock:
        if key not in _rerankers:
            _rerankers[key] = Reranker(model_id, data, device)
        return _rerankers[key]


class Reranker:
    """A sentence-transformers `CrossEncoder`, loaded on first use; safe to use from several threads.

    `device` is where it computes; None leaves it to torch.
    """

    def __init__(self, model_id: str, data: Path, device: str | None = None) -> None:
        self.name = model_id
        self._data = data
        self._device = device
        self._lock = threading.Lock()
        self._model: CrossEncoder | None = None

    @property
    def loaded(self) -> bool:
        """Whether the weights are in memory already."""
        return self._model is not None

    def load(self) -> CrossEncoder:
        """The model, fetched and read the first time. Raises `BackendError` if it cannot be had or is none."""
        with self._lock:
            if self._model is None:
                folder = resolve(self.name, self._data).folder
                _check_kind(self.name, folder)
                self._model = self._read(folder)
            return self._model

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query; higher is better, the scale is the model's own.

        No text can make this fail: too much of it is left out, and one without a finite score goes last.
        """
        pairs = [(_plain(query), _plain(text)) for text in texts]
        model = self.load()
        if not pairs:
            return []
        found = inference.run(model.predict, pairs, batch_size=BATCH_SIZE, show_progress_bar=False)
        scores = [float(score) for score in found]
        worst = min((score for score in scores if math.isfinite(score)), default=0.0)
        return [score if math.isfinite(score) else worst - 1.0 for score in scores]

    def _read(self, folder: Path) -> CrossEncoder:
        from sentence_transformers import CrossEncoder
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
        try:
            model: CrossEncoder = inference.run(
                CrossEncoder,
                str(folder),
                device=self._device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        except Exception as error:  # safetensors has exceptions of its own
            if is_out_of_memory(error):
                raise too_little_memory(f"the reranker {self.name}") from error
            raise BackendError(
                f"The reranker {self.name} cannot be loaded: {(str(error).splitlines() or [type(error).__name__])[0]}.",
                "Choose another one with rag.reranker, or fetch it again.",
            ) from error
        model.max_seq_length = min(model.max_seq_length or _LONGEST, _LONGEST)
        return model


def _check_kind(name: str, folder: Path) -> None:
    """Refuse what is no cross-encoder with one score: loaded as one, it would get random numbers for a head."""
    try:
        config = strict_json.an_object((folder / "config.json").read_bytes())
        kinds = list(config.get("architectures") or [])
        labels = len(config.get("id2label") or {"0": ""})
    except (OSError, ValueError, TypeError):
        raise BackendError(f"config.json of the reranker {name} cannot be read.", "Fetch it again.") from None
    if not any("ForSequenceClassification" in str(kind) for kind in kinds) or labels != 1:
        raise BackendError(
            f"{name} is no cross-encoder with one score.",
            "Set rag.reranker to one, for example cross-encoder/ms-marco-MiniLM-L6-v2.",
        )
    if not any((folder / file).exists() for file in _VOCABULARIES):
        raise BackendError(f"The reranker {name} has no tokenizer.", "Put its tokenizer.json beside the weights.")


def _plain(text: str) -> str:
    return text[:_CHARACTERS].encode("utf-8", "replace").decode()
