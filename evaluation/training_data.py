"""What an adapter was trained on, where that is known: its held-out part, and which questions training gave away."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.fine_tuned.adapters.card import is_reader
from backends.fine_tuned.pairs.files import Pair, digest, read_pairs
from backends.fine_tuned.pairs.held_out import find_leaks
from backends.matching import matchable
from evaluation.metrics import NOT_ANSWERED, contains_prepared_fact
from evaluation.reading import reading_samples
from evaluation.samples import Sample

SAMPLE_PAIRS = Path(__file__).resolve().parents[1] / "sample_docs" / "train.jsonl"

_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Seen:
    """What training saw of a question set, as positions from 0.

    `asked`: questions that training asked in the same or nearly the same words, by kind (exact, normalised, near).
    `taught`: questions whose key facts all stand in training answers, in whatever words they were asked; a short fact
    (a number) may stand there by chance, so this is an upper bound.
    """

    pairs: int
    asked: Mapping[int, str]
    taught: tuple[int, ...]

    def kinds(self) -> dict[str, int]:
        """How many questions of each kind, the most similar kind first."""
        counts = Counter(self.asked.values())
        return {kind: counts[kind] for kind in ("exact", "normalised", "near") if counts[kind]}


def training_pairs(data: Path, card: Mapping[str, Any]) -> list[Pair] | None:
    """The pairs that an adapter was trained on, by its card; None where they are not on this machine.

    They are those of the training run that the card names, the held-out ones too if a last pass went over everything,
    or the sample pairs if their hash is the card's.
    """
    if file := _of_run(data, card, "train.jsonl"):
        everything = _of_run(data, card, "held_out.jsonl") if isinstance(card.get("last_pass"), dict) else None
        return read_pairs(file) + (read_pairs(everything) if everything else [])
    stated = card.get("data")
    if isinstance(stated, dict) and SAMPLE_PAIRS.is_file():
        pairs = read_pairs(SAMPLE_PAIRS)
        if stated.get("sha256") == digest(pairs):
            return pairs
    return None


def held_out_samples(data: Path, card: Mapping[str, Any]) -> list[Sample]:
    """The held-out pairs of an adapter's training run as a question set; empty where there are none.

    An answer is right if it holds the pair's whole answer, but for case, white space and the final full stop. Of a
    reader's see `reading_samples`.
    """
    file = _of_run(data, card, "held_out.jsonl")
    if file is None or not file.read_bytes().strip():
        return []
    pairs = read_pairs(file)
    if is_reader(card):
        return reading_samples(pairs)
    return [Sample(str(number), pair.question, pair.answer) for number, pair in enumerate(pairs, 1)]


def find_seen(pairs: Sequence[Pair], samples: Sequence[Sample]) -> Seen:
    """What training on `pairs` gave away of the samples."""
    leaks = find_leaks(pairs, [sample.question for sample in samples])
    answers = " | ".join(dict.fromkeys(matchable(pair.answer) for pair in pairs))
    taught = tuple(
        position
        for position, sample in enumerate(samples)
        if sample.key_facts
        and NOT_ANSWERED not in sample.tags
        and all(contains_prepared_fact(answers, fact) for fact in sample.key_facts)
    )
    return Seen(len(pairs), {leak.question: leak.kind for leak in leaks}, taught)


def _of_run(data: Path, card: Mapping[str, Any], name: str) -> Path | None:
    """A file of the training run that the card names. A card may come from anywhere, so the name is checked."""
    run = card.get("run")
    if not isinstance(run, str) or not _RUN.fullmatch(run):
        return None
    file = data / "trainings" / run / name
    return file if file.is_file() else None
