"""A finished attribution: four arms on the same questions, and what each technique bought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from evaluation.intervals import Estimate
from evaluation.judging import Gain, Judged, Share
from evaluation.stored_results import newest, read_result, write_result
from evaluation.training_data import Seen

BASE, RAG, ADAPTER, BOTH = ARMS = ("base", "base_rag", "adapter", "adapter_rag")

TECHNIQUES: dict[str, dict[str, int]] = {
    "rag": {RAG: 1, BASE: -1},
    "adapter": {ADAPTER: 1, BASE: -1},
    "both": {BOTH: 1, BASE: -1},
    "rag_besides": {BOTH: 1, ADAPTER: -1},
    "adapter_besides": {BOTH: 1, RAG: -1},
    "interaction": {BOTH: 1, RAG: -1, ADAPTER: -1, BASE: 1},
}
"""What is reckoned of the arms, as weights of a sum. `rag_besides`: RAG where the adapter is there already, and the
other way round. `interaction`: what both bring beyond the sum of what each brings
alone; below 0 they partly buy the same thing (a 2 × 2 factorial comparison: G. Box, J. Hunter, W. Hunter, "Statistics
for Experimenters" (2005), chapter 5)."""

_FILE = "attribution.json"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of answering. Latencies and seconds are of the work alone, without waiting or loading.

    `usd`: what all its answers cost together, the share of the training included; None where that is unknown.
    `failed`: answers that ended in an error; they count as not right.
    """

    name: str
    model: str
    right: Share
    semantic: Estimate | None
    latency_p50_s: float | None
    latency_s: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    usd: Decimal | None
    failed: int

    @property
    def usd_per_1000(self) -> Decimal | None:
        """Dollars for 1,000 answers like these."""
        return None if self.usd is None else self.usd * 1000 / self.right.questions


@dataclass(frozen=True, slots=True)
class Technique:
    """What one technique bought over the base: share of right answers, seconds for an answer, USD for 1,000 answers.

    Seconds and dollars are None where a part is unknown. For the interaction they say what both cost beyond the sum.
    """

    name: str
    gain: Gain
    seconds: Estimate | None
    usd_per_1000: Decimal | None


@dataclass(frozen=True, slots=True)
class Slice:
    """The questions of one tag, or those whose facts training taught."""

    name: str
    questions: int
    right: Mapping[str, Share]
    gains: Mapping[str, Gain]


@dataclass(frozen=True, slots=True)
class Attribution:
    """All of it. `seen` is None where the training pairs are not on this machine.

    `training_usd` is what training cost as the card tells it, None if it does not; a share of it is in the cost of
    each of the adapter's answers, spread over `answers_per_training`.
    """

    adapter: str
    sha256: str
    question_set: str
    collection: str
    passages: int
    embedder: str
    created: datetime
    max_tokens: int
    rows: tuple[Judged, ...]
    left_out: int
    arms: Mapping[str, Arm]
    techniques: Mapping[str, Technique]
    slices: tuple[Slice, ...]
    seen: Seen | None
    machine_usd_per_hour: Decimal
    training_usd: Decimal | None
    answers_per_training: int

    @property
    def training_usd_per_1000(self) -> Decimal | None:
        """The part of the training in the cost of 1,000 of the adapter's answers."""
        return None if self.training_usd is None else self.training_usd * 1000 / self.answers_per_training


def store_attribution(folder: Path, attribution: Attribution) -> None:
    """Write it. Raises `BackendError` if the disk does not take it."""
    write_result(folder / _FILE, Attribution, attribution)


def stored_attributions(data: Path) -> list[Path]:
    """The files of all attributions, newest first."""
    return newest(list((data / "attributions").glob(f"*/{_FILE}")))


def read_attribution(file: Path) -> Attribution:
    """A stored attribution. Raises `BackendError` if it is damaged."""
    return read_result(file, Attribution)
