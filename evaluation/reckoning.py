"""From judged answers to an attribution's figures: arms, techniques, and the parts of the question set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from statistics import median

from evaluation.asking import ArmAnswer
from evaluation.attribution_record import ARMS, TECHNIQUES, Arm, Slice, Technique
from evaluation.intervals import Estimate, bootstrap
from evaluation.judging import DRAWS, Judged, gain, semantic, share
from evaluation.metrics import NOT_ANSWERED
from evaluation.training_data import Seen

TAUGHT, NOT_TAUGHT = "facts in the training answers", "facts not in the training answers"


def arm(rows: Sequence[Judged], name: str) -> Arm:
    """One arm's totals. A failed answer has no latency; a total of which a part is unknown is unknown."""
    answers = [row.answers[name] for row in rows]
    seconds = [one.latency_s for one in answers if one.status != "error" and one.latency_s is not None]
    return Arm(
        name,
        answers[0].model,
        share(rows, name),
        semantic(rows, {name: 1}),
        median(seconds) if seconds else None,
        sum(seconds) if seconds else None,
        _sum([one.prompt_tokens for one in answers]),
        _sum([one.completion_tokens for one in answers]),
        _usd(answers),
        sum(one.status == "error" for one in answers),
    )


def technique(rows: Sequence[Judged], name: str, arms: Mapping[str, Arm]) -> Technique:
    """What a technique bought; seconds are paired by question, as the gain is."""
    weights = TECHNIQUES[name]
    prices = [(arms[one].usd_per_1000, weight) for one, weight in weights.items()]
    known = [usd * weight for usd, weight in prices if usd is not None]
    return Technique(
        name, gain(rows, weights), _seconds(rows, weights), sum(known, Decimal()) if len(known) == len(prices) else None
    )


def slices(rows: Sequence[Judged], seen: Seen | None) -> tuple[Slice, ...]:
    """One part for each tag, and one for what training taught and one for what it did not; none that is the whole set.

    Questions that nothing answers have no fact that could have been taught, so they are in neither of these two.
    """
    tags = dict.fromkeys(tag for row in rows for tag in row.sample.tags)
    parts = {tag.replace("_", " "): [row for row in rows if tag in row.sample.tags] for tag in tags}
    if seen is not None:
        taught = set(seen.taught)
        facts = [(position, row) for position, row in enumerate(rows) if NOT_ANSWERED not in row.sample.tags]
        parts[TAUGHT] = [row for position, row in facts if position in taught]
        parts[NOT_TAUGHT] = [row for position, row in facts if position not in taught]
    return tuple(_slice(name, part) for name, part in parts.items() if 0 < len(part) < len(rows))


def _slice(name: str, rows: Sequence[Judged]) -> Slice:
    gains = {technique: gain(rows, weights) for technique, weights in TECHNIQUES.items()}
    return Slice(name, len(rows), {one: share(rows, one) for one in ARMS}, gains)


def _seconds(rows: Sequence[Judged], weights: Mapping[str, int]) -> Estimate | None:
    """The weighted sum of latencies, over the questions that no arm failed."""
    values = []
    for row in rows:
        parts = [(row.answers[one], weight) for one, weight in weights.items()]
        known = [a.latency_s * weight for a, weight in parts if a.status != "error" and a.latency_s is not None]
        if len(known) == len(parts):
            values.append(sum(known))
    return bootstrap(values, DRAWS) if values else None


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _usd(answers: Sequence[ArmAnswer]) -> Decimal | None:
    known = [Decimal(one.cost_usd) for one in answers if one.cost_usd is not None]
    return sum(known, Decimal()) if len(known) == len(answers) else None
