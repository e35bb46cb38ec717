"""The judge: how likely a sentence answers a question, both read together by one small network.

Similarity says what a sentence is about; whether it answers is another matter: "dogs pay 3 euros" is about the fare of
a dog and says nothing of a cat's. The network is the default embedder's with low-rank adapters that were trained on
exercises (`python -m benchmarks.train_judge`); what it is worth stands in docs/measurements.md.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.errors import BackendError, is_out_of_memory, too_little_memory
from backends.models import inference
from backends.models.weights import resolve
from backends.settings import DEFAULT_EMBEDDER

if TYPE_CHECKING:
    from backends.rag.search.judge_network import Head

WEIGHTS = Path(__file__).resolve().parents[3] / "sample_docs" / "judge" / "judge.safetensors"
LONGEST = 128
"""Tokens of question and sentence together; of a longer pair the end of the sentence is not read."""

_CHARACTERS = 2_000
"""Of a question and of a sentence, before its tokens are counted."""

_judges: dict[tuple[Path, str | None], Judge] = {}
_judges_lock = threading.Lock()


def open_judge(data: Path, device: str | None = None) -> Judge:
    """The one judge of this process for a data folder and a device (None: torch's choice); read on first use."""
    key = (Path(data).resolve(), device)
    with _judges_lock:
        if key not in _judges:
            _judges[key] = Judge(data, device)
        return _judges[key]


class Judge:
    """Reads questions with sentences; safe to use from several threads."""

    def __init__(self, data: Path, device: str | None = None) -> None:
        self._data = data
        self._device = device
        self._lock = threading.Lock()
        self._network: tuple[Any, Any, Head] | None = None

    @property
    def loaded(self) -> bool:
        """Whether the weights are in memory already."""
        return self._network is not None

    def load(self) -> None:
        """Read the weights the first time. Raises `BackendError` if they cannot be had."""
        with self._lock:
            if self._network is None:
                folder = resolve(DEFAULT_EMBEDDER, self._data).folder
                try:
                    self._network = inference.run(_read, folder, self._device)
                except Exception as error:  # safetensors has exceptions of its own
                    if is_out_of_memory(error):
                        raise too_little_memory("the judge of sentences") from error
                    raise BackendError(
                        f"The judge of sentences cannot be loaded: {(str(error).splitlines() or [''])[0]}.",
                        "Install Crossroads again, or set rag.judge to false.",
                    ) from error

    def odds(self, question: str, texts: Sequence[str]) -> list[float]:
        """For each text the log-odds that it answers the question: 0 is even. Raises `BackendError` as `load` does."""
        if not texts:
            return []
        self.load()
        assert self._network is not None
        return inference.run(_log_odds, *self._network, _plain(question), [_plain(text) for text in texts])


def _read(folder: Path, device: str | None) -> tuple[Any, Any, Head]:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    from backends.rag.search.judge_network import Head, merge

    learned = load_file(WEIGHTS)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    model: Any = AutoModel.from_pretrained(
        str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True, add_pooling_layer=False
    )
    merge(model, learned)
    head = Head(model.config.hidden_size)
    head.load_state_dict({name.removeprefix("head."): one for name, one in learned.items() if name.startswith("head.")})
    where = torch.device(device) if device else torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(where).eval()
    return tokenizer, model, head.to(where).eval()


def _log_odds(tokenizer: Any, model: Any, head: Head, question: str, texts: Sequence[str]) -> list[float]:
    import torch

    tokens = tokenizer(
        [question] * len(texts), list(texts), padding=True, truncation="longest_first", max_length=LONGEST,
        return_tensors="pt",
    ).to(model.device)  # fmt: skip
    with torch.inference_mode():
        return head(model(**tokens).last_hidden_state, tokens["attention_mask"]).tolist()


def _plain(text: str) -> str:
    return text[:_CHARACTERS].encode("utf-8", "replace").decode()
