"""A finished proof of an adapter: what it holds, where it is stored, and what it adds to the adapter's card."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from evaluation.intervals import Estimate
from evaluation.judging import Gain, Judged, Share
from evaluation.stored_results import newest, read_result, write_result
from evaluation.training_data import Seen

BASE, ADAPTER = "base", "adapter"

_FILE = "proof.json"


@dataclass(frozen=True, slots=True)
class Forgetting:
    """How many of the general questions that the base answers right the adapter still does. `asked`: all there were.

    `rows`: the questions that the base answered right.
    """

    asked: int
    kept: Share
    rows: tuple[Judged, ...]

    @property
    def lost(self) -> tuple[Judged, ...]:
        """The questions that the adapter gets wrong."""
        return tuple(row for row in self.rows if not row.right[ADAPTER])


@dataclass(frozen=True, slots=True)
class AdapterProof:
    """Base and adapter on the same questions; the semantic estimates are None where no question has a reference.

    `left_out`: questions without anything to judge by. `forgetting` is None if the base knew nothing of what is
    asked; `seen` is None where the training pairs are not on this machine. `amended`: the adapter's card says it too.
    """

    adapter: str
    sha256: str
    base_model: str
    question_set: str
    created: datetime
    max_tokens: int
    embedder: str
    rows: tuple[Judged, ...]
    left_out: int
    base: Share
    tuned: Share
    difference: Gain
    base_semantic: Estimate | None
    tuned_semantic: Estimate | None
    semantic_difference: Estimate | None
    forgetting: Forgetting | None
    seen: Seen | None
    amended: bool

    @property
    def to_right(self) -> tuple[Judged, ...]:
        """The questions that only the adapter gets right."""
        return tuple(row for row in self.rows if row.right[ADAPTER] and not row.right[BASE])

    @property
    def to_wrong(self) -> tuple[Judged, ...]:
        """The questions that only the base gets right."""
        return tuple(row for row in self.rows if row.right[BASE] and not row.right[ADAPTER])


def card_entries(proof: AdapterProof) -> dict[str, object]:
    """What a proof adds to the adapter's card."""
    entries: dict[str, object] = {
        "score": {
            "questions": proof.base.questions,
            "base": proof.base.right,
            "adapter": proof.tuned.right,
            "question_set": proof.question_set,
        }
    }
    if proof.base_semantic and proof.tuned_semantic:
        entries["semantic"] = {
            "base": round(proof.base_semantic.value, 4),
            "adapter": round(proof.tuned_semantic.value, 4),
            "embedder": proof.embedder,
        }
    if proof.forgetting:
        entries["forgetting"] = {"known_by_base": proof.forgetting.kept.questions, "kept": proof.forgetting.kept.right}
    return entries


def store_proof(folder: Path, proof: AdapterProof) -> None:
    """Write it. Raises `BackendError` if the disk does not take it."""
    write_result(folder / _FILE, AdapterProof, proof)


def stored_proofs(data: Path, sha256: str) -> list[Path]:
    """The files of an adapter's proofs, newest first."""
    return newest(list((data / "proofs" / sha256).glob(f"*/{_FILE}")))


def read_proof(file: Path) -> AdapterProof:
    """A stored proof. Raises `BackendError` if it is damaged."""
    return read_result(file, AdapterProof)
